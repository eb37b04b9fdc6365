"""Whether monitors are checked and jobs are started when they should be, and what is scheduled at all.

Source: the tables monitors, jobs, locations and monitor_results, by four statements on one short
connection; rows past their retention are counted in the background (retention.py).

    supercheck_monitor_staleness_intervals 1.3
    supercheck_schedules_expected{queue="monitor-scheduler"} 42.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from supercheck_exporter.core import Collector, Sample, counter, gauge
from supercheck_exporter.retention import RetentionReader
from supercheck_exporter.sources.postgres import PostgresSource, Row
from supercheck_exporter.watermark import Watermark

STATUSES = ("up", "down", "paused", "pending", "maintenance", "error")
RESULT_STATUSES = ("up", "down", "error", "timeout")
SCHEDULER_OF = {"playwright": "job-scheduler", "k6": "k6-job-scheduler"}
MONITOR_SCHEDULER = "monitor-scheduler"
OTHER = "other"
MAX_LOCATIONS = 100
MAX_GAP_SECONDS = 3600
"""After a longer outage only the last hour is counted: an answer must come in time."""

MONITORS = gauge("supercheck_monitors", "Monitors by status.", "status")
STALENESS = gauge(
    "supercheck_monitor_staleness_seconds",
    "Seconds since the next check of the most overdue enabled monitor was due; 0 when none is.",
)
INTERVALS = gauge(
    "supercheck_monitor_staleness_intervals",
    "Time since its last check over its own interval, of the enabled monitor where this is the most.",
)
EXPECTED = gauge(
    "supercheck_schedules_expected",
    "Schedules that the queue should hold: enabled monitors, jobs with a cron schedule by type.",
    "queue",
)
OVERDUE = gauge("supercheck_jobs_overdue", "Scheduled jobs whose next start has passed.")
JOB_OVERDUE = gauge(
    "supercheck_job_overdue_seconds",
    "Seconds since the most overdue scheduled job was due to start; 0 when none is.",
)
RESULTS = counter(
    "supercheck_monitor_results_total",
    "Checks by location and result since the exporter started, about 10 s behind.",
    "location",
    "status",
)
ENABLED = gauge("supercheck_location_enabled", "Whether the location is enabled (1) or not (0).", "location")
RETENTION = gauge(
    "supercheck_retention_overdue_rows",
    "Rows that are a day or more past their retention and still there, counted up to 100000.",
    "entity",
)

MONITORS_SQL = """
SELECT coalesce(status, 'unknown') AS status, count(*) AS monitors, count(*) FILTER (WHERE watched) AS watched,
       max(age - every) FILTER (WHERE watched)::float8 AS late,
       max(age / every) FILTER (WHERE watched AND every > 0)::float8 AS intervals
FROM (
    SELECT status, enabled AND coalesce(status, '') <> 'paused' AS watched, frequency_minutes * 60 AS every,
           extract(epoch FROM (now() AT TIME ZONE 'utc') - coalesce(last_check_at, created_at)) AS age
    FROM monitors
) m GROUP BY 1
"""
JOBS_SQL = """
SELECT job_type, count(*) AS scheduled,
       count(*) FILTER (WHERE next_run_at < (now() AT TIME ZONE 'utc')) AS overdue,
       max(extract(epoch FROM (now() AT TIME ZONE 'utc') - next_run_at))::float8 AS late
FROM jobs WHERE cron_schedule <> '' GROUP BY 1
"""
LOCATIONS_SQL = f"SELECT code, is_enabled FROM locations ORDER BY code LIMIT {MAX_LOCATIONS}"  # noqa: S608
RESULTS_SQL = """
SELECT coalesce(location, 'none') AS location, status, count(*) AS results FROM monitor_results
WHERE checked_at > w.since AND checked_at <= w.until GROUP BY 1, 2
"""


class MonitorsCollector(Collector):
    """Four statements on one connection."""

    name = "monitors"
    descs = (
        MONITORS, STALENESS, INTERVALS, EXPECTED, OVERDUE, JOB_OVERDUE, RESULTS, ENABLED, RETENTION,
    )  # fmt: skip

    def __init__(self, source: PostgresSource, retention: RetentionReader) -> None:
        self._source = source
        self._retention = retention
        self._watermark = Watermark(MAX_GAP_SECONDS)
        self._results: Counter[tuple[str, str]] = Counter()

    def start(self) -> None:
        """Start counting what is past its retention."""
        self._retention.start()

    def stop(self) -> None:
        """Stop it."""
        self._retention.stop()

    def collect(self) -> Iterator[Sample]:
        """Read the four tables."""
        with self._source.session() as session:
            monitors, jobs = session.rows(MONITORS_SQL), session.rows(JOBS_SQL)
            locations, results = session.rows(LOCATIONS_SQL), self._watermark.look(session, RESULTS_SQL)
        self._count(self._watermark.take(results))
        yield from monitor_samples(monitors)
        yield from job_samples(jobs)
        for row in locations:
            yield ENABLED(float(bool(row["is_enabled"])), row["code"])
        for (location, status), number in self._results.items():
            yield RESULTS(number, location, status)
        for entity, rows in self._retention.counts().items():
            yield RETENTION(rows, entity)

    def _count(self, rows: list[Row]) -> None:
        for row in rows:
            status = row["status"] if row["status"] in RESULT_STATUSES else OTHER
            places = {location for location, _ in self._results}
            known = row["location"] in places or len(places) < MAX_LOCATIONS
            self._results[row["location"] if known else OTHER, status] += row["results"]


def monitor_samples(rows: Iterable[Row]) -> Iterator[Sample]:
    """Of the rows by status: how many, what is expected in the scheduler, and the most overdue one."""
    rows = list(rows)
    counts: Counter[str] = Counter(dict.fromkeys(STATUSES, 0))
    for row in rows:
        counts[row["status"] if row["status"] in STATUSES else OTHER] += row["monitors"]
    for status, count in counts.items():
        yield MONITORS(count, status)
    yield STALENESS(max([0.0, *(row["late"] for row in rows if row["late"] is not None)]))
    yield INTERVALS(max([0.0, *(row["intervals"] for row in rows if row["intervals"] is not None)]))
    yield EXPECTED(sum(row["watched"] for row in rows), MONITOR_SCHEDULER)


def job_samples(rows: Iterable[Row]) -> Iterator[Sample]:
    """Of the rows by type: what is expected in each scheduler, and what is late."""
    rows = list(rows)
    expected = dict.fromkeys(SCHEDULER_OF.values(), 0)
    for row in rows:
        queue = SCHEDULER_OF.get(row["job_type"])
        if queue is not None:
            expected[queue] += row["scheduled"]
    for queue, scheduled in expected.items():
        yield EXPECTED(scheduled, queue)
    yield OVERDUE(sum(row["overdue"] for row in rows))
    yield JOB_OVERDUE(max([0.0, *(row["late"] for row in rows if row["late"] is not None)]))

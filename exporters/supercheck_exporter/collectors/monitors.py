"""Whether monitors are checked and jobs are started when they should be, and what is scheduled at all.

Source: the tables monitors, jobs, locations and monitor_results, read in the background (monitoring.py), as are the
rows past their retention (retention.py): a scrape asks nothing.

    supercheck_monitor_staleness_intervals 1.3
    supercheck_schedules_expected{queue="monitor-scheduler"} 42.0
    supercheck_location_failing_monitors{location="eu-central",elsewhere="up"} 3.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from supercheck_exporter.core import Collector, NoData, Sample, counter, gauge
from supercheck_exporter.locations import Standing
from supercheck_exporter.monitoring import MonitorReader
from supercheck_exporter.retention import RetentionReader
from supercheck_exporter.sources.postgres import Row

STATUSES = ("up", "down", "paused", "pending", "maintenance", "error")
SCHEDULER_OF = {"playwright": "job-scheduler", "k6": "k6-job-scheduler"}
MONITOR_SCHEDULER = "monitor-scheduler"
OTHER = "other"
MAX_AGE_SECONDS = 120.0

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
CHECKED = gauge(
    "supercheck_location_monitors",
    "Monitors that were checked from the location lately: within two of their intervals, 10 minutes to 2 hours.",
    "location",
)
FAILING = gauge(
    "supercheck_location_failing_monitors",
    "Those whose last check from the location was not up, by what the same monitor's last checks from other locations "
    "said: one was up, all were down, or there are none.",
    "location",
    "elsewhere",
)
LAST_SUCCESS = gauge(
    "supercheck_location_last_success_timestamp_seconds",
    "Unix time of the last check from the location that was up; absent where none was seen.",
    "location",
)
RETENTION = gauge(
    "supercheck_retention_overdue_rows",
    "Rows that are a day or more past their retention and still there, counted up to 100000.",
    "entity",
)


class MonitorsCollector(Collector):
    """Shows what the background has read."""

    name = "monitors"
    descs = (
        MONITORS, STALENESS, INTERVALS, EXPECTED, OVERDUE, JOB_OVERDUE,
        RESULTS, ENABLED, CHECKED, FAILING, LAST_SUCCESS, RETENTION,
    )  # fmt: skip

    def __init__(self, reader: MonitorReader, retention: RetentionReader) -> None:
        self._reader = reader
        self._retention = retention

    def start(self) -> None:
        """Start reading."""
        self._reader.start()
        self._retention.start()

    def stop(self) -> None:
        """Stop it."""
        self._reader.stop()
        self._retention.stop()

    def collect(self) -> Iterator[Sample]:
        """Everything, as the last look saw it."""
        self._reader.require_sound(MAX_AGE_SECONDS, "Monitors and jobs")
        facts = self._reader.facts
        if facts is None:
            raise NoData
        yield from monitor_samples(facts.monitors)
        yield from job_samples(facts.jobs)
        for code, enabled in facts.locations.items():
            yield ENABLED(float(enabled), code)
        for (location, status), number in facts.results.items():
            yield RESULTS(number, location, status)
        yield from location_samples(facts.standings)
        for entity, rows in self._retention.counts().items():
            yield RETENTION(rows, entity)


def location_samples(standings: Mapping[str, Standing]) -> Iterator[Sample]:
    """Of each location: monitors, those that fail there, the last success."""
    for location, standing in standings.items():
        yield CHECKED(standing.monitors, location)
        for elsewhere, monitors in standing.failing.items():
            yield FAILING(monitors, location, elsewhere)
        if standing.last_success is not None:
            yield LAST_SUCCESS(standing.last_success, location)


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

"""Monitors, scheduled jobs, locations and what came of checks, read in the background.

One statement, so one moment. ``monitors`` and ``jobs`` are read whole, since what is most overdue can be told no other
way: that is why no scrape waits for it, and why the rest between two looks grows with their cost.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.postgres import PostgresSource, Row, rest_seconds
from supercheck_exporter.watermark import Watermark

RESULT_STATUSES = ("up", "down", "error", "timeout")
OTHER = "other"
MAX_LOCATIONS = 100
MAX_GAP_SECONDS = 3600
"""After a longer outage only the last hour is counted: an answer must come in time."""

# numbers of ours, and what is counted between which moments
STATEMENT = """
SELECT w.until,
  (SELECT json_agg(m) FROM (
    SELECT coalesce(status, 'unknown') AS status, count(*) AS monitors, count(*) FILTER (WHERE watched) AS watched,
           max(age - every) FILTER (WHERE watched) AS late,
           max(age / every) FILTER (WHERE watched AND every > 0) AS intervals
    FROM (
      SELECT status, enabled AND coalesce(status, '') <> 'paused' AS watched, frequency_minutes * 60 AS every,
             extract(epoch FROM w.now - coalesce(last_check_at, created_at))::float8 AS age
      FROM monitors) one GROUP BY 1) m) AS monitors,
  (SELECT json_agg(j) FROM (
    SELECT job_type, count(*) AS scheduled, count(*) FILTER (WHERE next_run_at < w.now) AS overdue,
           max(extract(epoch FROM w.now - next_run_at))::float8 AS late
    FROM jobs WHERE cron_schedule <> '' GROUP BY 1) j) AS jobs,
  (SELECT json_object_agg(code, is_enabled) FROM (
    SELECT code, coalesce(is_enabled, false) AS is_enabled FROM locations ORDER BY code LIMIT {locations}) l
  ) AS locations,
  (SELECT json_agg(json_build_array(location, status, results)) FROM (
    SELECT coalesce(location, 'none') AS location, status, count(*) AS results FROM monitor_results
    WHERE checked_at > w.since AND checked_at <= w.until
    GROUP BY 1, 2) r) AS results
FROM {window} w
"""


def statement(watermark: Watermark) -> str:
    """The statement that counts the results since the last look."""
    return STATEMENT.format(window=watermark.window(), locations=MAX_LOCATIONS)


@dataclass(frozen=True)
class MonitorFacts:
    """One look."""

    monitors: Sequence[Row]
    """A row a status: status, monitors, watched, late (seconds), intervals."""
    jobs: Sequence[Row]
    """A row a type of the jobs with a schedule: job_type, scheduled, overdue, late (seconds)."""
    locations: Mapping[str, bool]
    """Whether each is enabled."""
    results: Mapping[tuple[str, str], int]
    """Checks by location and result since the exporter started."""


class MonitorReader(Follower):
    """Keeps ``facts``, which are replaced as a whole, and the totals of the results since it began."""

    name = "monitors"

    def __init__(self, source: PostgresSource, every: float) -> None:
        super().__init__()
        self._source = source
        self._every = every
        self.facts: MonitorFacts | None = None
        self._watermark = Watermark(MAX_GAP_SECONDS)
        self._results: Counter[tuple[str, str]] = Counter()

    def step(self) -> float:
        """Read the four tables once."""
        began = time.monotonic()
        with self._source.session() as session:
            (row,) = session.rows(statement(self._watermark))
        for location, status, number in row["results"] or ():
            self._count(location, status if status in RESULT_STATUSES else OTHER, number)
        self._watermark.reach(row["until"])
        self.facts = MonitorFacts(row["monitors"] or (), row["jobs"] or (), row["locations"] or {}, dict(self._results))
        return rest_seconds(self._every, time.monotonic() - began)

    def _count(self, location: str, status: str, number: int) -> None:
        places = {known for known, _ in self._results}
        known = location in places or len(places) < MAX_LOCATIONS
        self._results[location if known else OTHER, status] += number

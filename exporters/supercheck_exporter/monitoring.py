"""Monitors, scheduled jobs, locations and what came of checks, read in the background.

One statement, so one moment. ``monitors`` and ``jobs`` are read whole, since what is most overdue can be told no other
way: that is why no scrape waits for it, and why the rest between two looks grows with their cost.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supercheck_exporter.followers import Follower
from supercheck_exporter.locations import MAX_CHECKS, LocationChecks, Seen, Standing
from supercheck_exporter.sources.postgres import PostgresSource, Row, rest_seconds
from supercheck_exporter.watermark import Watermark

log = logging.getLogger(__name__)

RESULT_STATUSES = ("up", "down", "error", "timeout")
OTHER = "other"
MAX_LOCATIONS = 100
MAX_GAP_SECONDS = 3600
"""After a longer outage only the last hour is counted: an answer must come in time. The first look sees as much."""

# numbers of ours, and what is counted between which moments; these are written out twice, since behind a common name
# the planner does not see how near they are to each other
STATEMENT = """
WITH recent AS MATERIALIZED (
  SELECT r.monitor_id, coalesce(r.location, 'none') AS location, r.status, r.checked_at
  FROM {window} w JOIN monitor_results r ON r.checked_at > {seen} AND r.checked_at <= w.until)
SELECT w.until, extract(epoch FROM w.until)::float8 AS now,
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
    SELECT location, status, count(*) AS results FROM recent WHERE checked_at > w.since
    GROUP BY 1, 2) r) AS results,
  (SELECT json_agg(json_build_array(monitor_id, location, every, up, failed)) FROM (
    SELECT r.monitor_id, r.location, max(coalesce(m.frequency_minutes, 0)) * 60 AS every,
           extract(epoch FROM max(r.checked_at) FILTER (WHERE r.status = 'up'))::float8 AS up,
           extract(epoch FROM max(r.checked_at) FILTER (WHERE r.status IS DISTINCT FROM 'up'))::float8 AS failed
    FROM recent r JOIN monitors m ON m.id = r.monitor_id
    WHERE m.enabled AND coalesce(m.status, '') <> 'paused'
    GROUP BY 1, 2 LIMIT {checks} + 1) c) AS checks
FROM {window} w
"""


def statement(watermark: Watermark) -> str:
    """The statement that counts the results since the last look; the first one counts none, and sees the last hour."""
    seen = "w.since" if watermark.began else f"w.until - {MAX_GAP_SECONDS} * interval '1 second'"
    return STATEMENT.format(window=watermark.window(), seen=seen, locations=MAX_LOCATIONS, checks=MAX_CHECKS)


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

    standings: Mapping[str, Standing]
    """What fails at each of the locations; empty where there are too many checks to hold."""


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
        self._checks = LocationChecks()

    def step(self) -> float:
        """Read the four tables once."""
        began = time.monotonic()
        with self._source.session() as session:
            (row,) = session.rows(statement(self._watermark))
        for location, status, number in row["results"] or ():
            self._count(location, status if status in RESULT_STATUSES else OTHER, number)
        self._watermark.reach(row["until"])
        self._follow([Seen(*check) for check in row["checks"] or ()], row["now"])
        locations = row["locations"] or {}
        self.facts = MonitorFacts(
            row["monitors"] or (),
            row["jobs"] or (),
            locations,
            dict(self._results),
            self._checks.standings(locations),
        )
        return rest_seconds(self._every, time.monotonic() - began)

    def _count(self, location: str, status: str, number: int) -> None:
        places = {known for known, _ in self._results}
        known = location in places or len(places) < MAX_LOCATIONS
        self._results[location if known else OTHER, status] += number

    def _follow(self, seen: Sequence[Seen], now: float) -> None:
        before = self._checks.too_many
        self._checks.add(seen, now)
        if self._checks.too_many and not before:
            log.warning("over %d monitors by location: what fails at which location is not followed", MAX_CHECKS)

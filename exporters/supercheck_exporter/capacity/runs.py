"""The database's own view of the runs, read in the background: who runs, how runs end, rows that say what is not so.

One statement, so one moment, on an index each. ``completed_at`` is the app's and the workers' clock; all times are
UTC without a zone.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from supercheck_exporter.capacity.admission import Admissions
from supercheck_exporter.capacity.use import MAX_USE_AGE_SECONDS, UseReader
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.postgres import PostgresSource, Row, rest_seconds
from supercheck_exporter.watermark import Watermark

FINAL = ("passed", "failed", "error", "blocked")
MAX_AGE_SECONDS = 120.0
MAX_GAP_SECONDS = 6 * 3600
"""After a longer outage only the last hours are counted: an answer must come in time."""

PHANTOM_AFTER_SECONDS = 300
"""A run that waits for less is not called a phantom: its key may not have been seen yet."""

MAX_QUEUED, MAX_CANDIDATES = 100_000, 1000

# numbers of ours, and what is counted between which moments
STATEMENT = """
SELECT w.until,
  (SELECT count(*) FROM (SELECT FROM runs WHERE status = 'queued' LIMIT {most}) q) AS queued,
  (SELECT json_agg(json_build_array(organization, running, completed)) FROM (
    SELECT coalesce(p.organization_id::text, 'global') AS organization,
           count(*) FILTER (WHERE r.completed_at IS NULL) AS running,
           count(*) FILTER (WHERE r.completed_at > w.now - interval '24 hours') AS completed
    FROM runs r LEFT JOIN projects p ON p.id = r.project_id
    WHERE r.status = 'running' GROUP BY 1) r) AS running,
  (SELECT json_agg(json_build_array(id, organization)) FROM (
    SELECT r.id, coalesce(p.organization_id::text, 'global') AS organization
    FROM runs r LEFT JOIN projects p ON p.id = r.project_id
    WHERE r.status = 'queued' AND r.created_at > w.now - interval '24 hours'
      AND r.created_at < w.now - interval '{phantom} seconds'
    ORDER BY r.created_at DESC LIMIT {candidates}) c) AS candidates,
  (SELECT json_agg(json_build_array(status, finished)) FROM (
    SELECT status, count(*) AS finished FROM runs
    WHERE completed_at > w.since AND completed_at <= w.until
      AND status NOT IN ('queued', 'running') GROUP BY 1) f) AS finished
FROM {window} w
"""


def statement(watermark: Watermark) -> str:
    """The statement that counts as finished what has ended since the last look."""
    return STATEMENT.format(
        window=watermark.window(), most=MAX_QUEUED, phantom=PHANTOM_AFTER_SECONDS, candidates=MAX_CANDIDATES
    )


@dataclass(frozen=True)
class RunFacts:
    """One look."""

    running: Mapping[str, int]
    """Rows by organization that run, those that have ended set aside."""
    running_completed: int
    """Rows that say ``running`` and ended in the last 24 hours."""
    queued: int
    unparked: int
    """Rows of the last 24 hours that have said ``queued`` for a while and are parked nowhere in Redis."""
    finished: Mapping[str, int]
    """Runs that have ended since the exporter started, by status."""


class RunReader(Follower):
    """Keeps ``facts``, which are replaced as a whole, and the totals of what has finished since it began."""

    name = "runs"

    def __init__(self, source: PostgresSource, uses: UseReader, admissions: Admissions, every: float) -> None:
        super().__init__()
        self._source = source
        self._uses = uses
        self._admissions = admissions
        self._every = every
        self.facts: RunFacts | None = None
        self._finished: Counter[str] = Counter(dict.fromkeys(FINAL, 0))
        self._watermark = Watermark(MAX_GAP_SECONDS)

    def step(self) -> float:
        """Read the rows once; what is parked nowhere can be told only where Redis is known."""
        self._uses.require_sound(MAX_USE_AGE_SECONDS, "The capacity counters")
        began = time.monotonic()
        with self._source.session() as session:
            (row,) = session.rows(statement(self._watermark))
        self.facts = self._take(row)
        return rest_seconds(self._every, time.monotonic() - began)

    def _take(self, row: Row) -> RunFacts:
        for status, finished in row["finished"] or ():
            # a status that nobody knows must not become a label
            self._finished[status if status in FINAL else "other"] += finished
        self._watermark.reach(row["until"])
        running = row["running"] or ()
        return RunFacts(
            running={organization: number for organization, number, _ in running if number},
            running_completed=sum(completed for _, _, completed in running),
            queued=row["queued"],
            unparked=sum(
                not self._admissions.holds(run.encode())
                for run, organization in row["candidates"] or ()
                if organization not in self._uses.partly
            ),
            finished=dict(self._finished),
        )

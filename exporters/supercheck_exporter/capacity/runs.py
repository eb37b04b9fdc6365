"""The database's own view of the runs: who runs, how runs end, and rows that say what is not so.

Four statements on an index each. ``completed_at`` is the app's and the workers' clock; all times are UTC
without a zone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from supercheck_exporter.sources.postgres import Row, Session
from supercheck_exporter.watermark import Watermark

FINAL = ("passed", "failed", "error", "blocked")
MAX_GAP_SECONDS = 6 * 3600
"""After a longer outage only the last hours are counted: an answer must come in time."""

PHANTOM_AFTER_SECONDS = 300
"""A run that waits for less is not called a phantom: its key may not have been seen yet."""

MAX_QUEUED, MAX_CANDIDATES = 100_000, 1000

RUNNING = """
SELECT coalesce(p.organization_id::text, 'global') AS organization,
       count(*) FILTER (WHERE r.completed_at IS NULL) AS running,
       count(*) FILTER (WHERE r.completed_at > (now() AT TIME ZONE 'utc') - interval '24 hours') AS completed
FROM runs r LEFT JOIN projects p ON p.id = r.project_id
WHERE r.status = 'running' GROUP BY 1
"""

CANDIDATES = f"""
SELECT r.id::text AS run, coalesce(p.organization_id::text, 'global') AS organization
FROM runs r LEFT JOIN projects p ON p.id = r.project_id
WHERE r.status = 'queued'
  AND r.created_at > (now() AT TIME ZONE 'utc') - interval '24 hours'
  AND r.created_at < (now() AT TIME ZONE 'utc') - interval '{PHANTOM_AFTER_SECONDS} seconds'
ORDER BY r.created_at DESC LIMIT {MAX_CANDIDATES}
"""  # noqa: S608  numbers of ours

QUEUED = f"""
SELECT count(*) AS queued FROM (SELECT FROM runs WHERE status = 'queued' LIMIT {MAX_QUEUED}) q
"""  # noqa: S608  a number of ours

FINISHED = """
SELECT status, count(*) AS finished FROM runs
WHERE completed_at > w.since AND completed_at <= w.until AND status NOT IN ('queued', 'running') GROUP BY 1
"""


@dataclass(frozen=True)
class RunFacts:
    """One look."""

    running: dict[str, int]
    """Rows by organization that run, those that have ended set aside."""
    running_completed: int
    """Rows that say ``running`` and ended in the last 24 hours."""
    queued: int
    candidates: list[tuple[str, str]]
    """(run id, organization) of rows that have said ``queued`` for a while, of the last 24 hours."""


@dataclass
class RunReader:
    """Looks, and keeps the totals of what has finished since it began."""

    finished: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(FINAL, 0)))
    _watermark: Watermark = field(default_factory=lambda: Watermark(MAX_GAP_SECONDS))

    def read(self, session: Session) -> RunFacts:
        """Four statements; the totals move only when all of them were answered."""
        running, candidates = session.rows(RUNNING), session.rows(CANDIDATES)
        queued = session.rows(QUEUED)[0]["queued"]
        self._count(self._watermark.take(self._watermark.look(session, FINISHED)))
        return RunFacts(
            running={row["organization"]: row["running"] for row in running if row["running"]},
            running_completed=sum(row["completed"] for row in running),
            queued=queued,
            candidates=[(row["run"], row["organization"]) for row in candidates],
        )

    def _count(self, rows: list[Row]) -> None:
        for row in rows:
            # a status that nobody knows must not become a label
            self.finished[row["status"] if row["status"] in FINAL else "other"] += row["finished"]

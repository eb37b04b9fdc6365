"""The database's own view of the runs: who runs, how runs end, and rows that say what is not so.

Three statements on an index each. ``completed_at`` is the app's and the workers' clock; all times are UTC
without a zone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from psycopg import sql

from supercheck_exporter.sources.postgres import Row, Session

FINAL = ("passed", "failed", "error", "blocked")
BEHIND_SECONDS = 10
"""A transaction that wrote ``completed_at`` is committed a moment later: the count stays so far behind."""

MAX_GAP = timedelta(hours=6)
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

# one row even where nothing finished, so that the moment and the queued ones are always there
FINISHED = sql.SQL(
    """
SELECT w.until, w.queued, f.status, f.finished
FROM (SELECT (now() AT TIME ZONE 'utc') - {behind} * interval '1 second' AS until,
             (SELECT count(*) FROM (SELECT FROM runs WHERE status = 'queued' LIMIT {most}) q) AS queued) w
LEFT JOIN LATERAL (
    SELECT status, count(*) AS finished FROM runs
    WHERE completed_at > {since} AND completed_at <= w.until AND status NOT IN ('queued', 'running')
    GROUP BY 1
) f ON true
"""
)


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
    _until: datetime | None = None

    def read(self, session: Session) -> RunFacts:
        """Three statements; the totals move only when all of them were answered."""
        running, candidates = session.rows(RUNNING), session.rows(CANDIDATES)
        since = sql.Literal(self._until) if self._until else sql.SQL("'infinity'::timestamp")
        statement = FINISHED.format(
            behind=sql.Literal(BEHIND_SECONDS), most=sql.Literal(MAX_QUEUED), since=_bounded(since)
        )
        rows = session.rows(statement)
        self._count(rows)
        return RunFacts(
            running={row["organization"]: row["running"] for row in running if row["running"]},
            running_completed=sum(row["completed"] for row in running),
            queued=rows[0]["queued"],
            candidates=[(row["run"], row["organization"]) for row in candidates],
        )

    def _count(self, rows: list[Row]) -> None:
        for row in rows:
            if row["status"] is not None:
                # a status that nobody knows must not become a label
                name = row["status"] if row["status"] in FINAL else "other"
                self.finished[name] += row["finished"]
        # the server's clock may be set back: nothing is counted twice
        until = rows[0]["until"]
        self._until = until if self._until is None else max(self._until, until)


def _bounded(since: sql.Composable) -> sql.Composable:
    gap = sql.Literal(MAX_GAP.total_seconds())
    return sql.SQL("greatest({}, w.until - {} * interval '1 second')").format(since, gap)

"""The runs of the last day in small steps, and whose last run ended when. Pure, but for the statement that it makes.

Read by a watermark: each step takes the runs that ended since the one before, up to ten seconds ago and not more than a
few hours at once. So the month that is read after a start is many small reads by the index on ``completed_at``.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from supercheck_exporter.capacity.runs import FINAL
from supercheck_exporter.sources.postgres import Row
from supercheck_exporter.watermark import BEHIND_SECONDS

DAY, MONTH = timedelta(days=1), timedelta(days=30)
LONG_STEP, SHORT_STEP = timedelta(hours=6), timedelta(minutes=30)
"""Of the month, and of its last day, which is forgotten step by step."""

OTHER = "other"
NOBODY = "global"
"""Runs without a project, or of one that is gone."""

# one row even where nothing ended, so that the moments are always there
RUNS = """
SELECT w.until, w.now, r.organization, r.status, r.runs, r.ms
FROM (SELECT n.now, least(n.now, {since} + interval '{step} seconds') AS until
      FROM (SELECT (now() AT TIME ZONE 'utc') - interval '{behind} seconds' AS now) n) w
LEFT JOIN LATERAL (
    SELECT coalesce(p.organization_id::text, '{nobody}') AS organization, x.status, count(*) AS runs,
           coalesce(sum(x.duration_ms), 0)::bigint AS ms
    FROM runs x LEFT JOIN projects p ON p.id = x.project_id
    WHERE x.completed_at > {since} AND x.completed_at <= w.until AND x.status NOT IN ('queued', 'running')
    GROUP BY 1, 2
) r ON true
"""


class Ended(NamedTuple):
    """Runs of an organization that ended with a status."""

    organization: str
    status: str


@dataclass
class Step:
    """What ended up to a moment; run time in milliseconds by organization."""

    until: datetime
    runs: Counter[Ended] = field(default_factory=Counter)
    ms: Counter[str] = field(default_factory=Counter)


@dataclass
class Recent:
    """A moving day, and a month of activity."""

    until: datetime | None = None
    """How far it has read; UTC without a zone."""

    complete: bool = False
    """Whether the month before the start has been read."""

    runs: Counter[Ended] = field(default_factory=Counter)
    ms: Counter[str] = field(default_factory=Counter)
    seen: dict[str, datetime] = field(default_factory=dict)
    """Organization -> when its last run ended, at most a step later."""

    _now: datetime | None = None
    _steps: deque[Step] = field(default_factory=deque)

    def statement(self) -> str:
        """SQL of the next step."""
        if self.until is None:
            since = f"((now() AT TIME ZONE 'utc') - interval '{MONTH.days} days')"
        else:
            since = f"'{self.until.isoformat()}'::timestamp"
        far = self.until is None or self._now is None or self._now - self.until >= DAY + LONG_STEP
        step = (LONG_STEP if far else SHORT_STEP).total_seconds()
        return RUNS.format(since=since, step=f"{step:.0f}", behind=BEHIND_SECONDS, nobody=NOBODY)

    def add(self, rows: Iterable[Row]) -> Step | None:
        """Take the rows of a step, and forget what is older than a day. None where the server's clock was set back."""
        rows = list(rows)
        until, now = rows[0]["until"], rows[0]["now"]
        if self.until is not None and until <= self.until:  # nothing is counted twice
            return None
        step = Step(until)
        for row in rows:
            if row["runs"] is not None:
                # a status that nobody knows must not become a label
                status = row["status"] if row["status"] in FINAL else OTHER
                step.runs[Ended(row["organization"], status)] += row["runs"]
                step.ms[row["organization"]] += row["ms"]
                self.seen[row["organization"]] = until
        self.until, self._now, self.complete = until, now, self.complete or until >= now
        if until > now - DAY:
            self._steps.append(step)
            self.runs, self.ms = self.runs + step.runs, self.ms + step.ms
        while self._steps and self._steps[0].until <= now - DAY:
            gone = self._steps.popleft()
            self.runs, self.ms = self.runs - gone.runs, self.ms - gone.ms
        self.seen = {one: at for one, at in self.seen.items() if at > now - MONTH}
        return step

    def active(self, span: timedelta) -> set[str]:
        """Organizations with a run that ended within the span before the watermark."""
        until = self.until
        return set() if until is None else {one for one, at in self.seen.items() if one != NOBODY and at > until - span}

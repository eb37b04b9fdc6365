"""Reads what is used, slowly: the runs that ended, the organizations' counters, and in the cloud the usage events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from supercheck_exporter.analytics.recent import DAY, MONTH, OTHER, Ended, Recent
from supercheck_exporter.capacity.directory import MAX_ORGANIZATIONS
from supercheck_exporter.capacity.ranking import NO_PLAN, UNKNOWN_PLAN
from supercheck_exporter.capacity.runs import FINAL
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.postgres import PostgresSource, Row
from supercheck_exporter.watermark import Watermark

BACK = 120
"""The rest between two steps of the month that is read after a start is so many times shorter than the usual one."""

MAX_PLANS = 10
EVENT_TYPES = ("playwright_execution", "k6_execution", "monitor_execution", "ai_usage")
MAX_GAP_SECONDS = 6 * 3600.0

ORGANIZATIONS = f"""
SELECT id::text AS id, coalesce(slug, '') AS slug, coalesce(subscription_plan, '') AS plan,
       coalesce(playwright_minutes_used, 0) AS playwright_minutes, coalesce(k6_vu_minutes_used, 0) AS k6_minutes,
       coalesce(ai_credits_used, 0) AS ai_credits
FROM organization LIMIT {MAX_ORGANIZATIONS}
"""  # noqa: S608  a number of ours
EVENTS = """
SELECT coalesce(x.organization_id::text, '') AS organization, x.event_type AS type, sum(x.units)::float8 AS units
FROM usage_events x WHERE x.created_at > w.since AND x.created_at <= w.until GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Organization:
    """What the database says of one: its counters of the current billing period."""

    id: str
    slug: str
    plan: str
    playwright_minutes: int
    k6_minutes: int
    ai_credits: int


class Plans:
    """The plan of each organization; the plans beyond the MAX_PLANS most frequent ones are `other`."""

    def __init__(self, organizations: dict[str, Organization]) -> None:
        self._of = {id_: organization.plan or NO_PLAN for id_, organization in organizations.items()}
        self.sizes = Counter(self._of.values())
        self.names = [name for name, _ in sorted(self.sizes.items(), key=lambda item: (-item[1], item[0]))][:MAX_PLANS]

    def of(self, organization: str) -> str:
        """Of one that the database does not have: unknown."""
        plan = self._of.get(organization, UNKNOWN_PLAN)
        return plan if plan in self.names or plan == UNKNOWN_PLAN else OTHER


@dataclass(frozen=True)
class Facts:
    """What is known at the moment. Runs and their time (milliseconds) are of the last day, by organization."""

    organizations: dict[str, Organization]
    plans: Plans
    runs: Counter[Ended]
    ms: Counter[str]
    active_day: Counter[str]
    active_month: Counter[str]
    """Organizations by plan with a run that ended in that time."""

    runs_total: Counter[tuple[str, str]]
    ms_total: Counter[str]
    """By plan and status, and by plan, since the start."""

    units_total: dict[tuple[str, str], float] | None
    """Usage events by plan and type since the start; None outside of the cloud, which alone writes them."""


class AnalyticsReader(Follower):
    """Keeps ``facts``, which are replaced as a whole; None until the month before the start has been read."""

    name = "analytics"
    retry_seconds = 30.0

    def __init__(self, source: PostgresSource, read_seconds: float, *, cloud: bool) -> None:
        super().__init__()
        self._rest = read_seconds
        self._source = source
        self._cloud = cloud
        self._recent = Recent()
        self._runs_total: Counter[tuple[str, str]] = Counter()
        self._ms_total: Counter[str] = Counter()
        self._units_total: dict[tuple[str, str], float] = {}
        self._events = Watermark(MAX_GAP_SECONDS)
        self.facts: Facts | None = None

    def step(self) -> float:
        """Read one step of the runs; when the month is complete, everything else too."""
        counted = self._recent.complete
        with self._source.session() as session:
            organizations = session.rows(ORGANIZATIONS) if counted else []
            look = self._events.look(session, EVENTS) if counted and self._cloud else None
            rows = session.rows(self._recent.statement())
        step = self._recent.add(rows)
        if not counted:
            return self._rest / BACK
        known = {row["id"]: Organization(**row) for row in organizations}
        plans = Plans(known)
        for plan in plans.names:  # a counter that begins at its first run would hide that run
            self._runs_total.update(dict.fromkeys(((plan, status) for status in FINAL), 0))
            self._ms_total[plan] += 0
        if step is not None:
            for ended, number in step.runs.items():
                self._runs_total[plans.of(ended.organization), ended.status] += number
            for organization, ms in step.ms.items():
                self._ms_total[plans.of(organization)] += ms
        self._count(self._events.take(look) if look else [], plans)
        recent = self._recent
        self.facts = Facts(
            organizations=known,
            plans=plans,
            runs=recent.runs,
            ms=recent.ms,
            active_day=Counter(map(plans.of, recent.active(DAY))),
            active_month=Counter(map(plans.of, recent.active(MONTH))),
            runs_total=Counter(self._runs_total),
            ms_total=Counter(self._ms_total),
            units_total=dict(self._units_total) if self._cloud else None,
        )
        return self._rest

    def _count(self, events: list[Row], plans: Plans) -> None:
        for row in events:
            kind = row["type"] if row["type"] in EVENT_TYPES else OTHER
            plan = plans.of(row["organization"])
            self._units_total[plan, kind] = self._units_total.get((plan, kind), 0.0) + row["units"]

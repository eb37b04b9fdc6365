"""What is used, by plan and organization: runs, their verdicts and time, minutes and AI credits, who is active.

Source: the tables runs, projects and organization, and in the cloud usage_events, read once a minute in the
background (analytics/); a scrape asks the database nothing. After a start a month is read in small steps; until then
all is absent.

    supercheck_organization_day_runs{organization="acme",plan="pro",status="passed"} 412.0
    supercheck_active_organizations{plan="pro",span="month"} 37.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from supercheck_exporter.analytics.reader import AnalyticsReader, Facts, Organization
from supercheck_exporter.bullmq import keys
from supercheck_exporter.capacity.ranking import OTHER, labels_of
from supercheck_exporter.capacity.runs import FINAL
from supercheck_exporter.core import Collector, NoData, Sample, counter, gauge

MAX_AGE_SECONDS = 900.0
_BY = ("organization", "plan")
_SHOWN = "the organizations with the most runs, the others of each plan summed as other"

RUNS = counter("supercheck_plan_runs_total", "Runs that ended since the exporter started.", "plan", "status")
SECONDS = counter("supercheck_plan_run_seconds_total", "Run time of the runs that ended, likewise.", "plan")
DAY_RUNS = gauge("supercheck_organization_day_runs", f"Runs that ended in the last 24 hours; {_SHOWN}.", *_BY, "status")
DAY_SECONDS = gauge("supercheck_organization_day_run_seconds", "Run time of the same runs.", *_BY)
PLAYWRIGHT = gauge(
    "supercheck_organization_playwright_used_seconds",
    "Supercheck's own counter of Playwright minutes in the billing period, in seconds.",
    *_BY,
)
K6 = gauge(
    "supercheck_organization_k6_used_vu_seconds",
    "Supercheck's own counter of k6 minutes of virtual users in the billing period, in seconds.",
    *_BY,
)
CREDITS = gauge(
    "supercheck_organization_ai_credits_used", "Supercheck's own counter of AI credits in the billing period.", *_BY
)
PLANS = gauge(
    "supercheck_plan_organizations", "Organizations by plan; none is no plan, as in self-hosted sites.", "plan"
)
ACTIVE = gauge(
    "supercheck_active_organizations",
    "Organizations with a run that ended in the last day (24 hours) or month (30 days).",
    "plan",
    "span",
)
UNITS = counter(
    "supercheck_plan_usage_units_total",
    "Units of the usage events written since the exporter started; the cloud alone writes them.",
    "plan",
    "type",
)
LAST = gauge("supercheck_analytics_last_success_timestamp_seconds", "Unix time at which usage was last read.")


class AnalyticsCollector(Collector):
    """Shows what the background has read."""

    name = "analytics"
    descs = (RUNS, SECONDS, DAY_RUNS, DAY_SECONDS, PLAYWRIGHT, K6, CREDITS, PLANS, ACTIVE, UNITS, LAST)

    def __init__(self, reader: AnalyticsReader, top: int) -> None:
        self._reader = reader
        self._top = top
        self._made: tuple[Facts, list[Sample]] | None = None

    def start(self) -> None:
        """Start reading."""
        self._reader.start()

    def stop(self) -> None:
        """Stop it."""
        self._reader.stop()

    def collect(self) -> Iterator[Sample]:
        """Yield what is known; nothing while the month before the start is still being read."""
        self._reader.require_fresh(MAX_AGE_SECONDS, "Usage")
        facts = self._reader.facts
        if facts is None:
            raise NoData
        if self._made is None or self._made[0] is not facts:  # once a reading, however often it is scraped
            self._made = facts, [*_plans(facts), *_organizations(facts, self._top)]
        yield LAST(self._reader.last_success)
        yield from self._made[1]


def _plans(facts: Facts) -> Iterator[Sample]:
    for (plan, status), runs in facts.runs_total.items():
        yield RUNS(runs, keys.label(plan), status)
    for plan, ms in facts.ms_total.items():
        yield SECONDS(ms / 1000, keys.label(plan))
    sizes = Counter(map(facts.plans.of, facts.organizations))
    for plan, organizations in sizes.items():
        yield PLANS(organizations, keys.label(plan))
    for span, active in (("day", facts.active_day), ("month", facts.active_month)):
        for plan in sizes.keys() | active.keys():
            yield ACTIVE(active[plan], keys.label(plan), span)
    for (plan, kind), units in (facts.units_total or {}).items():
        yield UNITS(units, keys.label(plan), kind)


def _organizations(facts: Facts, top: int) -> Iterator[Sample]:
    """The ``top`` organizations by runs of the day, then by what they used; the rest by plan."""
    ran: Counter[str] = Counter()
    for ended, runs in facts.runs.items():
        ran[ended.organization] += runs
    known = facts.organizations

    def most_first(id_: str) -> tuple[int, int, str]:
        return -ran[id_], -(known[id_].playwright_minutes + known[id_].k6_minutes if id_ in known else 0), id_

    everyone = sorted(known.keys() | ran.keys(), key=most_first)
    names = labels_of(everyone[:top], {id_: one.slug for id_, one in known.items()})
    label = {id_: (keys.label(names.get(id_, OTHER)), keys.label(facts.plans.of(id_))) for id_ in everyone}
    day_runs: Counter[tuple[str, str, str]] = Counter()
    day_ms: Counter[tuple[str, str]] = Counter()
    used: dict[tuple[str, str], list[int]] = {}
    for id_ in everyone:
        for status in FINAL:
            day_runs[*label[id_], status] += 0
        day_ms[label[id_]] += facts.ms[id_]
        if id_ in known:
            one: Organization = known[id_]
            sums = used.setdefault(label[id_], [0, 0, 0])
            for place, more in enumerate((one.playwright_minutes, one.k6_minutes, one.ai_credits)):
                sums[place] += more
    for ended, runs in facts.runs.items():
        day_runs[*label[ended.organization], ended.status] += runs
    for labels, runs in day_runs.items():
        yield DAY_RUNS(runs, *labels)
    for who, ms in day_ms.items():
        yield DAY_SECONDS(ms / 1000, *who)
    for who, (playwright, k6, credits) in used.items():
        yield PLAYWRIGHT(playwright * 60, *who)
        yield K6(k6 * 60, *who)
        yield CREDITS(credits, *who)

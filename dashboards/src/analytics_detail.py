"""The lower half of the analytics: who uses it, and whether it grows."""

from .layout import Section, shelf
from .panels import Doc, Line, lines, one
from .sdk import models
from .tables import Label, Value, rows

_NO_FACTS = "no database is configured, or the month before the start is still being read"
_BY = "organization, plan"


def _each(metric: str) -> str:
    return f"max by ({_BY}) (supercheck_organization_{metric})"


def _runs(matcher: str = "") -> str:
    return f"sum by ({_BY}) (max by ({_BY}, status) (supercheck_organization_day_runs{matcher}))"


def who_section() -> Section:
    """Return who uses how much."""
    return Section("Who uses it?", [shelf(9, _table()), shelf(8, _time(), _active())])


def growth_section() -> Section:
    """Return whether it grows."""
    return Section(
        "Does it grow?",
        [shelf(8, _organizations(), _growth()), shelf(7, _used(), _units(), _read(), widths=(10, 10, 4))],
    )


def _table() -> models.Panel:
    passed, verdicts = _runs('{status="passed"}'), _runs('{status=~"passed|failed|error"}')
    return rows(
        "Organizations, the busiest first",
        Doc(
            "Those with the most runs of the last 24 hours; the rest of each plan is summed as 'other'. Minutes and "
            "credits are Supercheck's own counters of the billing period.",
            "what each pays for.",
            "one uses far more than its plan includes: talk to it, before its limit stops it.",
        ),
        [Label("organization", "Organization", width=220), Label("plan", "Plan", width=110)],
        [
            Value("Runs in 24 h", _runs(), "short"),
            Value("Pass rate", f"{passed} / ({verdicts} > 0)", "percentunit", decimals=1),
            Value("Run time in 24 h", _each("day_run_seconds"), "s", decimals=0),
            Value("Playwright used", _each("playwright_used_seconds"), "s", decimals=0),
            Value("k6 used (VU)", _each("k6_used_vu_seconds"), "s", decimals=0),
            Value("AI credits used", _each("ai_credits_used"), "short"),
        ],
        no_data=_NO_FACTS,
        sort_by="Runs in 24 h",
    )


def _time() -> models.Panel:
    return lines(
        "Run time by plan",
        Doc(
            "Seconds of run time that end in a second, by plan: how many runs went on at once, on average.",
            "follows the working day.",
            "near the number of slots all day: more workers.",
        ),
        [Line("max by (plan) (rate(supercheck_plan_run_seconds_total[$__rate_interval]))", "{{plan}}")],
        unit="short",
        soft_max=1,
    )


def _active() -> models.Panel:
    return lines(
        "Active organizations by plan",
        Doc(
            "Organizations with a run that ended in the 30 days before, by plan.",
            "a slow curve.",
            "falling while the number of organizations does not: they stay and no longer use it.",
        ),
        [Line('max by (plan) (supercheck_active_organizations{span="month"})', "{{plan}}")],
        unit="short",
        decimals=0,
    )


def _organizations() -> models.Panel:
    return lines(
        "Organizations by plan",
        Doc(
            "Organizations in the database; 'none' has no plan, as in a self-hosted site.",
            "grows.",
            "a step down: somebody deleted them, or a plan changed its name.",
        ),
        [Line("max by (plan) (supercheck_plan_organizations)", "{{plan}}")],
        unit="short",
        decimals=0,
    )


def _growth() -> models.Panel:
    day = "sum(max by (organization, plan, status) (supercheck_organization_day_runs))"
    before = "sum(max by (organization, plan, status) (supercheck_organization_day_runs offset 7d))"
    month = 'sum(max by (plan) (supercheck_active_organizations{span="month"}))'
    month_before = 'sum(max by (plan) (supercheck_active_organizations{span="month"} offset 7d))'
    return lines(
        "Growth in a week",
        Doc(
            "Runs of 24 hours against those of the same 24 hours a week before, and the same of organizations active "
            "in 30 days. Below zero: less.",
            "around or above zero.",
            "runs fall and organizations do not: schedules or workers stood still.",
        ),
        [
            Line(f"{day} / ({before} > 0) - 1", "runs", "blue"),
            Line(f"{month} / ({month_before} > 0) - 1", "active organizations", "green"),
        ],
        unit="percentunit",
        negative=True,
    )


def _used() -> models.Panel:
    return lines(
        "Minutes used in the billing period",
        Doc(
            "Supercheck's own counters, of all organizations; they begin anew with each period.",
            "grows through the month.",
            "flat while runs end: usage is not counted, and not billed.",
        ),
        [
            Line(f"sum({_each('playwright_used_seconds')})", "Playwright", "blue"),
            Line(f"sum({_each('k6_used_vu_seconds')})", "k6 (virtual users)", "purple"),
        ],
        unit="s",
    )


def _units() -> models.Panel:
    return lines(
        "Usage events",
        Doc(
            "Units a second of the events that the cloud writes to bill by, by type. A self-hosted site writes none.",
            "follows the runs.",
            "no line while runs end: nothing is billed.",
        ),
        [
            Line(
                "sum by (type) (max by (plan, type) (rate(supercheck_plan_usage_units_total[$__rate_interval])))",
                "{{type}}",
            )
        ],
        unit="short",
        no_data="not the cloud, or nothing was used since the exporter started",
    )


def _read() -> models.Panel:
    return one(
        "Read ago",
        Doc(
            "Time since usage was last read from the database.",
            "about a minute.",
            "the exporter's status page says what hinders it; after 15 minutes all of this vanishes.",
        ),
        "time() - max(supercheck_analytics_last_success_timestamp_seconds)",
        unit="s",
        decimals=0,
        no_data=_NO_FACTS,
    )

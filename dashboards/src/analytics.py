"""Analytics: how much is used, by whom, does it succeed, does it grow."""

from . import links
from .analytics_detail import growth_section, who_section
from .layout import Section, shelf
from .levels import Thresholds
from .panels import Doc, Line, lines, one
from .sdk import models
from .spec import Spec

NO_FACTS = "no database is configured, or the month before the start is still being read"
DAY = "max by (organization, plan, status) (supercheck_organization_day_runs)"
VERDICTS = '{status=~"passed|failed|error"}'
_STATUS_COLORS = {"passed": "green", "failed": "orange", "error": "purple", "blocked": "#9fa7b3", "other": "light-blue"}


def total(metric: str, labels: str = "organization, plan") -> str:
    """Return the sum over all organizations, each counted once."""
    return f"sum(max by ({labels}) ({metric}))"


def passed(by: str = "") -> str:
    """Return the share of verdicts of the last day that are passes; `by` a clause such as `by (plan) `."""
    verdicts = f"max by (organization, plan, status) (supercheck_organization_day_runs{VERDICTS})"
    good = 'max by (organization, plan, status) (supercheck_organization_day_runs{status="passed"})'
    return f"sum {by}({good}) / (sum {by}({verdicts}) > 0)"


def _sections(limits: Thresholds) -> list[Section]:
    return [
        Section("How much is used, and does it succeed?", [shelf(4, *_strip()), shelf(8, _runs(), _pass_rate())]),
        who_section(),
        growth_section(),
    ]


def _number(title: str, shows: str, normal: str, act: str, expr: str, unit: str, decimals: int = 0) -> models.Panel:
    return one(title, Doc(shows, normal, act), expr, unit=unit, decimals=decimals, no_data=NO_FACTS)


def _strip() -> list[models.Panel]:
    active = 'sum(max by (plan, span) (supercheck_active_organizations{span="%s"}))'
    return [
        _number(
            "Runs in 24 hours",
            "Runs that ended in the last 24 hours, of all organizations.",
            "as on the same day last week: see 'Growth'.",
            "suddenly few: look at Capacity and Queues before you think of the customers.",
            f"sum({DAY})",
            "short",
        ),
        _number(
            "Pass rate",
            "Runs that passed over those that passed, failed or ended in error, in the last 24 hours.",
            "what your users' tests are like; it is no measure of this site.",
            "a fall for all plans at once is a fault of the site: RunsErroring, and the workers.",
            passed(),
            "percentunit",
            1,
        ),
        _number(
            "Run time in 24 hours",
            "Time that the runs of the last 24 hours took, added up.",
            "grows with the runs.",
            "grows without them: tests became slower, or wait for something.",
            total("supercheck_organization_day_run_seconds"),
            "s",
        ),
        _number(
            "Active today",
            "Organizations with a run that ended in the last 24 hours.",
            "fewer at weekends.",
            "'Organizations' names who is left.",
            active % "day",
            "short",
        ),
        _number(
            "Active in 30 days",
            "Organizations with a run that ended in the last 30 days.",
            "a slow curve.",
            "falling: organizations leave, before they end their plan.",
            active % "month",
            "short",
        ),
        _number(
            "AI credits used",
            "Supercheck's own counters of the current billing periods, added up.",
            "below what the plans include.",
            "the table names the organizations.",
            total("supercheck_organization_ai_credits_used"),
            "short",
        ),
    ]


def _runs() -> models.Panel:
    return lines(
        "Runs that ended, by verdict",
        Doc(
            "Runs a second that ended, by the status of their row, all plans.",
            "follows the working day; passes outweigh.",
            "errors are faults of the site, not of a test: RunsErroring.",
        ),
        [
            Line(
                "sum by (status) (max by (plan, status) (rate(supercheck_plan_runs_total[$__rate_interval])))",
                "{{status}}",
            )
        ],
        unit="ops",
        stacked=True,
        colors=_STATUS_COLORS,
    )


def _pass_rate() -> models.Panel:
    return lines(
        "Pass rate by plan",
        Doc(
            "Share of the verdicts of 24 hours that are passes, by plan; no line where nothing ended.",
            "steady.",
            "one plan falls: one large customer's tests. All fall: the site.",
        ),
        [Line(passed("by (plan) "), "{{plan}}")],
        unit="percentunit",
        soft_max=1,
    )


SPEC = Spec(
    uid=links.ANALYTICS,
    title="Supercheck / Analytics",
    description="How much is used? Does it succeed? Who uses it? Does it grow?",
    sections=_sections,
    span="7d",
)

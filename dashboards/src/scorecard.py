"""The scorecard: is the site as good as it should be, how much may still go wrong, what uses it up."""

from . import links, shared
from .colors import LIMIT
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, Thresholds
from .panels import Doc, Line, lines, one
from .scorecard_metrics import METRICS, Metric
from .sdk import models
from .spec import Spec
from .tables import Label, Value, rows

_RATIO = "objective:supercheck_slo_bad_events:ratio_rate"
_BUDGET = "(1 - max by (objective) (objective:supercheck_slo_target:ratio))"
_NO_EVENTS = "nothing happened that could be good or bad"
_ALERTS = (
    "UptimeBudgetBurning",
    "ApiLatencyBudgetBurning",
    "DatabaseLatencyBudgetBurning",
    "QueueProcessingBudgetBurning",
)
_COLORS = {
    "app-uptime": "green",
    "worker-uptime": "light-green",
    "api-latency": "blue",
    "database-latency": "purple",
    "queue-processing": "yellow",
}


def _sections(limits: Thresholds) -> list[Section]:
    return [
        Section(
            "Are the targets met?",
            [
                shelf(4, *(_now(metric, limits) for metric in METRICS)),
                shelf(8, *(_trend(metric) for metric in METRICS[:3])),
                shelf(8, *(_trend(metric) for metric in METRICS[3:])),
            ],
        ),
        Section("How much may still go wrong?", [shelf(7, _objectives()), shelf(8, _left(), _bad())]),
        Section(
            "What uses the budget up?",
            [shelf(8, _burn("1h"), _burn("1d")), shelf(6, shared.alerts_table("Budgets that burn", 'component="slo"'))],
        ),
    ]


def _value(metric: str, which: str) -> str:
    return f'max(site:supercheck_success_metric:{which}{{metric="{metric}"}})'


def _now(metric: Metric, limits: Thresholds) -> models.Panel:
    return one(
        metric.title,
        Doc(f"{metric.shows} Target: {metric.target}.", metric.normal, metric.act),
        _value(metric.name, "current"),
        unit=metric.unit,
        decimals=metric.decimals,
        levels=metric.levels(limits),
        no_data=metric.no_data,
        runbooks=metric.runbooks,
    )


def _trend(metric: Metric) -> models.Panel:
    return lines(
        f"{metric.title}: trend",
        Doc(f"{metric.shows} The dashed line is the target: {metric.target}.", metric.normal, metric.act),
        [
            Line(_value(metric.name, "current"), "now", metric.color),
            Line(_value(metric.name, "target"), "target", LIMIT, dashed=True),
            *(Line(expr, legend, LIMIT, dashed=True) for expr, legend in metric.beside),
        ],
        unit=metric.unit,
        runbooks=metric.runbooks,
    )


def _each(range_: str) -> str:
    return f"max by (objective) ({_RATIO}{range_})"


def _objectives() -> models.Panel:
    return rows(
        "Objectives",
        Doc(
            "Of each objective: the share of good events that is asked for, what it was in 30 days, how much of the "
            "budget of bad ones is used, and how fast it burns (1 uses it up in just 30 days).",
            "used below 100 %, and no burn over 1 for long.",
            "high in 1 h and low in 1 d: an outage. Over 1 everywhere: the site is not built for this objective.",
        ),
        [Label("objective", "Objective", width=200)],
        [
            Value("Asked for", "max by (objective) (objective:supercheck_slo_target:ratio)", "percentunit", decimals=2),
            Value("Good in 30 d", f"1 - {_each('30d')}", "percentunit", decimals=2),
            Value("Budget used", f"{_each('30d')} / {_BUDGET}", "percentunit", ANY_IS_WARNING, decimals=0),
            *(
                Value(f"Burn {range_}", f"{_each(range_)} / {_BUDGET}", "short", ANY_IS_WARNING, decimals=1)
                for range_ in ("5m", "1h", "6h", "1d", "3d")
            ),
        ],
        no_data=_NO_EVENTS,
        runbooks=_ALERTS,
    )


def _left() -> models.Panel:
    return lines(
        "Error budget left",
        Doc(
            "Of the bad events that 30 days may have, the share that is left; of what Prometheus remembers of them.",
            "falls slowly, and rises again when old trouble is forgotten. Below zero: the objective is missed.",
            "below zero: change what uses it up before anything new is rolled out.",
        ),
        [Line(f"1 - {_each('30d')} / {_BUDGET}", "{{objective}}")],
        unit="percentunit",
        negative=True,
        soft_max=1,
        colors=_COLORS,
        runbooks=_ALERTS,
    )


def _bad() -> models.Panel:
    return lines(
        "Bad events",
        Doc(
            "Share of the events of the last 5 minutes that were bad, by objective. No line: no event.",
            "below what the objective allows; peaks are paid from the budget.",
            "high for one objective: the runbook of its alert says where to look.",
        ),
        [Line(_each("5m"), "{{objective}}")],
        unit="percentunit",
        soft_max=0.1,
        colors=_COLORS,
        runbooks=_ALERTS,
    )


def _burn(range_: str) -> models.Panel:
    what = {"1h": "pages come at 14.4 in 1 h, and at 6 in 6 h", "1d": "tickets come at 3 in 1 d, and at 1 in 3 d"}
    return lines(
        f"Burn over {range_}",
        Doc(
            f"How many times as fast as it may the budget burns, over {range_}. Of alerts, {what[range_]}.",
            "around 1 or below.",
            "find when it began, and what was changed then (blue and purple marks).",
        ),
        [Line(f"{_each(range_)} / {_BUDGET}", "{{objective}}")],
        unit="short",
        soft_max=1,
        colors=_COLORS,
        runbooks=_ALERTS,
    )


SPEC = Spec(
    uid=links.SCORECARD,
    title="Supercheck / Scorecard",
    description="Are the targets met? How much of the error budget is left? What uses it up?",
    sections=_sections,
    alert_matchers='component="slo"',
    span="7d",
)

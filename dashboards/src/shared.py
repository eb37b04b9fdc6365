"""Panels and columns that more than one dashboard shows."""

from . import links, promql
from .levels import ORANGE, PLAIN, RED, states
from .panels import Doc
from .sdk import models
from .tables import Label, Value, rows

SEVERITY_COLORS = states({"critical": ("critical", RED), "warning": ("warning", ORANGE)})
YES_NO_WARNING = states({"0": ("no", PLAIN), "1": ("yes", ORANGE)})


SUBJECTS = (
    "location",
    "organization",
    "bucket",
    "database",
    "dependency",
    "table",
    "kind",
    "entity",
    "collector",
    "node",
)
"""Labels that say what an alert is about, where that is no queue; an alert has one or two of them."""


def _short(uid: str) -> str:
    return uid.removeprefix(links.PREFIX)


def with_dashboard(expr: str) -> str:
    """Return alert series with two more labels.

    `dashboard` is the one that answers the questions of the alert's component; `part` is the alert's subject, where
    that is no queue.
    """
    names = ", ".join(f'"{name}"' for name in SUBJECTS)
    labelled = f'label_join({expr}, "part", " ", {names})'
    labelled = f'label_replace({labelled}, "part", "$1", "part", " *(.*?) *")'
    labelled = f'label_replace({labelled}, "dashboard", "{_short(links.OVERVIEW)}", "", "")'
    for component, uid in links.OF_COMPONENT.items():
        labelled = f'label_replace({labelled}, "dashboard", "{_short(uid)}", "component", "{component}")'
    for alert, uid in links.OF_ALERT.items():
        labelled = f'label_replace({labelled}, "dashboard", "{_short(uid)}", "alertname", "{alert}")'
    return labelled


def alerts_table(title: str, matchers: str = "", *, width_name: int = 230) -> models.Panel:
    """Return the table of what fires now, critical first, with links to runbook and dashboard.

    `ALERTS_FOR_STATE` holds the moment since when the condition is true; it carries an alert's labels but its state.
    """
    chosen = f"ALERTS{{{promql.join(promql.FIRING, promql.PAGES_OR_TICKETS, matchers)}}}"
    since = f"1000 * (ALERTS_FOR_STATE and ignoring (alertstate) {chosen})"
    by = "alertname, severity, queue, part, dashboard"
    return rows(
        title,
        Doc(
            "Alerts that fire now, critical ones first. Click an alert for its runbook, a queue for its own graphs.",
            "empty.",
            "open the runbook of the first line; silence in Alertmanager only what somebody already works on.",
        ),
        [
            Label("severity", "Severity", mappings=[SEVERITY_COLORS], width=80),
            Label("alertname", "Alert", [links.runbook_of_cell()], width=width_name),
            Label("queue", "Queue", [links.queue_of_cell()]),
            Label("part", "About"),
            Label("dashboard", "Dashboard", [links.dashboard_of_cell()], width=115),
        ],
        [
            Value("Firing", f"count by ({by}) ({with_dashboard(chosen)})", "short", hidden=True),
            Value("Since", f"min by ({by}) ({with_dashboard(since)})", "dateTimeFromNow", width=140),
        ],
        nothing="no alert fires, as long as 'Alerting alive' (Overview) says yes",
        sort_by="Severity",
        descending=False,
    )

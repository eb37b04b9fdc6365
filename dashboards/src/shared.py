"""Panels and columns that more than one dashboard shows."""

from . import links, promql
from .levels import ORANGE, PLAIN, RED, states
from .panels import Doc
from .sdk import models
from .tables import Label, Value, rows

SEVERITY_COLORS = states({"critical": ("critical", RED), "warning": ("warning", ORANGE)})
YES_NO_WARNING = states({"0": ("no", PLAIN), "1": ("yes", ORANGE)})


def with_dashboard(expr: str) -> str:
    """Return alert series with two more labels.

    `dashboard` is the uid that answers the questions of the alert's component; `part` names the collector or the node
    that an alert about Redis or about the stack itself is about.
    """
    labelled = f'label_join({expr}, "part", " ", "collector", "node")'
    labelled = f'label_replace({labelled}, "part", "$1", "part", " ?(.*?) ?")'
    labelled = f'label_replace({labelled}, "dashboard", "{links.OVERVIEW}", "", "")'
    for component, uid in links.OF_COMPONENT.items():
        labelled = f'label_replace({labelled}, "dashboard", "{uid}", "component", "{component}")'
    return labelled


def alerts_table(title: str, matchers: str = "", *, width_name: int = 230) -> models.Panel:
    """Return the table of what fires now, critical first, with links to runbook and dashboard.

    `ALERTS_FOR_STATE` holds the moment since when the condition is true; it carries an alert's labels but its state.
    """
    chosen = f"ALERTS{{{promql.join(promql.FIRING, promql.PAGES_OR_TICKETS, matchers)}}}"
    since = f"1000 * (ALERTS_FOR_STATE and ignoring (alertstate) {chosen})"
    by = "alertname, severity, queue, location, part, dashboard"
    return rows(
        title,
        Doc(
            "Alerts that fire now, critical ones first. Click an alert for its runbook, a queue for its own graphs.",
            "empty.",
            "open the runbook of the first line; silence in Alertmanager only what somebody already works on.",
        ),
        [
            Label("severity", "Severity", mappings=[SEVERITY_COLORS], width=90),
            Label("alertname", "Alert", [links.runbook_of_cell()], width=width_name),
            Label("queue", "Queue", [links.queue_of_cell()]),
            Label("location", "Location", [links.location_of_cell()], width=100),
            Label("part", "Part"),
            Label("dashboard", "Dashboard", [links.dashboard_of_cell()]),
        ],
        [
            Value("Firing", f"count by ({by}) ({with_dashboard(chosen)})", "short", hidden=True),
            Value("Since", f"min by ({by}) ({with_dashboard(since)})", "dateTimeFromNow", width=140),
        ],
        nothing="no alert fires, as long as 'Alerting alive' says yes",
        sort_by="Severity",
        descending=False,
    )

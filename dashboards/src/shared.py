"""Panels and columns that more than one dashboard shows."""

from . import links, promql
from .levels import GREEN, ORANGE, PLAIN, RED, Levels, states
from .panels import Doc
from .sdk import models
from .tables import Label, Value, rows

SEVERITY_COLORS = states({"critical": ("critical", RED), "warning": ("warning", ORANGE)})
YES_NO_WARNING = states({"0": ("no", PLAIN), "1": ("yes", ORANGE)})


def with_dashboard(expr: str) -> str:
    """Return alert series with a label `dashboard`: the uid that answers the questions of the alert's component."""
    labelled = f'label_replace({expr}, "dashboard", "{links.OVERVIEW}", "", "")'
    for component, uid in links.OF_COMPONENT.items():
        labelled = f'label_replace({labelled}, "dashboard", "{uid}", "component", "{component}")'
    return labelled


def alerts_table(title: str, matchers: str = "", *, width_name: int = 230) -> models.Panel:
    """Return the table of what fires now, critical first, with links to runbook and dashboard.

    `ALERTS_FOR_STATE` holds the moment since when the condition is true; it carries an alert's labels but its state.
    """
    chosen = promql.join(promql.FIRING, promql.PAGES_OR_TICKETS, matchers)
    since = f"1000 * (ALERTS_FOR_STATE and ignoring (alertstate) ALERTS{{{chosen}}})"
    by = "alertname, severity, component, queue, location, collector, dashboard"
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
            Label("collector", "Collector", width=110),
            Label("dashboard", "Dashboard", [links.dashboard_of_cell()]),
        ],
        [Value("Since", f"min by ({by}) ({with_dashboard(since)})", "dateTimeFromNow", width=140)],
        no_data="no alert fires (or none is evaluated: see 'Alerting alive')",
        sort_by="Severity",
        descending=False,
    )


def watchdog_levels() -> Levels:
    """Return the levels of "is it there?": anything below 1 is red."""
    return Levels(RED, ((1, GREEN),))

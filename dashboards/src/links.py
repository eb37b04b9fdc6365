"""Links: between the dashboards, from a panel to the runbooks of the alerts it shows, from a queue to its dashboard.

Runbooks are served by the exporter, whose address is the dashboards' variable `public_url` (the exporter's PUBLIC_URL).
Links between dashboards are relative, so that they work behind any Grafana address; they keep time range, data source
and `public_url`.
"""

from .sdk import dashboard, models

TAG = "supercheck"
PREFIX = "supercheck-"
OVERVIEW = "supercheck-overview"
QUEUES = "supercheck-queues"
WORKERS = "supercheck-workers"
CAPACITY = "supercheck-capacity"
OBSERVABILITY = "supercheck-observability"
REDIS = "supercheck-redis"
DATABASE = "supercheck-database"
SECRETS = "supercheck-secrets"
BACKUPS = "supercheck-backups"
STORAGE = "supercheck-storage"
DEPENDENCIES = "supercheck-dependencies"
SCORECARD = "supercheck-scorecard"
ANALYTICS = "supercheck-analytics"
EDGE = "supercheck-edge"
HOST = "supercheck-host"
TRACES = "supercheck-traces-and-logs"

# Which dashboard answers the questions of a component's alerts; every other component: the overview.
OF_COMPONENT = {
    "queue": QUEUES,
    "worker": WORKERS,
    "observability": OBSERVABILITY,
    "redis": REDIS,
    "database": DATABASE,
    "capacity": CAPACITY,
    "monitor": CAPACITY,
    "secrets": SECRETS,
    "backup": BACKUPS,
    "storage": STORAGE,
    "dependency": DEPENDENCIES,
    "slo": SCORECARD,
    "edge": EDGE,
    "api": EDGE,
    "host": HOST,
}

# ... and these of a component go elsewhere: they are made of spans.
OF_ALERT = {"ApiErrorRateHigh": TRACES, "ApiLatencyHigh": TRACES, "QueryRepetitionHigh": TRACES}

_KEPT = "${__url_time_range}&${datasource:queryparam}&${public_url:queryparam}"


def _link(title: str, url: str, tooltip: str = "") -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(models.DashboardLinkType.LINK)
        .url(url)
        .tooltip(tooltip)
        .target_blank(url.startswith("${public_url}"))
    )


def runbook(alert: str) -> dashboard.DashboardLink:
    """Return a link to an alert's runbook."""
    return _link(f"Runbook: {alert}", f"${{public_url}}/runbooks/{alert}", "What it means, and what to do")


def runbook_of_cell() -> dashboard.DashboardLink:
    """Return a link for a table cell that holds an alert's name."""
    return _link("Open the runbook", "${public_url}/runbooks/${__value.text}")


def status_page() -> dashboard.DashboardLink:
    """Return a link to the exporter's status page."""
    return _link("Exporter's status page", "${public_url}/", "Each source: up or not, and why")


def to_dashboard(uid: str, title: str) -> dashboard.DashboardLink:
    """Return a panel's link to another dashboard."""
    return _link(title, f"/d/{uid}?{_KEPT}")


def dashboard_of_cell() -> dashboard.DashboardLink:
    """Return a link for a table cell that holds a dashboard's uid without its first word."""
    return _link("Open the dashboard", f"/d/{PREFIX}${{__value.text}}?{_KEPT}")


def queue_of_cell() -> dashboard.DashboardLink:
    """Return a link for a table cell that holds a queue's name."""
    return _link("Show this queue alone", f"/d/{QUEUES}?var-queue=${{__value.text}}&{_KEPT}")


def queue_of_series() -> dashboard.DashboardLink:
    """Return a link for a line of a graph that has the label `queue`."""
    return _link("Show this queue alone", f"/d/{QUEUES}?var-queue=${{__field.labels.queue}}&{_KEPT}")


def location_of_cell() -> dashboard.DashboardLink:
    """Return a link for a table cell that holds a location's code."""
    return _link("Show this location alone", f"/d/{WORKERS}?var-location=${{__value.text}}&{_KEPT}")


def route_of_cell() -> dashboard.DashboardLink:
    """Return a link for a table cell that holds a route: this dashboard, of that route alone."""
    return _link(
        "Show this route's traces and log lines",
        f"/d/{TRACES}?var-route=${{__value.text}}&${{service:queryparam}}&{_KEPT}",
    )


def service_of_cell() -> dashboard.DashboardLink:
    """Return a link for a table cell that holds a service's name."""
    return _link("Show this service alone", f"/d/{TRACES}?var-service=${{__value.text}}&{_KEPT}")


def menu() -> dashboard.DashboardLink:
    """Return the links, at the top of every dashboard, to all dashboards of the bundle."""
    return (
        dashboard.DashboardLink("Supercheck dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
        .tooltip("The other dashboards, with the same time range and variables")
    )


def menu_status_page() -> dashboard.DashboardLink:
    """Return the link, at the top of every dashboard, to the exporter's page."""
    return status_page().icon("external link")


def menu_runbooks() -> dashboard.DashboardLink:
    """Return the link, at the top of every dashboard, to the list of runbooks."""
    return _link("Runbooks", "${public_url}/runbooks/", "All runbooks").icon("doc")

"""The dashboards' variables."""

from .sdk import common_models, dashboard, models

DATASOURCE = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
# Traces and log lines have one store each, whose links to each other name its uid (compose/grafana/provisioning).
LOKI = common_models.DataSourceRef(type_val="loki", uid="loki")
TEMPO = common_models.DataSourceRef(type_val="tempo", uid="tempo")
# where compose lets Grafana itself give out the runbooks; where the front runs, the alerts' links bring its own
PUBLIC_URL = "/public/supercheck"


def datasource() -> dashboard.DatasourceVariable:
    """Return the choice of Prometheus. The first one is taken; a site has one."""
    return (
        dashboard.DatasourceVariable("datasource")
        .label("Prometheus")
        .description("The Prometheus that scrapes supercheck-exporter")
        .type("prometheus")
    )


def public_url(value: str = PUBLIC_URL) -> dashboard.TextBoxVariable:
    """Return the exporter's address as a browser reaches it: links to runbooks begin with it.

    A text box, not a constant: a site whose PUBLIC_URL differs can set it in the address (`var-public_url=`) and needs
    no other JSON.
    """
    return (
        dashboard.TextBoxVariable("public_url")
        .label("Exporter")
        .description("PUBLIC_URL of supercheck-exporter: links to runbooks begin with it")
        .default_value(value)
        .current(models.VariableOption(selected=True, text=value, value=value))
    )


def _labels(name: str, label: str, description: str, metric: str, of: str = "") -> dashboard.QueryVariable:
    query = f"label_values({metric}, {of or name})"
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .description(description)
        .datasource(DATASOURCE)
        .query({"qryType": 1, "query": query, "refId": f"variable-{name}"})
        .definition(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")  # one short regex, not a list of 500 names
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def queue() -> dashboard.QueryVariable:
    """Return the choice of queues; every queue that was seen in the time range."""
    return _labels("queue", "Queue", "Queues to show: one, several or all", "supercheck_queue_backlog_jobs")


def location() -> dashboard.QueryVariable:
    """Return the choice of worker locations."""
    return _labels("location", "Location", "Worker locations to show", "supercheck_workers")


def database() -> dashboard.QueryVariable:
    """Return the choice of databases that are backed up."""
    return _labels("database", "Database", "Databases to show", "supercheck_backup_retained")


def service() -> dashboard.QueryVariable:
    """Return the choice of services that send spans."""
    metric = "traces_span_metrics_calls_total"
    return _labels("service", "Service", "Services to show: one, several or all", metric, "service_name")


def route() -> dashboard.QueryVariable:
    """Return the choice of routes of the services that are chosen."""
    metric = 'traces_span_metrics_calls_total{service_name=~"$service"}'
    return _labels("route", "Route", "Routes to show: one, several or all", metric, "http_route")

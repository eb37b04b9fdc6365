"""Marks on every graph: what fired, what was started anew, where Redis changed its master."""

from . import promql
from .sdk import Builder, dashboard, models
from .variables import DATASOURCE


def _mark(name: str, color: str, expr: str, title: str, text: str, *, on: bool = True) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(on)
        .hide(False)
        .icon_color(color)
        .expr(expr)
        .title_format(title)
        .text_format(text)
        .step("30s")
    )


def _alerts(severity: str, matchers: str) -> str:
    chosen = promql.join(promql.FIRING, f'severity="{severity}"', matchers)
    return f"count by (alertname) ({promql.select('ALERTS', chosen)})"


def marks(matchers: str = "") -> list[Builder[models.AnnotationQuery]]:
    """Return the annotations of a dashboard; `matchers` narrow the alerts to what the variables pick.

    Alerts are counted by name, so that 500 queues in trouble draw one band and not 500.
    """
    master = 'supercheck_redis_node_up{role="master"}'
    return [
        _mark("Pages", "red", _alerts("critical", matchers), "{{alertname}}", "critical, firing"),
        # off until somebody asks: the bands of several warnings would bury the graphs
        _mark("Warnings", "orange", _alerts("warning", matchers), "{{alertname}}", "warning, firing", on=False),
        _mark(
            "Exporter deployed",
            "blue",
            "count by (version) (supercheck_exporter_build_info)"
            " unless count by (version) (supercheck_exporter_build_info offset 1m)",
            "supercheck-exporter {{version}}",
            "this version appeared: a start or a deploy",
        ),
        _mark(
            "Workers started",
            "blue",
            "count by (location) (time() - supercheck_worker_start_timestamp_seconds < 60)",
            "Workers started in {{location}}",
            "a deploy, a restart or a scale-out",
        ),
        _mark(
            "Redis down",
            "red",
            "max by (node) (supercheck_redis_node_up) == 0",
            "Redis {{node}} is down",
            "the exporter could not reach it",
        ),
        _mark(
            "Redis restarted",
            "purple",
            "max by (node) (time() - supercheck_redis_start_timestamp_seconds < 60)",
            "Redis {{node}} started",
            "Supercheck's own Redis starts empty: queues and schedules are gone",
        ),
        _mark(
            "Redis failover",
            "purple",
            f"({master} == 1 unless on (node) {master} offset 1m) and on (node) supercheck_redis_node_up offset 1m",
            "Redis {{node}} became master",
            "a failover",
        ),
    ]

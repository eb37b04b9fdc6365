"""Observability: does the stack itself look, decide and deliver."""

from . import links, shared
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, ANY_IS_WARNING, GREEN, RED, ZERO_IS_CRITICAL, Thresholds, states
from .observability_detail import deliver_section, exporter_section, prometheus_section
from .panels import Doc, one
from .sdk import models
from .spec import Spec
from .tables import Label, Value, rows

_NO_PROMETHEUS = "Prometheus is not scraped"
_NO_ALERTMANAGER = "Alertmanager is not scraped"


def _sections(limits: Thresholds) -> list[Section]:
    stack = shared.alerts_table("Alerts about the stack itself", 'component=~"observability|redis"')
    return [
        Section(
            "Can a page go out now?",
            [shelf(4, *_strip()), shelf(7, stack, _targets(limits), widths=(14, 10))],
        ),
        exporter_section(limits),
        prometheus_section(),
        deliver_section(limits),
    ]


def _strip() -> list[models.Panel]:
    return [
        one(
            "Alerting alive",
            Doc(
                "Whether the Watchdog alert fires, as it always must.",
                "yes.",
                "Prometheus runs no rules: its page Status, Rules names the mistake; `promtool check rules` finds it.",
            ),
            'max(ALERTS{alertname="Watchdog",alertstate="firing"})',
            unit="short",
            levels=ZERO_IS_CRITICAL,
            mappings=[states({"1": ("yes", GREEN)})],
            no_data="Watchdog does not fire",
            runbooks=["Watchdog"],
            loud=True,
        ),
        one(
            "Targets down",
            Doc(
                "Scrape targets that do not answer, of every job.",
                "0.",
                "the table 'Targets' names them. A target that is not even configured is not counted here.",
            ),
            "sum(1 - up)",
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data="Prometheus scrapes nothing",
            runbooks=["ExporterDown", "AlertmanagerDown"],
            loud=True,
        ),
        one(
            "Failing reads",
            Doc(
                "Collectors whose last run failed; their series are absent meanwhile.",
                "0.",
                "the exporter's status page says why.",
            ),
            "sum(max by (collector) (1 - supercheck_scrape_collector_success))",
            unit="short",
            levels=ANY_IS_WARNING,
            no_data="the exporter does not answer",
            runbooks=["CollectorFailing"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Alertmanagers",
            Doc(
                "Alertmanagers that Prometheus sends its alerts to.",
                "1, or as many as you run.",
                "no page goes out. Is Alertmanager up? Is `alerting:` in prometheus.yml right?",
            ),
            "min(prometheus_notifications_alertmanagers_discovered)",
            unit="short",
            levels=ZERO_IS_CRITICAL,
            no_data=_NO_PROMETHEUS,
            runbooks=["PrometheusNotReachingAlertmanager"],
            loud=True,
        ),
        one(
            "Channels in use",
            Doc(
                "Kinds of receiver that have sent a message since Alertmanager started (slack, pagerduty, email, ...).",
                "the ones you have set; the dead-man webhook sends within minutes.",
                "0 an hour after the start: no channel is set, nobody is paged. The status page says which are.",
            ),
            "count(sum by (integration) (alertmanager_notifications_total) > 0) or 0 * count(alertmanager_build_info)",
            unit="short",
            no_data=_NO_ALERTMANAGER,
            runbooks=["AlertmanagerNotDelivering"],
            more=[links.status_page()],
        ),
        one(
            "Configuration",
            Doc(
                "Whether Prometheus and Alertmanager could read their configuration at the last reload.",
                "loaded.",
                "they go on with the old one until the next restart, which then fails. Their log has the line.",
            ),
            "min(prometheus_config_last_reload_successful or alertmanager_config_last_reload_successful)",
            unit="short",
            levels=ZERO_IS_CRITICAL,
            mappings=[states({"0": ("REFUSED", RED), "1": ("loaded", GREEN)})],
            no_data="neither is scraped",
            loud=True,
        ),
    ]


def _targets(limits: Thresholds) -> models.Panel:
    return rows(
        "Targets",
        Doc(
            "Every scrape target: does it answer, and how long does it take. Of a collector also how full its "
            "fullest queue is.",
            "all up, queues empty.",
            "its host and port, then its log. Orange: slower than ExporterSlow allows, or a queue that fills because "
            "a store takes nothing.",
        ),
        [Label("job", "Job", width=150), Label("instance", "Instance")],
        [
            Value(
                "State",
                "max by (job, instance) (up)",
                "short",
                mappings=[states({"0": ("DOWN", RED), "1": ("up", GREEN)})],
                width=60,
            ),
            Value(
                "Takes",
                "max by (job, instance) (scrape_duration_seconds)",
                "s",
                limits.above(warning="exporter_scrape_seconds"),
                width=75,
            ),
            Value(
                "Queue",
                "max by (job, instance) (otelcol_exporter_queue_size / (otelcol_exporter_queue_capacity > 0))",
                "percentunit",
                limits.above(warning="collector_queue_ratio"),
                decimals=0,
                width=70,
                absent=" ",
            ),
        ],
        no_data="Prometheus scrapes nothing",
        sort_by="State",
        descending=False,
        runbooks=[
            "ExporterDown",
            "ExporterSlow",
            "TelemetryCollectorDown",
            "CollectorQueueFilling",
            "CollectorDroppingData",
            "LokiDown",
            "TempoDown",
            "JaegerDown",
            "GrafanaDown",
        ],
    )


SPEC = Spec(
    uid=links.OBSERVABILITY,
    title="Supercheck / Observability",
    description="The stack itself: can a page go out now? Does every part look, decide and deliver?",
    sections=_sections,
    alert_matchers='component=~"observability|redis"',
)

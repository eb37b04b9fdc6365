"""Observability, the details: the exporter, Prometheus, Alertmanager."""

from . import links, promql
from .colors import CHANNEL_COLORS, COLLECTOR_COLORS, IN, JOB_COLORS, LIMIT, OUT, SLOW, TROUBLE, WARNING, WHOLE
from .layout import Section, shelf
from .levels import GREEN, RED, Thresholds, states
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_OURS = 'job=~"supercheck-exporter|prometheus|alertmanager"'
# the label is a path and a group's name, `/etc/prometheus/rules/alerts/queue.yaml;supercheck-queue`
_GROUP = 'label_replace({expr}, "group", "$1", "rule_group", ".*;(.*)")'


def exporter_section(limits: Thresholds) -> Section:
    """Return the section about the exporter."""
    return Section(
        "Does the exporter see?",
        [shelf(7, _collectors(), _background(limits), widths=(10, 14)), shelf(7, _scrape(limits), _lost())],
    )


def prometheus_section() -> Section:
    """Return the section about Prometheus."""
    return Section("Does Prometheus decide?", [shelf(7, _rules(), _rule_failures(), _samples())])


def deliver_section(limits: Thresholds) -> Section:
    """Return the section about Alertmanager."""
    return Section(
        "Does Alertmanager deliver?",
        [shelf(7, _messages(), _undelivered(limits), _held()), shelf(7, _memory(), _storage())],
    )


def _collectors() -> models.Panel:
    return rows(
        "Collectors",
        Doc(
            "Each collector of the exporter: did its last run succeed, and how long did it take.",
            "all ok, well below a second.",
            "the exporter's status page gives the reason; the runbook what to check in Redis.",
        ),
        [Label("collector", "Collector")],
        [
            Value(
                "Last run",
                "min by (collector) (supercheck_scrape_collector_success)",
                "short",
                mappings=[states({"0": ("FAILED", RED), "1": ("ok", GREEN)})],
            ),
            Value("Took", "max by (collector) (supercheck_scrape_collector_duration_seconds)", "s"),
        ],
        no_data="the exporter does not answer",
        sort_by="Last run",
        descending=False,
        runbooks=["CollectorFailing"],
        more=[links.status_page()],
    )


def _background(limits: Thresholds) -> models.Panel:
    return lines(
        "Age of what is read in the background",
        Doc(
            "Seconds since the events streams were last read, and since the queues' names were last looked up. "
            "Dashed: the threshold of CollectorFailing.",
            "events: seconds. Names: up to a minute.",
            "rising: Redis does not answer that reader. Counters and times stand still meanwhile.",
        ),
        [
            Line("max(time() - supercheck_queue_events_last_success_timestamp_seconds)", "events streams", IN),
            Line("max(time() - supercheck_keyspace_scan_last_success_timestamp_seconds)", "queue names", OUT),
        ],
        unit="s",
        levels=limits.above(warning="collector_stale_seconds"),
        runbooks=["CollectorFailing"],
    )


def _scrape(limits: Thresholds) -> models.Panel:
    return lines(
        "Time of a scrape, and of each collector",
        Doc(
            "How long Prometheus waited for the exporter's page, and how long the last run of each collector took. "
            "Dashed: the threshold of ExporterSlow for the whole page; Prometheus gives up after 10 s.",
            "well below a second; `queues` grows with the number of queues.",
            "one collector stands out: the source it reads is slow (Redis' slow log). All: the exporter's host is.",
        ),
        [
            Line(f"max(scrape_duration_seconds{{{promql.EXPORTER}}})", "whole page", WHOLE),
            Line("max by (collector) (supercheck_scrape_collector_duration_seconds)", "{{collector}}"),
        ],
        unit="s",
        colors=COLLECTOR_COLORS,
        levels=limits.above(warning="exporter_scrape_seconds"),
        runbooks=["ExporterSlow"],
    )


def _lost() -> models.Panel:
    lost = "supercheck_queue_events_lost_total"
    return lines(
        "What the exporter misses",
        Doc(
            "Events that were gone before they were read, in each interval, and queues without series because there "
            "are more than BULLMQ_MAX_QUEUES.",
            "0.",
            "lost events: counters and times are too low for that moment. Queues left out: raise the setting.",
        ),
        [
            Line(f"sum(max by (queue) (increase({lost}[$__rate_interval])))", "events lost", WARNING),
            Line("max(supercheck_queues_dropped)", "queues left out", SLOW),
        ],
        unit="short",
        decimals=0,
        runbooks=["QueueEventsLost"],
    )


def _rules() -> models.Panel:
    share = "prometheus_rule_group_last_duration_seconds / prometheus_rule_group_interval_seconds"
    return lines(
        f"Time of rule groups (slowest {promql.FEW})",
        Doc(
            "How much of its interval a group of rules needs to be evaluated. Over 100 % evaluations are skipped, and "
            "alerts come late.",
            "below 10 %.",
            "Prometheus' host is overloaded, or there are far more series than before.",
        ),
        [Line(f"topk({promql.FEW}, max by (group) ({_GROUP.format(expr=share)}))", "{{group}}")],
        unit="percentunit",
        runbooks=["PrometheusRuleFailures"],
    )


def _rule_failures() -> models.Panel:
    failures = "increase(prometheus_rule_evaluation_failures_total[$__rate_interval])"
    missed = "increase(prometheus_rule_group_iterations_missed_total[$__rate_interval])"
    return lines(
        "Failed and skipped evaluations",
        Doc(
            "Evaluations of rules that failed, and evaluations of groups that were skipped, in each interval.",
            "0.",
            "failed: the group's alerts can't fire; its error is on Prometheus' page Status, Rules.",
        ),
        [Line(f"sum({failures})", "failed", TROUBLE), Line(f"sum({missed})", "skipped", WARNING)],
        unit="short",
        decimals=0,
        runbooks=["PrometheusRuleFailures"],
    )


def _samples() -> models.Panel:
    return lines(
        "Series in memory",
        Doc(
            "Series that Prometheus holds in memory. Each costs a few kilobytes.",
            "flat; steps when queues or workers are added.",
            "a steady rise: a label changes all the time (worker names after crashes). See 'Young workers'.",
        ),
        [Line("max by (instance) (prometheus_tsdb_head_series)", "{{instance}}")],
        unit="short",
    )


def _messages() -> models.Panel:
    def each(metric: str) -> str:
        return f"sum by (integration) (increase({metric}[$__rate_interval])) > 0"

    return lines(
        "Messages sent",
        Doc(
            "Messages that Alertmanager tried to send, by kind of receiver, in each interval. Kinds that sent nothing "
            "have no line.",
            "the dead-man webhook at its interval; others when alerts change.",
            "an alert fires and nothing was sent: silenced, inhibited, or no receiver is set.",
        ),
        [Line(each("alertmanager_notifications_total"), "{{integration}}")],
        unit="short",
        no_data="no message was sent in this time",
        colors=CHANNEL_COLORS,
        decimals=0,
        runbooks=["AlertmanagerNotDelivering"],
    )


def _undelivered(limits: Thresholds) -> models.Panel:
    failed = "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))"
    tried = "sum by (integration) (rate(alertmanager_notifications_total[$__rate_interval]))"
    return lines(
        "Share of failed messages",
        Doc(
            "Messages that were not delivered, of those that were tried. Dashed: the threshold of "
            "AlertmanagerNotDelivering, which looks at 15 minutes. No line: nothing was sent.",
            "0 %.",
            "Alertmanager's log has the answer of the receiver: a wrong token, a wrong address, no network.",
        ),
        [Line(f"{failed} / ({tried} > 0)", "{{integration}}")],
        unit="percentunit",
        no_data="no message was sent in this time",
        colors=CHANNEL_COLORS,
        soft_max=0.2,
        levels=limits.above(critical="notifications_failed_ratio"),
        runbooks=["AlertmanagerNotDelivering"],
    )


def _held() -> models.Panel:
    return lines(
        "Alerts and silences in Alertmanager",
        Doc(
            "Alerts that Alertmanager knows: active, held back (silenced or inhibited); and silences in force.",
            "active: the Watchdog; silences: none, or ones that you remember.",
            "held back without a critical alert: an old silence hides something. See Alertmanager's page.",
        ),
        [
            Line('max(alertmanager_alerts{state="active"})', "active", IN),
            Line('max(alertmanager_alerts{state="suppressed"})', "held back", SLOW),
            Line('max(alertmanager_silences{state="active"})', "silences", LIMIT, dashed=True),
        ],
        unit="short",
        decimals=0,
    )


def _memory() -> models.Panel:
    return lines(
        "Memory",
        Doc(
            "Resident memory of the parts that report it.",
            "flat; Prometheus saw-toothed over two hours.",
            "a steady rise ends in a kill: compare with the container's limit.",
        ),
        [Line(f"max by (job) (process_resident_memory_bytes{{{_OURS}}})", "{{job}}")],
        unit="bytes",
        colors=JOB_COLORS,
    )


def _storage() -> models.Panel:
    return lines(
        "Prometheus' disk",
        Doc(
            "Bytes of the stored blocks, and the size at which the oldest are deleted. The last two hours are not in "
            "a block yet. Without a limit line: no size limit is set.",
            "below the limit, or flat at it.",
            "at the limit long before the wished time: give it more disk, or keep less.",
        ),
        [
            Line("max(prometheus_tsdb_storage_blocks_bytes)", "stored", IN),
            Line("max(prometheus_tsdb_retention_limit_bytes > 0)", "limit", LIMIT, dashed=True),
        ],
        unit="bytes",
    )

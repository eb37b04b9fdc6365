"""Overview: is it well, what pages now, where to look next."""

from . import links, promql, shared
from .colors import IN, LIMIT, OUT
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, ANY_IS_WARNING, GREEN, RED, ZERO_IS_CRITICAL, Thresholds, states
from .panels import Doc, Line, lines, one, words
from .sdk import models
from .spec import Spec
from .tables import Label, Value, rows

_WATCHDOG = 'ALERTS{alertname="Watchdog",alertstate="firing"}'

_WHERE = f"""\
| You see | Look at |
|---|---|
| A page | its **runbook** (click it) |
| Jobs wait | [Queues](/d/{links.QUEUES}?${{__url_time_range}}): paused, stuck? |
| No workers | [Workers](/d/{links.WORKERS}?${{__url_time_range}}): lost, never there? |
| Grey panels | [Observability](/d/{links.OBSERVABILITY}?${{__url_time_range}}): who is blind? |
| Redis is down | the [status page](${{public_url}}/) says why |

Grey is *unknown*, not *well*.
"""


def _sections(limits: Thresholds) -> list[Section]:
    """Return the panels in reading order."""
    return [
        Section("Is it well?", [shelf(4, *_strip())]),
        Section(
            "What pages now?",
            [shelf(8, shared.alerts_table("Firing alerts"), _where_to_look(), widths=(17, 7))],
        ),
        Section(
            "Does the work get done?",
            [
                shelf(9, _oldest_ready(limits), _depth(limits)),
                shelf(8, _flow(), _failures(limits), _workers()),
            ],
        ),
        Section("Where to look next", [shelf(9, _queues(limits)), shelf(7, _alerts_over_time(), _slots(limits))]),
    ]


def _firing(severity: str) -> str:
    firing = f'ALERTS{{alertstate="firing",severity="{severity}"}}'
    return promql.count_or_zero(firing, _WATCHDOG)


def _strip() -> list[models.Panel]:
    not_evaluated = "no rules are run"
    return [
        one(
            "Pages now",
            Doc(
                "Critical alerts that fire now. Zero is only shown while the Watchdog alert proves that rules run.",
                "0.",
                "take the first line of 'Firing alerts' and open its runbook.",
            ),
            _firing("critical"),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data=not_evaluated,
            loud=True,
        ),
        one(
            "Warnings now",
            Doc(
                "Warning alerts that fire now; nobody is paged for them. Alertmanager may hold back some of them while "
                "a critical alert on the same subject fires.",
                "0; one or two for minutes during a load peak.",
                "look through 'Firing alerts' in office hours, oldest first.",
            ),
            _firing("warning"),
            unit="short",
            levels=ANY_IS_WARNING,
            no_data=not_evaluated,
            loud=True,
        ),
        one(
            "Alerting alive",
            Doc(
                "Whether the Watchdog alert fires, as it always must: Prometheus has rules and evaluates them.",
                "yes.",
                "no page can go out now. Open the Observability dashboard, then Prometheus' own page, Status, Rules.",
            ),
            f"max({_WATCHDOG})",
            unit="short",
            levels=ZERO_IS_CRITICAL,
            mappings=[states({"1": ("yes", GREEN)})],
            no_data="Watchdog does not fire",
            runbooks=["Watchdog"],
            more=[links.to_dashboard(links.OBSERVABILITY, "Observability")],
            loud=True,
        ),
        one(
            "Exporter",
            Doc(
                "Whether Prometheus reaches supercheck-exporter; the worst of them, where several run.",
                "up.",
                "every panel about queues and workers is blind. On its host: "
                "`compose/operations/ask.sh exporter /-/ready`, then its log.",
            ),
            f"min(up{{{promql.EXPORTER}}})",
            unit="short",
            levels=ZERO_IS_CRITICAL,
            mappings=[states({"0": ("DOWN", RED), "1": ("up", GREEN)})],
            no_data="no such target",
            runbooks=["ExporterDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Redis",
            Doc(
                "Whether the exporter reaches every Redis node; the worst of them. The queues live there.",
                "up.",
                "no job can be added or taken. `redis-cli -h <host> ping`; the status page says what the exporter got.",
            ),
            "min(supercheck_redis_node_up)",
            unit="short",
            levels=ZERO_IS_CRITICAL,
            mappings=[states({"0": ("DOWN", RED), "1": ("up", GREEN)})],
            no_data="the exporter does not tell",
            runbooks=["RedisDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Failing reads",
            Doc(
                "Collectors of the exporter whose last run failed. Their series are absent meanwhile, not zero.",
                "0.",
                "the status page names the collector and the reason; the series of that collector can't be trusted.",
            ),
            "sum(max by (collector) (1 - supercheck_scrape_collector_success))",
            unit="short",
            levels=ANY_IS_WARNING,
            no_data="the exporter does not answer",
            runbooks=["CollectorFailing"],
            more=[links.status_page()],
            loud=True,
        ),
    ]


def _where_to_look() -> models.Panel:
    return words(
        "Where to look next",
        Doc(
            "What to open for what you see.",
            "not needed.",
            "start with the first line that fits.",
        ),
        _WHERE,
    )


def _oldest_ready(limits: Thresholds) -> models.Panel:
    metric = "supercheck_queue_oldest_ready_job_age_seconds"
    return lines(
        f"Oldest waiting job (worst {promql.TOP} queues)",
        Doc(
            "How long the job at the front of each queue has been ready and not started: what a user waits. "
            "The dashed lines are the thresholds of QueueJobsWaitingTooLong.",
            "seconds; short spikes when a batch is added.",
            "a straight rising line means that nothing is taken: click it, then see 'Why does it wait?' there.",
        ),
        [Line(promql.worst(metric, ""), "{{queue}}")],
        unit="s",
        soft_max=limits["queue_oldest_ready_warning_seconds"],
        levels=limits.above(
            warning="queue_oldest_ready_warning_seconds", critical="queue_oldest_ready_critical_seconds"
        ),
        many=True,
        runbooks=["QueueJobsWaitingTooLong"],
        data_links=[links.queue_of_series()],
    )


def _depth(limits: Thresholds) -> models.Panel:
    return lines(
        f"Queue depth (fullest {promql.TOP} queues)",
        Doc(
            "Backlog of each queue as a share of its capacity (MAX_QUEUE_DEPTH). At 100 % Supercheck rejects new runs. "
            "The dashed lines are the thresholds of QueueDepthHigh.",
            "a few percent.",
            "more work comes in than is done: add workers, or find who adds so much.",
        ),
        [Line(promql.worst("queue:supercheck_queue_depth:ratio", ""), "{{queue}}")],
        unit="percentunit",
        decimals=1,
        soft_max=1,
        levels=limits.above(warning="queue_depth_warning_ratio", critical="queue_depth_critical_ratio"),
        many=True,
        runbooks=["QueueDepthHigh"],
        data_links=[links.queue_of_series()],
    )


def _flow() -> models.Panel:
    return lines(
        "Jobs in and out",
        Doc(
            "Jobs added and jobs finished a second, all queues, over 5 minutes.",
            "both lines lie on each other.",
            "added above finished: the backlog grows. Finished at zero with work waiting: nobody works.",
        ),
        [
            Line(promql.total("queue:supercheck_queue_added_jobs:rate5m", ""), "added", IN),
            Line(promql.total("queue:supercheck_queue_jobs_finished:rate5m", ""), "finished", OUT),
        ],
        unit="suffix:jobs/s",
        runbooks=["QueueNotProcessing"],
    )


def _failures(limits: Thresholds) -> models.Panel:
    return lines(
        f"Failed jobs (worst {promql.FEW} queues)",
        Doc(
            "Share of finished jobs that failed for good, over 10 minutes. A failed *test* is a completed job and does "
            "not count: this is infrastructure. No line: nothing finished. "
            "The alert asks for at least 20 finished jobs in 10 minutes, or 5 in an hour.",
            "0 %.",
            "look at the workers' logs of that queue; if every queue fails, at what they share (storage, database).",
        ),
        [Line(promql.worst("queue:supercheck_queue_jobs_failed:ratio_increase10m", "", top=promql.FEW), "{{queue}}")],
        unit="percentunit",
        no_data="no job finished in this time",
        soft_max=0.2,
        levels=limits.above(warning="queue_failure_ratio"),
        runbooks=["QueueFailureRateHigh"],
        data_links=[links.queue_of_series()],
    )


def _workers() -> models.Panel:
    return lines(
        "Workers",
        Doc(
            "Workers whose heartbeat is alive, and how many the backlog asks for, all locations together.",
            "alive is at least wanted.",
            "alive fell: workers died or are redeployed. Wanted above alive for long: nothing scales them.",
        ),
        [
            Line(promql.total("supercheck_workers", "", "location"), "alive", OUT),
            Line(promql.total("supercheck_workers_desired", "", "location"), "wanted", LIMIT, dashed=True),
        ],
        unit="short",
        decimals=0,
        runbooks=["WorkersLost", "WorkersNotScaling"],
    )


def _queues(limits: Thresholds) -> models.Panel:
    def column(expr: str) -> str:
        return f"{expr} and on (queue) {promql.in_trouble('')}"

    firing = promql.join(promql.FIRING, promql.PAGES_OR_TICKETS, 'queue!=""')
    alerts = f"count by (queue) (ALERTS{{{firing}}})"
    return rows(
        f"Queues, worst first (up to {promql.TABLE_ROWS})",
        Doc(
            "Every queue, those with firing alerts first, then by backlog. Click a queue for its own graphs.",
            "no alert, little backlog, something finished lately.",
            "start at the top line.",
        ),
        [Label("queue", "Queue", [links.queue_of_cell()], width=230)],
        [
            Value("Order", promql.in_trouble(""), "short", hidden=True),
            Value("Alerts", column(alerts), "short", ANY_IS_WARNING, width=80, absent="none"),
            Value("Backlog", column(promql.each("supercheck_queue_backlog_jobs", "")), "short"),
            Value(
                "Depth",
                column(promql.each("queue:supercheck_queue_depth:ratio", "")),
                "percentunit",
                limits.above(warning="queue_depth_warning_ratio", critical="queue_depth_critical_ratio"),
                decimals=1,
            ),
            Value(
                "Oldest waiting",
                column(promql.each("supercheck_queue_oldest_ready_job_age_seconds", "")),
                "s",
                limits.above(
                    warning="queue_oldest_ready_warning_seconds", critical="queue_oldest_ready_critical_seconds"
                ),
            ),
            Value("Active", column(promql.each("supercheck_queue_jobs", 'state="active"')), "short"),
            Value("Served by", column(promql.each("supercheck_workers_serving", "")), "short"),
            Value(
                "Finished in 10 min",
                column(promql.each("queue:supercheck_queue_jobs_finished:increase10m", "")),
                "short",
                decimals=0,
            ),
            Value(
                "Last finished",
                column(f"1000 * {promql.each('supercheck_queue_last_finished_timestamp_seconds', '')}"),
                "dateTimeFromNow",
                width=150,
                absent="not seen yet",
            ),
        ],
        no_data="the exporter tells of no queue",
        runbooks=["QueueDepthHigh", "QueueJobsWaitingTooLong"],
        more=[links.to_dashboard(links.QUEUES, "All about queues")],
    )


def _alerts_over_time() -> models.Panel:
    firing = 'ALERTS{alertstate="firing",severity="%s"}'
    history = [
        Line(promql.count_or_zero(firing % severity, _WATCHDOG), severity, color)
        for severity, color in (("critical", RED), ("warning", "orange"))
    ]
    return lines(
        "Firing alerts over time",
        Doc(
            "How many alerts fired at each moment. A gap: no rules were evaluated, so nobody watched.",
            "flat at zero, without gaps.",
            "the moment of the first step is when to look for a change: deploys are the blue marks.",
        ),
        history,
        unit="short",
        decimals=0,
    )


def _slots(limits: Thresholds) -> models.Panel:
    return lines(
        f"Busy slots (busiest {promql.TOP} queues)",
        Doc(
            "Active jobs of a queue as a share of the jobs that its workers can run at once. The dashed line is the "
            "threshold of WorkerUtilizationHigh, which also asks for a backlog and 15 minutes.",
            "75 % is the target at load; 100 % for a short test run on one worker.",
            "at 100 % with a backlog: more workers. At 0 % with a backlog: the queue is paused or its workers hang.",
        ),
        [Line(promql.worst("queue:supercheck_worker_utilization:ratio", ""), "{{queue}}")],
        unit="percentunit",
        decimals=1,
        soft_max=1,
        levels=limits.above(warning="worker_utilization_ratio"),
        many=True,
        runbooks=["WorkerUtilizationHigh"],
        data_links=[links.queue_of_series()],
    )


SPEC = Spec(
    uid=links.OVERVIEW,
    title="Supercheck / Overview",
    description="Is it well? What pages now? Where to look next? Every queue and every location together.",
    sections=_sections,
)

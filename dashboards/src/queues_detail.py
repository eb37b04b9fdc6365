"""Queues, the details: how long jobs wait and run, how well they end, and whether their schedules live."""

from . import links, promql
from .colors import IN, OUT, SLOW, TROUBLE, WARNING
from .layout import Section, shelf
from .levels import RED, Levels, Thresholds
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_QUANTILES = (("0.5", "p50 (typical)", OUT), ("0.95", "p95", IN), ("0.99", "p99 (slowest)", SLOW))


def times_section() -> Section:
    """Return the section about wait and run times."""
    return Section("How long does it take?", [shelf(9, _wait(), _wait_by_queue()), shelf(9, _run(), _run_by_queue())])


def quality_section(limits: Thresholds) -> Section:
    """Return the section about failures."""
    return Section("How well does it end?", [shelf(9, _failures(limits), _trouble())])


def schedules_section(limits: Thresholds) -> Section:
    """Return the section about schedules and the events that the figures above come from."""
    return Section("Do schedules and events live?", [shelf(8, _schedules(limits), _lost(), widths=(16, 8))])


def _quantiles(histogram: str, by: str = "le") -> list[Line]:
    buckets = f"max by (queue, {by}) (rate({promql.select(f'{histogram}_bucket')}[$__rate_interval]))"
    return [
        Line(promql.known(f"histogram_quantile({quantile}, sum by (le) ({buckets}))"), name, color)
        for quantile, name, color in _QUANTILES
    ]


def _wait() -> models.Panel:
    return lines(
        "Time in the queue",
        Doc(
            "How long attempts waited from ready to started, all chosen queues together. No line: nothing started.",
            "below 5 s, the target of queue processing.",
            "p50 high: too few workers for everybody. Only p99 high: one queue, or bursts.",
        ),
        _quantiles("supercheck_queue_job_wait_seconds"),
        unit="s",
        no_data="no job was started in this time",
        runbooks=["QueueJobsWaitingTooLong"],
    )


def _wait_by_queue() -> models.Panel:
    return lines(
        f"Time in the queue, p95 (worst {promql.TOP} queues)",
        Doc(
            "95 % of the attempts of a queue waited less than this, over 5 minutes.",
            "below 5 s.",
            "click the queue at the top of the legend, then see 'Why does it wait?'.",
        ),
        [Line(promql.known(promql.worst("queue:supercheck_queue_job_wait_seconds:p95_rate5m")), "{{queue}}")],
        unit="s",
        no_data="no job was started in this time",
        many=True,
        runbooks=["QueueJobsWaitingTooLong"],
        data_links=[links.queue_of_series()],
    )


def _run() -> models.Panel:
    return lines(
        "Run time",
        Doc(
            "How long attempts ran, whatever their outcome, all chosen queues together. No line: nothing ended.",
            "what it was last week: a browser test takes a minute, a monitor a second.",
            "all quantiles rose: something that every test shares is slow (storage, database, network).",
        ),
        _quantiles("supercheck_queue_job_run_seconds", "le, outcome"),
        unit="s",
        no_data="no job ended in this time",
        runbooks=["QueueJobStuckActive"],
    )


def _run_by_queue() -> models.Panel:
    return lines(
        f"Run time, p95 (slowest {promql.TOP} queues)",
        Doc(
            "95 % of the attempts of a queue ran shorter than this, over 5 minutes.",
            "what it was last week.",
            "one queue slower than before: its tests, its location, or the worker that serves it.",
        ),
        [Line(promql.known(promql.worst("queue:supercheck_queue_job_run_seconds:p95_rate5m")), "{{queue}}")],
        unit="s",
        no_data="no job ended in this time",
        many=True,
        runbooks=["QueueJobStuckActive"],
        data_links=[links.queue_of_series()],
    )


def _failures(limits: Thresholds) -> models.Panel:
    return lines(
        f"Share of failed jobs (worst {promql.TOP} queues)",
        Doc(
            "Failed among finished jobs of a queue, over 10 minutes. Dashed: the threshold of QueueFailureRateHigh, "
            "which asks for at least 20 finished jobs (or 5 in an hour). A failed test is a completed job and does not "
            "count. No line: nothing finished.",
            "0 %.",
            "the workers' logs of that queue say why; all queues at once: storage, database or network.",
        ),
        [Line(promql.worst("queue:supercheck_queue_jobs_failed:ratio_increase10m"), "{{queue}}")],
        unit="percentunit",
        decimals=1,
        no_data="no job finished in this time",
        soft_max=0.2,
        levels=limits.above(warning="queue_failure_ratio"),
        many=True,
        runbooks=["QueueFailureRateHigh"],
        data_links=[links.queue_of_series()],
    )


def _trouble() -> models.Panel:
    def increase(metric: str) -> str:
        return f"sum(max by (queue) (increase({promql.select(metric)}[$__rate_interval])))"

    return lines(
        "Failed, retried and stalled jobs",
        Doc(
            "Jobs that failed for good, were tried again, or lost their worker, in each interval; all chosen queues.",
            "0; a retry now and then.",
            "retries rise first, failures follow: look now. Stalled: a worker died, see the Workers dashboard.",
        ),
        [
            Line(increase("supercheck_queue_jobs_failed_total"), "failed", TROUBLE),
            Line(increase("supercheck_queue_job_retries_total"), "retried", WARNING),
            Line(increase("supercheck_queue_jobs_stalled_total"), "stalled", SLOW),
        ],
        unit="short",
        soft_max=5,
        runbooks=["QueueFailureRateHigh", "QueueJobsStalled"],
    )


def _schedules(limits: Thresholds) -> models.Panel:
    # queues without schedules would only hide the few that have some; the ones that lost theirs within a day come too
    schedules = promql.each("supercheck_queue_schedules")
    before = f"max_over_time({promql.select('queue:supercheck_queue_schedules:max10m')}[1d]) > 0"
    late = f"{promql.each('supercheck_queue_schedule_lateness_seconds')} and {schedules} > 0"
    listed = f"(({before} and {schedules} == 0) or topk({promql.TABLE_ROWS}, {late}))"

    def column(metric: str) -> str:
        return f"{promql.each(metric)} and on (queue) {listed}"

    expiry = limits.below(warning="queue_schedule_ttl_warning_seconds", critical="queue_schedule_ttl_critical_seconds")
    return rows(
        "Schedules",
        Doc(
            "Queues that have schedules, or had some within a day: how many, how late the most overdue one is, and "
            "how long until Redis deletes them all: Supercheck's own cleanup gives that key a time to live of 7 days.",
            "as many as there are enabled monitors and scheduled jobs, not late, 'never' expires or days left.",
            "nearly expired: `redis-cli PERSIST bull:<queue>:repeat` holds until the next cleanup. Gone: the runbook.",
        ),
        [Label("queue", "Queue", [links.queue_of_cell()])],
        [
            Value("Schedules", column("supercheck_queue_schedules"), "short", Levels(RED, ((1, "text"),))),
            Value(
                "Most late",
                column("supercheck_queue_schedule_lateness_seconds"),
                "s",
                limits.above(warning="queue_schedule_lateness_seconds"),
            ),
            Value("Expire in", column("supercheck_queue_schedule_key_ttl_seconds"), "s", expiry, absent="never"),
        ],
        no_data="no chosen queue has schedules",
        sort_by="Schedules",
        descending=False,
        runbooks=["QueueSchedulesWillVanish", "QueueSchedulesGone", "QueueSchedulesLate"],
    )


def _lost() -> models.Panel:
    lost = promql.select("supercheck_queue_events_lost_total")
    return lines(
        "Events lost",
        Doc(
            "Entries of the queues' event streams that were gone before the exporter read them. Rates, wait and run "
            "times of that moment are too low; numbers of waiting jobs are not affected.",
            "0.",
            "the exporter is too slow or was down; or somebody trims the streams hard.",
        ),
        [Line(f"sum(max by (queue) (increase({lost}[$__rate_interval])))", "lost", WARNING)],
        unit="short",
        decimals=0,
        runbooks=["QueueEventsLost"],
    )

"""Queues, second section: why does a job wait? Paused, limited, nobody there, stuck, or just too many."""

from . import links, promql, shared
from .colors import IN, LIMIT, OUT, STATE_COLORS
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, Thresholds
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows


def why_section(limits: Thresholds) -> Section:
    """Return the section."""
    return Section(
        "Why does it wait?",
        [shelf(9, _why(limits)), shelf(8, _flow(), _states()), shelf(9, _oldest_active(), _busy(limits))],
    )


def _ago(title: str, metric: str) -> Value:
    expr = f"1000 * {promql.each(metric)} and on (queue) {promql.in_trouble()}"
    return Value(title, expr, "dateTimeFromNow", width=145, absent="not seen yet")


def _why(limits: Thresholds) -> models.Panel:
    def column(metric: str, *matchers: str) -> str:
        return f"{promql.each(metric, promql.join(promql.QUEUE, *matchers))} and on (queue) {promql.in_trouble()}"

    too_long = limits.above(
        warning="queue_oldest_ready_warning_seconds", critical="queue_oldest_ready_critical_seconds"
    )
    yes = [shared.YES_NO_WARNING]
    return rows(
        f"Why does it wait? (worst {promql.TABLE_ROWS} queues)",
        Doc(
            "One row a queue, those with firing alerts first, then by backlog. Read from left to right: paused? "
            "limited? anybody there? all slots busy? stalled? when did anything move? 'Serving' counts workers by "
            "their heartbeats, and connections for the five queues that the app serves.",
            "not paused, somebody serving, something started within minutes of work being there.",
            "the first cell that is not normal is the cause: follow the runbook of its alert.",
        ),
        [Label("queue", "Queue", [links.queue_of_cell()], width=190)],
        [
            Value("Order", promql.in_trouble(), "short", hidden=True),
            Value("Backlog", column("supercheck_queue_backlog_jobs"), "short"),
            Value("Oldest", column("supercheck_queue_oldest_ready_job_age_seconds"), "s", too_long),
            Value("Paused", column("supercheck_queue_paused"), "short", mappings=yes),
            Value(
                "Rate limited",
                column("supercheck_queue_rate_limited"),
                "short",
                mappings=yes,
                absent="no known limit",
                width=130,
            ),
            Value("Serving", column("supercheck_workers_serving"), "short"),
            Value("Active", column("supercheck_queue_jobs", 'state="active"'), "short"),
            Value("Slots", column("supercheck_queue_slots"), "short"),
            Value("Stalled", column("supercheck_queue_stalled_jobs"), "short", ANY_IS_WARNING),
            _ago("Last started", "supercheck_queue_last_started_timestamp_seconds"),
            _ago("Last finished", "supercheck_queue_last_finished_timestamp_seconds"),
        ],
        no_data="the exporter tells of no queue",
        runbooks=["QueueNotProcessing", "NoWorkersForQueue", "QueuePausedWithBacklog"],
        more=[links.to_dashboard(links.WORKERS, "Workers")],
    )


def _flow() -> models.Panel:
    return lines(
        "Jobs in and out",
        Doc(
            "Jobs added and jobs finished a second, all chosen queues, over 5 minutes. A job that fails and is tried "
            "again is finished once.",
            "both lines lie on each other.",
            "added rose: find who adds. Finished fell: see the slots and the run times.",
        ),
        [
            Line(promql.total("queue:supercheck_queue_added_jobs:rate5m"), "added", IN),
            Line(promql.total("queue:supercheck_queue_jobs_finished:rate5m"), "finished", OUT),
        ],
        unit="suffix:jobs/s",
        runbooks=["QueueNotProcessing"],
    )


def _states() -> models.Panel:
    shown = ("waiting", "prioritized", "paused", "delayed", "active", "waiting_children")
    states = promql.join(promql.QUEUE, f'state=~"{"|".join(shown)}"')
    return lines(
        "Jobs by state",
        Doc(
            "Unfinished jobs of the chosen queues by state. Monitors wait in 'prioritized', tests in 'waiting', "
            "schedules and retries in 'delayed'.",
            "'delayed' as high as there are schedules; the others small.",
            "'paused' grows: somebody paused a queue. 'active' at its limit and 'waiting' growing: too few slots.",
        ),
        [
            Line(
                f"sum by (state) (max by (queue, state) ({promql.select('supercheck_queue_jobs', states)}))",
                "{{state}}",
            )
        ],
        unit="short",
        stacked=True,
        colors=STATE_COLORS,
        decimals=0,
        runbooks=["QueuePausedWithBacklog"],
    )


def _oldest_active() -> models.Panel:
    budget = f"min({promql.select('supercheck_queue_run_budget_seconds')})"
    metric = "supercheck_queue_oldest_active_job_age_seconds"
    return lines(
        f"Longest running job (worst {promql.TOP} queues)",
        Doc(
            "Age of the job that has been active longest. Dashed: the smallest run budget of the chosen queues; "
            "over the budget of its own queue QueueJobStuckActive fires.",
            "below the budget; a test may take an hour.",
            "the job hangs, or its worker died and its lock has not run out (70 minutes for regional k6).",
        ),
        [Line(promql.worst(metric), "{{queue}}"), Line(budget, "run budget", LIMIT, dashed=True)],
        unit="s",
        many=True,
        runbooks=["QueueJobStuckActive"],
        data_links=[links.queue_of_series()],
    )


def _busy(limits: Thresholds) -> models.Panel:
    return lines(
        f"Busy slots (busiest {promql.TOP} queues)",
        Doc(
            "Active jobs as a share of the jobs that can run at once. Dashed: the threshold of WorkerUtilizationHigh, "
            "which also asks for a backlog and 15 minutes.",
            "75 % is the target at load.",
            "with a backlog, 100 %: add workers; 0 %: paused, limited, or hanging. Over 100 %: jobs of dead workers "
            "count until they are taken back.",
        ),
        [Line(promql.worst("queue:supercheck_worker_utilization:ratio"), "{{queue}}")],
        unit="percentunit",
        soft_max=1,
        levels=limits.above(warning="worker_utilization_ratio"),
        many=True,
        runbooks=["WorkerUtilizationHigh"],
        data_links=[links.queue_of_series()],
    )

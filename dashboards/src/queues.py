"""Queues: does work wait, why, and how long does it take."""

from . import links, promql
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, Thresholds
from .panels import Doc, Line, lines, one
from .queues_detail import quality_section, schedules_section, times_section
from .queues_why import why_section
from .sdk import models
from .spec import Spec

_BLIND = "the exporter does not tell"


def _sections(limits: Thresholds) -> list[Section]:
    return [
        Section(
            "Does work wait?",
            [shelf(4, *_strip(limits), widths=(5, 5, 5, 4, 5)), shelf(9, _oldest_ready(limits), _depth(limits))],
        ),
        why_section(limits),
        times_section(),
        quality_section(limits),
        schedules_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "Backlog",
            Doc(
                "Jobs that are ready and not started: waiting, prioritized, paused and overdue delayed ones. "
                "Jobs that are delayed on purpose don't count.",
                "near 0 outside load peaks.",
                "the panels below say in which queue, and why.",
            ),
            promql.total("supercheck_queue_backlog_jobs"),
            unit="short",
            no_data=_BLIND,
        ),
        one(
            "Oldest waiting job",
            Doc(
                "Age of the longest waiting ready job of the chosen queues. Orange and red as QueueJobsWaitingTooLong.",
                "seconds.",
                "see 'Why does it wait?' for the queue at the top.",
            ),
            f"max({promql.select('supercheck_queue_oldest_ready_job_age_seconds')})",
            unit="s",
            levels=limits.above(
                warning="queue_oldest_ready_warning_seconds", critical="queue_oldest_ready_critical_seconds"
            ),
            no_data=_BLIND,
            runbooks=["QueueJobsWaitingTooLong"],
        ),
        one(
            "Fullest queue",
            Doc(
                "Backlog over capacity of the fullest chosen queue. At 100 % new runs are rejected. "
                "Orange and red as QueueDepthHigh.",
                "a few percent.",
                "add workers, or stop what adds so much.",
            ),
            f"max({promql.select('queue:supercheck_queue_depth:ratio')})",
            unit="percentunit",
            decimals=1,
            levels=limits.above(warning="queue_depth_warning_ratio", critical="queue_depth_critical_ratio"),
            no_data=_BLIND,
            runbooks=["QueueDepthHigh"],
        ),
        one(
            "Paused queues",
            Doc(
                "Chosen queues that are paused: nothing is taken from them until somebody resumes them.",
                "0, but for maintenance.",
                "find who paused it, then resume it; jobs that wait are kept.",
            ),
            promql.total("supercheck_queue_paused"),
            unit="short",
            levels=ANY_IS_WARNING,
            no_data=_BLIND,
            runbooks=["QueuePausedWithBacklog"],
        ),
        one(
            "Failed in 10 min",
            Doc(
                "Highest share of failed among finished jobs in 10 minutes, of the chosen queues. A failed test is a "
                "completed job and does not count. QueueFailureRateHigh also asks for at least 20 finished jobs in "
                "10 minutes, or 5 in an hour.",
                "0 %.",
                "see 'How well?' below, then the workers' logs.",
            ),
            f"max({promql.select('queue:supercheck_queue_jobs_failed:ratio_increase10m')})",
            unit="percentunit",
            decimals=1,
            levels=limits.above(warning="queue_failure_ratio"),
            no_data="nothing finished in 10 min",
            runbooks=["QueueFailureRateHigh"],
        ),
    ]


def _oldest_ready(limits: Thresholds) -> models.Panel:
    return lines(
        f"Oldest waiting job (worst {promql.TOP} queues)",
        Doc(
            "How long the job at the front of each queue has been ready and not started. A retry counts from the "
            "moment it became ready again. Dashed: the thresholds of QueueJobsWaitingTooLong.",
            "seconds.",
            "rising at 45 degrees: nothing is taken at all. A plateau: too few workers for what comes in.",
        ),
        [Line(promql.worst("supercheck_queue_oldest_ready_job_age_seconds"), "{{queue}}")],
        unit="s",
        soft_max=limits["queue_oldest_ready_warning_seconds"],
        levels=limits.above(
            warning="queue_oldest_ready_warning_seconds", critical="queue_oldest_ready_critical_seconds"
        ),
        many=True,
        runbooks=["QueueJobsWaitingTooLong", "QueueNotProcessing"],
        data_links=[links.queue_of_series()],
    )


def _depth(limits: Thresholds) -> models.Panel:
    return lines(
        f"Queue depth (fullest {promql.TOP} queues)",
        Doc(
            "Backlog as a share of the queue's capacity (MAX_QUEUE_DEPTH, or the queue's own setting). "
            "Dashed: the thresholds of QueueDepthHigh.",
            "a few percent.",
            "compare 'Jobs in and out': does more come in than usual, or is less done?",
        ),
        [Line(promql.worst("queue:supercheck_queue_depth:ratio"), "{{queue}}")],
        unit="percentunit",
        decimals=1,
        soft_max=1,
        levels=limits.above(warning="queue_depth_warning_ratio", critical="queue_depth_critical_ratio"),
        many=True,
        runbooks=["QueueDepthHigh"],
        data_links=[links.queue_of_series()],
    )


SPEC = Spec(
    uid=links.QUEUES,
    title="Supercheck / Queues",
    description="Does work wait? Why? How long does it take, and does it succeed?",
    sections=_sections,
    variables=("queue",),
    alert_matchers='component="queue",queue=~"$queue|"',
)

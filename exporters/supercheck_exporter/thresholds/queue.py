"""What is too much of queues."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "queue_depth_warning_ratio",
        0.8,
        "ratio",
        "Backlog over capacity of a queue: above it QueueDepthHigh warns.",
    ),
    Threshold(
        "queue_depth_critical_ratio",
        0.95,
        "ratio",
        "Backlog over capacity of a queue: above it QueueDepthHigh pages.",
    ),
    Threshold(
        "queue_oldest_ready_warning_seconds",
        300,
        "seconds",
        "Age of the oldest ready job of a queue: above it QueueJobsWaitingTooLong warns.",
    ),
    Threshold(
        "queue_oldest_ready_critical_seconds",
        900,
        "seconds",
        "Age of the oldest ready job of a queue: above it QueueJobsWaitingTooLong pages.",
    ),
    Threshold(
        "queue_not_processing_seconds",
        120,
        "seconds",
        "How long ago the last start and the last finish of a queue must be for QueueNotProcessing to page. "
        "Besides, its backlog must have lasted 2 minutes.",
    ),
    Threshold(
        "queue_failure_ratio",
        0.1,
        "ratio",
        "Failed over finished jobs of a queue: above it QueueFailureRateHigh warns. "
        "A failed test is a completed job and does not count.",
    ),
    Threshold(
        "queue_failure_min_finished_10m_jobs",
        20,
        "jobs",
        "From this many finished jobs in 10 minutes on, the failure ratio of those 10 minutes counts.",
    ),
    Threshold(
        "queue_failure_min_finished_1h_jobs",
        5,
        "jobs",
        "With fewer in 10 minutes, but this many in an hour, the failure ratio of that hour counts.",
    ),
    Threshold(
        "queue_schedule_ttl_warning_seconds",
        48 * 3600,
        "seconds",
        "Time left to a queue's schedule key: below it QueueSchedulesWillVanish warns.",
    ),
    Threshold(
        "queue_schedule_ttl_critical_seconds",
        6 * 3600,
        "seconds",
        "Time left to a queue's schedule key: below it QueueSchedulesWillVanish pages.",
    ),
    Threshold(
        "queue_schedule_lateness_seconds",
        120,
        "seconds",
        "How late the most overdue schedule of a queue is: above it QueueSchedulesLate warns.",
    ),
)

ORDER = (
    ("queue_depth_warning_ratio", "queue_depth_critical_ratio"),
    ("queue_oldest_ready_warning_seconds", "queue_oldest_ready_critical_seconds"),
    ("queue_schedule_ttl_critical_seconds", "queue_schedule_ttl_warning_seconds"),
)

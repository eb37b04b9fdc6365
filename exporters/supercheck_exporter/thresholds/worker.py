"""What is too much of workers."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "worker_utilization_ratio",
        0.9,
        "ratio",
        "Active jobs over slots of a queue: above it, with jobs behind, WorkerUtilizationHigh warns.",
    ),
    Threshold(
        "execution_quota_ratio",
        1,
        "ratio",
        "Used over limit of a resource of the execution namespace: from it on ExecutionQuotaExhausted warns.",
    ),
    Threshold(
        "execution_pending_seconds",
        300,
        "seconds",
        "Age of the oldest pending pod of the execution namespace: above it ExecutionPodsPending warns.",
    ),
)

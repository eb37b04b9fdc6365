"""What is too much of workers."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "worker_utilization_ratio",
        0.9,
        "ratio",
        "Active jobs over slots of a queue: above it, with jobs behind, WorkerUtilizationHigh warns.",
    ),
)

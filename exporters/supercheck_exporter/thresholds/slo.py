"""What the site promises (alert-rules/src/objectives.yaml)."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "slo_queue_wait_seconds",
        5,
        "seconds",
        "How long a job or a parked run may wait; an edge of the histogram's buckets.",
    ),
    Threshold(
        "slo_queue_processing_ratio",
        0.95,
        "ratio",
        "Share of the waits that must not be longer: QueueProcessingBudgetBurning warns.",
    ),
    Threshold(
        "slo_database_query_seconds",
        0.1,
        "seconds",
        "How long a statement of the database may take; an edge of the histogram's buckets.",
    ),
    Threshold(
        "slo_database_latency_ratio",
        0.95,
        "ratio",
        "Share of the statements that must not take longer: DatabaseLatencyBudgetBurning warns and pages.",
    ),
    Threshold(
        "slo_api_latency_seconds",
        0.2,
        "seconds",
        "How long the app may take to answer a probe; an edge of the histogram's buckets.",
    ),
    Threshold(
        "slo_api_latency_ratio",
        0.95,
        "ratio",
        "Share of the probes that must not take longer: ApiLatencyBudgetBurning warns and pages.",
    ),
    Threshold(
        "slo_uptime_ratio",
        0.999,
        "ratio",
        "Share of the probes of the app and of the workers that must not fail: UptimeBudgetBurning warns and pages.",
    ),
    Threshold(
        "slo_worker_utilization_ratio",
        0.75,
        "ratio",
        "Active jobs over slots, over an hour: the target that the Scorecard draws; no alert.",
    ),
)

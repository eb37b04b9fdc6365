"""What is too much of the bundle itself."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "exporter_scrape_seconds",
        5,
        "seconds",
        "Duration of a scrape of the exporter: above it ExporterSlow warns. Prometheus gives up after 10.",
    ),
    Threshold(
        "collector_stale_seconds",
        300,
        "seconds",
        "Age of what a collector reads in the background: above it CollectorFailing warns.",
    ),
    Threshold(
        "notifications_failed_ratio",
        0.1,
        "ratio",
        "Failed over all notifications of a receiver type: above it AlertmanagerNotDelivering pages.",
    ),
    Threshold(
        "collector_queue_ratio",
        0.5,
        "ratio",
        "Bytes over the room for them that wait at the collector for a store: above it CollectorQueueFilling warns.",
    ),
)

"""What is too much of the services that Supercheck depends on."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "notifications_failing_ratio",
        0.1,
        "ratio",
        "Failed over sent and failed alerts of Supercheck in 30 minutes, by kind of channel: above it "
        "NotificationsFailing pages.",
    ),
    Threshold(
        "notifications_failing_min_30m_rows",
        5,
        "rows",
        "From this many alerts of Supercheck in 30 minutes on, the ratio of those that failed counts.",
    ),
)

"""What is too much of monitors and scheduled jobs."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "monitor_stale_intervals",
        3,
        "intervals",
        "Age of the last check of a monitor in its own intervals: above it MonitorsStale pages.",
    ),
    Threshold(
        "job_missed_seconds",
        300,
        "seconds",
        "How late the most overdue scheduled job is: above it ScheduledJobsMissed pages.",
    ),
)

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
    Threshold(
        "location_down_seconds",
        600,
        "seconds",
        "Time since the last check from a location that succeeded: above it, with the next three, LocationDown pages.",
    ),
    Threshold(
        "location_down_ratio",
        0.8,
        "ratio",
        "Monitors that fail over monitors that are checked at a location: above it LocationDown may page.",
    ),
    Threshold(
        "location_down_monitors",
        3,
        "monitors",
        "So many monitors must fail at a location, and not elsewhere as well, before LocationDown pages.",
    ),
    Threshold(
        "location_down_here_only_monitors",
        2,
        "monitors",
        "So many are enough where the same monitors succeed elsewhere.",
    ),
)

"""What is too much of the host's disks."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "disk_filling_warning_seconds",
        86_400,
        "seconds",
        "A disk that is full in less than this, as it filled in the last hours: DiskFilling warns.",
    ),
    Threshold(
        "disk_filling_critical_seconds",
        4 * 3600,
        "seconds",
        "A disk that is full in less than this, as it filled in the last hours: DiskFilling pages.",
    ),
    Threshold(
        "disk_filling_warning_free_ratio",
        0.4,
        "ratio",
        "Only where less than this share is free does DiskFilling warn.",
    ),
    Threshold(
        "disk_filling_critical_free_ratio",
        0.2,
        "ratio",
        "Only where less than this share is free does DiskFilling page for what will be.",
    ),
    Threshold(
        "disk_floor_free_ratio",
        0.03,
        "ratio",
        "A disk with less than this share free, and less than the next one in bytes: DiskFilling pages at once.",
    ),
    Threshold(
        "disk_floor_free_bytes",
        10_000_000_000,
        "bytes",
        "Free bytes above which the share alone is no reason for a page: 3 % of a large disk are plenty.",
    ),
)

ORDER = (
    ("disk_filling_critical_seconds", "disk_filling_warning_seconds"),
    ("disk_filling_critical_free_ratio", "disk_filling_warning_free_ratio"),
    ("disk_floor_free_ratio", "disk_filling_critical_free_ratio"),
)
"""(the smaller one, the larger one)."""

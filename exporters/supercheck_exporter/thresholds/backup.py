"""What is too much of backups: age, and shrinking."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "backup_full_seconds",
        93_600,
        "seconds",
        "Age of the newest full backup: above it BackupMissing pages. A day, and two hours to make it.",
    ),
    Threshold(
        "backup_incremental_seconds",
        25_200,
        "seconds",
        "Age of the newest incremental backup: above it BackupMissing warns. Six hours, and one to make it.",
    ),
    Threshold(
        "backup_restore_test_seconds",
        2_764_800,
        "seconds",
        "Age of the last restore test: above it BackupRestoreUntested warns. A month.",
    ),
    Threshold(
        "backup_first_restore_test_seconds",
        604_800,
        "seconds",
        "Age of the oldest backup of a database that was never restored: above it BackupRestoreUntested warns.",
    ),
    Threshold(
        "backup_shrunk_ratio",
        0.5,
        "ratio",
        "Size of the newest full backup over the median of its week: below it BackupShrunk warns.",
    ),
)

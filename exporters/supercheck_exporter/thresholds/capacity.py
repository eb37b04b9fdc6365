"""What is too much of organizations, runs and retention."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "organization_queue_warning_ratio",
        0.8,
        "ratio",
        "Parked runs of an organization over its limit: above it OrganizationNearQueueLimit warns.",
    ),
    Threshold(
        "organization_monopoly_ratio",
        0.8,
        "ratio",
        "Share of the slots in use that one organization holds: above it OrganizationMonopolizesWorkers warns.",
    ),
    Threshold(
        "organization_monopoly_wait_seconds",
        300,
        "seconds",
        "Age of another organization's oldest parked run for OrganizationMonopolizesWorkers.",
    ),
    Threshold(
        "phantom_runs_rows",
        5,
        "rows",
        "Runs of a day that say what is not so: above it PhantomRuns warns.",
    ),
    Threshold(
        "runs_erroring_ratio",
        0.1,
        "ratio",
        "Runs that end in error over all that end: above it RunsErroring warns.",
    ),
    Threshold(
        "runs_erroring_min_finished_1h_rows",
        5,
        "rows",
        "Runs that must end within an hour for RunsErroring.",
    ),
    Threshold(
        "retention_overdue_rows",
        1000,
        "rows",
        "Rows past their retention: RetentionFallingBehind warns above it, where they grow.",
    ),
)

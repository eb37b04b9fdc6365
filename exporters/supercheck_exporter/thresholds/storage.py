"""What is too much of the object store."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "s3_operation_slow_seconds",
        2,
        "seconds",
        "p95 of an operation of our own probe: above it S3OperationSlow warns.",
    ),
    Threshold(
        "s3_operation_failure_ratio",
        0.1,
        "ratio",
        "Failed over all operations of our own probe, of one kind: above it S3OperationsFailing warns.",
    ),
    Threshold(
        "storage_misplaced_ratio",
        0.1,
        "ratio",
        "Bytes of a bucket that should be in a cheaper class or gone, over all: above it StorageMisplaced warns.",
    ),
    Threshold(
        "storage_monthly_budget_dollars",
        200,
        "dollars",
        "What all buckets may cost a month: above it StorageCostOverBudget warns.",
    ),
    Threshold(
        "bucket_listing_stale_intervals",
        3,
        "intervals",
        "Age of a bucket's last whole listing, in S3_LISTING_INTERVAL_SECONDS: above it BucketListingStale warns.",
    ),
    Threshold(
        "incomplete_upload_seconds",
        604_800,
        "seconds",
        "Age of the oldest multipart upload that was not ended: above it IncompleteUploads warns.",
    ),
)

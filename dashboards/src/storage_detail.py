"""Storage and cost, in detail: operations, cost, and each bucket."""

from . import promql
from .colors import IN, OUT, SLOW
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, GREEN, ORANGE, Thresholds, states
from .panels import Doc, Line, lines, words
from .sdk import models
from .tables import Label, Value, rows

_UNSET = "S3_ENDPOINT is not set, or the exporter does not answer"
_UNLISTED = "no bucket was listed yet, or the figures are too old"
_AGE_COLORS = {"0_7d": OUT, "7_30d": IN, "30_90d": SLOW, "over_90d": "#9fa7b3"}
_OPERATION_COLORS = {"head_bucket": "#9fa7b3", "list": IN, "put": SLOW, "get": OUT, "delete": "light-blue"}
_STATES = ("missing", "forbidden", "failing")

_NOT_COUNTED = """\
The cost is that of **storage** alone, from a listing and a price table (`S3_PRICES`; on AWS its list for us-east-1).

* **Requests and traffic** (egress) are not in it: nothing measures them yet. They join as components `requests` and
  `egress` where spans or an edge do.
* **Older versions** of objects and **parts** of unfinished uploads are in no listing; both cost like objects.
* A server of your own costs 0, unless `S3_PRICES` says otherwise.
"""


def _each(metric: str, by: str, matchers: str = "") -> str:
    return promql.each(metric, matchers, by)


def server_section(limits: Thresholds) -> Section:
    """Return the section about the server."""
    times = lines(
        "Time of an operation, p95",
        Doc(
            "By kind of request, over 10 minutes: the exporter's own probe. put, get, delete where a canary bucket is "
            "set. Dashed: S3OperationSlow.",
            "below 0.5 s, flat.",
            "all rise: the server or its disk. put alone: its disk is full or slow.",
        ),
        [
            Line(
                promql.known("max by (operation) (operation:supercheck_s3_operation_seconds:p95_rate10m)"),
                "{{operation}}",
            )
        ],
        unit="s",
        levels=limits.above(warning="s3_operation_slow_seconds"),
        colors=_OPERATION_COLORS,
        no_data=_UNSET,
        runbooks=["S3OperationSlow"],
    )
    failures = lines(
        "Operations that fail",
        Doc(
            "Share of the probe's requests that were not answered, or with an error of the server. Dashed: the alert.",
            "0.",
            "all: the server is down. put alone: Supercheck's uploads fail too.",
        ),
        [
            Line(
                promql.known("max by (operation) (operation:supercheck_s3_operation_failures:ratio_rate10m)"),
                "{{operation}}",
            )
        ],
        unit="percentunit",
        levels=limits.above(warning="s3_operation_failure_ratio"),
        colors=_OPERATION_COLORS,
        soft_max=0.2,
        no_data=_UNSET,
        runbooks=["S3OperationsFailing", "S3Unreachable"],
    )
    written = lines(
        "Time since the last write",
        Doc(
            "By bucket, since its newest object was written; a listing is up to an interval old.",
            "minutes where tests run all day; weeks for logos and documents.",
            "a bucket of reports that gets none while tests run: their uploads fail.",
        ),
        [Line(f"time() - {_each('supercheck_bucket_newest_object_timestamp_seconds', 'bucket')}", "{{bucket}}")],
        unit="s",
        no_data=_UNLISTED,
        runbooks=["S3OperationsFailing"],
    )
    return Section("Does the object store answer?", [shelf(8, times, failures, written)])


def cost_section(limits: Thresholds) -> Section:
    """Return the section about money."""
    cost = lines(
        "Cost a month, by bucket",
        Doc(
            "What is stored at the prices that are set, dollars a month. Dashed: the budget.",
            "flat, or falling after rules are in place.",
            "one bucket grows: nothing deletes its reports.",
        ),
        [Line(_each("supercheck_storage_monthly_cost_dollars", "bucket, component"), "{{bucket}}")],
        unit="currencyUSD",
        levels=limits.above(warning="storage_monthly_budget_dollars"),
        stacked=True,
        no_data=f"{_UNLISTED}, or a class has no price",
        runbooks=["StorageCostOverBudget"],
    )
    best = lines(
        "Cost a month, now and at its best",
        Doc(
            "All buckets as they are, and were each report where its age wants it (the moves themselves cost besides).",
            "close together.",
            "far apart: run supercheck-exporter lifecycle plan.",
        ),
        [
            Line("max(site:supercheck_storage_monthly_cost_dollars:sum)", "now", IN),
            Line(f"sum({_each('supercheck_storage_monthly_cost_optimal_dollars', 'bucket')})", "at its best", OUT),
        ],
        unit="currencyUSD",
        no_data=f"{_UNLISTED}, or a class has no price",
        runbooks=["BucketWithoutLifecycle"],
    )
    left_out = words(
        "What is not in the cost",
        Doc("What the numbers leave out.", "read once.", "ask the bill of your provider."),
        _NOT_COUNTED,
    )
    return Section("What does it cost?", [shelf(8, cost, best, left_out)])


def buckets_section(limits: Thresholds) -> Section:
    """Return the section about what lies in the buckets."""
    sizes = lines(
        "Bytes by bucket",
        Doc("All classes together.", "grows slowly, or stays.", "a step up: who uploads? A step down: who deletes?"),
        [Line(f"sum by (bucket) ({_each('supercheck_bucket_bytes', 'bucket, storage_class')})", "{{bucket}}")],
        unit="bytes",
        stacked=True,
        no_data=_UNLISTED,
    )
    ages = lines(
        "Bytes by age",
        Doc(
            "All buckets: up to 7 days, 30, 90, and older.",
            "little over 90 days, but logos and documents.",
            "over_90d grows: no rule and no cleanup removes old reports.",
        ),
        [Line(f"sum by (tier) ({_each('supercheck_bucket_age_bytes', 'bucket, tier')})", "{{tier}}")],
        unit="bytes",
        stacked=True,
        colors=_AGE_COLORS,
        no_data=_UNLISTED,
        runbooks=["BucketWithoutLifecycle"],
    )
    classes = lines(
        "Bytes by storage class",
        Doc(
            "All buckets.",
            "on AWS with rules: most in GLACIER_IR after a month; elsewhere all STANDARD.",
            "all STANDARD on AWS: no rules, or they miss.",
        ),
        [
            Line(
                f"sum by (storage_class) ({_each('supercheck_bucket_bytes', 'bucket, storage_class')})",
                "{{storage_class}}",
            )
        ],
        unit="bytes",
        stacked=True,
        no_data=_UNLISTED,
        runbooks=["StorageMisplaced"],
    )
    return Section(
        "What lies there?", [shelf(8, sizes, ages, classes), shelf(10, _contents(limits)), shelf(10, _listings(limits))]
    )


def _contents(limits: Thresholds) -> models.Panel:
    held = _each("supercheck_bucket_bytes", "bucket, storage_class")
    misplaced = _each("supercheck_bucket_misplaced_bytes", "bucket, expected_class")
    written = _each("supercheck_bucket_newest_object_timestamp_seconds", "bucket")
    return rows(
        "Each bucket: what lies there",
        Doc(
            "Objects, bytes, those over 90 days, the share that should be in a cheaper class or gone (5 buckets of "
            "reports only), enabled lifecycle rules, and the last write.",
            "few misplaced; a write today where tests run.",
            "misplaced without rules: plan some. With rules: they miss. No write: do uploads arrive?",
        ),
        [Label("bucket", "Bucket", width=220)],
        [
            Value("Bytes", f"sum by (bucket) ({held})", "bytes"),
            Value(
                "Objects",
                f"sum by (bucket) ({_each('supercheck_bucket_objects', 'bucket, storage_class')})",
                "short",
                decimals=0,
            ),
            Value("Over 90 days", _each("supercheck_bucket_age_bytes", "bucket", 'tier="over_90d"'), "bytes"),
            Value("Misplaced bytes", f"sum by (bucket) ({misplaced})", "bytes", absent="stays"),
            Value(
                "Misplaced",
                "max by (bucket) (bucket:supercheck_bucket_misplaced_bytes:ratio)",
                "percentunit",
                limits.above(warning="storage_misplaced_ratio"),
                decimals=0,
                absent="stays",
            ),
            Value(
                "Rules",
                _each("supercheck_bucket_lifecycle_rules", "bucket"),
                "short",
                decimals=0,
                absent="unknown",
            ),
            Value("Cost a month", _each("supercheck_storage_monthly_cost_dollars", "bucket"), "currencyUSD"),
            Value("Last write", f"1000 * {written}", "dateTimeFromNow", absent="empty"),
        ],
        no_data=_UNLISTED,
        sort_by="Bytes",
        runbooks=["StorageMisplaced", "BucketWithoutLifecycle"],
    )


def _listings(limits: Thresholds) -> models.Panel:
    oldest = _each("supercheck_bucket_oldest_incomplete_upload_timestamp_seconds", "bucket")
    listed = _each("supercheck_bucket_listing_last_success_timestamp_seconds", "bucket")
    began = _each("supercheck_bucket_listing_start_timestamp_seconds", "bucket")
    names = states({"1": ("no", ORANGE), "0": ("yes", GREEN)})
    return rows(
        "Each bucket: its listing",
        Doc(
            "Whether the bucket can be read, when it was last listed whole, how long it took, since when a listing is "
            "under way, and uploads that were begun and never ended.",
            "readable, listed within the interval, no old upload.",
            "not readable: the exporter's status page says why. Old uploads: their parts cost and are in no listing.",
        ),
        [Label("bucket", "Bucket", width=220)],
        [
            Value(
                "Readable",
                f"max by (bucket) ({_each('supercheck_bucket_state', 'bucket, state', _not_readable())})",
                "short",
                mappings=[names],
            ),
            Value("Listed", f"1000 * {listed}", "dateTimeFromNow", absent="not yet"),
            Value("Took", _each("supercheck_bucket_listing_seconds", "bucket"), "s", absent="not yet"),
            Value("Under way since", f"1000 * {began}", "dateTimeFromNow", absent="none"),
            Value(
                "Open uploads",
                _each("supercheck_bucket_incomplete_uploads", "bucket"),
                "short",
                ANY_IS_WARNING,
                decimals=0,
            ),
            Value(
                "Oldest upload",
                f"time() - {oldest}",
                "s",
                limits.above(warning="incomplete_upload_seconds"),
                absent="none",
            ),
        ],
        no_data="no bucket was asked yet",
        sort_by="Bucket",
        descending=False,
        runbooks=["BucketUnreadable", "BucketListingStale", "IncompleteUploads"],
    )


def _not_readable() -> str:
    return f'state=~"{"|".join(_STATES)}"'

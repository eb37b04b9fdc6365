"""Storage and cost: does S3 answer, what does it cost, what lies there that should not."""

from . import links, promql, shared
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, GREEN, NEUTRAL, RED, Levels, Thresholds, states
from .panels import Doc, one
from .sdk import models
from .spec import Spec
from .storage_detail import buckets_section, cost_section, server_section

_UP = states({"0": ("DOWN", RED), "1": ("up", GREEN)})
_UNSET = "S3_ENDPOINT is not set, or the exporter does not answer"
_UNLISTED = "no bucket was listed yet, or the figures are too old"


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about storage", 'component="storage"')
    return [
        Section("Is storage well?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        server_section(limits),
        cost_section(limits),
        buckets_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    stale = "max(supercheck_bucket_listing_interval_seconds)"
    listed = "min(max by (bucket) (supercheck_bucket_listing_last_success_timestamp_seconds))"
    unreadable = 'max by (bucket, state) (supercheck_bucket_state{state!="readable"})'
    return [
        one(
            "Object store",
            Doc(
                "Whether S3 answers the exporter and takes its login.",
                "up.",
                "no report is saved or shown: open the runbook.",
            ),
            "max(supercheck_s3_up)",
            unit="short",
            mappings=[_UP],
            no_data=_UNSET,
            runbooks=["S3Unreachable"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Slowest operation, p95",
            Doc(
                "19 of 20 of the exporter's own requests were faster; the slowest kind of request, over 10 minutes.",
                "below 0.5 s.",
                "reports open and upload slowly: see 'Time of an operation'.",
            ),
            promql.known("max(operation:supercheck_s3_operation_seconds:p95_rate10m)"),
            unit="s",
            levels=limits.above(warning="s3_operation_slow_seconds"),
            no_data=_UNSET,
            runbooks=["S3OperationSlow"],
        ),
        one(
            "Unreadable buckets",
            Doc(
                "Buckets that are missing, forbidden or fail.",
                "0.",
                "the table below says which and why.",
            ),
            f"sum({unreadable})",
            unit="short",
            levels=ANY_IS_WARNING,
            no_data="no bucket was asked yet",
            runbooks=["BucketUnreadable"],
            decimals=0,
        ),
        one(
            "Oldest listing",
            Doc(
                "How many listing intervals ago the bucket was listed whole that waits for longest.",
                "about 1.",
                "the figures below are as old as that: is a bucket failing, or the pace too low?",
            ),
            f"(time() - {listed}) / {stale}",
            unit="short",
            levels=limits.above(warning="bucket_listing_stale_intervals"),
            no_data=_UNLISTED,
            runbooks=["BucketListingStale"],
            decimals=1,
        ),
        one(
            "Storage a month",
            Doc(
                "Dollars a month at the prices that are set, for what is stored. Requests and traffic: see below.",
                "below the budget.",
                "see which bucket, and what could be saved.",
            ),
            "max(site:supercheck_storage_monthly_cost_dollars:sum)",
            unit="currencyUSD",
            levels=limits.above(warning="storage_monthly_budget_dollars"),
            no_data=f"{_UNLISTED}, or a class has no price",
            runbooks=["StorageCostOverBudget"],
        ),
        one(
            "Could be saved a month",
            Doc(
                "Dollars a month less, were each report in the class that its age asks for, or gone.",
                "near 0.",
                "supercheck-exporter lifecycle plan shows the rules that do it.",
            ),
            "max(site:supercheck_storage_monthly_saving_dollars:sum)",
            unit="currencyUSD",
            levels=Levels(NEUTRAL.base),
            no_data=f"{_UNLISTED}, or a class has no price",
            runbooks=["BucketWithoutLifecycle"],
        ),
    ]


SPEC = Spec(
    uid=links.STORAGE,
    title="Supercheck / Storage and cost",
    description="Does the object store answer? What does it cost, and what lies there that should not?",
    sections=_sections,
    alert_matchers='component="storage"',
)

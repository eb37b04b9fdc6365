"""The object store in the stories of history.py: well; in trouble uploads fail, a bucket is gone, others grow old."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
DAY = 86400.0
GIB = 2.0**30
INTERVAL = 3600.0
# gibibytes up to 7 days, 30, 90, older; in trouble 5 times the last two, as nothing deletes
BUCKETS = {
    "playwright-test-artifacts": (40, 90, 160, 20),
    "playwright-job-artifacts": (120, 310, 540, 60),
    "playwright-monitor-artifacts": (30, 70, 110, 300),
    "k6-test-artifacts": (2, 4, 7, 1),
    "k6-job-artifacts": (5, 12, 20, 4),
    "status-page-artifacts": (0.01, 0.02, 0.1, 0.4),
    "test-requirement-artifacts": (0.1, 0.3, 0.8, 2),
    "project-data-files": (0.2, 0.5, 1, 3),
}
ARTIFACTS = tuple(BUCKETS)[:5]
TIERS = ("0_7d", "7_30d", "30_90d", "over_90d")
GONE = "k6-job-artifacts"


def storage_series(in_trouble: bool, now: float, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def flat(value: float) -> Value:
        return lambda t: value

    yield "supercheck_s3_up", {}, flat(1)
    yield "supercheck_bucket_listing_interval_seconds", {}, flat(INTERVAL)
    for operation in ("head_bucket", "list", "put", "get", "delete"):
        yield from _operation(operation, span, since)
    for bucket, sizes in BUCKETS.items():
        yield from _bucket(bucket, sizes, in_trouble, now, since)


def _operation(operation: str, span: float, since: Callable[[float], float]) -> Iterator[Told]:
    labels = {"operation": operation}
    typical = 0.08 if operation in ("put", "delete") else 0.02
    refused = 1.0 if operation == "put" else 0.0

    def asked(t: float) -> float:
        return (t + span) / 30

    def answered(t: float) -> float:
        return asked(t) - refused * since(t) / 30

    def below(edge: float) -> Value:
        """Three quarters take the typical time, all take four times that; in trouble a hundred times."""

        def count(t: float) -> float:
            well = (asked(t) - since(t) / 30) * (1.0 if edge >= 4 * typical else 0.75 if edge >= typical else 0.0)
            ill = (1 - refused) * since(t) / 30 * (1.0 if edge >= 40 * typical else 0.0)
            return math.floor(well + ill)

        return count

    for edge in EDGES:
        yield "supercheck_s3_operation_seconds_bucket", {**labels, "le": str(edge)}, below(edge)
    yield "supercheck_s3_operation_seconds_bucket", {**labels, "le": "+Inf"}, lambda t: math.floor(answered(t))
    yield "supercheck_s3_operation_seconds_count", labels, lambda t: math.floor(answered(t))
    yield "supercheck_s3_operation_failures_total", labels, lambda t: math.floor(refused * since(t) / 30)


def _bucket(
    bucket: str, sizes: tuple[float, ...], in_trouble: bool, now: float, since: Callable[[float], float]
) -> Iterator[Told]:
    labels = {"bucket": bucket}
    gone = bucket == GONE
    grown = 5.0 if in_trouble and bucket in ARTIFACTS else 1.0
    by_tier = [size * GIB * (grown if n > 1 else 1) for n, size in enumerate(sizes)]
    cold = 0.0 if in_trouble or bucket not in ARTIFACTS else by_tier[2] + by_tier[3] * 0.2
    warm = sum(by_tier) - cold
    misplaced = by_tier[2] + by_tier[3] - cold

    def while_there(value: float) -> Value:
        """A bucket that is gone keeps its last figures for a while; they age."""
        return lambda t: value

    for state in ("readable", "missing", "forbidden", "failing"):

        def is_it(t: float, state: str = state) -> float:
            found = "missing" if gone and since(t) else "readable"
            return float(state == found)

        yield "supercheck_bucket_state", {**labels, "state": state}, is_it
    last = -trouble_start(in_trouble, gone)

    def listed(t: float) -> float:
        """Every hour, at another minute for each bucket; not since it is gone."""
        at = t - (t + len(bucket) * 97) % INTERVAL
        return now + (min(at, last) if gone and in_trouble else at)

    yield "supercheck_bucket_listing_last_success_timestamp_seconds", labels, listed
    yield "supercheck_bucket_listing_seconds", labels, while_there(2 + sum(sizes) / 8)
    if bucket == "playwright-job-artifacts":
        yield "supercheck_bucket_listing_start_timestamp_seconds", labels, lambda t: now + t - 40
    for name, size in (("STANDARD", warm), ("GLACIER_IR", cold)):
        if name == "STANDARD" or cold:
            classed = {**labels, "storage_class": name}
            yield "supercheck_bucket_bytes", classed, while_there(size)
            yield "supercheck_bucket_objects", classed, while_there(math.ceil(size / 180e3))
    for tier, size in zip(TIERS, by_tier, strict=True):
        yield "supercheck_bucket_age_bytes", {**labels, "tier": tier}, while_there(size)
    yield "supercheck_bucket_newest_object_timestamp_seconds", labels, lambda t: now + t - 300 - since(t)
    stuck = 3.0 if in_trouble and bucket == "playwright-job-artifacts" else 0.0
    yield "supercheck_bucket_incomplete_uploads", labels, while_there(stuck)
    if stuck:
        oldest = now - 9 * DAY
        yield "supercheck_bucket_oldest_incomplete_upload_timestamp_seconds", labels, while_there(oldest)
    cost = (warm * 0.023 + cold * 0.004) / GIB
    yield "supercheck_storage_monthly_cost_dollars", {**labels, "component": "storage"}, while_there(cost)
    if bucket in ARTIFACTS:
        yield "supercheck_bucket_lifecycle_rules", labels, while_there(0.0 if in_trouble else 2.0)
        expire, move = by_tier[3] * (1.0 if in_trouble else 0.0), misplaced if in_trouble else 0.0
        for expected, size in (("GLACIER_IR", max(move - expire, 0.0)), ("EXPIRE", expire)):
            yield "supercheck_bucket_misplaced_bytes", {**labels, "expected_class": expected}, while_there(size)
        best = ((by_tier[0] + by_tier[1]) * 0.023 + by_tier[2] * 0.006) / GIB
        yield "supercheck_storage_monthly_cost_optimal_dollars", labels, while_there(min(best, cost))
    else:
        yield "supercheck_storage_monthly_cost_optimal_dollars", labels, while_there(cost)


def trouble_start(in_trouble: bool, gone: bool) -> float:
    """Seconds before now at which the bucket that is gone was last listed: four hours, longer than three intervals."""
    return 4 * INTERVAL if in_trouble and gone else 0.0

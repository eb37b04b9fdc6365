"""Whether old reports move to cheaper classes and go in the end: rules, bytes in the wrong class, what it would save.

Source: GetBucketLifecycleConfiguration of the five artifact buckets, read in the background, and the same listings
as the collector s3.

    supercheck_bucket_lifecycle_rules{bucket="k6-job-artifacts"} 1.0
    supercheck_bucket_misplaced_bytes{bucket="k6-job-artifacts",expected_class="GLACIER_IR"} 4e+08
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from supercheck_exporter.core import Collector, Sample, gauge
from supercheck_exporter.storage.classes import Tiers, monthly_dollars, stay_factors
from supercheck_exporter.storage.readers import Storage
from supercheck_exporter.storage.tally import Tally

FIRST_SECONDS = 3.0

RULES = gauge(
    "supercheck_bucket_lifecycle_rules",
    "Enabled lifecycle rules, whoever made them; absent where the server has no such rules.",
    "bucket",
)
MISPLACED = gauge(
    "supercheck_bucket_misplaced_bytes",
    "Bytes that by their age should be in this class, or gone (EXPIRE), and are still above it; where they are to be "
    "moved, without objects under 128 KB, which no rule moves.",
    "bucket",
    "expected_class",
)
OPTIMAL = gauge(
    "supercheck_storage_monthly_cost_optimal_dollars",
    "What the bucket would cost a month were each object where it should be by its age; the moves cost besides.",
    "bucket",
)


class S3LifecycleCollector(Collector):
    """Reads what the reader of the rules and the listings keep."""

    name = "s3_lifecycle"
    descs = (RULES, MISPLACED, OPTIMAL)

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def progress(self) -> Mapping[str, str]:
        """Why a bucket's rules can't be read."""
        return {f"rules of {bucket}": text for bucket, text in self._storage.rules.problems.items()}

    def start(self) -> None:
        """Start reading the rules, and the listings."""
        self._storage.rules.start()
        self._storage.listings.start()

    def stop(self) -> None:
        """Stop them."""
        self._storage.rules.stopping.set()
        self._storage.listings.stop()
        self._storage.rules.stop()

    def collect(self) -> Iterator[Sample]:
        """What is kept of the five buckets; the optimum also of the three whose objects stay."""
        storage = self._storage
        storage.rules.first_success.wait(FIRST_SECONDS)
        for bucket, count in storage.rules.counts().items():
            yield RULES(count, bucket)
        for bucket, figures in storage.listings.figures().items():
            for expected, size in figures.tally.misplaced.items():
                yield MISPLACED(size, bucket, expected)
            cost = optimal_dollars(figures.tally, storage.prices, figures.tally.tiers)
            if cost is not None:
                yield OPTIMAL(cost, bucket)


def optimal_dollars(tally: Tally, prices: Mapping[str, float], tiers: Tiers) -> float | None:
    """Dollars a month with each object in its place; a class that bills more days than it is used counts for these."""
    factors = stay_factors(tiers)
    best = {name: size * factors.get(name, 1.0) for name, size in tally.best.items()}
    return monthly_dollars(best, prices)

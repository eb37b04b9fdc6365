"""Whether the object store answers, and what lies in Supercheck's eight buckets: how much, how old, at what cost.

Source: the S3 API, never on a scrape. A probe asks every half minute; the buckets are listed in the background,
and their last whole figures stand here until they are too old.

    supercheck_bucket_bytes{bucket="k6-job-artifacts",storage_class="STANDARD"} 1.2e+09
    supercheck_bucket_age_bytes{bucket="k6-job-artifacts",tier="over_90d"} 4e+08
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from supercheck_exporter.core import Collector, Sample, SourceError, counter, gauge, histogram
from supercheck_exporter.storage.classes import monthly_dollars
from supercheck_exporter.storage.listing import Figures
from supercheck_exporter.storage.probe import EDGES
from supercheck_exporter.storage.readers import Storage
from supercheck_exporter.storage.states import STATES

FIRST_SECONDS = 3.0
"""How long the first scrape waits for the first probe."""

UP = gauge("supercheck_s3_up", "Whether the object store answers us (1) or not (0), at the last probe.")
SECONDS = histogram(
    "supercheck_s3_operation_seconds",
    "How long our own probe's operations took that were answered; put, get and delete are the canary's.",
    EDGES,
    "operation",
)
FAILURES = counter(
    "supercheck_s3_operation_failures_total",
    "Operations of our own probe that were not answered, or with an error of the server.",
    "operation",
)
STATE = gauge(
    "supercheck_bucket_state",
    "How the bucket answered its listing: 1 for readable, missing, forbidden or failing.",
    "bucket",
    "state",
)
OBJECTS = gauge("supercheck_bucket_objects", "Objects by storage class.", "bucket", "storage_class")
BYTES = gauge("supercheck_bucket_bytes", "Bytes by storage class.", "bucket", "storage_class")
AGES = gauge("supercheck_bucket_age_bytes", "Bytes by the age of their objects.", "bucket", "tier")
NEWEST = gauge(
    "supercheck_bucket_newest_object_timestamp_seconds",
    "When the bucket's newest object was written; absent for an empty bucket.",
    "bucket",
)
UPLOADS = gauge("supercheck_bucket_incomplete_uploads", "Multipart uploads that were begun and not ended.", "bucket")
OLDEST_UPLOAD = gauge(
    "supercheck_bucket_oldest_incomplete_upload_timestamp_seconds",
    "When the oldest multipart upload was begun that was not ended; absent where there is none.",
    "bucket",
)
LISTING_SECONDS = gauge("supercheck_bucket_listing_seconds", "How long the last whole listing took.", "bucket")
LISTED = gauge(
    "supercheck_bucket_listing_last_success_timestamp_seconds",
    "When the bucket was last listed whole: the other figures are as of then.",
    "bucket",
)
LISTING_BEGAN = gauge(
    "supercheck_bucket_listing_start_timestamp_seconds",
    "When the listing began that is under way; absent while none is.",
    "bucket",
)
INTERVAL = gauge("supercheck_bucket_listing_interval_seconds", "How often buckets are listed (a setting).")
COST = gauge(
    "supercheck_storage_monthly_cost_dollars",
    "What the bucket costs a month at the prices that are set; of the components only storage is known here.",
    "bucket",
    "component",
)


class S3Collector(Collector):
    """Reads what the probe and the listings keep."""

    name = "s3"
    descs = (
        UP, SECONDS, FAILURES, STATE, OBJECTS, BYTES, AGES, NEWEST, UPLOADS, OLDEST_UPLOAD, LISTING_SECONDS, LISTED,
        LISTING_BEGAN, INTERVAL, COST,
    )  # fmt: skip

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def progress(self) -> Mapping[str, str]:
        """How far each bucket's listing is, and what is wrong with it."""
        problems = self._storage.listings.states.problems()
        lines = self._storage.listings.progress()
        found = {name: "; ".join(filter(None, (line, problems.get(name, "")))) for name, line in lines.items()}
        canary = self._storage.probe.outcome.canary
        return found | ({"canary": canary} if canary else {})

    def start(self) -> None:
        """Start the probe and the listings."""
        self._storage.probe.start()
        self._storage.listings.start()

    def stop(self) -> None:
        """Stop them."""
        self._storage.probe.stopping.set()
        self._storage.listings.stop()
        self._storage.probe.stop()

    def collect(self) -> Iterator[Sample]:
        """What is kept; a server that is down fails the collector, and the kept figures stand all the same."""
        probe = self._storage.probe
        probe.first_success.wait(FIRST_SECONDS)
        probe.require_fresh(self._storage.probe_max_age, "S3")
        outcome = probe.outcome
        samples = [UP(float(outcome.up)), *self._samples()]
        if not outcome.up:
            raise SourceError(outcome.problem, samples)
        yield from samples

    def _samples(self) -> Iterator[Sample]:
        operations, listings = self._storage.probe.operations, self._storage.listings
        for name, value in operations.histograms().items():
            yield SECONDS(value, name)
        for name, count in operations.failures().items():
            yield FAILURES(count, name)
        for bucket, found in listings.states.states().items():
            for state in STATES:
                yield STATE(float(state == found), bucket, state)
        yield INTERVAL(listings.interval)
        for bucket, moment in listings.succeeded().items():
            yield LISTED(moment, bucket)
        for bucket, moment in listings.began().items():
            yield LISTING_BEGAN(moment, bucket)
        for bucket, figures in listings.figures().items():
            yield from figure_samples(bucket, figures, self._storage.prices)


def figure_samples(bucket: str, figures: Figures, prices: Mapping[str, float]) -> Iterator[Sample]:
    """Of a whole listing."""
    tally, uploads = figures.tally, figures.uploads
    for name, count in tally.objects.items():
        yield OBJECTS(count, bucket, name)
        yield BYTES(tally.bytes[name], bucket, name)
    for tier, size in tally.ages.items():
        yield AGES(size, bucket, tier)
    if tally.newest is not None:
        yield NEWEST(tally.newest, bucket)
    if uploads is not None:
        yield UPLOADS(uploads.count, bucket)
        if uploads.oldest is not None:
            yield OLDEST_UPLOAD(uploads.oldest, bucket)
    yield LISTING_SECONDS(figures.seconds, bucket)
    cost = monthly_dollars(tally.billed, prices)
    if cost is not None:
        yield COST(cost, bucket, "storage")

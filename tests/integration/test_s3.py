"""What lies in the buckets, against a real S3 server: sums, ages, uploads, the canary, and a bucket of many objects."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.exporter import Exporter, Samples
from servers.process import wait_for
from servers.s3 import BUCKETS, MotoServer, VersityServer
from servers.s3_front import ManyObjects

DAY = 86400.0
BIG, SMALL = 200_000, 1000
TEST, JOB, MONITOR = BUCKETS[:3]
STATUS = BUCKETS[5]
LISTED = "supercheck_bucket_listing_last_success_timestamp_seconds"
SOON = {"S3_LISTING_INTERVAL_SECONDS": "1", "S3_PROBE_SECONDS": "1"}
SECONDS = 60.0


@pytest.fixture(scope="module")
def server() -> Iterator[VersityServer]:
    """One with a few old objects."""
    with VersityServer() as own:
        for age in (1, 10, 40, 100):
            own.put(TEST, f"run-{age}/report/index.html", BIG, age=age * DAY)
        own.put(TEST, "run-40/report/small.png", SMALL, age=40 * DAY)
        own.put(TEST, "run-100/report/small.png", SMALL, age=100 * DAY)
        own.put(STATUS, "status-pages/1/logo/old.png", BIG, age=400 * DAY)
        own.client().create_multipart_upload(Bucket=JOB, Key="never-ended")
        yield own


@pytest.fixture(scope="module")
def exporter(server: VersityServer) -> Iterator[Exporter]:
    """An exporter on it that has listed everything once."""
    with Exporter(server.exporter_env()) as own:
        listed(own, *BUCKETS)
        yield own


def listed(exporter: Exporter, *buckets: str) -> Samples:
    """A scrape after each of the buckets was listed."""

    def done() -> Samples | None:
        samples = exporter.scrape()
        return samples if set(buckets) <= set(samples.values(LISTED, "bucket")) else None

    return wait_for(done, SECONDS, f"{buckets} are listed")  # type: ignore[return-value]


def test_objects_and_bytes(exporter: Exporter) -> None:
    samples = exporter.scrape()
    assert samples.value("supercheck_s3_up") == 1
    assert samples.value("supercheck_bucket_objects", bucket=TEST, storage_class="STANDARD") == 6
    assert samples.value("supercheck_bucket_bytes", bucket=TEST, storage_class="STANDARD") == 4 * BIG + 2 * SMALL
    assert samples.values("supercheck_bucket_age_bytes", "tier", bucket=TEST) == {
        "0_7d": BIG,
        "7_30d": BIG,
        "30_90d": BIG + SMALL,
        "over_90d": BIG + SMALL,
    }
    assert samples.values("supercheck_bucket_state", "state", bucket=TEST) == {
        "readable": 1,
        "missing": 0,
        "forbidden": 0,
        "failing": 0,
    }


def test_an_empty_bucket_is_known_to_be_empty(exporter: Exporter) -> None:
    samples = exporter.scrape()
    assert samples.value("supercheck_bucket_objects", bucket=MONITOR, storage_class="STANDARD") == 0
    assert samples.value("supercheck_bucket_bytes", bucket=MONITOR, storage_class="STANDARD") == 0
    assert samples.value("supercheck_bucket_newest_object_timestamp_seconds", bucket=MONITOR) is None
    assert samples.value("supercheck_bucket_oldest_incomplete_upload_timestamp_seconds", bucket=MONITOR) is None
    assert samples.value("supercheck_bucket_incomplete_uploads", bucket=MONITOR) == 0


def test_the_newest_object(server: VersityServer, exporter: Exporter) -> None:
    newest = exporter.scrape().value("supercheck_bucket_newest_object_timestamp_seconds", bucket=TEST)
    head = server.client().head_object(Bucket=TEST, Key="run-1/report/index.html")
    assert newest == head["LastModified"].timestamp()


def test_uploads_that_were_never_ended(server: VersityServer, exporter: Exporter) -> None:
    samples = exporter.scrape()
    (upload,) = server.client().list_multipart_uploads(Bucket=JOB)["Uploads"]
    assert samples.value("supercheck_bucket_incomplete_uploads", bucket=JOB) == 1
    oldest = samples.value("supercheck_bucket_oldest_incomplete_upload_timestamp_seconds", bucket=JOB)
    assert oldest == upload["Initiated"].timestamp()


def test_only_old_artifacts_are_misplaced(exporter: Exporter) -> None:
    """A server of one's own has no cheaper class: a rule can only delete; and nothing of what people put there."""
    samples = exporter.scrape()
    assert samples.value("supercheck_bucket_misplaced_bytes", bucket=TEST, expected_class="EXPIRE") == BIG + SMALL
    assert samples.value("supercheck_bucket_misplaced_bytes", bucket=MONITOR, expected_class="EXPIRE") == 0
    assert samples.labels("supercheck_bucket_misplaced_bytes", bucket=STATUS) == []


def test_it_costs_nothing_unless_prices_are_set(server: VersityServer, exporter: Exporter) -> None:
    assert exporter.scrape().value("supercheck_storage_monthly_cost_dollars", bucket=TEST, component="storage") == 0
    with Exporter(server.exporter_env() | {"S3_PRICES": "STANDARD=1000"}) as priced:
        samples = listed(priced, TEST)
    gib = 1024**3
    cost = samples.value("supercheck_storage_monthly_cost_dollars", bucket=TEST, component="storage")
    assert cost == pytest.approx((4 * BIG + 2 * SMALL) / gib * 1000)
    best = samples.value("supercheck_storage_monthly_cost_optimal_dollars", bucket=TEST)
    assert best == pytest.approx((3 * BIG + SMALL) / gib * 1000)
    assert samples.value("supercheck_storage_monthly_cost_dollars", bucket=TEST, component="requests") is None


def test_without_lifecycle_rules_their_number_is_unknown_and_the_status_page_says_why(exporter: Exporter) -> None:
    assert exporter.scrape().labels("supercheck_bucket_lifecycle_rules") == []
    page = exporter.page("/")
    assert f"rules of {TEST}" in page
    assert "has no GetBucketLifecycleConfiguration" in page
    assert "6 objects" in page


def test_nothing_is_written_without_a_canary(server: VersityServer, exporter: Exporter) -> None:
    samples = exporter.scrape()
    assert set(samples.values("supercheck_s3_operation_seconds_count", "operation")) == {"head_bucket", "list"}
    assert set(samples.values("supercheck_s3_operation_failures_total", "operation").values()) == {0}


def test_the_canary_is_written_read_and_deleted_where_a_person_said(server: VersityServer) -> None:
    server.client().create_bucket(Bucket="canary-bucket")
    with Exporter(server.exporter_env() | SOON | {"S3_CANARY_BUCKET_NAME": "canary-bucket"}) as exporter:

        def deleted() -> Samples | None:
            samples = exporter.scrape()
            count = samples.value("supercheck_s3_operation_seconds_count", operation="delete")
            return samples if count and count >= 2 else None

        samples = wait_for(deleted, SECONDS, "two canaries are deleted")
        assert samples is not None
        counts = samples.values("supercheck_s3_operation_seconds_count", "operation")
        assert counts["put"] >= counts["get"] >= counts["delete"]
        assert samples.value("supercheck_s3_operation_failures_total", operation="put") == 0
        exporter.terminate()
    assert server.client().list_objects_v2(Bucket="canary-bucket")["KeyCount"] == 0


def test_a_canary_that_can_not_be_written_is_a_failure_and_the_server_is_up(server: VersityServer) -> None:
    with Exporter(server.exporter_env() | SOON | {"S3_CANARY_BUCKET_NAME": "no-such-bucket"}) as exporter:

        def failed() -> Samples | None:
            samples = exporter.scrape()
            return samples if samples.value("supercheck_s3_operation_failures_total", operation="put") else None

        samples = wait_for(failed, SECONDS, "the canary fails")
        assert samples is not None
        assert samples.value("supercheck_s3_up") == 1
        assert "has no bucket no-such-bucket" in exporter.page("/")


def test_storage_classes_and_rules_on_a_server_that_has_them() -> None:
    with MotoServer() as server:
        client = server.client()
        client.put_object(Bucket=TEST, Key="new", Body=b"x" * BIG)
        client.put_object(Bucket=TEST, Key="cold", Body=b"x" * SMALL, StorageClass="GLACIER_IR")
        client.put_object(Bucket=TEST, Key="colder", Body=b"x" * SMALL, StorageClass="DEEP_ARCHIVE")
        rule = {"ID": "somebody's", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
        client.put_bucket_lifecycle_configuration(
            Bucket=TEST,
            LifecycleConfiguration={
                "Rules": [{**rule, "Status": "Enabled"}, {**rule, "ID": "off", "Status": "Disabled"}]  # type: ignore[list-item]
            },
        )
        prices = {"S3_PRICES": "STANDARD=1,GLACIER_IR=1"}
        with Exporter(server.exporter_env() | prices) as exporter:
            samples = listed(exporter, *BUCKETS)
            assert samples.values("supercheck_bucket_objects", "storage_class", bucket=TEST) == {
                "STANDARD": 1,
                "GLACIER_IR": 1,
                "DEEP_ARCHIVE": 1,
            }
            # a class without a price: its cost is not known, which is not 0
            assert samples.value("supercheck_storage_monthly_cost_dollars", bucket=TEST) is None
            assert samples.value("supercheck_storage_monthly_cost_dollars", bucket=JOB) == 0
            exporter.wait_value(1, "supercheck_bucket_lifecycle_rules", SECONDS, bucket=TEST)
            exporter.wait_value(0, "supercheck_bucket_lifecycle_rules", SECONDS, bucket=JOB)


def resident(pid: int) -> int:
    """Bytes of memory of a process now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


@pytest.mark.promise("constant memory")
def test_many_objects_are_counted_once_in_parallel_and_in_constant_memory() -> None:
    """150,000 are 150 pages; `make bench` does it with a million."""
    count = 150_000
    with ManyObjects(TEST, count) as many:
        env = many.exporter_env() | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        with Exporter(env | {"S3_LIST_REQUESTS_PER_SECOND": "1000"}) as exporter:
            # the small buckets are done long before, and then the library is loaded and its buffers are there
            listed(exporter, *BUCKETS[1:])
            before = resident(exporter.pid)
            samples = listed(exporter, TEST)
            grown = resident(exporter.pid) - before
    assert samples.value("supercheck_bucket_objects", bucket=TEST, storage_class="STANDARD") == count
    assert many.most_at_once > 1
    # a list of the keys alone would take some 90 bytes for each
    assert grown / count < 80


def test_the_first_figures_of_small_buckets_do_not_wait_for_the_big_one() -> None:
    """At five requests a second the big bucket needs its 1,000 requests until long after this test."""
    with ManyObjects(TEST, 1_000_000) as many:
        env = many.exporter_env() | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        with Exporter(env | {"S3_LIST_REQUESTS_PER_SECOND": "5"}) as exporter:
            samples = listed(exporter, *BUCKETS[1:])
            assert samples.value(LISTED, bucket=TEST) is None
            assert samples.value("supercheck_bucket_objects", bucket=TEST) is None
            began = samples.value("supercheck_bucket_listing_start_timestamp_seconds", bucket=TEST)
            assert began is not None
            assert began <= time.time()
            assert "objects so far" in exporter.page("/")

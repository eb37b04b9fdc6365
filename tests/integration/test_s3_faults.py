"""The object store frozen, gone, forbidden, half listed, cut off: each says so, and costs nobody else anything."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.exporter import Exporter, Samples
from servers.process import wait_for
from servers.s3 import ACCESS_KEY, BUCKETS, SECRET_KEY, VersityServer
from servers.s3_front import Fault, S3Relay

TEST, JOB, MONITOR = BUCKETS[:3]
QUICK = {"S3_TIMEOUT_SECONDS": "1", "S3_PROBE_SECONDS": "1", "S3_LISTING_INTERVAL_SECONDS": "1"}
SECONDS = 60.0
STATE = "supercheck_bucket_state"
LISTED = "supercheck_bucket_listing_last_success_timestamp_seconds"


@pytest.fixture(scope="module")
def server() -> Iterator[VersityServer]:
    """One with a bucket of three pages (a page is 1,000 objects), to be broken and mended again."""
    with VersityServer() as own:
        folder = own.data / TEST / "run"
        folder.mkdir()
        for number in range(2500):
            (folder / f"{number:04d}").write_bytes(b"x")
        own.put(JOB, "run/index.html", 5)
        yield own


@pytest.fixture
def relay(server: VersityServer) -> Iterator[S3Relay]:
    """Between the exporter and it."""
    with S3Relay(server.port) as own:
        yield own


@pytest.fixture
def exporter(server: VersityServer, relay: S3Relay) -> Iterator[Exporter]:
    """One that lists again after a second."""
    with Exporter(server.exporter_env() | relay.exporter_env() | QUICK) as own:
        yield own


def wait_state(exporter: Exporter, bucket: str, state: str) -> Samples:
    return exporter.wait_value(1, STATE, SECONDS, bucket=bucket, state=state)


@pytest.mark.promise("frozen source")
def test_a_frozen_server_is_down_and_the_last_figures_stay(server: VersityServer) -> None:
    with Exporter(server.exporter_env() | QUICK | {"S3_LISTING_INTERVAL_SECONDS": "3600"}) as exporter:
        exporter.wait_value(2500, "supercheck_bucket_objects", SECONDS, bucket=TEST)
        server.freeze()
        try:
            samples = exporter.wait_value(0, "supercheck_s3_up", SECONDS)
            assert samples.value("supercheck_scrape_collector_success", collector="s3") == 0
            assert samples.value("supercheck_bucket_objects", bucket=TEST) == 2500
            assert samples.value(LISTED, bucket=TEST)
            page = exporter.page("/")
            assert "S3 is down" in page
            assert "does not answer in time" in page
            failures = samples.value("supercheck_s3_operation_failures_total", operation="list")
            assert failures
        finally:
            server.thaw()
        samples = exporter.wait_value(1, "supercheck_s3_up", SECONDS)
        assert samples.value("supercheck_scrape_collector_success", collector="s3") == 1


def test_figures_that_are_too_old_go_and_their_moment_stays(server: VersityServer, exporter: Exporter) -> None:
    """Too old are six intervals, and an interval is a second here."""
    exporter.wait_value(2500, "supercheck_bucket_objects", SECONDS, bucket=TEST)
    server.freeze()
    try:
        samples = exporter.wait_value(None, "supercheck_bucket_objects", SECONDS, bucket=TEST)
        assert samples.value(LISTED, bucket=TEST)
    finally:
        server.thaw()


def test_a_missing_bucket_costs_no_other(server: VersityServer) -> None:
    env = server.exporter_env() | QUICK | {"S3_K6_JOB_BUCKET_NAME": "gone-away"}
    with Exporter(env) as exporter:
        wait_state(exporter, "gone-away", "missing")
        samples = exporter.wait_value(5, "supercheck_bucket_bytes", SECONDS, bucket=JOB)
        assert samples.labels("supercheck_bucket_bytes", bucket="gone-away") == []
        assert samples.value("supercheck_scrape_collector_success", collector="s3") == 1
        assert "has no bucket gone-away" in exporter.page("/")
        server.client().create_bucket(Bucket="gone-away")
        exporter.wait_value(0, "supercheck_bucket_objects", SECONDS, bucket="gone-away")
        server.client().delete_bucket(Bucket="gone-away")
        wait_state(exporter, "gone-away", "missing")


def test_a_skipped_bucket_is_not_asked_for(server: VersityServer, relay: S3Relay) -> None:
    env = server.exporter_env() | relay.exporter_env() | QUICK | {"S3_SKIPPED_BUCKETS": f"{TEST}, {MONITOR}"}
    with Exporter(env) as exporter:
        samples = exporter.wait_value(5, "supercheck_bucket_bytes", SECONDS, bucket=JOB)
        # nor by the breaker's probe, which asks for one bucket
        exporter.wait_value(1, "supercheck_dependency_up", SECONDS, dependency="s3")
        samples = wait_state(exporter, BUCKETS[-1], "readable")
    assert set(samples.values(STATE, "bucket", state="readable")) == set(BUCKETS) - {TEST, MONITOR}
    assert not [path for path in relay.requests if TEST in path or MONITOR in path]


@pytest.mark.promise("read only")
def test_nothing_is_written_and_no_object_is_read(relay: S3Relay, exporter: Exporter) -> None:
    """Listings, questions about buckets, and their rules: no path names an object."""
    exporter.wait_value(2500, "supercheck_bucket_objects", SECONDS, bucket=TEST)
    wait_for(lambda: {"GET", "HEAD"} <= relay.methods, SECONDS, "the probe has asked")
    wait_for(lambda: any("lifecycle" in path for path in relay.requests), SECONDS, "the rules were asked for")
    assert relay.methods == {"GET", "HEAD"}
    assert {path.partition("?")[0].strip("/") for path in relay.requests} <= set(BUCKETS)


def test_no_key_of_an_object_is_on_a_page_or_in_the_log(server: VersityServer, relay: S3Relay) -> None:
    """Nor what signs a request, though the client library would log both at this level."""
    relay.fault = lambda path: "500" if "continuation-token" in path else ""
    env = server.exporter_env() | relay.exporter_env() | QUICK | {"LOG_LEVEL": "debug"}
    with Exporter(env) as exporter:
        wait_state(exporter, TEST, "failing")
        for text in (exporter.scrape().text, exporter.page("/"), exporter.log()):
            assert "run/" not in text
            assert ACCESS_KEY not in text
            assert SECRET_KEY not in text
            assert "AWS4-HMAC-SHA256" not in text
        assert '"DEBUG"' in exporter.log()


def test_a_forbidden_bucket_costs_no_other(server: VersityServer) -> None:
    server.add_user("reader", "readers-secret-word")
    server.client().put_bucket_policy(
        Bucket=JOB,
        Policy=(
            '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["reader"]}, '
            f'"Action": ["s3:ListBucket", "s3:ListBucketMultipartUploads"], "Resource": "arn:aws:s3:::{JOB}"}}]}}'
        ),
    )
    try:
        with Exporter(server.exporter_env("reader", "readers-secret-word") | QUICK) as exporter:
            samples = wait_state(exporter, TEST, "forbidden")
            samples = exporter.wait_value(5, "supercheck_bucket_bytes", SECONDS, bucket=JOB)
            assert samples.value("supercheck_s3_up") == 1
            assert samples.labels("supercheck_bucket_bytes", bucket=TEST) == []
    finally:
        server.client().delete_bucket_policy(Bucket=JOB)


@pytest.mark.parametrize("fault", ["500", "cut", "closed", "empty"])
def test_half_a_listing_is_not_shown_and_goes_on(relay: S3Relay, exporter: Exporter, fault: Fault) -> None:
    """Nothing of a half listing is shown; the pages that were read are not read again."""

    def later_pages(path: str) -> Fault:
        return fault if f"/{TEST}?" in path and ("continuation-token" in path or "start-after" in path) else ""

    relay.fault = later_pages
    samples = wait_state(exporter, TEST, "failing")
    assert samples.labels("supercheck_bucket_objects", bucket=TEST) == []
    samples = exporter.wait_value(5, "supercheck_bucket_bytes", SECONDS, bucket=JOB)
    assert samples.value("supercheck_s3_up") == 1
    assert "objects so far" in exporter.page("/")
    relay.fault = lambda _: ""
    samples = exporter.wait_value(2500, "supercheck_bucket_objects", SECONDS, bucket=TEST)


def test_a_wrong_login_is_a_server_that_is_down(server: VersityServer) -> None:
    with Exporter(server.exporter_env(secret="another-word") | QUICK) as exporter:
        samples = exporter.wait_value(0, "supercheck_s3_up", SECONDS)
        assert samples.value("supercheck_scrape_collector_success", collector="s3") == 0
        page = exporter.page("/")
        assert "refuses the login" in page
        assert "another-word" not in page


def test_scrapes_of_a_frozen_server_pile_nothing_up(server: VersityServer, exporter: Exporter) -> None:
    exporter.wait_value(2500, "supercheck_bucket_objects", SECONDS, bucket=TEST)
    server.freeze()
    try:
        exporter.wait_value(0, "supercheck_s3_up", SECONDS)
        threads = exporter.threads()
        for _ in range(6):
            assert exporter.scrape(deadline=2.0).value("supercheck_s3_up") == 0
        assert exporter.threads() <= threads
        assert wait_for(lambda: exporter.descriptors() < 80, SECONDS, "few descriptors")
    finally:
        server.thaw()
    exporter.wait_value(1, "supercheck_s3_up", SECONDS)

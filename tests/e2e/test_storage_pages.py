"""From an object store that is frozen to a page; and back when it answers again.

Durations are shortened (shorten.py), nothing else. The dashboard's queries are asked of this stack, since the demo has
no object store.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from e2e.stack import Stack
from e2e.test_dashboards_live import ENOUGH_SECONDS, Asked, all_filled, every_query
from servers.process import wait_for
from servers.s3 import BUCKETS, VersityServer

DASHBOARD = "supercheck-storage"
FIRE_SECONDS, RESOLVE_SECONDS = 100.0, 120.0
CANARY = "canary-bucket"
DAY = 86400.0
WITHOUT = {
    ("Alerts about storage", "A"): "none fires",
    ("Alerts about storage", "B"): "none fires",
    ("Each bucket: what lies there", "F"): "versitygw has no lifecycle rules",
    ("Each bucket: its listing", "D"): "a listing of a few objects is over at once",
}
"""Queries that have no data here, and why."""


@pytest.fixture(scope="module")
def store() -> Iterator[VersityServer]:
    """A few reports of different age, and an upload that was not ended."""
    with VersityServer(buckets=[*BUCKETS, CANARY]) as server:
        for age in (1, 10, 40, 80):
            server.put(BUCKETS[0], f"run-{age}/report/index.html", 200_000, age=age * DAY)
        server.client().create_multipart_upload(Bucket=BUCKETS[0], Key="run-1/report/video.webm")
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, store: VersityServer) -> Iterator[Stack]:
    """A site whose object store is asked every second."""
    settings = store.exporter_env() | {
        "S3_PRICES": "STANDARD=0.02",
        "S3_CANARY_BUCKET_NAME": CANARY,
        "S3_PROBE_SECONDS": "1",
        "S3_TIMEOUT_SECONDS": "1",
    }
    with Stack(tmp_path_factory.mktemp("rendered"), settings=settings) as running:
        yield running


def has_an_answer(asked: Asked) -> bool:
    return asked.uid == DASHBOARD and (asked.query.panel, asked.query.ref) not in WITHOUT


def test_the_dashboard_s_queries_return_data(stack: Stack) -> None:
    wanted = [asked for asked in every_query() if has_an_answer(asked)]
    assert len(wanted) > 20
    all_filled(stack, wanted, ENOUGH_SECONDS)
    assert stack.prometheus.alerts(component="storage") == []


@pytest.mark.promise("page arrives")
def test_a_frozen_object_store_pages_and_resolves(stack: Stack, store: VersityServer) -> None:
    began = time.time()
    store.freeze()
    try:
        page = stack.sinks.wait_message("pagerduty", "firing", "S3Unreachable", FIRE_SECONDS, began)
        assert "CRITICAL" in page.title
        assert any(link.endswith("/runbooks/S3Unreachable") for link in page.links)
        assert any(link.endswith("/d/supercheck-storage") for link in page.links)
        # the figures of the buckets stay, with their moment
        assert stack.prometheus.value(f'supercheck_bucket_objects{{bucket="{BUCKETS[0]}"}}') == 4
    finally:
        store.thaw()
    stack.sinks.wait_message("pagerduty", "resolved", "S3Unreachable", RESOLVE_SECONDS, began)
    wait_for(lambda: not stack.prometheus.firing(component="storage"), 60, "nothing fires any more")

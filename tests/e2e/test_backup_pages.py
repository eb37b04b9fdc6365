"""From a backup that is late, in a real bucket, to a page; and back when a new one is stored.

Durations are shortened (shorten.py), nothing else. The dashboard's queries are asked of this stack, since the demo has
no backup bucket.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from e2e.stack import Stack
from e2e.test_dashboards_live import ENOUGH_SECONDS, all_filled, every_query
from servers.process import wait_for
from servers.s3 import VersityServer

BUCKET = "supercheck-backups"
DASHBOARD = "supercheck-backups"
FIRE_SECONDS, RESOLVE_SECONDS = 100.0, 120.0
SEALED = bytes([0x8C, 0x0D, 4, 9]) + b"\x9f" * 2000
HOUR = 3600.0


def stamp(age: float) -> str:
    return datetime.fromtimestamp(time.time() - age, UTC).strftime("%Y%m%dT%H%M%SZ")


def store_backup(store: VersityServer, kind: str, age: float) -> None:
    key = f"supercheck/{kind}/{stamp(age)}.tar.zst.gpg"
    store.client().put_object(Bucket=BUCKET, Key=key, Body=SEALED, Tagging="verified=true")


@pytest.fixture(scope="module")
def store() -> Iterator[VersityServer]:
    """A bucket with a week of backups, the newest an hour old."""
    with VersityServer(buckets=[BUCKET]) as server:
        for days in range(8):
            store_backup(server, "full", days * 24 * HOUR + HOUR)
            store_backup(server, "incremental", days * 24 * HOUR + HOUR)
        result = json.dumps({"database": "supercheck", "success": True})
        server.client().put_object(Bucket=BUCKET, Key=f"restore-tests/{stamp(HOUR)}.json", Body=result.encode())
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, store: VersityServer) -> Iterator[Stack]:
    """A site whose backups are looked at every second."""
    folder: Path = tmp_path_factory.mktemp("rendered")
    settings = store.exporter_env()
    settings["BACKUP_S3_ENDPOINT"] = settings.pop("S3_ENDPOINT")
    settings |= {"S3_BACKUP_BUCKET_NAME": BUCKET, "BACKUP_READ_SECONDS": "1"}
    with Stack(folder, settings=settings) as running:
        yield running


def test_the_dashboard_s_queries_return_data(stack: Stack) -> None:
    alerts = "Alerts about backups"  # none fires
    wanted = [asked for asked in every_query() if asked.uid == DASHBOARD and asked.query.panel != alerts]
    assert len(wanted) > 20
    all_filled(stack, wanted, ENOUGH_SECONDS)
    assert stack.prometheus.alerts(component="backup") == []


@pytest.mark.promise("page arrives")
def test_a_full_backup_that_is_late_pages_and_resolves(stack: Stack, store: VersityServer) -> None:
    began = time.time()
    # somebody deletes the newest ones: the one before is of the day before yesterday
    for entry in store.client().list_objects_v2(Bucket=BUCKET, Prefix="supercheck/full/")["Contents"][-2:]:
        store.client().delete_object(Bucket=BUCKET, Key=entry["Key"])
    page = stack.sinks.wait_message("pagerduty", "firing", "BackupMissing", FIRE_SECONDS, began)
    assert "CRITICAL" in page.title
    assert any(link.endswith("/runbooks/BackupMissing") for link in page.links)
    store_backup(store, "full", 0)
    stack.sinks.wait_message("pagerduty", "resolved", "BackupMissing", RESOLVE_SECONDS, began)
    wait_for(lambda: not stack.prometheus.firing(component="backup"), 60, "nothing fires any more")

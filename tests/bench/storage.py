"""What listing a bucket of a million objects costs the real process: memory, time, requests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from servers.exporter import Exporter
from servers.process import wait_for
from servers.s3 import BUCKETS
from servers.s3_front import ManyObjects

BIG, SMALL = BUCKETS[0], BUCKETS[1:]
LISTED = "supercheck_bucket_listing_last_success_timestamp_seconds"
SECONDS = 900.0


@dataclass(frozen=True)
class Listed:
    """One listing of a bucket: MiB that the process grew by at most, seconds, requests for each page of 1,000."""

    grown: float
    small: float
    whole: float
    requests: float
    at_once: int
    processor: float


def listing(count: int) -> Listed:
    """List a bucket of so many objects, beside seven empty ones."""
    with ManyObjects(BIG, count) as many:
        env = many.exporter_env() | {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        with Exporter(env | {"S3_LIST_REQUESTS_PER_SECOND": "1000"}) as exporter:
            began = time.monotonic()
            _wait(exporter, *SMALL)
            small, before = time.monotonic() - began, _resident(exporter.pid)
            most = [before]

            def whole() -> bool:
                most[0] = max(most[0], _resident(exporter.pid))
                return BIG in exporter.scrape("s3").values(LISTED, "bucket")

            wait_for(whole, SECONDS, f"{count} objects are listed")
            seconds = time.monotonic() - began
            found = exporter.scrape("s3").value("supercheck_bucket_objects", bucket=BIG, storage_class="STANDARD")
            assert found == count, f"{found} objects were counted"
            pages = many.pages / (count / 1000)
            return Listed(
                (most[0] - before) / 2**20, small, seconds, pages, many.most_at_once, _processor(exporter.pid)
            )


def _wait(exporter: Exporter, *buckets: str) -> None:
    wait_for(lambda: set(buckets) <= set(exporter.scrape("s3").values(LISTED, "bucket")), SECONDS, "they are listed")


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100

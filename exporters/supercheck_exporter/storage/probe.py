"""Asks the object store every half minute whether it answers and how fast, one bucket after the other.

Nothing is written unless a person named a bucket for it (S3_CANARY_BUCKET_NAME): then one small object is written, read
and deleted each time. Objects of Supercheck are never read, so the times without it are of requests about buckets.
"""

from __future__ import annotations

import bisect
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, cycle
from typing import Any

from supercheck_exporter.core import HistogramValue
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.s3 import Answer, S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket
from supercheck_exporter.storage.listings import Listings

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
"""From a server on the same machine up to the timeout; an edge where S3OperationSlow draws its line."""

BUCKET_OPERATIONS = ("head_bucket", "list")
CANARY_OPERATIONS = ("put", "get", "delete")
BUCKETS_OWN = ("missing", "forbidden", "refused")
"""What is wrong with a bucket and not with the server, which answered."""

BODY = b"supercheck-exporter canary\n" * 38
"""About 1 KB."""


class Operations:
    """How long operations took that were answered, and how many were not. Safe from every thread."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._lock = threading.Lock()
        self._counts = {name: [0] * (len(EDGES) + 1) for name in names}
        self._totals = dict.fromkeys(names, 0.0)
        self._failures = dict.fromkeys(names, 0)

    def answered(self, name: str, seconds: float) -> None:
        """An operation took so long."""
        with self._lock:
            self._counts[name][bisect.bisect_left(EDGES, seconds)] += 1
            self._totals[name] += seconds

    def failed(self, name: str) -> None:
        """An operation was not answered, or with an error of the server."""
        with self._lock:
            self._failures[name] += 1

    def histograms(self) -> Mapping[str, HistogramValue]:
        """By operation."""
        with self._lock:
            return {
                name: HistogramValue(tuple(accumulate(counts)), self._totals[name])
                for name, counts in self._counts.items()
            }

    def failures(self) -> Mapping[str, int]:
        """By operation, since the start."""
        with self._lock:
            return dict(self._failures)


@dataclass(frozen=True)
class Outcome:
    """Whether the server did what it was asked, and why not; the canary's trouble apart."""

    up: bool
    problem: str = ""
    canary: str = ""


class Probe(Follower):
    """The thread. ``outcome`` is what the last round found."""

    name = "s3_probe"

    def __init__(
        self,
        source: S3Source,
        buckets: tuple[Bucket, ...],
        listings: Listings,
        *,
        every: float,
        canary: str,
        prefix: str,
    ) -> None:
        super().__init__()
        self.every = every
        self.outcome = Outcome(up=False, problem="S3 was not asked yet")
        self.operations = Operations((*BUCKET_OPERATIONS, *(CANARY_OPERATIONS if canary else ())))
        self._source = source
        self._listings = listings
        self._canary = canary
        # one object for each exporter, however often it starts
        self._key = f"{prefix}{socket.gethostname()}"
        self._buckets = cycle(buckets)

    def step(self) -> float:
        """One round; it does not raise, since a server that is down is a finding."""
        began = time.monotonic()
        self.outcome = self._round(next(self._buckets).name)
        return max(0.0, self.every - (time.monotonic() - began))

    def _round(self, bucket: str) -> Outcome:
        try:
            self._time("list", "list_objects_v2", Bucket=bucket, MaxKeys=1)
            self._time("head_bucket", "head_bucket", Bucket=bucket)
        except S3Error as error:
            if error.kind not in BUCKETS_OWN:
                return Outcome(False, str(error))
            if self._listings.states.is_well(bucket):
                self._listings.hurry(bucket)
        return Outcome(True, canary=self._canary_trouble() if self._canary else "")

    def _canary_trouble(self) -> str:
        where = {"Bucket": self._canary, "Key": self._key}
        try:
            self._time("put", "put_object", **where, Body=BODY)
            got = self._time("get", "get_object", **where)
            if got["Body"].read() != BODY:
                self.operations.failed("get")
                return "S3 gives back another canary than was put"
            self._time("delete", "delete_object", **where)
        except S3Error as error:
            return str(error)
        return ""

    def _time(self, operation: str, call: str, **parameters: Any) -> Answer:
        began = time.monotonic()
        try:
            answer = self._source.call(call, **parameters)
        except S3Error as error:
            # a bucket that is not ours to read is an answer all the same; a canary that is refused is none
            if error.kind in BUCKETS_OWN and operation in BUCKET_OPERATIONS:
                self.operations.answered(operation, time.monotonic() - began)
            else:
                self.operations.failed(operation)
            raise
        self.operations.answered(operation, time.monotonic() - began)
        return answer

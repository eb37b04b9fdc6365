"""One listing of one bucket: which requests are left, and what their answers say.

Nothing here waits or locks: ``Listings`` hands the requests out and feeds the answers back, one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from supercheck_exporter.sources.s3 import Answer, S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket
from supercheck_exporter.storage.classes import Tiers
from supercheck_exporter.storage.keyrange import KeyRange, midpoint
from supercheck_exporter.storage.tally import Tally

SPLIT_AFTER_PAGES = 2
"""A range that took fewer is soon read by one thread."""

SPARE_TRIES = 64
"""Requests that may look for a cut, beside one for each page: a bucket that can't be cut costs no more than that."""

MINIO = "MinIO"


@dataclass(frozen=True)
class Uploads:
    """Multipart uploads that were begun and not ended; ``oldest`` is the Unix time of the oldest one's beginning."""

    count: int = 0
    oldest: float | None = None


@dataclass(frozen=True)
class Figures:
    """A whole listing. ``uploads`` is None where they can't be known; ``at`` is a Unix time."""

    tally: Tally
    uploads: Uploads | None
    seconds: float
    at: float


class NotInOrder(Exception):
    """The server lists keys out of order: the bucket must be read by one thread from end to end."""


class Listing:
    """The requests of one bucket, from the first page to the last upload.

    ``in_order`` False reads from end to end, for servers whose keys come in another order than S3's.
    """

    def __init__(self, bucket: Bucket, tiers: Tiers, *, in_order: bool = True) -> None:
        self.bucket = bucket
        self.in_order = in_order
        self.tally = Tally(time.time(), tiers if bucket.artifacts else {})
        self.requests = 0
        self.busy = 0
        self._tries = 0
        self._began = time.monotonic()
        self._ranges = [KeyRange()]
        self._uploads: Uploads | None = Uploads()
        self._marker: Mapping[str, Any] = {}
        self._objects_done = False
        self.done = False

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return time.monotonic() - self._began

    def figures(self) -> Figures:
        """The result, once it is done."""
        return Figures(self.tally, self._uploads, self.age, time.time())

    def take(self) -> Request | None:
        """A request that may be made now; None while all that are left are on their way."""
        if self._objects_done:
            return None if self.busy else self._begun(Request(self, None))
        free = [each for each in self._ranges if not each.busy]
        if free:
            return self._begun(Request(self, free[0]))
        return self._cut()

    def _begun(self, request: Request) -> Request:
        self.requests += 1
        self.busy += 1
        if request.range is not None and request.cut is None:
            request.range.busy = True
        return request

    def _cut(self) -> Request | None:
        """Look whether the far half of a range that is being read holds anything."""
        if not self.in_order or self._tries >= SPARE_TRIES + self.requests // 2:
            return None
        for each in self._ranges:
            if each.pages >= SPLIT_AFTER_PAGES and (cut := midpoint(each.after, each.until)) is not None:
                self._tries += 1
                each.pages = 0  # the next idle thread cuts another one
                return self._begun(Request(self, each, cut))
        return None

    def release(self, request: Request) -> None:
        """The request is over, answered or not."""
        self.busy -= 1
        if request.range is not None and request.cut is None:
            request.range.busy = False

    def fold(self, request: Request, answer: Answer) -> None:
        """Add what an answer says. Raises S3Error where it is cut off, and NotInOrder."""
        if request.range is None:
            self._fold_uploads(answer)
        elif request.cut is not None:
            self._fold_cut(request.range, request.cut, answer)
        else:
            self._fold_page(request.range, answer)
            self._objects_done = not self._ranges

    def _fold_page(self, part: KeyRange, answer: Answer) -> None:
        truncated, token = _rest(answer, "NextContinuationToken", part.token)
        last, beyond = part.after, False
        found = []
        for item in answer.get("Contents", ()):
            key: str = item.get("Key", "")
            if self.in_order and key <= last:
                raise NotInOrder
            if part.until is not None and key > part.until:
                beyond = True
                break
            last = key
            if "Size" not in item or "LastModified" not in item:
                raise _cut_off()
            found.append(item)
        for item in found:  # nothing is counted of a page that is refused: it is read again
            self.tally.add(item["Size"], item["LastModified"], item.get("StorageClass"))
        part.after, part.token = last, token
        part.pages += 1
        if beyond or not truncated:
            self._ranges.remove(part)

    def _fold_cut(self, part: KeyRange, cut: str, answer: Answer) -> None:
        _rest(answer, "NextContinuationToken", None)
        if part not in self._ranges or part.after >= cut or (part.until is not None and cut >= part.until):
            return  # its reader was faster
        keys = [item.get("Key", "") for item in answer.get("Contents", ())]
        if keys and (part.until is None or keys[0] <= part.until):
            self._ranges.append(KeyRange(cut, part.until))
        else:
            part.pages = SPLIT_AFTER_PAGES  # cut again, nearer to where it is read
        part.until = cut

    def _fold_uploads(self, answer: Answer) -> None:
        truncated, _ = _rest(answer, "NextKeyMarker", None)
        begun = [item["Initiated"] for item in answer.get("Uploads", ()) if "Initiated" in item]
        before = self._uploads or Uploads()
        moments = [_stamp(moment) for moment in begun] + ([before.oldest] if before.oldest is not None else [])
        self._uploads = Uploads(before.count + len(begun), min(moments, default=None))
        marker = {"KeyMarker": answer.get("NextKeyMarker"), "UploadIdMarker": answer.get("NextUploadIdMarker")}
        if truncated and marker == self._marker:
            raise _cut_off()
        self._marker = {name: value for name, value in marker.items() if value}
        self.done = not truncated

    def without_uploads(self) -> None:
        """The server does not tell them, or an empty answer may mean that it does not."""
        self._uploads = None
        self.done = True

    def doubt_uploads(self, server: str) -> None:
        """MinIO of some versions lists no upload unless it is told its key: none found is not known there."""
        if self.done and server == MINIO and self._uploads == Uploads():
            self._uploads = None

    def page(self, source: S3Source, request: Request) -> Answer:
        """Make the request. Raises S3Error."""
        name, part = self.bucket.name, request.range
        if part is None:
            return source.call("list_multipart_uploads", Bucket=name, **self._marker)
        if request.cut is not None:
            return source.call("list_objects_v2", Bucket=name, StartAfter=request.cut, MaxKeys=1)
        if part.token is not None:
            return source.call("list_objects_v2", Bucket=name, ContinuationToken=part.token)
        return source.call("list_objects_v2", Bucket=name, **({"StartAfter": part.after} if part.after else {}))


@dataclass(frozen=True)
class Request:
    """A page of a range, a look beyond a cut of it, or (no range) a page of uploads."""

    listing: Listing
    range: KeyRange | None
    cut: str | None = None


def _rest(answer: Answer, name: str, before: str | None) -> tuple[bool, str | None]:
    """Whether there is more, and the token for it. Raises S3Error where the answer does not say."""
    if "IsTruncated" not in answer:
        raise _cut_off()
    token = answer.get(name)
    if answer["IsTruncated"] and (not token or token == before):
        raise _cut_off()
    return bool(answer["IsTruncated"]), token


def _cut_off() -> S3Error:
    return S3Error("S3 gives listings that are cut off: check S3_ENDPOINT and what stands between", "failing")


def _stamp(moment: datetime) -> float:
    return moment.timestamp()

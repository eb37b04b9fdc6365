"""How a listing is cut into parts, and that each key is counted once whatever the order of the answers."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supercheck_exporter.sources.s3 import S3Error
from supercheck_exporter.storage.buckets import Bucket
from supercheck_exporter.storage.keyrange import midpoint
from supercheck_exporter.storage.listing import MINIO, Listing, NotInOrder, Request, Uploads

BUCKET = Bucket("k6-job-artifacts", "S3_K6_JOB_BUCKET_NAME", True)
WRITTEN = datetime(2026, 11, 1, tzinfo=UTC)
PAGE = 10
keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x2FF), min_size=1, max_size=12)


class Store:
    """A bucket in memory, which answers as S3 does."""

    server = ""

    def __init__(self, names: list[str], uploads: int = 0) -> None:
        self.names = sorted(set(names))
        self.uploads = uploads

    def call(self, operation: str, **asked: Any) -> dict[str, Any]:
        if operation == "list_multipart_uploads":
            return {"IsTruncated": False, "Uploads": [{"Initiated": WRITTEN}] * self.uploads}
        after = asked.get("ContinuationToken") or asked.get("StartAfter", "")
        found = [name for name in self.names if name > after]
        page = found[: asked.get("MaxKeys", PAGE)]
        answer: dict[str, Any] = {
            "IsTruncated": len(found) > len(page),
            "Contents": [{"Key": name, "Size": 1, "LastModified": WRITTEN} for name in page],
        }
        return answer | ({"NextContinuationToken": page[-1]} if answer["IsTruncated"] else {})


def run(listing: Listing, store: Store, threads: int, order: random.Random) -> int:
    """Read it as so many threads do whose answers come in any order; the most requests that were under way at once."""
    under_way: list[tuple[Request, Any]] = []
    most = 0
    while not listing.done:
        while len(under_way) < threads and (request := listing.take()) is not None:
            under_way.append((request, listing.page(store, request)))  # type: ignore[arg-type]
        most = max(most, len(under_way))
        request, answer = under_way.pop(order.randrange(len(under_way)))
        listing.release(request)
        listing.fold(request, answer)
    return most


@settings(max_examples=150, deadline=None)
@given(st.lists(keys, max_size=120), st.integers(1, 5), st.integers(0, 10_000))
def test_each_key_is_counted_once(names: list[str], threads: int, seed: int) -> None:
    store = Store(names)
    listing = Listing(BUCKET, {})
    run(listing, store, threads, random.Random(seed))
    assert listing.tally.total == len(store.names)


def test_ids_that_begin_alike_are_read_in_parallel() -> None:
    store = Store([f"0192f0c1-{number:05d}/report.html" for number in range(3000)])
    listing = Listing(BUCKET, {})
    most = run(listing, store, 4, random.Random(1))
    assert listing.tally.total == 3000
    assert most == 4
    # what looks for cuts costs less than what reads
    assert listing.requests < 2 * 3000 / PAGE


def test_a_small_bucket_takes_two_requests() -> None:
    store = Store(["a", "b"])
    listing = Listing(BUCKET, {})
    run(listing, store, 4, random.Random(1))
    assert listing.requests == 2


def test_out_of_order_is_seen_and_read_from_end_to_end() -> None:
    answer = {"IsTruncated": False, "Contents": [{"Key": k, "Size": 1, "LastModified": WRITTEN} for k in "ba"]}
    listing = Listing(BUCKET, {})
    request = listing.take()
    assert request is not None
    listing.release(request)
    with pytest.raises(NotInOrder):
        listing.fold(request, answer)
    assert listing.tally.total == 0
    whole = Listing(BUCKET, {}, in_order=False)
    request = whole.take()
    assert request is not None
    assert whole.take() is None
    whole.release(request)
    whole.fold(request, answer)
    assert whole.tally.total == 2


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"Contents": []},
        {"IsTruncated": True, "Contents": []},
        {"IsTruncated": True, "NextContinuationToken": ""},
        {"IsTruncated": False, "Contents": [{"Key": "a", "Size": 1, "LastModified": WRITTEN}, {"Key": "b"}]},
    ],
)
def test_an_answer_that_does_not_say_how_it_goes_on_is_cut_off(answer: dict[str, Any]) -> None:
    listing = Listing(BUCKET, {})
    request = listing.take()
    assert request is not None
    listing.release(request)
    with pytest.raises(S3Error, match="cut off"):
        listing.fold(request, answer)
    assert not listing.done
    assert listing.tally.total == 0


def test_a_token_that_leads_to_itself_is_cut_off() -> None:
    listing = Listing(BUCKET, {})
    for _ in range(2):
        request = listing.take()
        assert request is not None
        listing.release(request)
        answer = {"IsTruncated": True, "NextContinuationToken": "same", "Contents": []}
        if listing.requests == 1:
            listing.fold(request, answer)
        else:
            with pytest.raises(S3Error, match="cut off"):
                listing.fold(request, answer)


def test_uploads_on_several_pages() -> None:
    listing = Listing(BUCKET, {})
    run_to_uploads(listing)
    later = datetime(2026, 11, 2, tzinfo=UTC)
    pages: list[dict[str, Any]] = [
        {"IsTruncated": True, "NextKeyMarker": "a", "NextUploadIdMarker": "1", "Uploads": [{"Initiated": later}]},
        {"IsTruncated": False, "Uploads": [{"Initiated": WRITTEN}, {"Initiated": later}]},
    ]
    for page in pages:
        request = listing.take()
        assert request is not None
        listing.release(request)
        listing.fold(request, page)
    assert listing.done
    assert listing.figures().uploads == Uploads(3, WRITTEN.timestamp())


def run_to_uploads(listing: Listing) -> None:
    request = listing.take()
    assert request is not None
    listing.release(request)
    listing.fold(request, {"IsTruncated": False})


@pytest.mark.parametrize(("uploads", "server", "known"), [(0, MINIO, None), (1, MINIO, 1), (0, "", 0)])
def test_no_upload_of_a_minio_is_not_known_to_be_none(uploads: int, server: str, known: int | None) -> None:
    listing = Listing(BUCKET, {})
    run(listing, Store([], uploads), 1, random.Random(1))
    listing.doubt_uploads(server)
    found = listing.figures().uploads
    assert (found.count if found else None) == known


@given(keys, st.none() | keys)
def test_a_cut_lies_between(after: str, until: str | None) -> None:
    if until is not None and until <= after:
        return
    cut = midpoint(after, until)
    assert cut is None or (after < cut and (until is None or cut < until))

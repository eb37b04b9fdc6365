"""All buckets, listed again and again in the background by a few threads, at one pace.

A thread takes the next request of the bucket that had the fewest so far: a small bucket is done after two requests,
however large its neighbours are, and a large one is read by every thread that has nothing else to do. A bucket that
fails is left where it is and goes on from there a minute later; the others do not notice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.s3 import Answer, S3Error, S3Source
from supercheck_exporter.storage.buckets import Bucket
from supercheck_exporter.storage.classes import Tiers
from supercheck_exporter.storage.listing import Figures, Listing, NotInOrder, Request
from supercheck_exporter.storage.pace import Pace
from supercheck_exporter.storage.states import States

log = logging.getLogger(__name__)

THREADS = 4
IDLE_SECONDS = 0.1
"""How soon a thread looks again while others are reading: what they read may be cut by then."""

RETRY_SECONDS = 60.0
STALE_INTERVALS = 6
"""After so many intervals without a whole listing the last figures are too old to be shown."""


class Listings:
    """The listings that run, and the last whole figures of each bucket. Safe from every thread."""

    def __init__(
        self,
        source: S3Source,
        buckets: tuple[Bucket, ...],
        tiers: Tiers,
        states: States,
        *,
        interval: float,
        pace: float,
    ) -> None:
        self.buckets = buckets
        self.interval = interval
        self.states = states
        self._source = source
        self._tiers = tiers
        self._pace = Pace(pace)
        self._lock = threading.Lock()
        self._running: dict[str, Listing] = {}
        self._due = {bucket.name: 0.0 for bucket in buckets}
        """When the next listing of each begins, or goes on, by time.monotonic()."""
        self._out_of_order: set[str] = set()
        self._figures: dict[str, tuple[Figures, float]] = {}
        self._threads = [_Reader(self, number) for number in range(THREADS)]

    def start(self) -> None:
        """Start the threads; a second call changes nothing."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop them, and wait for the requests in flight."""
        for thread in self._threads:
            thread.stopping.set()
        for thread in self._threads:
            thread.stop()

    def hurry(self, bucket: str) -> None:
        """List a bucket now, unless that is being done: something about it has changed."""
        with self._lock:
            if bucket not in self._running:
                self._due[bucket] = 0.0

    def figures(self) -> Mapping[str, Figures]:
        """The last whole figures by bucket, unless they are too old."""
        oldest = time.monotonic() - STALE_INTERVALS * self.interval
        with self._lock:
            return {name: figures for name, (figures, at) in self._figures.items() if at >= oldest}

    def succeeded(self) -> Mapping[str, float]:
        """When each bucket was last listed whole (a Unix time), however long ago."""
        with self._lock:
            return {name: figures.at for name, (figures, _) in self._figures.items()}

    def began(self) -> Mapping[str, float]:
        """When the listings that are under way began (Unix times), by bucket."""
        with self._lock:
            return {name: running.tally.now for name, running in self._running.items()}

    def progress(self) -> Mapping[str, str]:
        """One line a bucket for people: its state, what is known of it, how far its listing is."""
        with self._lock:
            return {bucket.name: self._line(bucket.name) for bucket in self.buckets}

    def _line(self, name: str) -> str:
        parts = []
        if (known := self._figures.get(name)) is not None:
            figures = known[0]
            parts.append(f"{figures.tally.total:,} objects {(time.time() - figures.at) / 60:.0f} minutes ago")
        if (running := self._running.get(name)) is not None:
            word = "listing" if running.busy or self.states.is_well(name) else "stopped"
            parts.append(f"{word}: {running.tally.total:,} objects so far, after {running.age:.0f} s")
        return "; ".join(parts) or "not listed yet"

    def next(self) -> Request | float:
        """A request to make, or the seconds after which to ask again."""
        now = time.monotonic()
        with self._lock:
            for bucket in self.buckets:
                if self._due[bucket.name] <= now and bucket.name not in self._running:
                    ordered = bucket.name not in self._out_of_order
                    self._running[bucket.name] = Listing(bucket, self._tiers, in_order=ordered)
            going = [each for name, each in self._running.items() if self._due[name] <= now]
            for listing in sorted(going, key=lambda each: each.requests):
                if (request := listing.take()) is not None:
                    return request
            if going:
                return IDLE_SECONDS
            return max(IDLE_SECONDS, min(self._due.values()) - now)

    def read(self, request: Request, stopping: threading.Event) -> None:
        """Make a request and fold its answer in."""
        listing = request.listing
        answer: Answer | None = None
        problem: S3Error | None = None
        if self._pace.wait(stopping):
            try:
                answer = listing.page(self._source, request)
            except S3Error as error:
                problem = error
        with self._lock:
            listing.release(request)
            if self._running.get(listing.bucket.name) is not listing:
                return  # it was begun anew meanwhile
            if answer is not None:
                problem = self._fold(request, answer)
            if problem is not None:
                self._fail(request, problem)

    def _fold(self, request: Request, answer: Answer) -> S3Error | None:
        listing, name = request.listing, request.listing.bucket.name
        try:
            listing.fold(request, answer)
        except S3Error as error:
            return error
        except NotInOrder:
            log.warning("bucket %s: its keys come in no order, so it is read by one thread", name)
            self._out_of_order.add(name)
            del self._running[name]
            return None
        if self._due[name] <= time.monotonic():  # else another part of it has just failed
            self.states.well(name)
        listing.doubt_uploads(self._source.server)
        if listing.done:
            self._finish(listing)
        return None

    def _finish(self, listing: Listing) -> None:
        name = listing.bucket.name
        del self._running[name]
        self._figures[name] = (listing.figures(), time.monotonic())
        self._due[name] = time.monotonic() + max(0.0, self.interval - listing.age)

    def _fail(self, request: Request, problem: S3Error) -> None:
        listing, name = request.listing, request.listing.bucket.name
        if request.range is None and problem.kind in ("unsupported", "forbidden"):
            listing.without_uploads()
            self._finish(listing)
            return
        self.states.ill(name, problem)
        self._due[name] = time.monotonic() + min(RETRY_SECONDS, self.interval)
        if problem.kind in ("missing", "forbidden", "refused") or listing.age > STALE_INTERVALS * self.interval:
            del self._running[name]  # what was read of it is of no use later


class _Reader(Follower):
    """One of the threads."""

    def __init__(self, listings: Listings, number: int) -> None:
        super().__init__()
        self.name = f"s3_listing_{number}"
        self._listings = listings

    def step(self) -> float:
        """Make one request, or wait."""
        request = self._listings.next()
        if isinstance(request, float):
            return request
        self._listings.read(request, self.stopping)
        return 0.0

"""Asks each sample address of the CDN now and then, in a thread of its own: one that hangs delays no other."""

from __future__ import annotations

import logging
import random
import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field

from supercheck_exporter.core import HistogramValue
from supercheck_exporter.edge import verdicts
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.http import HttpError, fetch

log = logging.getLogger(__name__)

EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MAX_BYTES = 1_000_000
"""Of a larger file the first megabyte is timed."""


@dataclass
class Seen:
    """What the probes of one target have found. ``up`` is None before the first is over."""

    up: bool | None = None
    problem: str = ""
    age: float | None = None
    counts: dict[str, list[int]] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)

    def add(self, verdict: str, seconds: float) -> None:
        """Count one answer by its cache's verdict."""
        counts = self.counts.setdefault(verdict, [0] * (len(EDGES) + 1))
        counts[bisect_left(EDGES, seconds)] += 1
        self.totals[verdict] = self.totals.get(verdict, 0.0) + seconds

    def histogram(self, verdict: str) -> HistogramValue:
        """Cumulative, as it is exported."""
        counts = self.counts[verdict]
        return HistogramValue([sum(counts[: n + 1]) for n in range(len(counts))], self.totals[verdict])


class CdnProbe(Follower):
    """One target: up where it answers with a status below 400 in time. Redirects are answers, and not followed."""

    def __init__(self, target: str, url: str, interval: float, timeout: float) -> None:
        super().__init__()
        self.name = f"cdn-{target}"
        self.target = target
        self._max_age = 2 * interval + timeout + 30.0
        self._url = url
        self._interval = interval
        self._timeout = timeout
        self.lock = threading.Lock()
        """Held by whoever writes or reads ``seen``."""
        self.seen = Seen()
        self._told = ""
        self._began = time.monotonic()

    def start(self) -> None:
        """Begin to probe."""
        self._began = time.monotonic()
        super().start()

    def is_late(self) -> bool:
        """Whether no probe has come to an end for so long that nothing is known: the resolver is stuck, or we are."""
        return time.monotonic() - self._began > self._max_age and not self.is_fresh(self._max_age)

    def step(self) -> float:
        """One probe."""
        began = time.monotonic()
        try:
            answer = fetch(self._url, deadline=self._timeout, max_bytes=MAX_BYTES)
        except HttpError as error:
            with self.lock:
                self.seen.up, self.seen.problem, self.seen.age = False, str(error), None
        else:
            up = answer.status < 400
            with self.lock:
                self.seen.up, self.seen.age = up, verdicts.age(answer.headers)
                self.seen.problem = "" if up else f"it answers {answer.status}"
                if up:
                    self.seen.add(verdicts.verdict(answer.headers), answer.seconds)
        if self.seen.problem != self._told:
            log.warning("the CDN's file %s: %s", self.target, self.seen.problem or "well again")
            self._told = self.seen.problem
        # not all targets in one moment, nor each at the same second of every minute
        pause = self._interval * random.uniform(0.9, 1.1)  # noqa: S311
        return max(0.1, pause - (time.monotonic() - began))

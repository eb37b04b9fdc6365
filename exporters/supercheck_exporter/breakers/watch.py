"""The probes of one dependency, their pace by the state of its breaker, and what they have found since the start.

Closed and well: a probe an interval. While a failure still counts: one every 2 s, with a deadline below that, so that a
dependency that hangs opens its breaker as one that refuses does. Open: none. Half-open: one every 2 s.
"""

from __future__ import annotations

import math
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from supercheck_exporter.breakers.breaker import Breaker, State
from supercheck_exporter.core import HistogramValue
from supercheck_exporter.distribution import Distribution
from supercheck_exporter.probing.prober import Result, Target

FAST_SECONDS = 2.0
FAST_DEADLINE_SECONDS = 1.9
MAX_RETRY_AFTER_SECONDS = 300.0

# 2 s is where DependencySlow begins; the last ones are the longest deadlines
EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60)


@dataclass(frozen=True)
class Found:
    """What a probe that was answered found."""

    certificate_expires: float | None = None
    """Unix time; None without TLS."""
    retry_after: float = 0.0
    """Seconds for which it asks to be left alone."""


class Dependency(ABC):
    """Something that can be asked whether it is there, without changing anything in it."""

    @abstractmethod
    def ask(self, seconds: float) -> Found:
        """Ask within so many seconds. Raises SourceError where it is not well."""


@dataclass(frozen=True)
class View:
    """One look at a dependency. ``up`` is None before the first probe is over."""

    name: str
    up: bool | None
    problem: str
    certificate_expires: float | None
    state: State
    state_age: float
    """Seconds since the state began."""
    retry_after: int
    """Whole seconds until an open breaker is half-open, and until a half-open one has been probed again; else 0."""
    transitions: Mapping[tuple[State, State], int]
    state_seconds: Mapping[State, float]
    rejected: int
    seconds: HistogramValue


class DependencyWatch(Target[Found]):
    """One dependency with its breaker."""

    def __init__(
        self,
        name: str,
        dependency: Dependency,
        interval: float,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._dependency = dependency
        self._interval = interval
        self._timeout = timeout
        self._clock = clock
        self._lock = threading.Lock()
        self._breaker = Breaker(clock())
        self._not_before = -math.inf
        self._up: bool | None = None
        self._problem = ""
        self._certificate_expires: float | None = None
        self._rejected = 0
        self._seconds = Distribution(EDGES)

    def due(self, last: float | None, now: float) -> float:
        """By the state of the breaker; see the module's text."""
        with self._lock:
            state = self._breaker.state(now)
            if last is None:
                return now
            if state == "open":
                return self._breaker.half_opens_at()
            if state == "half_open":
                return max(self._breaker.since, last + FAST_SECONDS)
            if self._breaker.is_failing(now):
                return last + min(FAST_SECONDS, self._interval)
            return max(last + self._interval, self._not_before)

    def deadline(self, now: float) -> float:
        """Short while failures are counted; else what the settings say, so that one that is slow is no failure."""
        with self._lock:
            self._breaker.state(now)
            return min(FAST_DEADLINE_SECONDS, self._timeout) if self._breaker.is_failing(now) else self._timeout

    def probe(self, seconds: float) -> Found:
        """Ask the dependency."""
        return self._dependency.ask(seconds)

    def record(self, result: Result[Found]) -> None:
        """Tell the breaker. Only answered probes are timed: a failure takes its deadline, or no time at all."""
        found = result.answer
        with self._lock:
            self._up, self._problem = found is not None, result.problem
            self._breaker.record(found is not None, result.ended)
            if found is not None:
                self._certificate_expires = found.certificate_expires or self._certificate_expires
                self._not_before = result.ended + min(found.retry_after, MAX_RETRY_AFTER_SECONDS)
                self._seconds.observe(result.ended - result.began)

    def answer(self) -> View:
        """A look on behalf of somebody who wants to call the dependency: counted where the answer is not to."""
        with self._lock:
            self._rejected += self._breaker.state(self._clock()) != "closed"
        return self.view()

    def view(self) -> View:
        """What is known now."""
        with self._lock:
            now = self._clock()
            state = self._breaker.state(now)
            waits = {
                "closed": 0,
                "half_open": int(FAST_SECONDS),
                "open": math.ceil(self._breaker.half_opens_at() - now),
            }
            return View(
                name=self.name,
                up=self._up,
                problem=self._problem,
                certificate_expires=self._certificate_expires,
                state=state,
                state_age=max(0.0, now - self._breaker.since),
                retry_after=waits[state],
                transitions=dict(self._breaker.transitions),
                state_seconds=self._breaker.seconds(now),
                rejected=self._rejected,
                seconds=self._seconds.value(),
            )

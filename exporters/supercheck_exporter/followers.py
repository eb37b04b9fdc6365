"""Background work off the scrape path: a thread that does one thing again and again until stopped."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from redis.exceptions import RedisError

from supercheck_exporter import telemetry
from supercheck_exporter.core import SourceError, describe_error

log = logging.getLogger(__name__)


FIRST_SECONDS = 3.0
"""A scrape just after the start waits so long for the first step."""

DEAD: list[str] = []
"""Readers of this process that ended on a defect: /-/healthy says so, and whoever runs us starts us again."""


class Follower(ABC):
    """A daemon thread around ``step``, which says how long to wait before the next one.

    A step that raises SourceError or a Redis error is logged once a change and tried again after
    ``retry_seconds``; anything else is a defect and ends the thread loudly.
    """

    name = "follower"
    retry_seconds = 2.0

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.first_success = threading.Event()
        self._tried = threading.Event()
        self.last_success = 0.0
        """Unix time of the last step that worked; 0 before the first."""
        self._succeeded = 0.0
        """The same by a clock that nobody sets."""
        self.error = ""
        self._failures = 0
        self.then: list[Callable[[], object]] = []
        """Called after each step that worked: what others make of its news."""
        self._thread: threading.Thread | None = None

    @abstractmethod
    def step(self) -> float:
        """Do it once; returns the seconds to wait until the next step."""

    def start(self) -> None:
        """Start the thread; a second call changes nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name=self.name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wait for its step in flight (one socket timeout at most)."""
        self.stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def is_fresh(self, max_age: float) -> bool:
        """Whether a step worked within ``max_age`` seconds."""
        return self.last_success > 0 and time.monotonic() - self._succeeded <= max_age

    def require_fresh(self, max_age: float, what: str) -> None:
        """Raise SourceError unless a step worked within ``max_age`` seconds: old news is no news."""
        if self.is_fresh(max_age):
            return
        age = time.monotonic() - self._succeeded
        since = f"for {age:.0f} s" if self.last_success else "yet"
        raise SourceError(f"{what} could not be read {since}: {self.error or 'the first read is not over'}")

    def wait_first(self) -> None:
        """Wait a moment for the first step, whatever comes of it; afterwards this is nothing."""
        if self._thread is not None:
            self._tried.wait(FIRST_SECONDS)

    def require_sound(self, max_age: float, what: str) -> None:
        """The same, and raise SourceError as soon as the last step failed: what is kept may be wrong by now.

        Just after the start it waits for the first step.
        """
        self.wait_first()
        if self.error:
            raise SourceError(self.error)
        self.require_fresh(max_age, what)

    def attempt(self) -> float:
        """One step and what it means for ``error`` and freshness; returns the seconds to wait."""
        try:
            return self._attempt()
        finally:
            self._tried.set()

    def _attempt(self) -> float:
        try:
            pause = self.step()
        except (SourceError, RedisError, OSError) as problem:
            text = describe_error(problem)
            if telemetry.same_but_for_numbers(text) != telemetry.same_but_for_numbers(self.error):
                log.warning("%s: %s", self.name, text)
            self.error = text
            self._failures += 1
            return self.retry_seconds
        if self.error:
            log.info("%s works again, failed reads: %d", self.name, self._failures)
        self.error, self._failures = "", 0
        self._succeeded = time.monotonic()
        self.last_success = time.time()
        for tell in self.then:
            tell()
        self.first_success.set()
        return pause

    def _loop(self) -> None:
        try:
            while not self.stopping.is_set():
                self.stopping.wait(self.attempt())
        finally:
            if not self.stopping.is_set():
                self.error = "its reader ended on a defect of the exporter: see the log, and restart the exporter"
                DEAD.append(self.name)

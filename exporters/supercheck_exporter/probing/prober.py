"""Starts each target's probes in time, at most one at once, and judges those that do not come back.

A probe runs in a thread of its own and has a deadline. At the deadline it has failed, whatever its thread does: a
resolver that hangs can't be interrupted. While such a thread hangs, no second one is started for its target, and the
probes that are due meanwhile fail at their own deadlines, as they would have. What one target does delays no other.

The threads are daemons, not those of a pool, because the interpreter waits for a pool's threads when it ends.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower

T = TypeVar("T")

JITTER_SECONDS = 3.0
"""First probes are spread over this time, so that a restart does not ask everything at once."""

STOP_SECONDS = 8.0
MAX_PAUSE_SECONDS = 15.0
TOO_LATE = "does not answer in time"


@dataclass(frozen=True)
class Result(Generic[T]):
    """The outcome of a probe. Moments are of the prober's clock; ``answer`` is None where it failed."""

    began: float
    ended: float
    answer: T | None = None
    problem: str = ""


class Target(ABC, Generic[T]):
    """What is probed. ``due`` and ``deadline`` are asked under the prober's lock, ``probe`` runs in its own thread."""

    name: str

    @abstractmethod
    def due(self, last: float | None, now: float) -> float:
        """When the next probe should start; ``last`` is when the last one started, None before the first."""

    @abstractmethod
    def deadline(self, now: float) -> float:
        """Seconds that the probe which starts now may take."""

    @abstractmethod
    def probe(self, seconds: float) -> T:
        """Ask, within about so many seconds. Raises SourceError where the target is not well."""

    @abstractmethod
    def record(self, result: Result[T]) -> None:
        """Take over the outcome of a probe, each once and in order."""


class _Slot:
    """The probes of one target."""

    def __init__(self, target: Target[Any], first: float) -> None:
        self.target = target
        self.first = first
        self.last: float | None = None
        """When the last probe started."""
        self.until: float | None = None
        """The deadline of the probe that is not judged yet; None when there is none."""
        self.thread: threading.Thread | None = None
        self.number = 0
        """Of the probe that is not judged; a thread that comes back with an older number is too late."""

    def due(self, now: float) -> float:
        """When the next probe starts."""
        return self.first if self.last is None else self.target.due(self.last, now)


class Prober(Follower):
    """One scheduling thread for all targets, and one thread for each probe that is under way."""

    name = "prober"

    def __init__(
        self,
        targets: Sequence[Target[Any]],
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = lambda: random.uniform(0, JITTER_SECONDS),  # noqa: S311  nothing secret
    ) -> None:
        super().__init__()
        self._clock = clock
        self._changed = threading.Condition()
        now = clock()
        self._slots = [_Slot(target, now + jitter()) for target in targets]
        self._defect: BaseException | None = None

    def step(self) -> float:
        """Do what is due, and wait until something is or a probe comes back."""
        with self._changed:
            self._changed.wait(self._advance())
        return 0.0

    def advance(self) -> float:
        """Judge what is over its deadline, start what is due; returns the seconds until something is."""
        with self._changed:
            return self._advance()

    def _advance(self) -> float:
        if self._defect is not None:
            raise RuntimeError("a probe ended on a defect") from self._defect
        now = self._clock()
        moments = [self._advance_slot(slot, now) for slot in self._slots]
        return min(max(0.0, min(moments, default=MAX_PAUSE_SECONDS) - now), MAX_PAUSE_SECONDS)

    def _advance_slot(self, slot: _Slot, now: float) -> float:
        """The same for one target; returns the moment at which it wants to be looked at again."""
        if slot.until is not None and now >= slot.until:
            self._judge(slot, Result(slot.last or 0.0, slot.until, problem=TOO_LATE))
        if slot.until is None and now >= slot.due(now):
            self._begin(slot, now)
        elif slot.until is not None and slot.thread is None:
            self._begin(slot, now)  # the one that hung has come back: this probe can be made after all
        return slot.until if slot.until is not None else slot.due(now)

    def _begin(self, slot: _Slot, now: float) -> None:
        slot.last = now
        slot.number += 1
        seconds = slot.target.deadline(now)
        slot.until = now + seconds
        if slot.thread is None:
            slot.thread = threading.Thread(
                target=self._run, args=(slot, slot.number, seconds), name=f"probe {slot.target.name}", daemon=True
            )
            slot.thread.start()

    def _run(self, slot: _Slot, number: int, seconds: float) -> None:
        """In the probe's thread."""
        answer: Any = None
        problem = ""
        try:
            answer = slot.target.probe(seconds)
        except SourceError as error:
            problem = str(error)
        finally:
            defect = sys.exception()  # anything else: the scheduling thread ends loudly on it
            with self._changed:
                slot.thread = None
                self._defect = self._defect or defect
                now = self._clock()
                if defect is None and slot.number == number and slot.until is not None:
                    if now > slot.until:
                        answer, problem = None, TOO_LATE
                    self._judge(slot, Result(slot.last or 0.0, min(now, slot.until), answer, problem))
                self._changed.notify_all()

    def _judge(self, slot: _Slot, result: Result[Any]) -> None:
        slot.until = None
        slot.target.record(result)

    def start(self) -> None:
        """Start probing, if there is anything to probe."""
        if self._slots:
            super().start()

    def stop(self) -> None:
        """Stop starting probes, and wait a while for those under way."""
        self.stopping.set()
        with self._changed:
            self._changed.notify_all()
            under_way = [slot.thread for slot in self._slots if slot.thread is not None]
        super().stop()
        until = time.monotonic() + STOP_SECONDS
        for thread in under_way:
            thread.join(max(0.0, until - time.monotonic()))

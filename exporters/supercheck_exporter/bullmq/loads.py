"""What each queue asks of its workers, as the queues collector last saw it."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """One queue's load, in jobs; the age is in seconds, 0 where nothing waits, None where unknown."""

    backlog: int
    active: int
    oldest_ready_seconds: float | None


class Loads:
    """Handed from the queues collector to the workers collector, so that no queue is read twice."""

    def __init__(self) -> None:
        self._loads: dict[str, Load] = {}
        self._at = 0.0

    def put(self, loads: dict[str, Load]) -> None:
        """Replace what was known."""
        self._loads, self._at = loads, time.monotonic()

    def fresh(self, max_age: float) -> dict[str, Load]:
        """The loads by queue; empty when they are older than ``max_age`` seconds or were never put."""
        return self._loads if self._at and time.monotonic() - self._at <= max_age else {}

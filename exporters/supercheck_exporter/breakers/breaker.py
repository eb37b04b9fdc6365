"""The circuit breaker of one dependency as a pure state machine; it never looks at a clock itself.

    closed --5 failures within 10 s--> open --30 s--> half_open --3 successes--> closed
                                        ^---any failure---'

Moments are seconds of any clock that does not go back. A change that only time brings (open to half_open) happens at
its exact moment, however late somebody looks.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

State = Literal["closed", "half_open", "open"]
STATES: tuple[State, ...] = ("closed", "half_open", "open")
TRANSITIONS: tuple[tuple[State, State], ...] = (
    ("closed", "open"),
    ("open", "half_open"),
    ("half_open", "closed"),
    ("half_open", "open"),
)
"""All that there are, as (from, to)."""

FAILURES = 5
WINDOW_SECONDS = 10.0
OPEN_SECONDS = 30.0
SUCCESSES = 3


class Breaker:
    """Begins closed: what nothing is known of is not held back."""

    def __init__(self, now: float) -> None:
        self.transitions = dict.fromkeys(TRANSITIONS, 0)
        self.since = now
        """When the state began."""
        self._state: State = "closed"
        self._failures: deque[float] = deque(maxlen=FAILURES)
        self._successes = 0
        self._seconds = dict.fromkeys(STATES, 0.0)

    def state(self, now: float) -> State:
        """The state at this moment."""
        if self._state == "open" and now >= self.since + OPEN_SECONDS:
            self._go("half_open", self.since + OPEN_SECONDS)
        return self._state

    def record(self, success: bool, at: float) -> None:
        """Take over the outcome of a call that ended then; while it is open there are none, and one is ignored."""
        state = self.state(at)
        if state == "half_open":
            self._successes += success
            if not success:
                self._go("open", at)
            elif self._successes >= SUCCESSES:
                self._go("closed", at)
        elif state == "closed" and not success:
            self._failures.append(at)
            if len(self._failures) == FAILURES and at - self._failures[0] <= WINDOW_SECONDS:
                self._go("open", at)

    def is_failing(self, now: float) -> bool:
        """Whether it is closed and a failure still counts."""
        return self._state == "closed" and bool(self._failures) and now - self._failures[-1] <= WINDOW_SECONDS

    def half_opens_at(self) -> float:
        """When an open one is half-open."""
        return self.since + OPEN_SECONDS

    def seconds(self, now: float) -> dict[State, float]:
        """How long it has been in each state so far."""
        state = self.state(now)
        return self._seconds | {state: self._seconds[state] + max(0.0, now - self.since)}

    def _go(self, to: State, at: float) -> None:
        self.transitions[self._state, to] += 1
        self._seconds[self._state] += max(0.0, at - self.since)
        self._state, self.since, self._successes = to, at, 0
        self._failures.clear()

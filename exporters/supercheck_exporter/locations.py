"""Which monitors fail at which location, and whether the same ones fail elsewhere too. Pure.

It is fed with results as they are read (monitoring.py), and holds the last one of each monitor at each location for as
long as it says something: two of the monitor's own intervals. So a monitor that was moved, disabled or
deleted is forgotten.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

ELSEWHERE = ("up", "down", "none")
"""What the last checks of a failing monitor at other locations said: one succeeded, all failed, there are none."""

MAX_CHECKS = 50_000
"""Monitors times locations that are held, a few hundred bytes each; where there are more, nothing is known."""

LIFE_INTERVALS = 2
LEAST_LIFE_SECONDS, MOST_LIFE_SECONDS = 600.0, 7200.0


class Seen(NamedTuple):
    """The checks of one monitor at one location within a look; times are Unix seconds, None where there was none."""

    monitor: str
    location: str
    every: float
    """The monitor's interval in seconds."""

    up: float | None
    failed: float | None


class _Last(NamedTuple):
    up: bool
    until: float


@dataclass(frozen=True)
class Standing:
    """One location: how many monitors were checked there lately, those that fail, and the last success."""

    monitors: int = 0
    failing: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(ELSEWHERE, 0))
    """By ELSEWHERE."""

    last_success: float | None = None
    """Unix time; None where no success was seen."""


class LocationChecks:
    """The last result of each monitor at each location."""

    def __init__(self, most: int = MAX_CHECKS) -> None:
        self._most = most
        self._last: dict[tuple[str, str], _Last] = {}
        self._success: dict[str, float] = {}
        self._whole_from = 0.0
        """From this time on what is held is whole again: what was dropped would say nothing any more."""

        self.too_many = False
        """Whether there are more than can be held, or were lately: then nothing is said."""

    def add(self, seen: Iterable[Seen], now: float) -> None:
        """Take what a look saw, and forget what says nothing any more. ``now`` is the database's Unix time."""
        for one in seen:
            up, failed = one.up or 0.0, one.failed or 0.0
            life = min(max(LIFE_INTERVALS * one.every, LEAST_LIFE_SECONDS), MOST_LIFE_SECONDS)
            self._last[one.monitor, one.location] = _Last(up > failed, max(up, failed) + life)
            if one.up is not None:
                self._success[one.location] = max(one.up, self._success.get(one.location, 0.0))
        self._last = {key: last for key, last in self._last.items() if last.until > now}
        if len(self._last) > self._most:
            self._last, self._whole_from = {}, now + MOST_LIFE_SECONDS
        self.too_many = now < self._whole_from

    def standings(self, locations: Iterable[str]) -> dict[str, Standing]:
        """How each of these locations stands; those without any check have 0 monitors. Empty with too many checks."""
        if self.too_many:
            return {}
        succeeding: Counter[str] = Counter()
        places: Counter[str] = Counter()
        for (monitor, _), last in self._last.items():
            places[monitor] += 1
            succeeding[monitor] += last.up
        monitors: Counter[str] = Counter()
        failing: Counter[tuple[str, str]] = Counter()
        for (monitor, location), last in self._last.items():
            monitors[location] += 1
            if not last.up:
                elsewhere = "up" if succeeding[monitor] else "down" if places[monitor] > 1 else "none"
                failing[location, elsewhere] += 1
        return {
            location: Standing(
                monitors[location],
                {elsewhere: failing[location, elsewhere] for elsewhere in ELSEWHERE},
                self._success.get(location),
            )
            for location in locations
        }

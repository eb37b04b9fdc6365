"""Counts the windows of every limiter, and lockouts of logins, by walking the keyspace slowly in the background.

A walk goes in bounded steps with a pause after each, and is followed by a rest that grows with what it cost. Nothing of
a key is kept but, of failed logins, how many there were by a hash that means nothing outside this process.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.limits.api_keys import ApiKeys, KeyLimit
from supercheck_exporter.limits.limiters import (
    API_KEY,
    ATTEMPTS,
    LIMITERS,
    LOCKED,
    WALKED,
    Limiter,
    Windows,
    limiter_of,
    lockouts,
)
from supercheck_exporter.sources.redis import Command, RedisSource

STEP_KEYS = 1000
STEP_PAUSE_SECONDS = 0.005
FIRST_READ_SECONDS = 1.0
CHUNK = 500
WALK_PAUSE_SECONDS = 10.0
MAX_WALK_PAUSE_SECONDS = 60.0
MAX_WINDOWS = 500_000
"""More than these are not counted: something is wrong there, and it would cost our memory."""

COST_RATIO = 20
"""A walk that kept Redis busy for a second is followed by this many seconds of rest."""


class _Asked(NamedTuple):
    """A window, and what it may hold; ``limit`` 0: nobody is limited by it, None: it is not known."""

    limiter: Limiter
    command: Command
    limit: int | None


@dataclass
class Found:
    """One walk."""

    windows: dict[str, Windows] = field(default_factory=lambda: {each.name: Windows() for each in LIMITERS})
    unknown: set[str] = field(default_factory=set)
    """Limiters with a window whose limit is not known: neither near nor at their limit can be told."""
    locked: int = 0
    seen: set[int] = field(default_factory=set)
    """Hashes of the keys so far: SCAN may name one twice."""
    attempts: dict[int, int] = field(default_factory=dict)
    """Failed logins in a row, by the hash of whose."""


class WindowReader(Follower):
    """Keeps ``found``, replaced as a whole, and ``lockouts``, counted since the first walk."""

    name = "rate-limits"

    def __init__(self, source: RedisSource, keys: ApiKeys | None) -> None:
        super().__init__()
        self._source = source
        self._keys = keys
        self._settings = source.settings
        self._near_ratio = source.settings.thresholds["rate_limit_near_ratio"]
        self.found: Found | None = None
        self.lockouts = 0

    def step(self) -> float:
        """Walk every master once."""
        found, cost = Found(), 0.0
        if self._keys is not None:  # a moment for its first read, so that the first walk may know the limits
            self._keys.first_success.wait(FIRST_READ_SECONDS)
        keys = self._keys.limits if self._keys is not None and self._keys.known else None
        for node in self._source.masters("rate-limits"):
            cursor: bytes | None = b"0"
            while cursor is not None:
                if self.stopping.is_set():
                    raise SourceError("the exporter stops")
                began = time.monotonic()
                cursor, batch = self._source.call(node, "SCAN", cursor, "MATCH", WALKED, "COUNT", STEP_KEYS)
                self._read(batch, found, keys)
                cost += time.monotonic() - began
                if cursor == b"0":
                    break
                self.stopping.wait(STEP_PAUSE_SECONDS)
        if self.found is not None:
            before = self.found.attempts
            self.lockouts += sum(
                max(0, lockouts(now) - lockouts(before.get(whose, 0))) for whose, now in found.attempts.items()
            )
        found.seen.clear()
        self.found = found
        return min(max(WALK_PAUSE_SECONDS, COST_RATIO * cost), MAX_WALK_PAUSE_SECONDS)

    def _read(self, batch: Sequence[bytes], found: Found, keys: Mapping[str, KeyLimit] | None) -> None:
        """Read what the keys of one step hold."""
        fresh = [key for key in dict.fromkeys(batch) if hash(key) not in found.seen]
        found.seen.update(map(hash, fresh))
        if len(found.seen) > MAX_WINDOWS:
            raise SourceError(f"Redis at {self._source.where} holds more than {MAX_WINDOWS} windows of rate limits")
        found.locked += sum(key.startswith(LOCKED) for key in fresh)
        asked = [window for window in (self._window(key, keys) for key in fresh) if window is not None]
        failed = [key for key in fresh if key.startswith(ATTEMPTS)]
        answers = self._answers([*(window.command for window in asked), *(("GET", key) for key in failed)])
        for window, used in zip(asked, answers, strict=False):
            if isinstance(used, int) and used > 0:
                self._add(found, window, used)
        for key, attempts in zip(failed, answers[len(asked) :], strict=True):
            if isinstance(attempts, bytes) and attempts.isdigit():
                found.attempts[hash(key)] = int(attempts)

    def _window(self, key: bytes, keys: Mapping[str, KeyLimit] | None) -> _Asked | None:
        known = limiter_of(key)
        if known is None:
            return None
        limiter, id_ = known
        limit = self._settings.rate_limits.get(limiter.name, limiter.limit)
        seconds = limiter.window_seconds
        if limiter.name == API_KEY and keys is not None:
            row = keys.get(id_)  # none: the key is gone, or is not limited any more
            seconds, limit = (row.window_seconds, row.requests) if row else (seconds, 0)
        elif limiter.cloud and limiter.name not in self._settings.rate_limits and not self._settings.cloud:
            limit = 0 if self._settings.self_hosted else None
        since = (self._source.now() - seconds) * limiter.score
        return _Asked(limiter, ("ZCOUNT", key, f"({since:.3f}", "+inf"), limit)

    def _add(self, found: Found, window: _Asked, used: int) -> None:
        windows = found.windows[window.limiter.name]
        windows.windows += 1
        if window.limit is None:
            found.unknown.add(window.limiter.name)
        elif window.limit:
            windows.add(used, window.limit, self._near_ratio)

    def _answers(self, commands: Sequence[Command]) -> list[Any]:
        answers: list[Any] = []
        for at in range(0, len(commands), CHUNK):
            answers += self._source.read(commands[at : at + CHUNK])
        for answer in answers:
            if isinstance(answer, ResponseError) and "WRONGTYPE" not in str(answer):
                raise SourceError(
                    f"Redis at {self._source.where} refuses a read of the rate limits ({_kind(answer)}): "
                    "allow its keys as the manual's Redis user does"
                )
        return answers


def _kind(error: ResponseError) -> str:
    """The server's word for it, without the key, which may be an address."""
    return str(error).split("'")[0].strip()[:80]

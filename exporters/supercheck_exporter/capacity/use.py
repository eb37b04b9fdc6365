"""What each organization holds in Redis: slots in use and parked runs, read in the background.

Source: ``capacity:running:<organization>`` (a number) and ``capacity:queued:<organization>`` (a sorted set
of run ids by the time they were parked). Which ones exist is known from the keyspace walk, so no scrape
scans. ``capacity:job:<run>`` holds secrets and is never read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.capacity.admission import Admissions
from supercheck_exporter.capacity.limits import Use
from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.redis import Command

PATTERN = "capacity:[rq]u*:*"
RUNNING, QUEUED = b"capacity:running:", b"capacity:queued:"
POLL_SECONDS = 5.0
MAX_POLL_SECONDS = 30.0
MAX_USE_AGE_SECONDS = 120.0
COST_RATIO = 20
"""A look that took a second is followed by this many seconds of rest."""

CHUNK = 500
"""Commands of one round trip, so that nobody else waits long for Redis."""

WINDOW = 1000
"""Parked runs of one organization whose ids are read, oldest first: the app promotes these first."""

MAX_PARKED = 100_000
"""Ids that are read of all organizations together."""


class UseReader(Follower):
    """Keeps ``uses`` by organization id, and tells the admissions what is parked."""

    name = "capacity"
    retry_seconds = 0.5

    def __init__(self, keyspace: Keyspace, admissions: Admissions) -> None:
        super().__init__()
        self._keyspace = keyspace
        self._source = keyspace.source
        self._admissions = admissions
        self.uses: dict[str, Use] = {}
        """Replaced as a whole, so a reader needs no lock."""
        self.partly: frozenset[str] = frozenset()
        """Organizations with parked runs whose ids were not all read."""

    def step(self) -> float:
        """Read every known counter once."""
        self._keyspace.require_first_walk()
        began = time.monotonic()
        known = self._keyspace.keys_like(PATTERN)
        running = [key for key in known if key.startswith(RUNNING)]
        queued = [key for key in known if key.startswith(QUEUED)]
        commands: list[Command] = [("GET", key) for key in running]
        commands += [("ZCARD", key) for key in queued]
        commands += [("ZRANGE", key, 0, 0, "WITHSCORES") for key in queued]
        answers = self._read(commands)
        counts, cards = answers[: len(running)], answers[len(running) : len(running) + len(queued)]
        oldest = answers[len(running) + len(queued) :]
        slots = {_organization(key, RUNNING): _number(count) for key, count in zip(running, counts, strict=True)}
        parked = {
            _organization(key, QUEUED): (key, _number(card), _pairs(first))
            for key, card, first in zip(queued, cards, oldest, strict=True)
        }
        uses = {}
        for organization in slots.keys() | parked.keys():
            _, card, first = parked.get(organization, (b"", 0, []))
            since = first[0][1] if first and card else None
            uses[organization] = Use(slots.get(organization, 0), card, since)
        self._ids({organization: (key, card) for organization, (key, card, _) in parked.items() if card})
        self.uses = uses
        spent = time.monotonic() - began
        return min(max(POLL_SECONDS, COST_RATIO * spent), MAX_POLL_SECONDS)

    def _ids(self, parked: dict[str, tuple[bytes, int]]) -> None:
        """Read the ids of the parked runs, of the shortest lists first, as far as the bound allows."""
        left, chosen, partly = MAX_PARKED, [], set()
        for organization, (key, card) in sorted(parked.items(), key=lambda item: item[1][1]):
            if card > WINDOW:
                partly.add(organization)
            wanted = min(card, WINDOW)
            if wanted > left:
                partly.add(organization)
                continue
            left -= wanted
            chosen.append(key)
        answers = self._read([("ZRANGE", key, 0, WINDOW - 1, "WITHSCORES") for key in chosen], chunk=50)
        runs = {run: since for answer in answers for run, since in _pairs(answer)}
        self.partly = frozenset(partly)
        self._admissions.park(runs, time.monotonic())

    def _read(self, commands: Sequence[Command], chunk: int = CHUNK) -> list[Any]:
        answers: list[Any] = []
        for at in range(0, len(commands), chunk):
            if self.stopping.is_set():
                raise SourceError("the exporter stops")
            answers += self._source.read(commands[at : at + chunk])
        for answer in answers:
            if isinstance(answer, ResponseError) and "WRONGTYPE" not in str(answer):
                raise SourceError(f"Redis at {self._source.where} refuses a read of capacity's keys ({answer})")
        return answers


def _organization(key: bytes, prefix: bytes) -> str:
    return key[len(prefix) :].decode("utf-8", "replace")


def _number(answer: Any) -> int:
    """A counter; a key that is gone, or that is no number, holds nothing."""
    try:
        return max(0, int(answer))
    except (TypeError, ValueError):
        return 0


def _pairs(answer: Any) -> list[tuple[bytes, float]]:
    """Members and scores of a ZRANGE WITHSCORES."""
    if not isinstance(answer, list):
        return []
    flat: Iterator[Any] = iter(answer)
    return [(member, float(score)) for member, score in zip(flat, flat, strict=False)]

"""Finds queues and worker heartbeats by walking the keyspace in the background, never on a scrape.

SCAN is O(keys), and a site with a million waiting jobs has a million keys: the walk goes in bounded
steps with a pause after each, and the pause between walks grows with what a walk costs.
"""

from __future__ import annotations

import time

from supercheck_exporter.bullmq import keys
from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.redis import Node, RedisSource

HEARTBEAT_PREFIX = b"supercheck:worker-heartbeat:"
STEP_KEYS = 1000
STEP_PAUSE_SECONDS = 0.005
WALK_PAUSE_SECONDS = 10.0
COST_RATIO = 20
"""A walk that kept Redis busy for a second is followed by this many seconds of rest ..."""

MAX_WALK_PAUSE_SECONDS = 60.0
"""... but never by more, so that what is known stays younger than its readers ask for."""

FIRST_WALK_SECONDS = 1.0
MAX_HEARTBEATS = 1000
MAX_EXTRA = 100_000
FORGET_AFTER_WALKS = 2
"""SCAN may miss a key that is being rewritten while it rehashes; a queue goes after so many misses."""


class Keyspace(Follower):
    """The names that exist: queues (the seeded ones and what ``*:meta`` shows) and heartbeat keys."""

    name = "keyspace"

    def __init__(self, source: RedisSource) -> None:
        super().__init__()
        self.source = source
        settings = source.settings
        self._prefix = settings.bullmq_prefix
        self._seeded = tuple(settings.bullmq_queues)
        self._limit = settings.bullmq_max_queues
        self._misses: dict[str, int] = {}
        self._extra: dict[str, tuple[bytes, ...]] = {}
        self.queues: tuple[str, ...] = self._seeded
        """Queue names, seeded ones first; replaced as a whole, so a reader needs no lock."""
        self.heartbeats: tuple[bytes, ...] = ()
        """Keys of worker heartbeats, by name."""
        self.seen: frozenset[str] = frozenset()
        """Queues that the last walk found, whether seeded or not."""
        self.dropped = 0
        """Queues left out because there are more than BULLMQ_MAX_QUEUES."""

    def also(self, pattern: str) -> None:
        """Walk for this pattern too, from the next walk on; each pattern costs a pass over all keys."""
        self._extra.setdefault(pattern, ())

    def keys_like(self, pattern: str) -> tuple[bytes, ...]:
        """The keys of a pattern of ``also`` that the last walk found, by name."""
        return self._extra.get(pattern, ())

    def require_first_walk(self) -> None:
        """Wait a moment for the first walk; raises SourceError while it is not over. For readers that need names."""
        if not self.first_success.wait(FIRST_WALK_SECONDS):
            raise SourceError(self.error or "the queues are not known yet")

    def step(self) -> float:
        """Walk every master once."""
        masters = self.source.masters("keyspace")
        self._measure_clock()
        found: set[str] = set()
        beats: set[bytes] = set()
        extra: dict[str, set[bytes]] = {pattern: set() for pattern in tuple(self._extra)}
        cost = 0.0
        meta = f"{keys.glob_escape(self._prefix)}:*:meta"
        for node in masters:
            took, metas = self._walk(node, meta)
            cost += took
            found.update(filter(None, (keys.queue_of_meta_key(self._prefix, key) for key in metas)))
            took, found_beats = self._walk(node, HEARTBEAT_PREFIX.decode() + "*")
            cost += took
            beats.update(found_beats)
            for pattern, keys_of in extra.items():
                took, more = self._walk(node, pattern)
                cost += took
                keys_of.update(more)
        self.seen = frozenset(found)
        self._keep(self._real_queues(found - set(self.queues)) | (found & set(self.queues)))
        self.heartbeats = tuple(sorted(beats)[:MAX_HEARTBEATS])
        for pattern, keys_of in extra.items():
            self._extra[pattern] = tuple(sorted(keys_of)[:MAX_EXTRA])
        return min(max(WALK_PAUSE_SECONDS, COST_RATIO * cost), MAX_WALK_PAUSE_SECONDS)

    def _walk(self, node: Node, pattern: str) -> tuple[float, list[bytes]]:
        """Scan one node for a pattern; returns the seconds spent in commands, and the keys."""
        cursor, found, spent = b"0", list[bytes](), 0.0
        while not self.stopping.is_set():
            began = time.monotonic()
            cursor, batch = self.source.call(node, "SCAN", cursor, "MATCH", pattern, "COUNT", STEP_KEYS)
            spent += time.monotonic() - began
            found += batch
            if cursor == b"0":
                break
            self.stopping.wait(STEP_PAUSE_SECONDS)
        return spent, found

    def _real_queues(self, names: set[str]) -> set[str]:
        """Of new names, those whose ``meta`` is a hash: other programs' keys may look alike."""
        ordered = sorted(names)
        types = self.source.read([("TYPE", keys.queue_base(self._prefix, name) + b"meta") for name in ordered])
        return {name for name, kind in zip(ordered, types, strict=True) if kind in (b"hash", "hash")}

    def _keep(self, found: set[str]) -> None:
        for name in set(self.queues) - set(self._seeded):
            self._misses[name] = 0 if name in found else self._misses.get(name, 0) + 1
        kept = {n for n in self.queues if n not in self._seeded and self._misses[n] < FORGET_AFTER_WALKS}
        others = sorted((found | kept) - set(self._seeded))
        names = (*self._seeded, *others)
        self.queues = names[: self._limit]
        self.dropped = max(0, len(names) - self._limit)
        self._misses = {n: m for n, m in self._misses.items() if n in self.queues}

    def _measure_clock(self) -> None:
        """Redis's clock against ours, from a quick enough answer of TIME on any master."""
        node = self.source.masters("keyspace")[0]
        before = time.time()
        seconds, micros = self.source.call(node, "TIME")
        after = time.time()
        if after - before < 0.2:
            self.source.clock_offset = int(seconds) + int(micros) / 1e6 - (before + after) / 2

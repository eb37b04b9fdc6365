"""Follows the ``events`` streams of every queue and hands their entries on, in order, each once.

BullMQ trims a stream to about 10,000 entries, four a job: at full speed that is a quarter of a second,
so entries are read as they come and lost ones are counted. Ids are Redis's clock in milliseconds.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from redis.exceptions import RedisError, ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.redis import Node

log = logging.getLogger(__name__)

Entry = tuple[int, bytes, bytes]
"""(milliseconds of the id, event, job id); every other field is dropped unread."""

BLOCK_MS = 1000
GATHER_SECONDS = 0.05
"""After a read that found something: wait for more, so that a busy site costs 20 reads a second."""

POLL_SECONDS = 0.1
"""A cluster node with streams in several slots can't block on them all at once."""

MAX_COUNT = 2000
MIN_COUNT = 20
READ_BYTES = 4_000_000
"""A ``completed`` entry carries the job's whole result: the number of entries a read asks for shrinks
so that one answer stays about this large."""

AUDIT_SECONDS = 10.0
STOPPED_SECONDS = 3.0
"""More than a read that finds nothing takes."""

BACKFILL_ENTRIES = 10_000
BACKFILL_BYTES = 4_000_000
BACKFILL_STEP = 200

MAX_LEFT = 1000
"""Queues that are gone and remembered."""


class Sink(Protocol):
    """Who takes the entries (queue_events)."""

    def backfill(self, queue: str, entries: Sequence[Entry]) -> None:
        """Take what happened before we came: state, nothing to count."""

    def apply(self, queue: str, entries: Iterable[Entry]) -> None:
        """Take what happened now."""

    def lost(self, queue: str, entries: int, before_ms: float) -> None:
        """Take the number of entries that were gone before they were read; all since ``before_ms`` were read."""

    def forget(self, queue: str) -> None:
        """A queue is gone."""


@dataclass
class _Stream:
    queue: str
    key: bytes
    last_id: bytes = b"0-0"
    read: int = 0
    """Entries read since ``added_base``."""
    added_base: int | None = None
    """XINFO entries-added at a moment when all had been read; None before Redis 7."""
    audited_id: bytes = b""
    entry_bytes: float = 500.0


def parse(raw: Iterable[tuple[bytes, list[bytes]]]) -> tuple[list[Entry], int]:
    """Entries of an XREAD or XRANGE answer, and the bytes they held.

    BullMQ writes ``event`` first and ``jobId`` second; an entry that does not look so is skipped.
    """
    entries: list[Entry] = []
    size = 0
    for id_, fields in raw:
        if not fields or fields[0] != b"event":
            continue
        count = len(fields)
        for index in range(5, count, 2):
            size += len(fields[index])
        job = fields[3] if count > 3 and fields[2] == b"jobId" else b""
        entries.append((int(id_.partition(b"-")[0]), fields[1], job))
    return entries, size


class EventTail(Follower):
    """One thread that follows all streams: blocking where they share a slot, polling where not."""

    name = "events"
    retry_seconds = 0.5

    def __init__(self, keyspace: Keyspace, sink: Sink) -> None:
        super().__init__()
        self._keyspace = keyspace
        self._source = keyspace.source
        self._sink = sink
        self._streams: dict[str, _Stream] = {}
        self._left: dict[str, _Stream] = {}
        """Streams of queues that are gone, as far as they were read: a walk may have missed a queue that is there."""
        self._foreign: set[str] = set()
        """Queues whose events can't be followed; looked at again when they have been away."""
        self._next_audit = 0.0
        self._counts_entries = True
        self._gap = False
        self._read_at = 0.0

    @property
    def queues(self) -> tuple[str, ...]:
        """The queues that are followed."""
        return tuple(self._streams)

    @property
    def counts_entries(self) -> bool:
        """Whether this Redis tells how many entries were ever added (7 and later), so loss is known."""
        return self._counts_entries

    def step(self) -> float:
        """Read each stream once; the caller comes back after what this returns."""
        self._keyspace.require_first_walk()
        try:
            self._follow_new_queues()
            found, blocked = self._read_all()
            self._notice_a_stop()
            if time.monotonic() >= self._next_audit or self._gap:
                self._audit()
                self._next_audit, self._gap = time.monotonic() + AUDIT_SECONDS, False
        except (SourceError, ResponseError, OSError) as error:
            self._gap = True
            if "WRONGTYPE" in str(error):
                self._leave_out(self._no_streams(list(self._streams)))
            self._source.refresh()
            raise
        if found >= MAX_COUNT:
            return 0.0
        return GATHER_SECONDS if found else 0.0 if blocked else POLL_SECONDS

    def _notice_a_stop(self) -> None:
        """A process that was stopped for a while has missed as much as one that was cut off."""
        now = time.monotonic()
        if self._read_at and now - self._read_at > STOPPED_SECONDS:
            self._gap = True
        self._read_at = now

    # -- which streams -----------------------------------------------------------------------------

    def _follow_new_queues(self) -> None:
        queues = self._keyspace.queues
        if len(queues) == len(self._streams) + len(self._foreign) and all(
            queue in self._streams or queue in self._foreign for queue in queues
        ):
            return
        first = not self._streams
        for queue in set(self._streams) - set(queues):
            self._left[queue] = self._streams.pop(queue)
            self._sink.forget(queue)
        while len(self._left) > MAX_LEFT:
            del self._left[next(iter(self._left))]
        self._foreign &= set(queues)
        new = [queue for queue in queues if queue not in self._streams and queue not in self._foreign]
        self._leave_out(self._no_streams(new))
        kept = {queue: self._left.pop(queue, None) for queue in new}
        made = {queue: kept[queue] or _Stream(queue, self._key(queue)) for queue in new if queue not in self._foreign}
        for queue, stream in made.items():
            if kept[queue]:  # it is back: on from where it was left, so that nothing counts twice
                stream.audited_id = b""
                self._backfill(stream, stream.last_id)
            elif first:
                self._backfill(stream)
            else:  # it appeared since we watch, so all of it is read and all of it counts
                stream.added_base = 0
        self._streams.update(made)

    def _key(self, queue: str) -> bytes:
        return keys.queue_base(self._source.settings.bullmq_prefix, queue) + b"events"

    def _no_streams(self, queues: Sequence[str]) -> set[str]:
        """Those whose ``events`` key is no stream: it is not BullMQ's, and would fail the reads of all."""
        kinds = self._source.read([("TYPE", self._key(queue)) for queue in queues])
        return {
            queue
            for queue, kind in zip(queues, kinds, strict=True)
            if isinstance(kind, bytes) and kind not in (b"stream", b"none")
        }

    def _leave_out(self, queues: set[str]) -> None:
        for queue in sorted(queues):
            log.warning("events of queue %r left out: its events key is no stream", queue)
            if self._streams.pop(queue, None) is not None:
                self._sink.forget(queue)
        self._foreign |= queues

    def _backfill(self, stream: _Stream, upper: bytes = b"+") -> None:
        """Learn from the newest entries up to ``upper`` which jobs wait and run, without counting anything."""
        node = self._source.master_of(stream.key, "events")
        newest: list[Entry] = []
        size = 0
        while len(newest) < BACKFILL_ENTRIES and size < BACKFILL_BYTES and not self.stopping.is_set():
            raw = self._source.call(node, "XREVRANGE", stream.key, upper, "-", "COUNT", BACKFILL_STEP)
            if not raw:
                break
            if not newest and upper == b"+":
                stream.last_id = raw[0][0]
            entries, read = parse(raw)
            newest += entries
            size += read
            if len(raw) < BACKFILL_STEP:
                break
            upper = b"(" + raw[-1][0]
        self._sink.backfill(stream.queue, newest[::-1])

    # -- reading -----------------------------------------------------------------------------------

    def _read_all(self) -> tuple[int, bool]:
        """Read every stream once; returns the most entries that one read found, and whether it blocked."""
        if not self._source.cluster:
            node, streams = self._source.nodes("events")[0], list(self._streams.values())
            block = self.first_success.is_set()  # the first read does not wait for news: it shows that reading works
            return self._read_one(node, streams, block=block), True
        by_node: dict[str, tuple[Node, dict[int, list[_Stream]]]] = {}
        for stream in self._streams.values():
            node = self._source.master_of(stream.key, "events")
            slots = by_node.setdefault(node.name, (node, {}))[1]
            slots.setdefault(self._source.slot(stream.key), []).append(stream)
        most, problem = 0, None
        for node, slots in by_node.values():
            try:
                most = max(most, *(self._read_one(node, group, block=False) for group in slots.values()))
            except (SourceError, ResponseError) as error:
                problem = error  # the other nodes are read all the same
        if problem is not None:
            raise problem
        return most, False

    def _read_one(self, node: Node, streams: list[_Stream], *, block: bool) -> int:
        if not streams:
            self.stopping.wait(POLL_SECONDS)
            return 0
        heaviest = max(stream.entry_bytes for stream in streams)
        count = int(min(MAX_COUNT, max(MIN_COUNT, READ_BYTES / heaviest)))
        timeout_ms = self._source.settings.redis_timeout_seconds * 1000
        # BLOCK 0 would be for ever
        wait = ("BLOCK", max(1, int(min(BLOCK_MS, timeout_ms / 2)))) if block else ()
        which = (*(s.key for s in streams), *(s.last_id for s in streams))
        answer = self._source.call(node, "XREAD", "COUNT", count, *wait, "STREAMS", *which)
        by_key = {stream.key: stream for stream in streams}
        most = 0
        for key, raw in _pairs(answer):
            self._take(by_key[key], raw)
            most = max(most, MAX_COUNT if len(raw) >= count else len(raw))
        return most

    def _take(self, stream: _Stream, raw: Sequence[tuple[bytes, list[bytes]]]) -> None:
        entries, size = parse(raw)
        stream.last_id = raw[-1][0]
        stream.read += len(raw)
        stream.entry_bytes = max(500.0, 0.5 * stream.entry_bytes, size / len(raw))
        self._sink.apply(stream.queue, entries)

    # -- what was lost -----------------------------------------------------------------------------

    def _audit(self) -> None:
        """Compare the entries that Redis ever added with those that were read, stream by stream."""
        for stream in self._streams.values():
            if stream.last_id == stream.audited_id and not self._gap:
                continue
            node = self._source.master_of(stream.key, "events")
            # back to back; where something was added between the two, _compare sees it and waits
            pipe = node.client.pipeline(transaction=False)
            pipe.execute_command("XREAD", "COUNT", MIN_COUNT, "STREAMS", stream.key, stream.last_id)
            pipe.execute_command("XINFO STREAM", stream.key)
            try:
                answer, info = pipe.execute(raise_on_error=False)
            except RedisError as error:
                raise self._source.down(error, node.name) from error
            if isinstance(answer, ResponseError):
                raise answer
            for _, raw in _pairs(answer):
                self._take(stream, raw)
            if isinstance(info, ResponseError):
                self._missing(stream, info)
            else:
                self._compare(stream, info)
            stream.audited_id = stream.last_id

    def _missing(self, stream: _Stream, error: ResponseError) -> None:
        """No such key: never made, expired while idle, or deleted; what it held unread is unknowable."""
        if "no such key" not in str(error).lower():
            self._counts_entries = False  # forbidden; until an answer comes
            return
        if self._gap and (stream.added_base or stream.read):
            self._sink.lost(stream.queue, 1, math.inf)
        stream.added_base, stream.read = 0, 0

    def _compare(self, stream: _Stream, info: Sequence[Any]) -> None:
        facts = dict(zip(info[::2], info[1::2], strict=False))
        added, newest = facts.get(b"entries-added"), facts.get(b"last-generated-id")
        self._counts_entries = added is not None
        if added is None:
            return
        if newest is not None and _order(newest) < _order(stream.last_id):
            stream.last_id = newest  # a new stream by a slower clock, or a replica that was behind: on from its end
        elif newest != stream.last_id and facts.get(b"length"):
            return  # not all of it is read yet: the next audit compares
        if stream.added_base is not None:
            missing = added - stream.added_base - stream.read
            first = _order(facts[b"recorded-first-entry-id"])
            whole_since = first[0] if facts.get(b"length") else math.inf
            if missing > 0:
                self._sink.lost(stream.queue, missing, whole_since)
            elif missing < 0 and first > _order(stream.audited_id or b"0-0"):
                # a new stream under the old name; a replica that was behind still has what was read before
                replaced = added - stream.read
                if self._gap or replaced > 0:
                    self._sink.lost(stream.queue, max(1, replaced), whole_since)
        stream.added_base, stream.read = added, 0


def _order(entry_id: bytes) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition(b"-")
    return int(milliseconds), int(sequence)


def _pairs(answer: Any) -> Iterable[tuple[bytes, Any]]:
    return answer or ()

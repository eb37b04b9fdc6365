"""Following the streams: each entry once, what was lost, and streams that are none. Redis is a model here."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from supercheck_exporter.bullmq import events
from supercheck_exporter.bullmq.events import Entry, EventTail
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.config import load
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.redis import Command, Node, RedisSource

WRONGTYPE = ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")


@dataclass
class Stream:
    """As much of a stream as is read: entries, the newest id ever, how many were ever added."""

    entries: list[tuple[int, list[bytes]]] = field(default_factory=list)
    newest: int = 0
    added: int = 0

    def add(self, event: str, job: str = "1", times: int = 1, size: int = 0) -> None:
        for _ in range(times):
            self.newest += 1
            self.added += 1
            fields = [b"event", event.encode(), b"jobId", job.encode()]
            self.entries.append((self.newest, [*fields, *([b"returnvalue", b"x" * size] if size else [])]))

    def trim(self, keep: int) -> None:
        self.entries = self.entries[-keep:] if keep else []


def id_of(number: int) -> bytes:
    return f"{number}-0".encode()


def number_of(text: bytes | str) -> float:
    word = text.decode() if isinstance(text, bytes) else text
    if word in ("+", "-"):
        return float("inf") if word == "+" else 0
    return int(word.lstrip("(").partition("-")[0]) - (0.5 if word.startswith("(") else 0)


class Model:
    """Streams by their keys; answers the commands of the follower, or fails them."""

    where = "redis:6379"
    cluster = False

    def __init__(self) -> None:
        self.settings = load({})
        self.streams: dict[bytes, Stream | str] = {}
        self.problem: Exception | None = None
        self.info_problem: ResponseError | None = None
        self.entries_added = True
        self.refreshed = 0
        self.counts: list[int] = []

    def stream(self, queue: str) -> Stream:
        found = self.streams.setdefault(f"bull:{queue}:events".encode(), Stream())
        assert isinstance(found, Stream)
        return found

    # -- what the exporter calls --

    def nodes(self, purpose: str) -> list[Node]:
        return [Node(self.where, "master", self)]

    def master_of(self, key: bytes, purpose: str) -> Node:
        return self.nodes(purpose)[0]

    def refresh(self) -> None:
        self.refreshed += 1

    def down(self, error: Exception, where: str = "") -> SourceError:
        return SourceError(str(error))

    def read(self, commands: Sequence[Command]) -> list[Any]:
        kinds = {Stream: b"stream", str: b"string", type(None): b"none"}
        return [kinds[type(self.streams.get(bytes(key)))] for _, key in commands]  # type: ignore[arg-type]

    def call(self, node: Node, *words: Any) -> Any:
        answer = self.answer(words)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pipeline(self, transaction: bool) -> Model:
        self.commands: list[tuple[Any, ...]] = []
        return self

    def execute_command(self, *words: Any) -> None:
        self.commands.append(words)

    def execute(self, raise_on_error: bool) -> list[Any]:
        return [self.answer(words) for words in self.commands]

    # -- answers --

    def answer(self, words: tuple[Any, ...]) -> Any:
        if self.problem is not None:
            return self.problem
        return {"XREAD": self._read, "XREVRANGE": self._backwards, "XINFO STREAM": self._info}[words[0]](words)

    def _read(self, words: tuple[Any, ...]) -> Any:
        names = words[words.index("STREAMS") + 1 :]
        count = words[words.index("COUNT") + 1]
        self.counts.append(count)
        found = []
        for key, last in zip(names[: len(names) // 2], names[len(names) // 2 :], strict=True):
            stream = self.streams.get(key)
            if isinstance(stream, str):
                return WRONGTYPE
            new = [(id_of(n), f) for n, f in stream.entries if n > number_of(last)][:count] if stream else []
            if new:
                found.append([key, new])
        return found or None

    def _backwards(self, words: tuple[Any, ...]) -> Any:
        _, key, upper, _, _, count = words
        stream = self.streams.get(key)
        if isinstance(stream, str):
            return WRONGTYPE
        return [(id_of(n), f) for n, f in reversed(stream.entries) if n <= number_of(upper)][:count] if stream else []

    def _info(self, words: tuple[Any, ...]) -> Any:
        if self.info_problem is not None:
            return self.info_problem
        stream = self.streams.get(words[1])
        if not isinstance(stream, Stream):
            return ResponseError("ERR no such key") if stream is None else WRONGTYPE
        facts = [b"length", len(stream.entries), b"last-generated-id", id_of(stream.newest)]
        facts += [b"recorded-first-entry-id", id_of(stream.entries[0][0]) if stream.entries else b"0-0"]
        return facts + ([b"entries-added", stream.added] if self.entries_added else [])


class Sink:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.past: dict[str, list[Entry]] = {}
        self.entries: dict[str, list[Entry]] = {}
        self.losses: dict[str, list[int]] = {}
        self.whole_since: dict[str, float] = {}
        self.forgotten: list[str] = []

    def backfill(self, queue: str, entries: Sequence[Entry]) -> None:
        self.past[queue] = list(entries)

    def apply(self, queue: str, entries: Any) -> None:
        self.entries.setdefault(queue, []).extend(entries)

    def lost(self, queue: str, entries: int, before_ms: float) -> None:
        self.losses.setdefault(queue, []).append(entries)
        self.whole_since[queue] = before_ms

    def forget(self, queue: str) -> None:
        self.forgotten.append(queue)


class Site:
    def __init__(self, *queues: str) -> None:
        self.model = Model()
        self.keyspace = Keyspace(cast("RedisSource", self.model))
        self.keyspace.queues = queues
        self.keyspace.first_success.set()
        self.sink = Sink()
        self.tail = EventTail(self.keyspace, self.sink)

    def steps(self, count: int = 1) -> None:
        """Each step audits, as if ten seconds had passed."""
        for _ in range(count):
            vars(self.tail)["_next_audit"] = 0.0
            self.tail.step()

    def fail_once(self) -> None:
        self.model.problem = SourceError("Redis is gone")
        with pytest.raises(SourceError):
            self.steps()
        self.model.problem = None

    def read(self, queue: str) -> list[str]:
        return [event.decode() for _, event, _ in self.sink.entries.get(queue, [])]


@pytest.fixture
def site() -> Site:
    return Site("a", "b")


# -- following -------------------------------------------------------------------------------------


def test_nothing_is_read_before_the_queues_are_known(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BLOCK_MS", 1)
    site.keyspace.first_success.clear()
    site.keyspace.error = "Redis is frozen"
    with pytest.raises(SourceError, match="Redis is frozen"):
        site.tail.step()


def test_what_was_before_is_handed_on_as_the_past(site: Site) -> None:
    site.model.stream("a").add("added", times=3)
    site.steps()
    assert [ms for ms, _, _ in site.sink.past["a"]] == [1, 2, 3]
    assert site.sink.past["b"] == []
    assert site.sink.entries == {}


def test_what_happens_now_is_handed_on_once_and_in_order(site: Site) -> None:
    site.model.stream("a").add("added")
    site.steps()
    site.model.stream("a").add("waiting")
    site.model.stream("b").add("added")
    site.steps(3)
    site.model.stream("a").add("active")
    site.steps(3)
    assert (site.read("a"), site.read("b")) == (["waiting", "active"], ["added"])
    assert site.sink.losses == {}


def test_a_long_past_is_read_in_steps_and_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BACKFILL_ENTRIES", 1000)
    site.model.stream("a").add("added", times=5000)
    site.steps()
    moments = [ms for ms, _, _ in site.sink.past["a"]]
    assert moments == list(range(4001, 5001))
    site.model.stream("a").add("waiting")
    site.steps()
    assert site.read("a") == ["waiting"]


def test_a_past_of_large_results_is_bounded_by_its_size(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "BACKFILL_BYTES", 1_000_000)
    site.model.stream("a").add("completed", times=1000, size=10_000)
    site.steps()
    assert len(site.sink.past["a"]) == events.BACKFILL_STEP


def test_large_results_make_reads_smaller(site: Site) -> None:
    site.steps()
    assert site.model.counts[0] == events.MAX_COUNT
    site.model.stream("a").add("completed", times=30, size=1_000_000)
    site.steps()
    site.model.counts.clear()
    site.steps()
    assert site.model.counts[0] == events.MIN_COUNT


def test_a_full_read_is_followed_at_once_by_the_next(site: Site) -> None:
    site.steps()
    assert site.tail.step() == 0.0  # it blocked
    site.model.stream("a").add("added", times=events.MAX_COUNT)
    assert site.tail.step() == 0.0
    site.model.stream("a").add("added", times=3)
    assert site.tail.step() == events.GATHER_SECONDS
    assert len(site.read("a")) == events.MAX_COUNT + 3


def test_a_queue_that_appears_later_counts_from_its_start(site: Site) -> None:
    site.steps()
    site.model.stream("new").add("added", times=4)
    site.keyspace.queues = ("a", "b", "new")
    site.steps(2)
    assert "new" not in site.sink.past
    assert site.read("new") == ["added"] * 4
    assert site.sink.losses == {}


def test_a_queue_that_goes_is_forgotten(site: Site) -> None:
    site.steps()
    site.keyspace.queues = ("a",)
    site.steps()
    assert site.sink.forgotten == ["b"]
    assert site.tail.queues == ("a",)


def test_a_queue_that_a_walk_missed_goes_on_where_it_was_left(site: Site) -> None:
    """What was counted before it went is the past when it comes back; what happened meanwhile counts once."""
    site.steps()
    site.model.stream("b").add("added", times=4)
    site.steps()
    site.keyspace.queues = ("a",)
    site.steps()
    site.model.stream("b").add("completed", times=2)
    site.keyspace.queues = ("a", "b")
    site.steps(2)
    assert site.read("b") == ["added"] * 4 + ["completed"] * 2
    assert [event for _, event, _ in site.sink.past["b"]] == [b"added"] * 4
    assert site.sink.losses == {}


def test_what_was_trimmed_while_a_queue_was_away_is_a_loss(site: Site) -> None:
    site.steps()
    site.model.stream("b").add("added", times=4)
    site.steps()
    site.keyspace.queues = ("a",)
    site.steps()
    site.model.stream("b").add("added", times=9)
    site.model.stream("b").trim(2)
    site.keyspace.queues = ("a", "b")
    site.steps(2)
    assert site.read("b") == ["added"] * 6
    assert site.sink.losses == {"b": [7]}


def test_of_queues_that_are_gone_only_so_many_are_remembered(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_LEFT", 1)
    for queue in "ab":
        site.model.stream(queue).add("added")
    site.steps()
    for names in (("b", "c"), ("c",), ("a", "b", "c")):
        site.keyspace.queues = names
        site.steps()
    assert site.read("a") == ["added"]  # as if it were new
    assert site.read("b") == []


def test_blocking_is_never_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, ...]] = []
    call = site.model.call
    site.model.settings = load({"REDIS_TIMEOUT_SECONDS": "0.001"})

    def noted(node: Node, *words: Any) -> Any:
        asked.append(words)
        return call(node, *words)

    monkeypatch.setattr(site.model, "call", noted)
    site.tail.attempt()  # the first read does not wait for news
    site.tail.attempt()
    first, second = [words for words in asked if words[0] == "XREAD"]
    assert "BLOCK" not in first
    assert second[second.index("BLOCK") + 1] >= 1


# -- losing ----------------------------------------------------------------------------------------


def test_entries_trimmed_before_they_were_read(site: Site) -> None:
    stream = site.model.stream("a")
    site.steps()
    stream.add("added", times=100)
    stream.trim(30)
    site.steps()
    assert len(site.read("a")) == 30
    assert (site.sink.losses, site.sink.whole_since) == ({"a": [70]}, {"a": 71})
    stream.add("added", times=5)
    site.steps(2)
    assert site.sink.losses == {"a": [70]}


def test_trimming_what_was_read_loses_nothing(site: Site) -> None:
    stream = site.model.stream("a")
    stream.add("added", times=10)
    site.steps()
    stream.trim(0)
    stream.add("added", times=5)
    site.steps(2)
    assert site.sink.losses == {}


def test_a_stream_that_vanishes_after_it_was_read_loses_nothing(site: Site) -> None:
    site.model.stream("a").add("added", times=10)
    site.steps()
    newest = site.model.stream("a").newest
    del site.model.streams[b"bull:a:events"]
    site.steps()
    site.model.stream("a").newest = newest
    site.model.stream("a").add("waiting", times=3)
    site.steps(2)
    assert (site.read("a"), site.sink.losses) == (["waiting"] * 3, {})


def test_a_stream_that_was_replaced_while_nobody_read(site: Site) -> None:
    site.model.stream("a").add("added", times=10)
    site.steps()
    site.fail_once()
    site.model.streams[b"bull:a:events"] = Stream(newest=100)
    site.model.stream("a").add("waiting", times=3)
    site.steps(2)
    assert site.read("a") == ["waiting"] * 3
    assert site.sink.losses == {"a": [1]}  # how many there were is unknowable


def test_a_restart_that_lost_everything_is_a_loss_of_those_that_had_any(site: Site) -> None:
    site.model.stream("a").add("added", times=10)
    site.steps()
    site.fail_once()
    site.model.streams.clear()
    site.steps(2)
    assert site.sink.losses == {"a": [1]}
    assert site.model.refreshed == 1


def test_a_connection_that_broke_loses_nothing_by_itself(site: Site) -> None:
    site.model.stream("a").add("added", times=10)
    site.steps()
    site.fail_once()
    site.model.stream("a").add("waiting", times=2)
    site.steps(2)
    assert (site.read("a"), site.sink.losses) == (["waiting"] * 2, {})


def test_a_stream_that_was_replaced_while_the_exporter_was_stopped(site: Site) -> None:
    site.model.stream("a").add("added", times=10)
    site.steps()
    site.model.stream("a").add("waiting", times=4)  # these are never read
    site.model.streams[b"bull:a:events"] = Stream(newest=100)
    site.model.stream("a").add("active", times=3)
    vars(site.tail)["_read_at"] -= 60
    site.steps()
    assert site.read("a") == ["active"] * 3
    assert site.sink.losses == {"a": [1]}


def test_a_replica_that_was_behind_is_no_loss(site: Site) -> None:
    """After a failover the newest entries may be missing; they were read before."""
    stream = site.model.stream("a")
    stream.add("added", times=1000)
    site.steps()
    stream.add("waiting", times=50)
    site.tail.step()
    site.fail_once()
    stream.entries, stream.newest, stream.added = stream.entries[:-10], stream.newest - 10, stream.added - 10
    site.steps()
    stream.add("active", times=2)
    site.steps(2)
    assert site.read("a") == ["waiting"] * 50 + ["active"] * 2
    assert site.sink.losses == {}


def test_a_redis_that_does_not_count_says_nothing_of_losses(site: Site) -> None:
    site.model.entries_added = False
    stream = site.model.stream("a")
    stream.add("added")
    site.steps()
    stream.add("added", times=100)
    stream.trim(10)
    site.steps(2)
    assert not site.tail.counts_entries
    assert site.sink.losses == {}


def test_a_refusal_says_nothing_of_losses_until_it_ends(site: Site) -> None:
    site.model.info_problem = NoPermissionError("this user has no permissions to run 'xinfo'")
    site.model.stream("a").add("added")
    site.steps()
    assert not site.tail.counts_entries
    site.model.info_problem = None
    site.model.stream("a").add("added")
    site.steps()
    assert site.tail.counts_entries


# -- what is no stream -----------------------------------------------------------------------------


def test_a_key_of_another_type_does_not_cost_the_other_queues(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    site.model.streams[b"bull:b:events"] = "a string"
    site.steps(3)
    site.model.stream("a").add("added")
    site.steps()
    assert site.read("a") == ["added"]
    assert site.tail.queues == ("a",)
    assert [record.getMessage() for record in caplog.records] == [
        "events of queue 'b' left out: its events key is no stream"
    ]


def test_a_key_that_changes_its_type(site: Site) -> None:
    site.steps()
    site.model.streams[b"bull:b:events"] = "a string"
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        site.steps()
    site.model.stream("a").add("added")
    site.steps()
    assert (site.read("a"), site.sink.forgotten) == (["added"], ["b"])

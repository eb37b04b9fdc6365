"""Which queues and heartbeats exist: seeded, found, forgotten, bounded. Redis is a model here."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Sequence
from typing import Any, cast

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from supercheck_exporter.bullmq import keyspace as module
from supercheck_exporter.bullmq.keyspace import HEARTBEAT_PREFIX, Keyspace
from supercheck_exporter.config import load
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.redis import Command, Node, RedisSource


class Model:
    """Keys by node, two to a batch; a hash unless another type is given."""

    def __init__(self, *nodes: set[bytes], **env: str) -> None:
        self.settings = load({"BULLMQ_QUEUES": "seeded"} | env)
        self.keys = list(nodes)
        self.kinds: dict[bytes, object] = {}
        self.problem: Exception | None = None
        self.clock_offset = 0.0

    def masters(self, purpose: str) -> list[Node]:
        return [Node(f"node-{number}:6379", "master", number) for number in range(len(self.keys))]

    def read(self, commands: Sequence[Command]) -> list[Any]:
        return [self.kinds.get(bytes(key), b"hash") for _, key in commands]  # type: ignore[arg-type]

    def call(self, node: Node, command: str, *words: Any) -> Any:
        if self.problem is not None:
            raise self.problem
        if command == "TIME":
            return [b"1000", b"500000"]
        assert command == "SCAN"
        at, pattern = int(words[0]), words[2].replace("\\", "")
        names = sorted(self.keys[node.client])
        following = at + 2 if at + 2 < len(names) else 0
        found = [name for name in names[at : at + 2] if fnmatch.fnmatchcase(name.decode("latin-1"), pattern)]
        return [str(following).encode(), found]


def meta(*queues: str) -> set[bytes]:
    return {f"bull:{queue}:meta".encode() for queue in queues}


def keyspace(model: Model) -> Keyspace:
    return Keyspace(cast("RedisSource", model))


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_PAUSE_SECONDS", 0.0)


def test_seeded_queues_are_known_from_the_start() -> None:
    found = keyspace(Model(set()))
    assert found.queues == ("seeded",)
    found.step()
    assert (found.queues, found.seen) == (("seeded",), frozenset())


def test_queues_of_all_masters_are_found() -> None:
    found = keyspace(Model(meta("b", "a") | {b"bull:a:1", b"bull:a:wait"}, meta("c", "seeded")))
    found.step()
    assert found.queues == ("seeded", "a", "b", "c")
    assert found.seen == {"a", "b", "c", "seeded"}


@pytest.mark.parametrize("kind", [b"string", b"list", b"none", ResponseError("MOVED"), NoPermissionError("no")])
def test_a_key_that_looks_like_a_queue_is_none(kind: object) -> None:
    model = Model(meta("foreign", "real"))
    model.kinds[b"bull:foreign:meta"] = kind
    found = keyspace(model)
    found.step()
    assert found.queues == ("seeded", "real")


def test_a_queue_goes_after_it_was_missed_twice() -> None:
    model = Model(meta("a", "b"))
    found = keyspace(model)
    found.step()
    seen = []
    for keys in (meta("b"), meta("b"), meta("a", "b")):
        model.keys = [keys]
        found.step()
        seen.append(found.queues)
    assert seen == [("seeded", "a", "b"), ("seeded", "b"), ("seeded", "a", "b")]


def test_a_queue_that_was_missed_once_starts_anew() -> None:
    model = Model(meta("a"))
    found = keyspace(model)
    for keys in (meta("a"), set(), meta("a"), set(), meta("a")):
        model.keys = [keys]
        found.step()
        assert found.queues == ("seeded", "a")


def test_seeded_queues_stay() -> None:
    found = keyspace(Model(set()))
    for _ in range(5):
        found.step()
    assert found.queues == ("seeded",)


def test_there_is_a_most() -> None:
    found = keyspace(Model(meta(*(f"q{number:03}" for number in range(50))), BULLMQ_MAX_QUEUES="10"))
    for _ in range(3):
        found.step()
        assert len(found.queues) == 10
        assert found.queues[:2] == ("seeded", "q000")
        assert found.dropped == 41


def test_heartbeats_are_found_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HEARTBEATS", 3)
    beats = {HEARTBEAT_PREFIX + f"w{number}-1".encode() for number in range(5)}
    model = Model(beats | {b"supercheck:other"})
    found = keyspace(model)
    found.step()
    assert found.heartbeats == tuple(HEARTBEAT_PREFIX + f"w{number}-1".encode() for number in range(3))
    model.keys = [set()]
    found.step()
    assert found.heartbeats == ()


def test_a_walk_that_breaks_off_changes_nothing() -> None:
    """A node that is down must not look like queues that are gone."""
    model = Model(meta("a"))
    found = keyspace(model)
    found.step()
    model.problem = SourceError("down")
    for _ in range(5):
        with pytest.raises(SourceError):
            found.step()
    assert found.queues == ("seeded", "a")


def test_redis_s_clock_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 900.0)
    model = Model(set())
    keyspace(model).step()
    assert model.clock_offset == pytest.approx(100.5)


def test_a_slow_answer_says_nothing_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([900.0, 901.0])
    monkeypatch.setattr(time, "time", lambda: next(moments))
    model = Model(set())
    keyspace(model).step()
    assert model.clock_offset == 0.0


@pytest.mark.parametrize(("seconds", "rest"), [(0.0, 10.0), (1.0, 20.0), (100.0, 60.0)])
def test_the_rest_grows_with_the_cost_and_is_bounded(
    monkeypatch: pytest.MonkeyPatch, seconds: float, rest: float
) -> None:
    found = keyspace(Model(set()))
    monkeypatch.setattr(Keyspace, "_walk", lambda *_: (seconds / 2, []))
    assert found.step() == rest

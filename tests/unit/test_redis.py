"""The redis collector on canned answers: what is a sample, what is unknown, and who is asked."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from supercheck_exporter.collectors.redis import RedisCollector
from supercheck_exporter.config import load
from supercheck_exporter.core import Sample, SourceError
from supercheck_exporter.sources.redis import Command, Node, RedisSource

NOW = 1_700_000_000.0
INFO = """\
# Server\r
run_id:{run_id}\r
uptime_in_seconds:{uptime}\r
# Clients\r
connected_clients:7\r
maxclients:10000\r
# Memory\r
used_memory:1048576\r
maxmemory:{maxmemory}\r
maxmemory_policy:{policy}\r
# Persistence\r
aof_enabled:{aof}\r
# Stats\r
total_commands_processed:1000\r
keyspace_hits:30\r
keyspace_misses:10\r
evicted_keys:0\r
# Replication\r
role:{role}\r
{replication}# Keyspace\r
db0:keys=42,expires=0,avg_ttl=0\r
"""


def info(**values: object) -> bytes:
    base: dict[str, object] = {
        "run_id": "run-1", "uptime": 60, "maxmemory": 0, "policy": "noeviction", "aof": 0, "role": "master",
        "replication": "",
    }  # fmt: skip
    return INFO.format(**base | values).encode()


class Canned(RedisSource):
    """A source whose nodes answer what ``answers`` holds by name and command; a name that is not there is down."""

    def __init__(self, **env: str) -> None:
        super().__init__(load({"REDIS_HOST": "redis"} | env))
        self.answers: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.time = NOW

    def now(self) -> float:
        return self.time

    def client(self, host: str, port: int, purpose: str) -> str:
        return f"{purpose} {host}:{port}"

    def read_node(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        words = [" ".join(map(str, command)) for command in commands]
        self.asked += [f"{node.name} {word}" for word in words]
        if node.name not in self.answers:
            raise SourceError(f"Redis at {node.name} does not answer")
        return [self.answers[node.name].get(word, ResponseError("ERR unknown")) for word in words]

    def answer(self, name: str, text: bytes | Exception, save: object = "", **more: Any) -> None:
        config = [b"save", save.encode()] if isinstance(save, str) else save
        self.answers[name] = {"PING": b"PONG", "INFO": text, "CONFIG GET save": config, **more}


Numbers = dict[str, dict[tuple[str, ...], float]]


def numbers(samples: Sequence[Sample]) -> Numbers:
    """name without the prefix -> labels -> value."""
    found: Numbers = {}
    for sample in samples:
        assert isinstance(sample.value, int | float)
        found.setdefault(sample.desc.name.removeprefix("supercheck_redis_"), {})[sample.labels] = sample.value
    return found


def collect(collector: RedisCollector) -> Numbers:
    return numbers(list(collector.collect()))


MASTER = ("redis:6379", "master")


def test_a_single_server() -> None:
    source = Canned()
    source.answer("redis:6379", info(maxmemory=268435456, policy="allkeys-lru", aof=1))
    found = collect(RedisCollector(source))
    assert {name: values[MASTER] for name, values in found.items()} == {
        "node_up": 1,
        "start_timestamp_seconds": NOW - 60,
        "keys": 42,
        "memory_used_bytes": 1048576,
        "memory_limit_bytes": 268435456,
        "clients": 7,
        "client_limit": 10000,
        "evicted_keys_total": 0,
        "keyspace_hits_total": 30,
        "keyspace_misses_total": 10,
        "commands_total": 1000,
        "persistence_enabled": 1,
        "eviction_policy_safe": 0,
    }


def test_no_limit_is_absent_and_not_zero() -> None:
    source = Canned()
    source.answer("redis:6379", info())
    assert "memory_limit_bytes" not in collect(RedisCollector(source))


@pytest.mark.parametrize(
    ("aof", "save", "expected"),
    [(1, "", 1), (1, NoPermissionError(), 1), (0, "3600 1 300 100", 1), (0, "", 0), (0, NoPermissionError(), None)],
)
def test_persistence(aof: int, save: object, expected: float | None) -> None:
    source = Canned()
    source.answer("redis:6379", info(aof=aof), save)
    assert collect(RedisCollector(source)).get("persistence_enabled", {}).get(MASTER) == expected


def test_a_refused_config_get_is_not_tried_at_each_scrape() -> None:
    source = Canned()
    source.answer("redis:6379", info(), NoPermissionError())
    collector = RedisCollector(source)
    collect(collector)
    collect(collector)
    assert source.asked.count("redis:6379 CONFIG GET save") == 1
    assert source.asked.count("redis:6379 INFO") == 2


def test_without_info_it_is_up_and_nothing_else_is_known() -> None:
    source = Canned()
    source.answer("redis:6379", NoPermissionError(), NoPermissionError())
    assert collect(RedisCollector(source)) == {"node_up": {MASTER: 1}}


def test_the_moment_of_the_start_does_not_move_with_the_whole_seconds_of_the_uptime() -> None:
    source = Canned()
    source.answer("redis:6379", info(uptime=60))
    collector = RedisCollector(source)
    first = collect(collector)["start_timestamp_seconds"][MASTER]
    source.time += 1.4
    assert collect(collector)["start_timestamp_seconds"][MASTER] == first
    source.answer("redis:6379", info(uptime=1))
    assert collect(collector)["start_timestamp_seconds"][MASTER] == round(source.time) - 1


def test_nobody_answers() -> None:
    collector = RedisCollector(Canned())
    with pytest.raises(SourceError, match="Redis at redis:6379 does not answer") as caught:
        list(collector.collect())
    assert numbers(caught.value.samples) == {"node_up": {MASTER: 0}}
    assert collector.problems == {"redis:6379": "Redis at redis:6379 does not answer"}


REPLICATION = "master_repl_offset:5000\r\nslave0:ip=10.0.0.6,port=6379,state=online,offset=4000,lag=0\r\n"
REPLICA = ("10.0.0.6:6379", "replica")


def test_a_replica_is_found_and_asked_on_the_first_scrape_and_missed_when_it_is_gone() -> None:
    source = Canned()
    source.answer("redis:6379", info(replication=REPLICATION))
    source.answer("10.0.0.6:6379", info(run_id="run-2", role="slave"))
    collector = RedisCollector(source)
    found = collect(collector)
    assert found["node_up"] == {MASTER: 1, REPLICA: 1}
    assert found["keys"] == {MASTER: 42, REPLICA: 42}
    assert found["replication_lag_bytes"] == {REPLICA: 1000}
    source.answer("redis:6379", info())
    del source.answers["10.0.0.6:6379"]
    found = collect(collector)
    assert found["node_up"] == {MASTER: 1, REPLICA: 0}
    assert "replication_lag_bytes" not in found
    assert list(collector.problems) == ["10.0.0.6:6379"]


def test_a_seed_that_becomes_a_replica_says_so() -> None:
    source = Canned()
    source.answer("redis:6379", info(role="slave", replication="master_host:10.0.0.6\r\nmaster_port:6379\r\n"))
    source.answer("10.0.0.6:6379", info(run_id="run-2"))
    up = collect(RedisCollector(source))["node_up"]
    assert up == {("redis:6379", "replica"): 1, ("10.0.0.6:6379", "master"): 1}


def cluster_info(state: str = "ok", epoch: int = 2, mine: int = 1, **slots: int) -> bytes:
    counts = {"assigned": 16384, "ok": 16384, "pfail": 0, "fail": 0} | slots
    lines = [f"cluster_slots_{name}:{count}" for name, count in counts.items()]
    lines += [f"cluster_state:{state}", f"cluster_current_epoch:{epoch}", f"cluster_my_epoch:{mine}"]
    return "\r\n".join(lines).encode()


WELL = """\
aa 10.0.0.1:6379@16379 {0}master - 0 0 1 connected 0-8191
bb 10.0.0.2:6379@16379 {1}master - 0 0 2 connected 8192-16383
cc 10.0.0.3:6379@16379 {2}slave aa 0 0 1 connected
dd 10.0.0.4:6379@16379 {3}slave bb 0 0 2 connected
"""
ONE, TWO, THREE, FOUR = NAMES = [f"10.0.0.{n}:6379" for n in range(1, 5)]


def nodes(text: str, whose: int) -> bytes:
    """CLUSTER NODES as the node of this number answers it."""
    return text.format(*("myself," if n == whose else "" for n in range(4))).encode()


def word(text: str, whose: int, cluster: bytes) -> dict[str, bytes]:
    return {"CLUSTER NODES": nodes(text, whose), "CLUSTER INFO": cluster}


@pytest.fixture
def cluster() -> Canned:
    """Two masters and their replicas; the seed's name leads to the first one."""
    source = Canned(REDIS_CLUSTER="true")
    for n, name in enumerate(NAMES):
        role = "master" if n < 2 else "slave"
        source.answer(name, info(run_id=f"run-{n}", role=role), **word(WELL, n, cluster_info(mine=n % 2 + 1)))
    source.answers["redis:6379"] = source.answers[ONE]
    return source


def test_all_nodes_of_a_cluster_are_found_from_its_seed(cluster: Canned) -> None:
    found = collect(RedisCollector(cluster))
    assert found["node_up"] == {
        (ONE, "master"): 1, (TWO, "master"): 1, (THREE, "replica"): 1, (FOUR, "replica"): 1,
    }  # fmt: skip
    assert found["cluster_ok"] == {(): 1}
    assert found["cluster_slots"] == {
        ("assigned",): 16384, ("ok",): 16384, ("pfail",): 0, ("fail",): 0, ("unassigned",): 0,
    }  # fmt: skip
    assert (found["cluster_masters"], found["cluster_replicas"]) == ({(): 2}, {(): 2})
    assert found["cluster_masters_without_replica"] == {(): 0}
    assert found["cluster_failovers_total"] == {(): 0}
    assert found["cluster_slots_owned"] == {(ONE,): 8192, (TWO,): 8192}


PROMOTED = """\
aa 10.0.0.1:6379@16379 {0}master,fail - 0 0 1 connected
bb 10.0.0.2:6379@16379 {1}master - 0 0 2 connected 8192-16383
cc 10.0.0.3:6379@16379 {2}master - 0 0 3 connected 0-8191
dd 10.0.0.4:6379@16379 {3}slave bb 0 0 2 connected
"""


def test_a_failover_step_by_step(cluster: Canned) -> None:
    collector = RedisCollector(cluster)
    collect(collector)
    del cluster.answers[ONE], cluster.answers["redis:6379"]
    failed = WELL.replace("{0}master", "{0}master,fail")
    for n in (1, 2, 3):
        cluster.answers[NAMES[n]] |= word(failed, n, cluster_info("fail", ok=8192, fail=8192, mine=n % 2 + 1))
    found = collect(collector)
    assert found["node_up"][ONE, "master"] == 0
    assert (found["cluster_ok"][()], found["cluster_slots"]["fail",]) == (0, 8192)
    assert (found["cluster_masters"][()], found["cluster_masters_without_replica"][()]) == (1, 0)
    assert found["cluster_failovers_total"][()] == 0
    # the promoted one knows first; the others have voted, so that they know the epoch
    cluster.answers[THREE] |= word(PROMOTED, 2, cluster_info(epoch=3, mine=3))
    for n in (1, 3):
        cluster.answers[NAMES[n]] |= {"CLUSTER INFO": cluster_info("fail", ok=8192, fail=8192, epoch=3, mine=2)}
    found = collect(collector)
    assert found["node_up"][THREE, "master"] == 1
    assert found["cluster_failovers_total"][()] == 1
    assert found["cluster_ok"][()] == 0, "a master still calls it failed"
    for n in (1, 3):
        cluster.answers[NAMES[n]] |= word(PROMOTED, n, cluster_info(epoch=3, mine=2))
    found = collect(collector)
    assert (found["cluster_ok"][()], found["cluster_failovers_total"][()]) == (1, 1)
    assert found["cluster_masters_without_replica"][()] == 1
    assert found["cluster_slots_owned"] == {(TWO,): 8192, (THREE,): 8192}


def test_a_node_that_is_cut_off_from_the_others_does_not_speak_for_them(cluster: Canned) -> None:
    collector = RedisCollector(cluster)
    collect(collector)
    for n in (1, 2, 3):
        cluster.answers[NAMES[n]] |= word(PROMOTED, n, cluster_info(epoch=3, mine=3 if n == 2 else 2))
    alone = WELL.replace("{1}master", "{1}master,fail?").replace("slave", "slave,fail?")
    cluster.answers[ONE] |= word(alone, 0, cluster_info("fail", ok=8192, pfail=8192))
    found = collect(collector)
    assert found["node_up"][ONE, "master"] == 1, "we reach it"
    assert (found["cluster_ok"][()], found["cluster_slots"]["ok",]) == (1, 16384)


def test_where_nobody_answers_the_seed_leads_to_the_new_addresses(cluster: Canned) -> None:
    collector = RedisCollector(cluster)
    collect(collector)
    moved = {name.replace("10.0.0", "10.9.9"): answers for name, answers in cluster.answers.items()}
    for answers in moved.values():
        answers["CLUSTER NODES"] = answers["CLUSTER NODES"].replace(b"10.0.0", b"10.9.9")
    cluster.answers = moved
    found = collect(collector)
    assert {name for name, _ in found["node_up"]} == {name.replace("10.0.0", "10.9.9") for name in NAMES}
    assert found["cluster_failovers_total"] == {(): 0}


def test_a_cluster_of_which_nobody_answers_keeps_its_nodes(cluster: Canned) -> None:
    collector = RedisCollector(cluster)
    collect(collector)
    cluster.answers.clear()
    with pytest.raises(SourceError, match="none of 4 Redis nodes answers") as caught:
        list(collector.collect())
    assert numbers(caught.value.samples)["node_up"] == {
        (ONE, "master"): 0, (TWO, "master"): 0, (THREE, "replica"): 0, (FOUR, "replica"): 0,
    }  # fmt: skip


def test_a_seed_that_never_answered_has_no_known_role() -> None:
    with pytest.raises(SourceError) as caught:
        list(RedisCollector(Canned(REDIS_CLUSTER="true")).collect())
    assert numbers(caught.value.samples) == {"node_up": {("redis:6379", "unknown"): 0}}


def test_nodes_are_asked_side_by_side(cluster: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other three: one after the other, none would go on."""
    collector = RedisCollector(cluster)
    collect(collector)
    together = threading.Barrier(4, timeout=10.0)
    read_node = cluster.read_node

    def wait_for_the_others(node: Node, commands: Sequence[Command]) -> list[Any]:
        together.wait()
        return read_node(node, commands)

    monkeypatch.setattr(cluster, "read_node", wait_for_the_others)
    assert sum(collect(collector)["node_up"].values()) == 4


def test_where_cluster_nodes_is_forbidden_the_client_library_finds_them(
    cluster: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        del cluster.answers[name]["CLUSTER NODES"]
    named = [Node(ONE, "master", None), Node(THREE, "replica", None)]
    monkeypatch.setattr(cluster, "nodes", lambda purpose: named)
    found = collect(RedisCollector(cluster))
    assert found["node_up"] == {(ONE, "master"): 1, (THREE, "replica"): 1}
    assert not [name for name in found if name.startswith("cluster_")], "unknown is absent"


def test_a_server_that_is_no_cluster_is_named_with_the_reason(cluster: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    del cluster.answers[ONE]["CLUSTER NODES"]

    def refuse(purpose: str) -> list[Node]:
        raise SourceError("Redis at redis:6379 is no cluster: set REDIS_CLUSTER=false")

    monkeypatch.setattr(cluster, "nodes", refuse)
    collector = RedisCollector(cluster)
    with pytest.raises(SourceError, match="REDIS_CLUSTER") as caught:
        list(collector.collect())
    assert numbers(caught.value.samples) == {"node_up": {("redis:6379", "unknown"): 0}}
    assert "REDIS_CLUSTER" in collector.problems["redis:6379"]


def test_hostnames_where_the_cluster_prefers_them(cluster: Canned) -> None:
    named = WELL
    for n in range(1, 5):
        named = named.replace(f"10.0.0.{n}:6379@16379", f"10.0.0.{n}:6379@16379,redis-{n}")
    for n, name in enumerate(NAMES):
        preferred = [b"cluster-preferred-endpoint-type", b"hostname"]
        answers = cluster.answers[name] | {"CONFIG GET cluster-preferred-endpoint-type": preferred}
        cluster.answers[f"redis-{n + 1}:6379"] = answers | {"CLUSTER NODES": nodes(named, n)}
    replication = "master_repl_offset:5000\r\nslave0:ip=10.0.0.3,port=6379,state=online,offset=4990,lag=0\r\n"
    cluster.answers["redis-1:6379"] |= {"INFO": info(replication=replication)}
    cluster.answers["redis:6379"] = cluster.answers["redis-1:6379"]
    found = collect(RedisCollector(cluster))
    assert dict(found["node_up"]) == {
        ("redis-1:6379", "master"): 1, ("redis-2:6379", "master"): 1,
        ("redis-3:6379", "replica"): 1, ("redis-4:6379", "replica"): 1,
    }  # fmt: skip
    assert found["replication_lag_bytes"] == {("redis-3:6379", "replica"): 10}

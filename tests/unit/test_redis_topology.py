"""CLUSTER NODES and INFO replication as text, and what is concluded from them over time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from supercheck_exporter.sources.redis_topology import (
    REMEMBER_SECONDS,
    ClusterNode,
    Failovers,
    Replication,
    keys_held,
    master_of,
    parse_cluster_nodes,
    parse_info,
    replicas_of,
)

# as redis-server 7.0 answers, ids shortened
NODES = b"""\
aa 127.0.0.1:7001@17001,redis-1 myself,master - 0 0 4 connected 0-5459 5461
bb 127.0.0.1:7002@17002,redis-2 master,fail - 1700000001000 1700000000000 2 connected 5462-10922 [93-<-aa]
cc 127.0.0.1:7003@17003 slave aa 0 1700000002000 4 connected
dd 127.0.0.1:7004@17004 slave,fail? bb 0 1700000002000 2 connected
ee :0@0 master,noaddr - 0 0 0 disconnected
ff 127.0.0.1:7006@17006 handshake - 0 0 0 connected
"""


def by_id(nodes: list[ClusterNode]) -> dict[str, ClusterNode]:
    return {node.id: node for node in nodes}


def test_cluster_nodes() -> None:
    nodes = by_id(parse_cluster_nodes(NODES, "seed", hostnames=False))
    assert list(nodes) == ["aa", "bb", "cc", "dd"]
    assert nodes["aa"] == ClusterNode("aa", "127.0.0.1", "127.0.0.1", 7001, "master", False, "", 4, 5461)
    assert (nodes["bb"].failed, nodes["bb"].slots) == (True, 5461)
    assert (nodes["cc"].role, nodes["cc"].master_id, nodes["cc"].name) == ("replica", "aa", "127.0.0.1:7003")
    assert not nodes["dd"].failed, "one node alone suspects it"


def test_announced_hostnames_are_used_where_the_cluster_prefers_them() -> None:
    nodes = by_id(parse_cluster_nodes(NODES, "seed", hostnames=True))
    assert (nodes["aa"].name, nodes["aa"].ip) == ("redis-1:7001", "127.0.0.1")
    assert nodes["cc"].name == "127.0.0.1:7003", "it announces none"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.0.0.5:6379@16379,redis-1,shard-id=ab", "redis-1:6379"),
        ("10.0.0.5:6379@16379,,shard-id=ab", "10.0.0.5:6379"),
        ("10.0.0.5:6379@16379,shard-id=ab", "10.0.0.5:6379"),
        ("10.0.0.5:6379", "10.0.0.5:6379"),
        ("fd00::5:6379@16379", "fd00::5:6379"),
        (":6379@16379", "seed:6379"),
    ],
)
def test_forms_of_an_address(address: str, name: str) -> None:
    [node] = parse_cluster_nodes(f"aa {address} myself,master - 0 0 1 connected 0-16383".encode(), "seed", True)
    assert node.name == name


def test_lines_that_are_none_are_left_out() -> None:
    assert parse_cluster_nodes(b"\nvars currentEpoch 6\naa 10.0.0.5: master - 0 0 1 connected\n", "seed", False) == []


def test_info() -> None:
    assert parse_info(b"# Server\r\nredis_version:7.0.15\r\nos:Linux 6.1: x\r\n\r\nno colon\r\n") == {
        "redis_version": "7.0.15",
        "os": "Linux 6.1: x",
    }


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (b"# Keyspace\r\ndb0:keys=40,expires=1,avg_ttl=0\r\ndb3:keys=2,expires=0,avg_ttl=0\r\n", 42),
        (b"# Keyspace\r\n", 0),
        (b"# Server\r\nredis_version:7.0.15\r\n", None),
    ],
)
def test_keys(text: bytes, keys: int | None) -> None:
    assert keys_held(text) == keys


MASTER = {
    "role": "master",
    "run_id": "run-master",
    "master_repl_offset": "1000",
    "slave0": "ip=10.0.0.6,port=6379,state=online,offset=900,lag=0",
    "slave1": "ip=10.0.0.7,port=6379,state=wait_bgsave,offset=0,lag=0",
    "slave2": "ip=10.0.0.8,port=0,state=online,offset=0,lag=0",
    "slave_read_only": "1",
}
REPLICA = {"role": "slave", "run_id": "run-replica", "master_host": "redis", "master_port": "6379"}


def test_replicas() -> None:
    online, loading = replicas_of(MASTER)
    assert (online.name, online.lag_bytes) == ("10.0.0.6:6379", 100)
    assert (loading.name, loading.lag_bytes) == ("10.0.0.7:6379", None)


def test_a_lag_needs_both_offsets() -> None:
    [replica] = replicas_of({"slave0": "ip=10.0.0.6,port=6379,state=online,offset=900,lag=0"})
    assert replica.lag_bytes is None


def test_master_of() -> None:
    assert (master_of(REPLICA), master_of(MASTER)) == ("redis:6379", None)


def test_a_replica_that_answered_is_remembered_for_an_hour_after_its_master_forgot_it() -> None:
    group = Replication("redis:6379")
    group.learn({"redis:6379": MASTER}, 0.0)
    assert group.others == {"10.0.0.6:6379": "replica", "10.0.0.7:6379": "replica"}
    group.learn({"redis:6379": MASTER, "10.0.0.6:6379": REPLICA}, 15.0)
    alone = {"role": "master", "run_id": "run-master"}
    group.learn({"redis:6379": alone}, 30.0)
    assert group.others == {"10.0.0.6:6379": "replica"}, "the other one was never reached"
    group.learn({}, 15.0 + REMEMBER_SECONDS - 1)
    assert group.others == {"10.0.0.6:6379": "replica"}, "not even the master answers"
    group.learn({"redis:6379": alone}, 15.0 + REMEMBER_SECONDS)
    assert group.others == {}


def test_the_seed_may_be_a_replica_and_is_not_counted_twice() -> None:
    group = Replication("replica.local:6379")
    group.learn({"replica.local:6379": REPLICA}, 0.0)
    assert group.others == {"redis:6379": "master"}
    group.learn({"replica.local:6379": REPLICA, "redis:6379": MASTER}, 15.0)
    assert "10.0.0.6:6379" in group.others, "not known yet to be the seed"
    everyone = {"replica.local:6379": REPLICA, "redis:6379": MASTER, "10.0.0.6:6379": REPLICA}
    group.learn(everyone, 30.0)
    assert group.others == {"redis:6379": "master", "10.0.0.7:6379": "replica"}
    group.learn({"redis:6379": MASTER}, 45.0)
    assert "10.0.0.6:6379" not in group.others
    assert group.same("10.0.0.6:6379") == "replica.local:6379"
    assert group.same("10.0.0.7:6379") == "10.0.0.7:6379"


def node(name: str, role: str, epoch: int, slots: int = 0, port: int = 7001) -> ClusterNode:
    return ClusterNode(name, "127.0.0.1", "127.0.0.1", port, role, False, "", epoch, slots)


BEFORE = [node("aa", "master", 1, 16384), node("bb", "replica", 1)]
AFTER = [node("aa", "master", 1), node("bb", "master", 2, 16384)]
HEALED = [node("aa", "replica", 2), node("bb", "master", 2, 16384)]


def total(*views: list[ClusterNode]) -> int:
    failovers = Failovers()
    for view in views:
        failovers.see(view)
    return failovers.total


def test_a_promotion_counts_once() -> None:
    assert total(BEFORE) == 0
    assert total(BEFORE, AFTER, AFTER, HEALED) == 1


def test_a_promotion_back_counts_too() -> None:
    assert total(BEFORE, AFTER, HEALED, [node("aa", "master", 3, 16384), node("bb", "replica", 3)]) == 2


def test_old_news_of_a_node_that_was_cut_off_count_nothing() -> None:
    assert total(BEFORE, AFTER, BEFORE, AFTER, BEFORE, HEALED) == 1


def test_a_change_of_address_is_no_failover() -> None:
    assert total(BEFORE, [replace(one, port=9000) for one in BEFORE]) == 0


def test_a_replica_that_is_reset_to_an_empty_master_is_no_failover() -> None:
    assert total(BEFORE, [BEFORE[0], node("bb", "master", 5)]) == 0


def test_a_cluster_that_failed_over_before_we_looked_counts_nothing() -> None:
    assert total(AFTER, HEALED) == 0

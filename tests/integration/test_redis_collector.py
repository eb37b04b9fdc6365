"""The redis collector on real servers: replicas, limits, missing rights, and a cluster that loses masters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from servers.bullmq import NEWEST, BullMQ, Queue
from servers.exporter import Exporter, Samples
from servers.process import wait_for
from servers.redis import RedisServer
from servers.redis_cluster import NODE_TIMEOUT_MS, SLOTS, ClusterNode, Pair, RedisCluster

READ_TIMEOUT = {"REDIS_TIMEOUT_SECONDS": "0.5"}
SECONDS = 30.0
QUEUES = ("k6-global", "k6-local")
BY_INFO = ("memory_used_bytes", "start_timestamp_seconds", "keys", "commands_total", "eviction_policy_safe")


def up(samples: Samples) -> dict[str, float]:
    """Node -> whether it is up."""
    return samples.values("supercheck_redis_node_up", by="node")


def success(samples: Samples) -> float | None:
    """Whether the collector worked."""
    return samples.value("supercheck_scrape_collector_success", collector="redis")


def number(samples: Samples, name: str, **labels: str) -> float | None:
    """One series of the collector."""
    return samples.value(f"supercheck_redis_{name}", **labels)


# -- a single server and its replicas --------------------------------------------------------------


class Replica(RedisServer):
    """Follows another server from its start on."""

    def __init__(self, master: RedisServer) -> None:
        super().__init__("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-sync-delay", "0")

    def in_sync(self) -> bool:
        """Whether it has its copy."""
        return bool(self.client().info("replication")["master_link_status"] == "up")


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, Replica]]:
    """A master and its replica, in sync."""
    with RedisServer("--repl-diskless-sync-delay", "0") as master, Replica(master) as replica:
        wait_for(replica.in_sync, SECONDS, "the replica is in sync")
        yield master, replica


def test_a_replica_is_found_and_missed_when_it_dies(pair: tuple[RedisServer, Replica]) -> None:
    master, replica = pair
    master.client().mset({"a": 1, "b": 2})
    wait_for(lambda: replica.client().dbsize() == 2, SECONDS, "it is copied")
    with Exporter(master.exporter_env() | READ_TIMEOUT) as exporter:
        samples = exporter.scrape("redis")
        roles = {each["node"]: each["role"] for each in samples.labels("supercheck_redis_node_up")}
        assert roles == {master.address: "master", replica.address: "replica"}
        assert up(samples) == {master.address: 1, replica.address: 1}
        assert samples.values("supercheck_redis_keys", by="role") == {"master": 2, "replica": 2}
        lags = samples.labels("supercheck_redis_replication_lag_bytes")
        assert lags == [{"node": replica.address, "role": "replica"}]
        assert not [name for name in samples.names if name.startswith("supercheck_redis_cluster")]
        replica.kill()
        wait_for(lambda: master.client().info("replication")["connected_slaves"] == 0, SECONDS, "it is forgotten")
        samples = exporter.scrape("redis")
        assert up(samples) == {master.address: 1, replica.address: 0}
        assert samples.labels("supercheck_redis_replication_lag_bytes") == []
        assert success(samples) == 1
        replica.start()
        wait_for(replica.in_sync, SECONDS, "it is back")
        assert up(exporter.scrape("redis")) == {master.address: 1, replica.address: 1}


def test_a_dead_master_is_its_own_down(pair: tuple[RedisServer, Replica]) -> None:
    master, replica = pair
    with Exporter(master.exporter_env() | READ_TIMEOUT) as exporter:
        exporter.scrape("redis")
        master.kill()
        samples = exporter.scrape("redis")
        assert up(samples) == {master.address: 0, replica.address: 1}
        assert number(samples, "keys", node=replica.address) == 0
        assert master.address in exporter.page("/")


def test_a_frozen_replica_falls_behind(pair: tuple[RedisServer, Replica]) -> None:
    master, replica = pair
    with Exporter(master.exporter_env() | READ_TIMEOUT) as exporter:
        exporter.scrape("redis")
        replica.freeze()
        written = 200_000
        master.client().set("big", "x" * written)
        samples = exporter.scrape("redis")
        assert up(samples) == {master.address: 1, replica.address: 0}
        lag = number(samples, "replication_lag_bytes", node=replica.address)
        assert lag is not None
        assert lag >= written
        replica.thaw()

        def caught_up() -> bool:
            behind = number(exporter.scrape("redis"), "replication_lag_bytes", node=replica.address)
            return behind is not None and behind < written

        wait_for(caught_up, SECONDS, "it has caught up")


def test_limits_policy_and_persistence_are_those_of_the_server() -> None:
    with RedisServer() as server, Exporter(server.exporter_env()) as exporter:
        samples = exporter.scrape("redis")
        assert number(samples, "memory_limit_bytes") is None, "there is no limit: absent, not 0"
        assert number(samples, "eviction_policy_safe") == 1
        assert number(samples, "persistence_enabled") == 0, "as Supercheck's compose runs it"
        server.client().config_set("maxmemory", 64 * 1024 * 1024)
        server.client().config_set("maxmemory-policy", "allkeys-lru")
        server.client().config_set("save", "3600 1")
        samples = exporter.scrape("redis")
        assert number(samples, "memory_limit_bytes") == 64 * 1024 * 1024
        assert number(samples, "eviction_policy_safe") == 0
        assert number(samples, "persistence_enabled") == 1
        truth = server.client().info("memory")["used_memory"]
        assert number(samples, "memory_used_bytes") == pytest.approx(truth, rel=0.1)
        assert number(samples, "client_limit") == server.client().info("clients")["maxclients"]


def test_evictions_and_hits_are_counted() -> None:
    with RedisServer() as server, Exporter(server.exporter_env()) as exporter:
        client = server.client()
        client.set("there", 1)
        before = exporter.scrape("redis")
        client.mget(["there", "not there"])
        client.config_set("maxmemory-policy", "allkeys-random")
        client.config_set("maxmemory", 1)
        after = exporter.scrape("redis")
        for name in ("evicted_keys_total", "keyspace_hits_total", "keyspace_misses_total"):
            was, now = number(before, name), number(after, name)
            assert was is not None
            assert now is not None
            assert now >= was + 1, name  # the exporter's own lookups count too
        assert number(after, "evicted_keys_total") == 1


@pytest.mark.parametrize(
    ("rights", "absent"),
    [
        ("+@all -info", {*BY_INFO, "persistence_enabled"}),
        ("+@all -config", {"persistence_enabled"}),
    ],
)
def test_what_may_not_be_read_is_absent(rights: str, absent: set[str]) -> None:
    acl = [f"monitor on >word ~* {rights}"]
    env = {"REDIS_USERNAME": "monitor", "REDIS_PASSWORD": "word"}
    with RedisServer(acl=acl) as server, Exporter(server.exporter_env() | env) as exporter:
        samples = exporter.scrape("redis")
        exporter.scrape("redis")
        assert up(samples) == {server.address: 1}
        assert success(samples) == 1
        for name in (*BY_INFO, "persistence_enabled"):
            assert (number(samples, name) is None) == (name in absent), name
        refused = [entry["object"] for entry in server.client().acl_log()]
        assert refused.count("config|get") <= 1, "it is not asked again at each scrape"


def test_a_server_that_lost_its_keys_in_a_restart() -> None:
    """What RedisRestartedEmpty is made of: a later start, and fewer keys."""
    with RedisServer() as server, Exporter(server.exporter_env() | READ_TIMEOUT) as exporter:
        server.client().mset({f"key-{n}": n for n in range(50)})
        before = exporter.scrape("redis")
        began = number(before, "start_timestamp_seconds")
        assert began is not None
        assert number(before, "keys") == 50
        uptime = wait_for(lambda: int(server.client().info("server")["uptime_in_seconds"]) >= 4, 60, "it is 4 s old")
        assert uptime
        server.restart_empty()
        after = exporter.scrape("redis")
        assert number(after, "keys") == 0
        later = number(after, "start_timestamp_seconds")
        assert later is not None
        assert later > began


# -- a cluster -------------------------------------------------------------------------------------


@pytest.fixture
def whole(redis_cluster: RedisCluster) -> RedisCluster:
    """The cluster, emptied and with every master in place."""
    for pair in redis_cluster.pairs:
        pair.master.client().flushall()
    return redis_cluster


@contextmanager
def following(cluster: RedisCluster) -> Iterator[Exporter]:
    """An exporter on the cluster that follows its queues."""
    with Exporter(cluster.exporter_env() | READ_TIMEOUT | {"BULLMQ_QUEUES": ",".join(QUEUES)}) as exporter:
        exporter.wait_follows()
        yield exporter


def facts(node: ClusterNode) -> dict[str, str]:
    """CLUSTER INFO of one node."""
    found = node.run("CLUSTER INFO")
    assert isinstance(found, dict)
    return {str(key): str(value) for key, value in found.items()}


def masters_say(cluster: RedisCluster, without: Pair) -> set[tuple[str, str]]:
    """What Redis itself reports: state and failed slots, by every master that still runs."""
    views = [facts(pair.master) for pair in cluster.pairs if pair is not without]
    return {(view["cluster_state"], view["cluster_slots_fail"]) for view in views}


def test_a_whole_cluster(whole: RedisCluster) -> None:
    with following(whole) as exporter:
        samples = exporter.scrape("redis")
        assert len(up(samples)) == 6
        assert number(samples, "cluster_ok") == 1
        slots = samples.values("supercheck_redis_cluster_slots", by="state")
        assert slots == {"assigned": SLOTS, "ok": SLOTS, "pfail": 0, "fail": 0, "unassigned": 0}
        assert (number(samples, "cluster_masters"), number(samples, "cluster_replicas")) == (3, 3)
        assert number(samples, "cluster_masters_without_replica") == 0
        assert number(samples, "cluster_failovers_total") == 0
        owned = samples.values("supercheck_redis_cluster_slots_owned", by="node")
        assert set(owned) == {pair.master.address for pair in whole.pairs}
        assert sum(owned.values()) == SLOTS
        lags = samples.values("supercheck_redis_replication_lag_bytes", by="node")
        assert set(lags) == {pair.replica.address for pair in whole.pairs}


def check_no_wrong_zero(samples: Samples, waiting: Queue) -> None:
    """Fail if anything is 0 that can't be: unknown is absent."""
    for name in ("cluster_masters", "cluster_replicas"):
        assert number(samples, name) in (2, 3), name
    assert number(samples, "cluster_slots", state="assigned") == SLOTS
    ok = number(samples, "cluster_slots", state="ok")
    assert ok is not None
    assert ok >= SLOTS // 2, "two of three masters serve"
    assert number(samples, "cluster_slots", state="unassigned") == 0
    for each in samples.labels("supercheck_redis_node_up"):
        node = {"node": each["node"]}
        assert (number(samples, "memory_used_bytes", **node) or 0) > 0 or number(samples, "node_up", **node) == 0
    assert samples.value("supercheck_queue_backlog_jobs", queue=waiting.name) in (None, 5)
    assert samples.value("supercheck_queue_jobs", queue=waiting.name, state="waiting") in (None, 5)
    assert samples.value("supercheck_queue_added_jobs_total", queue=waiting.name) in (None, 5)
    assert samples.value("supercheck_queue_events_lost_total", queue=waiting.name) in (None, 0)


def test_a_master_is_killed_under_load(whole: RedisCluster) -> None:
    """With a node timeout of 1 s: whatever Redis reports before and after a scrape stands on it."""
    assert NODE_TIMEOUT_MS == 1000
    with BullMQ(NEWEST, whole.bullmq_connection(), "{bull}") as bullmq, following(whole) as exporter:
        waiting, busy = bullmq.queue(QUEUES[0]), bullmq.queue(QUEUES[1])
        waiting.add_many(5)
        busy.add_many(400)
        worker = busy.worker("sleep", ms=50, concurrency=5, lockDuration=3000, stalledInterval=1000)
        exporter.wait_value(5, "supercheck_queue_added_jobs_total", queue=waiting.name)
        pair = whole.pair_of(waiting.base + "wait")
        wait_for(lambda: worker.state()["completed"] > 0, SECONDS, "the load runs")
        wait_for(lambda: pair.replica.client().dbsize() == pair.master.client().dbsize(), SECONDS, "it is copied")
        dead, heir = pair.master, pair.replica
        seen = {"ok": 0, "fail": 0}
        dead.kill()
        try:

            def taken_over() -> bool:
                before, promoted = masters_say(whole, pair), heir.role() == "master"
                samples = exporter.scrape()
                check_no_wrong_zero(samples, waiting)
                assert up(samples)[dead.address] == 0
                assert sum(up(samples).values()) == 5
                assert success(samples) == 1
                if promoted:
                    assert number(samples, "cluster_failovers_total") == 1
                elif len(before) == 1 and before == masters_say(whole, pair) and heir.role() != "master":
                    state, failed = before.pop()
                    assert number(samples, "cluster_ok") == float(state == "ok")
                    assert number(samples, "cluster_slots", state="fail") == int(failed)
                    seen[state] += 1
                return promoted

            wait_for(taken_over, SECONDS, "the replica has taken over")
            assert seen["fail"] > 0, "no scrape fell into the time while Redis called the cluster failed"
            pair.swap()
            whole.wait_healthy()
            samples = exporter.scrape()
            check_no_wrong_zero(samples, waiting)
            assert number(samples, "cluster_ok") == 1
            assert number(samples, "cluster_slots", state="ok") == SLOTS
            assert number(samples, "cluster_masters_without_replica") == 1
            assert heir.address in samples.values("supercheck_redis_cluster_slots_owned", by="node")
            # the queues and their events are read from the heir
            exporter.wait_value(5, "supercheck_queue_backlog_jobs", SECONDS, queue=waiting.name)
            bullmq.queue(waiting.name).add_many(2)
            exporter.wait_value(7, "supercheck_queue_added_jobs_total", SECONDS, queue=waiting.name)
            wait_for(lambda: busy.counts()["waiting"] + busy.counts()["active"] == 0, 60.0, "the load has run")
        finally:
            if pair.master is dead:
                pair.swap()
            whole.revive(pair)
        samples = exporter.scrape()
        assert up(samples) == {node.address: 1 for node in whole.nodes}
        assert number(samples, "cluster_masters_without_replica") == 0
        assert number(samples, "cluster_failovers_total") == 1
        whole.switch(pair)
        assert number(exporter.scrape("redis"), "cluster_failovers_total") == 2


def test_both_copies_of_a_slot_range_are_killed(whole: RedisCluster) -> None:
    with BullMQ(NEWEST, whole.bullmq_connection(), "{bull}") as bullmq, following(whole) as exporter:
        queue = bullmq.queue(QUEUES[0])
        queue.add_many(5)
        exporter.wait_value(5, "supercheck_queue_backlog_jobs", queue=queue.name)
        pair = whole.pair_of(queue.base + "wait")
        owned = number(exporter.scrape("redis"), "cluster_slots_owned", node=pair.master.address)
        with ExitStack() as stack:
            for node in (pair.replica, pair.master):
                node.kill()
                stack.callback(node.start)

            def given_up() -> bool:
                return {state for state, _ in masters_say(whole, pair)} == {"fail"}

            wait_for(given_up, SECONDS, "Redis calls the cluster failed")
            samples = exporter.scrape()
            assert number(samples, "cluster_ok") == 0
            wait_for(lambda: masters_say(whole, pair) == {("fail", f"{owned:.0f}")}, SECONDS, "its slots have failed")
            samples = exporter.scrape()
            assert number(samples, "cluster_ok") == 0
            assert number(samples, "cluster_slots", state="fail") == owned
            assert number(samples, "cluster_slots", state="ok") == SLOTS - (owned or 0)
            assert number(samples, "cluster_failovers_total") == 0
            assert {node for node, value in up(samples).items() if value == 0} == {
                pair.master.address,
                pair.replica.address,
            }
            assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) is None, "unknown, not 0"
            assert success(samples) == 1, "the nodes that are left are told of"
        whole.wait_healthy()
        samples = exporter.scrape("redis")
        assert number(samples, "cluster_ok") == 1
        assert number(samples, "cluster_masters_without_replica") == 0
        assert number(samples, "cluster_failovers_total") == 0


def test_nobody_of_a_cluster_answers(whole: RedisCluster) -> None:
    with following(whole) as exporter:
        exporter.scrape("redis")
        for node in whole.nodes:
            node.freeze()
        try:
            samples = exporter.scrape("redis")
        finally:
            for node in whole.nodes:
                node.thaw()
        assert up(samples) == {node.address: 0 for node in whole.nodes}
        assert success(samples) == 0
        assert number(samples, "cluster_ok") is None
        assert number(samples, "cluster_failovers_total") is None
        whole.wait_healthy()
        wait_for(lambda: sum(up(exporter.scrape("redis")).values()) == 6, SECONDS, "all are back")

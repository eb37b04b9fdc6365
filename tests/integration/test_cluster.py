"""Redis Cluster: one hash-tag prefix or queues in many slots, and failovers while running."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from servers.bullmq import NEWEST, VERSIONS, BullMQ, Queue
from servers.exporter import Exporter, Samples
from servers.heartbeats import beat
from servers.process import wait_for
from servers.redis_cluster import Pair, RedisCluster
from servers.truth import attempts

COLLECTORS = ("queues", "queue_events", "workers", "redis")
RETRIES_SECONDS = 60.0


def start_bullmq(cluster: RedisCluster, version: str, prefix: str = "{bull}") -> BullMQ:
    """BullMQ on the cluster."""
    return BullMQ(version, cluster.bullmq_connection(), prefix)


def start_exporter(cluster: RedisCluster, *queues: str, prefix: str = "{bull}") -> Exporter:
    """An exporter on the cluster."""
    return Exporter(
        cluster.exporter_env() | {"BULLMQ_QUEUES": ",".join(queues), "BULLMQ_PREFIX": prefix},
    )


def healthy(samples: Samples) -> bool:
    """Whether every collector worked."""
    success = samples.values("supercheck_scrape_collector_success", by="collector")
    return all(success[name] == 1 for name in COLLECTORS)


def wait_healthy(exporter: Exporter) -> Samples:
    """Scrape until every collector works."""

    def well() -> Samples | None:
        samples = exporter.scrape()
        last[:] = [samples]
        return samples if healthy(samples) else None

    last = list[Samples]()
    try:
        found = wait_for(well, RETRIES_SECONDS, "every collector works")
    except AssertionError as error:
        success = last[0].values("supercheck_scrape_collector_success", by="collector")
        raise AssertionError(f"{error}: {success}; log: {exporter.log_tail()}") from None
    assert found is not None
    return found


@pytest.fixture
def whole(redis_cluster: RedisCluster) -> RedisCluster:
    """The cluster, emptied."""
    redis_cluster.settle()
    for pair in redis_cluster.pairs:
        pair.master.client().flushall()
    return redis_cluster


@pytest.mark.promise("redis cluster")
@pytest.mark.parametrize("version", VERSIONS)
def test_counts_and_times_on_a_cluster(whole: RedisCluster, version: str) -> None:
    with start_bullmq(whole, version) as bullmq, start_exporter(whole, "k6-global") as exporter:
        exporter.wait_follows()
        queue = bullmq.queue("k6-global")
        queue.add_many(200, removeOnComplete=True)
        worker = queue.worker(concurrency=10)
        worker.wait("completed", 200)
        worker.stop()
        queue.add_many(3)
        queue.add_many(2, priority=10)
        queue.add(delay=3_600_000)
        samples = exporter.wait_value(206, "supercheck_queue_added_jobs_total", queue=queue.name)
        counts = samples.values("supercheck_queue_jobs", by="state", queue=queue.name)
        assert {state: count for state, count in counts.items() if count} == {
            "waiting": 3, "prioritized": 2, "delayed": 1,
        }  # fmt: skip
        assert samples.value("supercheck_queue_jobs_completed_total", queue=queue.name) == 200
        node = whole.pair_of(queue.base + "events").master
        truth = attempts(node.client(), queue)
        waits = samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name)
        assert waits is not None
        assert waits.count == 200
        assert waits.total == pytest.approx(sum(truth.waits))


@pytest.fixture
def spread(whole: RedisCluster) -> Iterator[tuple[RedisCluster, list[Queue]]]:
    """Queues whose names are hash tags, on all three masters; each holds as many jobs as its number."""
    names = list[str]()
    for pair in whole.pairs:
        free = (f"{{q{n}}}" for n in range(1000))
        names += [name for name in free if whole.pair_of(f"bull:{name}:wait") is pair][:2]
    with start_bullmq(whole, NEWEST, prefix="bull") as bullmq:
        queues = [bullmq.queue(name) for name in names]
        for number, queue in enumerate(queues, start=1):
            queue.add_many(number)
        yield whole, queues


def test_queues_in_many_slots(spread: tuple[RedisCluster, list[Queue]]) -> None:
    cluster, queues = spread
    with start_exporter(cluster, *(queue.name for queue in queues), prefix="bull") as exporter:
        exporter.wait_follows()
        for number, queue in enumerate(queues, start=1):
            queue.add_many(number)
        for number, queue in enumerate(queues, start=1):
            samples = exporter.wait_value(number, "supercheck_queue_added_jobs_total", queue=queue.name)
        for number, queue in enumerate(queues, start=1):
            assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 2 * number


def test_queues_in_many_slots_are_discovered(spread: tuple[RedisCluster, list[Queue]]) -> None:
    cluster, queues = spread
    with start_exporter(cluster, "unused", prefix="bull") as exporter:
        for number, queue in enumerate(queues, start=1):
            exporter.wait_value(number, "supercheck_queue_backlog_jobs", queue=queue.name)


@pytest.mark.promise("bounded scrape")
def test_three_round_trips_a_node(spread: tuple[RedisCluster, list[Queue]]) -> None:
    """By each node's count of reads from its sockets; the quietest of ten scrapes has no background read."""
    cluster, queues = spread
    with start_exporter(cluster, *(queue.name for queue in queues), prefix="bull") as exporter:
        exporter.wait_follows()
        exporter.scrape("queues")
        deltas: list[list[int]] = []
        for _ in range(10):
            before = [_reads(pair) for pair in cluster.pairs]
            exporter.scrape("queues")
            after = [_reads(pair) for pair in cluster.pairs]
            # one of the reads is the question itself
            deltas.append([b - a - 1 for a, b in zip(before, after, strict=True)])
    fewest = [min(column) for column in zip(*deltas, strict=True)]
    assert all(1 <= reads <= 3 for reads in fewest), fewest


def _reads(pair: Pair) -> int:
    return int(pair.master.client().info("stats")["total_reads_processed"])


def test_heartbeats_are_found_on_every_node(whole: RedisCluster) -> None:
    with whole.client() as client:
        for number in range(12):
            beat(client, f"host-{number}-1")
    with start_exporter(whole, "k6-global") as exporter:
        exporter.wait_value(12, "supercheck_workers", location="local")


def test_a_worker_connected_to_many_nodes_is_one_consumer(whole: RedisCluster) -> None:
    """ioredis gives the worker's name to its connection on every node that it talks to."""
    with start_bullmq(whole, NEWEST) as bullmq:
        workers = [bullmq.queue("monitor-scheduler").worker() for _ in range(5)]
        wait_for(lambda: named_connections(whole, "monitor-scheduler") > 5, 60, "one is known to two masters")
        with start_exporter(whole, "monitor-scheduler") as exporter:
            exporter.wait_value(5, "supercheck_queue_consumers", queue="monitor-scheduler")
        for worker in workers:
            worker.stop()


def named_connections(cluster: RedisCluster, queue: str) -> int:
    """Connections on the masters that bear the name of the queue's workers."""
    name = "{bull}:" + base64.b64encode(queue.encode()).decode()
    masters = [pair.master.client() for pair in cluster.pairs]
    return sum(each["name"] == name for master in masters for each in master.client_list())


def test_every_node_is_up_with_its_role(whole: RedisCluster) -> None:
    with start_exporter(whole, "k6-global") as exporter:
        samples = wait_healthy(exporter)
        expected = {node.address: node.role().replace("slave", "replica") for node in whole.nodes}
        labels = samples.labels("supercheck_redis_node_up")
        assert {each["node"]: each["role"] for each in labels} == expected
        assert set(samples.values("supercheck_redis_node_up", by="node").values()) == {1}


@pytest.mark.promise("redis cluster")
def test_a_graceful_failover_loses_nothing(whole: RedisCluster) -> None:
    with start_bullmq(whole, NEWEST) as bullmq, start_exporter(whole, "k6-global") as exporter:
        exporter.wait_follows()
        queue = bullmq.queue("k6-global")
        queue.add_many(5)
        exporter.wait_value(5, "supercheck_queue_added_jobs_total", queue=queue.name)
        pair = whole.pair_of(queue.base + "wait")
        whole.switch(pair)
        queue.add_many(5)
        samples = exporter.wait_value(10, "supercheck_queue_added_jobs_total", RETRIES_SECONDS, queue=queue.name)
        assert samples.value("supercheck_queue_events_lost_total", queue=queue.name) == 0
        samples = wait_healthy(exporter)
        assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 10
        whole.switch(pair)
        wait_healthy(exporter)


@pytest.mark.promise("redis cluster")
def test_a_master_that_crashes_is_said_to_be_down_and_its_replica_read(whole: RedisCluster) -> None:
    with start_bullmq(whole, NEWEST) as bullmq, start_exporter(whole, "k6-global") as exporter:
        exporter.wait_follows()
        queue = bullmq.queue("k6-global")
        queue.add_many(5)
        exporter.wait_value(5, "supercheck_queue_added_jobs_total", queue=queue.name)
        pair = whole.pair_of(queue.base + "wait")
        wait_for(lambda: pair.replica.client().dbsize() == pair.master.client().dbsize(), 60, "it is copied")
        dead = pair.master.address
        try:
            whole.kill_master(pair)

            def down_alone() -> bool:
                up = exporter.scrape().values("supercheck_redis_node_up", by="node")
                return up.pop(dead, None) == 0 and set(up.values()) == {1} and len(up) == 5

            wait_for(down_alone, RETRIES_SECONDS, "it is down, and the others are up")
            exporter.wait_value(5, "supercheck_queue_backlog_jobs", RETRIES_SECONDS, queue=queue.name)
            queue.add_many(5)
            exporter.wait_value(10, "supercheck_queue_added_jobs_total", RETRIES_SECONDS, queue=queue.name)
        finally:
            whole.revive(pair)
            whole.switch(pair)
        exporter.wait_value(1, "supercheck_redis_node_up", RETRIES_SECONDS, node=dead)
        wait_healthy(exporter)


@pytest.mark.promise("recovers by itself")
def test_failovers_pile_nothing_up(whole: RedisCluster) -> None:
    with start_exporter(whole, "k6-global") as exporter:
        pair = whole.pairs[0]
        found = list[tuple[int, int]]()
        for _ in range(3):
            whole.switch(pair)
            wait_healthy(exporter)
            for _ in range(20):
                exporter.scrape()
            found.append((exporter.threads(), exporter.descriptors()))
        whole.switch(pair)
    # the first round opens the connections to both nodes of the pair that are kept from then on
    assert found[2][0] <= found[1][0]
    assert found[2][1] <= found[1][1] + 2


def test_slots_without_a_server_fail_what_they_hold(whole: RedisCluster) -> None:
    """A frozen master whose replica is gone too: unknown, not zero; and well again by itself."""
    with start_bullmq(whole, NEWEST) as bullmq, start_exporter(whole, "k6-global") as exporter:
        queue = bullmq.queue("k6-global")
        queue.add_many(5)
        exporter.wait_value(5, "supercheck_queue_backlog_jobs", queue=queue.name)
        pair = whole.pair_of(queue.base + "wait")
        for node in (pair.replica, pair.master):
            node.freeze()
        try:
            samples = exporter.scrape()
            assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) is None
            assert samples.value("supercheck_scrape_collector_success", collector="queues") == 0
        finally:
            for node in (pair.master, pair.replica):
                node.thaw()
        whole.wait_healthy()
        exporter.wait_value(5, "supercheck_queue_backlog_jobs", RETRIES_SECONDS, queue=queue.name)
        wait_healthy(exporter)


def test_a_replica_serves_as_the_seed(whole: RedisCluster) -> None:
    replica = whole.pairs[0].replica
    env = replica.exporter_env() | {"REDIS_CLUSTER": "true", "BULLMQ_PREFIX": "{bull}"}
    with Exporter(env) as exporter:
        wait_healthy(exporter)

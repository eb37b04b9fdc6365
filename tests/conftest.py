"""Fixtures that more than one test file uses.

Each file has a Redis, an exporter and Node processes of its own, shared by its tests, which use queue names
of their own. A test that breaks a server (freezes, kills, restarts it) starts its own: `with RedisServer()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from servers.bullmq import NEWEST, VERSIONS, BullMQ
from servers.exporter import Exporter
from servers.redis import RedisServer
from servers.redis_cluster import RedisCluster

BullMQOf = Callable[[str], BullMQ]


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    """A Redis for all tests of a file that leave it well."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """One Redis Cluster; whoever makes a failover brings it back whole."""
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def bullmq_of(redis_server: RedisServer) -> Iterator[BullMQOf]:
    """Give the file's BullMQ process of a version, on the file's Redis; started when first asked for."""
    started: dict[str, BullMQ] = {}

    def of(version: str) -> BullMQ:
        if version not in started:
            started[version] = BullMQ(version, redis_server.bullmq_connection()).start()
        return started[version]

    try:
        yield of
    finally:
        for process in started.values():
            process.stop()


@pytest.fixture(params=list(VERSIONS))
def bullmq(request: pytest.FixtureRequest, bullmq_of: BullMQOf) -> BullMQ:
    """Each BullMQ version in turn, for what differs or might differ between them."""
    return bullmq_of(request.param)


@pytest.fixture
def bullmq_newest(bullmq_of: BullMQOf) -> BullMQ:
    """The newest BullMQ only, for what does not depend on the version."""
    return bullmq_of(NEWEST)


@pytest.fixture(scope="module")
def queue_names(request: pytest.FixtureRequest) -> list[str]:
    """All queue names that the tests of this file may use; its exporter knows them from the start."""
    path = request.node.path
    tests = sum(item.path == path for item in request.session.items)
    return [f"{path.stem.removeprefix('test_')}-{number}" for number in range(1, tests + 1)]


@pytest.fixture(scope="module")
def _unused_names(queue_names: list[str]) -> Iterator[str]:
    return iter(queue_names)


@pytest.fixture
def queue_name(_unused_names: Iterator[str]) -> str:
    """A queue name that no other test uses."""
    return next(_unused_names)


@pytest.fixture(scope="module")
def exporter(redis_server: RedisServer, queue_names: list[str]) -> Iterator[Exporter]:
    """The file's exporter on the file's Redis; its configured queues are the file's queue names."""
    env = redis_server.exporter_env() | {"BULLMQ_QUEUES": ",".join(queue_names)}
    with Exporter(env) as process:
        process.wait_follows()
        yield process

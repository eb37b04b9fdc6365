"""Redis's answers and errors: one round trip a node, and sentences that name the setting to mend."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from supercheck_exporter.config import load
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources import redis as module
from supercheck_exporter.sources.redis import Client, RedisSource

CANARY = "canary-77e0"


def source(**env: str) -> RedisSource:
    return RedisSource(load({"REDIS_HOST": "redis"} | env))


# -- what an error means ---------------------------------------------------------------------------

MEANINGS = [
    (RedisTimeoutError("Timeout reading from socket"), "does not answer within REDIS_TIMEOUT_SECONDS"),
    (TimeoutError("timed out"), "does not answer within REDIS_TIMEOUT_SECONDS"),
    (AuthenticationError("WRONGPASS invalid username-password pair or user is disabled."), "REDIS_PASSWORD"),
    (AuthenticationError("invalid password"), "REDIS_PASSWORD (or REDIS_USERNAME) is wrong"),
    (AuthenticationError("NOAUTH Authentication required."), "set REDIS_PASSWORD or REDIS_PASSWORD_FILE"),
    (AuthenticationError("AUTH called without any password configured for the default user"), "unset REDIS_PASSWORD"),
    (RedisConnectionError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"), "REDIS_TLS_CA_FILE"),
    (RedisConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "REDIS_TLS_ENABLED"),
    (RedisClusterException("Cluster mode is not enabled on this node"), "set REDIS_CLUSTER=false"),
    (ResponseError("ERR This instance has cluster support disabled"), "set REDIS_CLUSTER=false"),
    (RedisClusterException("Redis Cluster cannot be connected"), "check REDIS_HOST, REDIS_PORT and that the cluster"),
    (RedisConnectionError("Error 111 connecting to redis:6379. Connection refused."), "check REDIS_HOST, REDIS_PORT"),
    (BusyLoadingError("Redis is loading the dataset in memory"), "loading the dataset"),
    (OSError("Network is unreachable"), "Network is unreachable"),
]


@pytest.mark.parametrize(("error", "text"), MEANINGS, ids=[str(error)[:40] for error, _ in MEANINGS])
def test_an_error_names_the_server_and_what_to_mend(error: Exception, text: str) -> None:
    problem = source().down(error)
    assert isinstance(problem, SourceError)
    assert str(problem).startswith("Redis at redis:6379 ")
    assert text in str(problem)
    assert "\n" not in str(problem)


@pytest.mark.parametrize("host", ["tls-redis", "redis.ssl.example.com", "certificate-store", "timeout-test"])
def test_a_host_s_name_is_not_taken_for_the_cause(host: str) -> None:
    error = RedisConnectionError(f"Error 111 connecting to {host}:6379. Connection refused.")
    assert "check REDIS_HOST, REDIS_PORT and that it runs" in str(source(REDIS_HOST=host).down(error))


def test_a_password_is_in_no_error() -> None:
    found = source(REDIS_PASSWORD=CANARY).down(ResponseError(f"ERR unknown command AUTH {CANARY}"))
    assert CANARY not in str(found)
    assert "***" in str(found)


# -- one server ------------------------------------------------------------------------------------


def test_nothing_connects_before_it_is_asked() -> None:
    made = source(REDIS_PORT="1")
    assert made.read([]) == []
    made.close()


def test_nobody_listens() -> None:
    made = source(REDIS_HOST="127.0.0.1", REDIS_PORT="1")
    with pytest.raises(SourceError, match=r"^Redis at 127\.0\.0\.1:1 cannot be read .*Connection refused"):
        made.read([("PING", "x")])
    with pytest.raises(SourceError, match="Connection refused"):
        made.call(made.nodes("test")[0], "PING")
    made.close()


def test_a_server_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = source(REDIS_HOST="127.0.0.1", REDIS_PORT=str(silent.getsockname()[1]), REDIS_TIMEOUT_SECONDS="0.05")
        with pytest.raises(SourceError, match="does not answer within REDIS_TIMEOUT_SECONDS"):
            made.read([("GET", b"x")])
        made.close()


def test_a_client_of_one_purpose_is_made_once() -> None:
    made = source()
    assert made.client("a", 1, "read") is made.client("a", 1, "read")
    assert made.client("a", 1, "read") is not made.client("a", 1, "events")
    assert made.client("a", 1, "read") is not made.client("b", 1, "read")
    made.close()


def test_only_the_follower_of_events_is_told_of_every_broken_connection() -> None:
    made = source()
    retries = {purpose: made.client("a", 1, purpose).get_retry().get_retries() for purpose in ("read", "events")}
    assert retries == {"read": 1, "events": 0}
    made.close()


def test_a_single_server_is_one_master() -> None:
    made = source(REDIS_PORT="6380")
    assert [(node.name, node.role) for node in made.masters("test")] == [("redis:6380", "master")]
    assert made.master_of(b"anything", "test").name == "redis:6380"
    assert made.slot(b"anything") == 0
    made.refresh()
    made.close()


# -- a cluster -------------------------------------------------------------------------------------


class Node:
    """One node's client: notes its pipelines, and answers them by a function."""

    def __init__(self) -> None:
        self.trips: list[list[tuple[Any, ...]]] = []
        self.answer: Callable[[tuple[Any, ...]], Any] = lambda command: b"answer to " + bytes(command[1])

    def pipeline(self, transaction: bool) -> Node:
        assert not transaction
        self.trips.append([])
        return self

    def execute_command(self, *words: Any) -> None:
        self.trips[-1].append(words)

    def execute(self, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        return [self.answer(command) for command in self.trips[-1]]

    def close(self) -> None:
        pass


class Place:
    """What redis-py says of a node."""

    def __init__(self, host: str) -> None:
        self.host, self.port, self.server_type = host, 7000, "primary"


class Cluster(RedisSource):
    """Keys that begin with `a` are on node a, those with `b` on node b, others nowhere."""

    def __init__(self) -> None:
        super().__init__(load({"REDIS_HOST": "seed", "REDIS_CLUSTER": "true"}))
        self.made = {"a": Node(), "b": Node()}
        self.refreshed = 0

    def _cluster(self) -> Any:
        return self

    def get_node_from_key(self, key: bytes) -> Place:
        if key[:1].decode() not in self.made:
            raise RedisClusterException(f"Slot of {key!r} is not covered by the cluster.")
        return Place(key[:1].decode())

    def client(self, host: str, port: int, purpose: str) -> Client:
        return self.made[host]

    def refresh(self) -> None:
        self.refreshed += 1


def test_one_round_trip_a_node_and_answers_in_order() -> None:
    cluster = Cluster()
    keys = [b"a1", b"b1", b"a2", b"b2", b"b3"]
    assert cluster.read([("GET", key) for key in keys]) == [b"answer to " + key for key in keys]
    assert [len(node.trips) for node in cluster.made.values()] == [1, 1]
    assert cluster.made["a"].trips == [[("GET", b"a1"), ("GET", b"a2")]]


def test_the_key_of_a_stream_s_read_stands_after_streams() -> None:
    cluster = Cluster()
    cluster.made["b"].answer = lambda command: command[0]
    assert cluster.read([("XREAD", "COUNT", 1, "STREAMS", b"b:events", "$")]) == ["XREAD"]


@pytest.mark.parametrize("error", [RedisTimeoutError("Timeout reading"), RedisConnectionError("Connection closed")])
def test_a_frozen_node_costs_one_timeout(error: RedisError) -> None:
    """Not one for each of its commands, as with redis-py's own cluster pipeline."""
    cluster = Cluster()

    def freeze(_: object) -> None:
        raise error

    cluster.made["b"].answer = freeze
    with pytest.raises(SourceError, match=r"^Redis at b:7000 "):
        cluster.read([("GET", b"a1"), *[("GET", b"b1")] * 500])
    assert len(cluster.made["b"].trips) == 1


@pytest.mark.parametrize("error", [MovedError("1 127.0.0.1:7001"), ClusterDownError("Hash slot not served")])
def test_a_slot_that_moved_is_looked_up_again_once(error: ResponseError) -> None:
    cluster = Cluster()
    answers = [error, b"here"]
    cluster.made["b"].answer = lambda _: answers.pop(0)
    assert cluster.read([("GET", b"a1"), ("GET", b"b1")]) == [b"answer to a1", b"here"]
    assert cluster.refreshed == 1
    cluster.made["b"].answer = lambda _: error
    with pytest.raises(SourceError, match="moves its slots just now"):
        cluster.read([("GET", b"b1")])
    assert cluster.refreshed == 2


def test_a_refusal_of_one_command_is_its_answer() -> None:
    cluster = Cluster()
    refusal = ResponseError("WRONGTYPE")
    cluster.made["b"].answer = lambda _: refusal
    assert cluster.read([("GET", b"a1"), ("GET", b"b1")]) == [b"answer to a1", refusal]


def test_a_slot_that_nobody_serves() -> None:
    with pytest.raises(SourceError, match="no node of the Redis Cluster at seed:6379 serves the slot"):
        Cluster().read([("GET", b"c1")])


def test_a_cluster_that_can_t_be_found_is_not_sought_by_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def nothing(**_: object) -> None:
        tries.append(1)
        raise RedisClusterException("Redis Cluster cannot be connected")

    monkeypatch.setattr(module, "RedisCluster", nothing)
    made = source(REDIS_CLUSTER="true")
    for _ in range(5):
        with pytest.raises(SourceError, match="gives no usable cluster"):
            made.nodes("test")
    assert len(tries) == 1
    monkeypatch.setattr(module, "CLUSTER_RETRY_SECONDS", 0.0)
    with pytest.raises(SourceError):
        made.nodes("test")
    assert len(tries) == 2


class Moving(RedisSource):
    """A cluster whose nodes have other addresses each time that it is asked anew."""

    def __init__(self, *addresses: str) -> None:
        super().__init__(load({"REDIS_HOST": "seed", "REDIS_CLUSTER": "true"}))
        self.addresses = iter(addresses)
        self.nodes_manager = self
        self.initialize()

    def _cluster(self) -> Any:
        return self

    def initialize(self, additional_startup_nodes_info: object = None) -> None:
        self.place = Place(next(self.addresses))

    def get_nodes(self) -> list[Place]:
        return [self.place]


def test_clients_of_addresses_that_are_gone_are_dropped_and_those_in_use_live_on() -> None:
    made = Moving("10.0.0.1", "10.0.0.1", "10.0.0.2")
    (first,) = made.nodes("read")
    made.nodes("events")
    made.refresh()
    assert made.nodes("read") == [first], "the same address keeps its client"
    made.refresh()
    (second,) = made.nodes("read")
    assert second.name == "10.0.0.2:7000"
    assert sorted(made._clients) == ["read 10.0.0.2:7000"]
    assert first.client.connection_pool is not None  # whoever has it may end what he began

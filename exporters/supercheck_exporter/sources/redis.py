"""Connections to Redis: one server, or a cluster found from one seed. Read commands only.

Every connection has a socket timeout, so that a frozen server costs one timeout and no thread for ever.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings

CLUSTER_RETRY_SECONDS = 1.0
"""After a cluster could not be found, so long the same answer stands for everyone who asks."""

CLIENT_ERRORS = (RedisError, RedisClusterException, OSError)
"""What redis-py raises; RedisClusterException is no RedisError there."""

_CLUSTER_CHANGED = (MovedError, AskError, TryAgainError, ClusterDownError, MasterDownError)

Command = tuple[bytes | str | int | float, ...]
Client = Any
"""redis.Redis; its methods are typed for every protocol at once, which says nothing here."""


@dataclass(frozen=True)
class Node:
    """One server: ``name`` is host:port, ``role`` is master or replica as the cluster or ROLE says."""

    name: str
    role: str
    client: Client


class _Moved(Exception):
    """A slot is served by another node than the one that was asked, or by none."""


def _key(command: Command) -> bytes:
    """The key of a read command: the first argument, but for XREAD."""
    key = command[command.index("STREAMS") + 1 if command[0] == "XREAD" else 1]
    return key if isinstance(key, bytes) else str(key).encode()


class RedisSource:
    """Redis as the settings name it.

    ``read`` makes one round trip a node. ``client`` gives plain clients for background work, whose
    answers are raw bytes and whose connections are their own.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cluster = settings.redis_cluster
        self.where = f"{settings.redis_host}:{settings.redis_port}"
        self._lock = threading.Lock()
        self._clients: dict[str, Client] = {}
        self._cluster_client: Any = None
        self._cluster_lock = threading.Lock()
        self._cluster_problem: tuple[float, SourceError] | None = None
        self.clock_offset = 0.0
        """Redis's clock minus ours in seconds, kept by whoever measures it (bullmq/keyspace.py)."""

    def _options(self) -> dict[str, Any]:
        settings = self.settings
        password = settings.redis_password
        options: dict[str, Any] = {
            "username": settings.redis_username,
            "password": password.get_secret_value() if password else None,
            "socket_timeout": settings.redis_timeout_seconds,
            "socket_connect_timeout": settings.redis_timeout_seconds,
            "protocol": 2,
            "client_name": "supercheck-exporter",
            # once more on a connection that the server has closed meanwhile, never after a timeout
            "retry": Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        }
        if settings.redis_tls_enabled:
            verify = settings.redis_tls_reject_unauthorized
            options |= {
                "ssl": True,
                "ssl_cert_reqs": ssl.CERT_REQUIRED if verify else ssl.CERT_NONE,
                "ssl_check_hostname": verify,
                "ssl_ca_certs": str(settings.redis_tls_ca_file) if settings.redis_tls_ca_file else None,
            }
        return options

    def client(self, host: str, port: int, purpose: str) -> Client:
        """A client with connections of its own for one purpose; made once, kept, raw answers."""
        key = f"{purpose} {host}:{port}"
        with self._lock:
            if key not in self._clients:
                options = self._options()
                if (
                    purpose == "events"
                ):  # the follower must notice that its connection broke: it may have missed something
                    options["retry"] = Retry(NoBackoff(), 0)
                made = redis.Redis(host=host, port=port, **options)
                made.response_callbacks.clear()
                self._clients[key] = made
            return self._clients[key]

    def nodes(self, purpose: str) -> list[Node]:
        """The servers to read: the one, or every node of the cluster as its last answer names them."""
        if not self.cluster:
            host, port = self.settings.redis_host or "", self.settings.redis_port
            return [Node(self.where, "master", self.client(host, port, purpose))]
        found = self._cluster().get_nodes()
        return [
            Node(
                f"{node.host}:{node.port}",
                "master" if node.server_type == "primary" else "replica",
                self.client(node.host, node.port, purpose),
            )
            for node in found
        ]

    def masters(self, purpose: str) -> list[Node]:
        """The servers that hold data."""
        return [node for node in self.nodes(purpose) if node.role == "master"]

    def master_of(self, key: bytes, purpose: str) -> Node:
        """The server that holds a key, by the cluster's last answer."""
        if not self.cluster:
            return self.nodes(purpose)[0]
        try:
            node = self._cluster().get_node_from_key(key)
        except RedisClusterException:
            node = None
        if node is None:
            raise SourceError(f"no node of the Redis Cluster at {self.where} serves the slot of {key!r}")
        return Node(f"{node.host}:{node.port}", "master", self.client(node.host, node.port, purpose))

    def slot(self, key: bytes) -> int:
        """The cluster slot of a key; 0 for all keys of a single server."""
        return int(self._cluster().keyslot(key)) if self.cluster else 0

    def refresh(self) -> None:
        """Ask the cluster for its nodes again (after a failover); nothing for a single server."""
        if self.cluster:
            # the seed besides the nodes last known: all of their addresses may have changed
            seed = (self.settings.redis_host or "", self.settings.redis_port)
            try:
                self._cluster().nodes_manager.initialize(additional_startup_nodes_info=[seed])
            except CLIENT_ERRORS as error:
                raise self.down(error) from error
            self._forget_strangers({f"{node.host}:{node.port}" for node in self._cluster().get_nodes()})

    def _forget_strangers(self, addresses: set[str]) -> None:
        """Drop the clients of other addresses; whoever uses one just now ends it, and its connections go with it."""
        with self._lock:
            self._clients = {key: one for key, one in self._clients.items() if key.rpartition(" ")[2] in addresses}

    def read(self, commands: Sequence[Command]) -> list[Any]:
        """Send read commands in one round trip a node and return raw answers in their order.

        An error of a single command (a wrong type, a permission) is returned in its place. Raises
        SourceError when the server does not answer, refuses the login, or the cluster has no such slot.
        """
        if not commands:
            return []
        if not self.cluster:
            return self.read_node(self.nodes("read")[0], commands)
        try:
            return self._read_cluster(commands)
        except _Moved:
            self.refresh()
        except SourceError:  # its replica has taken over, perhaps; if not, the error stands
            before = self._owners(commands)
            self.refresh()
            if self._owners(commands) in (before, set()):
                raise
        try:
            return self._read_cluster(commands)
        except _Moved as moved:
            raise SourceError(f"the Redis Cluster at {self.where} moves its slots just now ({moved})") from moved

    def _owners(self, commands: Sequence[Command]) -> set[str]:
        """Who serves these keys; empty where somebody is missing."""
        try:
            return {self.master_of(_key(command), "read").name for command in commands}
        except SourceError:
            return set()

    def _read_cluster(self, commands: Sequence[Command]) -> list[Any]:
        """One pipeline a node.

        Not redis-py's own cluster pipeline: where a node is frozen, that one sends each of its commands
        again by itself, and waits for the timeout each time.
        """
        by_node: dict[str, tuple[Node, list[int]]] = {}
        for index, command in enumerate(commands):
            node = self.master_of(_key(command), "read")
            by_node.setdefault(node.name, (node, []))[1].append(index)
        answers: list[Any] = [None] * len(commands)
        for node, indexes in by_node.values():
            for index, answer in zip(indexes, self.read_node(node, [commands[i] for i in indexes]), strict=True):
                if isinstance(answer, _CLUSTER_CHANGED):
                    raise _Moved(str(answer))
                answers[index] = answer
        return answers

    def read_node(self, node: Node, commands: Sequence[Command]) -> list[Any]:
        """Send commands to one node in one round trip; raises and answers as ``read`` does."""
        pipe = node.client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        try:
            return list(pipe.execute(raise_on_error=False))
        except CLIENT_ERRORS as error:
            raise self.down(error, node.name) from error

    def call(self, node: Node, *command: bytes | str | float) -> Any:
        """Send one command to one node and return its raw answer; raises as ``read`` does.

        ResponseError (a refusal of this one command) is passed on as it is.
        """
        try:
            return node.client.execute_command(*command)
        except ResponseError:
            raise
        except CLIENT_ERRORS as error:
            raise self.down(error, node.name) from error

    def now(self) -> float:
        """Unix time by Redis's clock, in seconds."""
        return time.time() + self.clock_offset

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        with self._cluster_lock:
            cluster, self._cluster_client = self._cluster_client, None
        for client in clients:
            client.close()
        if cluster is not None:
            cluster.close()

    def _cluster(self) -> Any:
        """The cluster as it was last seen; found by whoever comes first, while the others wait."""
        with self._cluster_lock:
            if self._cluster_client is not None:
                return self._cluster_client
            if self._cluster_problem is not None:
                at, problem = self._cluster_problem
                if time.monotonic() - at < CLUSTER_RETRY_SECONDS:  # those who waited need not try in turn
                    raise SourceError(str(problem))
            host, port = self.settings.redis_host or "", self.settings.redis_port
            try:
                self._cluster_client = RedisCluster(
                    startup_nodes=[ClusterNode(host, port)],  # type: ignore[no-untyped-call]
                    require_full_coverage=False,
                    **self._options(),
                )
            except CLIENT_ERRORS as error:
                down = self.down(error)
                self._cluster_problem = time.monotonic(), down
                raise down from error
            self._cluster_problem = None
            return self._cluster_client

    def down(self, error: Exception, where: str = "") -> SourceError:
        """What a client's error means, as a sentence without secrets that names the setting to mend."""
        where = where or self.where
        text = " ".join(str(error).split())
        settings = self.settings
        password = settings.redis_password
        if password and password.get_secret_value():
            text = text.replace(password.get_secret_value(), "***")
        # a host called tls-redis must not look like a TLS error
        words = text.lower().replace((settings.redis_host or "").lower() or " ", " ")
        return SourceError(f"Redis at {where} {_mend(error, text, words, settings.redis_tls_enabled)}")


def _mend(error: Exception, text: str, lowered: str, tls: bool) -> str:
    """What happened and which setting mends it."""
    if isinstance(error, redis.exceptions.TimeoutError) or "timed out" in lowered or "timeout" in lowered:
        # a port without TLS waits for the end of what it takes for a command
        no_tls = ", or speaks no TLS (REDIS_TLS_ENABLED)" if tls else ""
        return f"does not answer within REDIS_TIMEOUT_SECONDS: it is frozen, overloaded or not reachable{no_tls}"
    if "wrongpass" in lowered or "invalid password" in lowered or "invalid username" in lowered:
        return "refuses the login: REDIS_PASSWORD (or REDIS_USERNAME) is wrong"
    if "noauth" in lowered or "authentication required" in lowered:
        return "asks for a password: set REDIS_PASSWORD or REDIS_PASSWORD_FILE"
    if "without any password configured" in lowered:
        return "has no password: unset REDIS_PASSWORD"
    if "certificate" in lowered:
        return (
            f"shows a certificate that is not trusted ({text}): "
            "set REDIS_TLS_CA_FILE, or REDIS_TLS_REJECT_UNAUTHORIZED=false"
        )
    if "ssl" in lowered or "tls" in lowered:
        return f"does not speak TLS as asked ({text}): check REDIS_TLS_ENABLED"
    if "cluster mode" in lowered or "cluster support disabled" in lowered:
        return "is no cluster: set REDIS_CLUSTER=false"
    if isinstance(error, RedisClusterException):
        return f"gives no usable cluster ({text}): check REDIS_HOST, REDIS_PORT and that the cluster is formed"
    return f"cannot be read ({text}): check REDIS_HOST, REDIS_PORT and that it runs"

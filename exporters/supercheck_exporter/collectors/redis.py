"""Each Redis server, and the cluster or the replication between them.

Source: INFO of every node and CONFIG GET where it is allowed, in one round trip each, all nodes side by side;
of a cluster also CLUSTER INFO and CLUSTER NODES. All nodes are found from one address: those of a cluster by
CLUSTER NODES, the replicas of a single server by its INFO. A server that is down is a 0 here, not silence.

    supercheck_redis_node_up{node="redis:6379",role="master"} 1.0
    supercheck_redis_memory_used_bytes{node="redis:6379",role="master"} 1.34e+06
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from redis.exceptions import ResponseError

from supercheck_exporter.core import Collector, Desc, Sample, SourceError, counter, gauge
from supercheck_exporter.sources.redis import Command, Node, RedisSource
from supercheck_exporter.sources.redis_topology import (
    ALL_SLOTS,
    ClusterNode,
    Failovers,
    Replication,
    keys_held,
    parse_cluster_nodes,
    parse_info,
    replicas_of,
)

AT_ONCE = 16
"""Nodes asked side by side: those that hang cost one timeout together, not one each."""

START_SLACK_SECONDS = 2
"""The uptime is in whole seconds: without this the moment of the start would move to and fro by one."""

ASK_AGAIN_SECONDS = 3600.0
"""CONFIG GET was refused: so long it is not tried again, as each refusal is an entry in Redis's ACL log."""

_NODE = ("node", "role")

UP = gauge("supercheck_redis_node_up", "Whether the Redis server answers (1) or not (0).", *_NODE)
STARTED = gauge(
    "supercheck_redis_start_timestamp_seconds",
    "Unix time at which the Redis server started; absent where INFO is forbidden.",
    *_NODE,
)
KEYS = gauge("supercheck_redis_keys", "Keys that the Redis server holds, in all its databases.", *_NODE)
PERSISTENCE = gauge(
    "supercheck_redis_persistence_enabled",
    "Whether the Redis server keeps its data on disk (AOF, or snapshots by a schedule): 1; or a restart loses it: 0. "
    "Absent where AOF is off and CONFIG GET is forbidden.",
    *_NODE,
)
POLICY_SAFE = gauge(
    "supercheck_redis_eviction_policy_safe",
    "Whether the Redis server never evicts keys (noeviction): 1; or its policy may drop jobs when memory is full: 0.",
    *_NODE,
)
LAG = gauge("supercheck_redis_replication_lag_bytes", "Bytes that a replica is behind its master.", *_NODE)
MEMORY_USED = gauge("supercheck_redis_memory_used_bytes", "Memory that Redis has allocated.", *_NODE)
MEMORY_LIMIT = gauge("supercheck_redis_memory_limit_bytes", "Redis's maxmemory; absent where none is set.", *_NODE)
CLIENTS = gauge("supercheck_redis_clients", "Connected clients, replicas left out.", *_NODE)
CLIENT_LIMIT = gauge("supercheck_redis_client_limit", "Clients that may be connected at once (maxclients).", *_NODE)
EVICTED = counter("supercheck_redis_evicted_keys_total", "Keys evicted because memory was full.", *_NODE)
HITS = counter("supercheck_redis_keyspace_hits_total", "Lookups that found their key.", *_NODE)
MISSES = counter("supercheck_redis_keyspace_misses_total", "Lookups that found no key.", *_NODE)
COMMANDS = counter("supercheck_redis_commands_total", "Commands processed.", *_NODE)

_FIELDS: dict[Desc, str] = {
    MEMORY_USED: "used_memory",
    MEMORY_LIMIT: "maxmemory",
    CLIENTS: "connected_clients",
    CLIENT_LIMIT: "maxclients",
    EVICTED: "evicted_keys",
    HITS: "keyspace_hits",
    MISSES: "keyspace_misses",
    COMMANDS: "total_commands_processed",
}
"""What stands in INFO as it is."""

CLUSTER_OK = gauge(
    "supercheck_redis_cluster_ok", "Whether every master that answers calls the cluster ok (1) or one does not (0)."
)
CLUSTER_SLOTS = gauge(
    "supercheck_redis_cluster_slots",
    "Slots by state, as the master with the worst view of them sees it: assigned, unassigned; of the assigned ok, "
    "pfail (its master does not answer somebody), fail (all agree).",
    "state",
)
CLUSTER_MASTERS = gauge("supercheck_redis_cluster_masters", "Masters that have slots and have not failed.")
CLUSTER_REPLICAS = gauge("supercheck_redis_cluster_replicas", "Replicas that have not failed.")
CLUSTER_BARE = gauge(
    "supercheck_redis_cluster_masters_without_replica", "Masters with slots and no replica that could take over."
)
CLUSTER_FAILOVERS = counter(
    "supercheck_redis_cluster_failovers_total", "Replicas that were seen to become masters since the exporter started."
)
CLUSTER_OWNED = gauge("supercheck_redis_cluster_slots_owned", "Slots that the master owns.", "node")

_PLAIN: tuple[Command, ...] = (("PING",), ("INFO",))
_CLUSTER: tuple[Command, ...] = (("CLUSTER", "INFO"), ("CLUSTER", "NODES"))
_CONFIG: tuple[Command, ...] = (("CONFIG", "GET", "save"), ("CONFIG", "GET", "cluster-preferred-endpoint-type"))


@dataclass
class _Seen:
    """What one node answered; ``error`` says why it did not."""

    node: Node
    error: str = ""
    info: dict[str, str] = field(default_factory=dict)
    keys: int | None = None
    save: str | None = None
    cluster: dict[str, str] = field(default_factory=dict)
    topology: list[ClusterNode] = field(default_factory=list)

    @property
    def news(self) -> tuple[int, int, int]:
        """How new its word about the cluster is: who was cut off, or has just come back, knows an older epoch."""
        epochs = (int(self.cluster.get(f"cluster_{which}_epoch", -1)) for which in ("current", "my"))
        return (*epochs, len(self.topology))  # type: ignore[return-value]  # two and one


class RedisCollector(Collector):
    """Asks every node at once; those last known are asked while nobody names them."""

    name = "redis"
    descs = (
        UP, STARTED, KEYS, PERSISTENCE, POLICY_SAFE, LAG, *_FIELDS,
        CLUSTER_OK, CLUSTER_SLOTS, CLUSTER_MASTERS, CLUSTER_REPLICAS, CLUSTER_BARE, CLUSTER_FAILOVERS, CLUSTER_OWNED,
    )  # fmt: skip

    def __init__(self, source: RedisSource) -> None:
        self._source = source
        self._roles = {source.where: "unknown" if source.cluster else "master"}
        self._topology: list[ClusterNode] = []
        self._replication = Replication(source.where)
        self._failovers = Failovers()
        self._refused_at: dict[str, float] = {}
        self._started_at: dict[str, float] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="redis-node")

    def stop(self) -> None:
        """End the threads that ask the nodes."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def collect(self) -> Iterator[Sample]:
        """Ask everyone; raise when nobody answers, with a 0 for each."""
        try:
            seen = self._ask_everyone()
        except SourceError as problem:  # a server answers, and says that it is no cluster
            where = self._source.where
            self.problems = {where: str(problem)}
            raise SourceError(str(problem), [UP(0, where, self._roles.get(where, "unknown"))]) from problem
        self.problems = {one.node.name: one.error for one in seen if one.error}
        ups = [UP(0 if one.error else 1, one.node.name, self._roles[one.node.name]) for one in seen]
        if len(self.problems) == len(seen):
            first = seen[0].error
            raise SourceError(first if len(seen) == 1 else f"none of {len(seen)} Redis nodes answers: {first}", ups)
        yield from ups
        for one in seen:
            if one.info:
                yield from self._node_samples(one, self._roles[one.node.name])
        yield from self._lags(seen)
        if self._topology:
            yield from self._cluster_samples(seen)

    # -- asking ------------------------------------------------------------------------------------

    def _ask_everyone(self) -> list[_Seen]:
        """Everyone known, then those of whom these told: the first page is whole already."""
        seen = self._ask_all(self._roles)
        where = self._source.where
        if where not in self._roles and all(one.error for one in seen):
            # all addresses have changed, perhaps: the one that was given leads to them
            seed = self._ask_all([where])
            seen = seen if seed[0].error else seed
        self._learn(seen)
        asked = {one.node.name for one in seen}
        seen += self._ask_all(name for name in self._roles if name not in asked)
        self._learn(seen)
        return [one for one in seen if one.node.name in self._roles]

    def _ask_all(self, names: Iterable[str]) -> list[_Seen]:
        return list(self._pool.map(self._ask, names))

    def _ask(self, name: str) -> _Seen:
        host, _, port = name.rpartition(":")
        node = Node(name, self._roles.get(name, "unknown"), self._source.client(host, int(port), "redis"))
        reads = _PLAIN
        reads += _CLUSTER if self._source.cluster else ()
        refused_at = self._refused_at.get(name)
        if refused_at is None or time.monotonic() - refused_at > ASK_AGAIN_SECONDS:
            reads += _CONFIG if self._source.cluster else _CONFIG[:1]
        try:
            answers = dict(zip(reads, self._source.read_node(node, reads), strict=True))
        except SourceError as problem:
            return _Seen(node, error=str(problem))
        if isinstance(answers.get(_CONFIG[0]), ResponseError):
            self._refused_at[name] = time.monotonic()
        seen = _Seen(node, save=_value(answers.get(_CONFIG[0])))
        info, cluster, nodes = (answers.get(command) for command in (_PLAIN[1], *_CLUSTER))
        if isinstance(info, bytes):
            seen.info, seen.keys = parse_info(info), keys_held(info)
        if isinstance(cluster, bytes) and isinstance(nodes, bytes):
            seen.cluster = parse_info(cluster)
            seen.topology = parse_cluster_nodes(nodes, host, _value(answers.get(_CONFIG[1])) == "hostname")
        return seen

    # -- which nodes there are ---------------------------------------------------------------------

    def _learn(self, seen: list[_Seen]) -> None:
        """Take over who is there, and in which role."""
        answered = [one for one in seen if not one.error]
        if self._source.cluster:
            newest = max((one for one in answered if one.topology), key=lambda one: one.news, default=None)
            if newest is not None:
                self._topology = newest.topology
                self._failovers.see(newest.topology)
                self._roles = {node.name: node.role for node in newest.topology}
            elif answered:  # CLUSTER NODES is forbidden: the client library finds them by CLUSTER SLOTS
                self._topology = []
                self._roles = {node.name: node.role for node in self._source.nodes("redis")}
            return
        self._replication.learn({one.node.name: one.info for one in answered}, time.monotonic())
        seed = self._source.where
        self._roles = {seed: self._roles[seed], **self._replication.others}
        for one in answered:
            role = {"slave": "replica", "master": "master"}.get(one.info.get("role", ""))
            if role and one.node.name in self._roles:
                self._roles[one.node.name] = role

    # -- samples -----------------------------------------------------------------------------------

    def _node_samples(self, one: _Seen, role: str) -> Iterator[Sample]:
        info, labels = one.info, (one.node.name, role)
        uptime = info.get("uptime_in_seconds", "")
        if uptime.isdigit():
            began = round(self._source.now()) - int(uptime)
            if abs(began - self._started_at.get(one.node.name, 0)) > START_SLACK_SECONDS:
                self._started_at[one.node.name] = began
            yield STARTED(self._started_at[one.node.name], *labels)
        for desc, key in _FIELDS.items():
            value = info.get(key, "")
            if value.isdigit() and not (desc is MEMORY_LIMIT and value == "0"):
                yield desc(int(value), *labels)
        if one.keys is not None:
            yield KEYS(one.keys, *labels)
        if "maxmemory_policy" in info:
            yield POLICY_SAFE(float(info["maxmemory_policy"] == "noeviction"), *labels)
        if info.get("aof_enabled") == "1":
            yield PERSISTENCE(1, *labels)
        elif one.save is not None:
            yield PERSISTENCE(float(bool(one.save)), *labels)

    def _lags(self, seen: list[_Seen]) -> Iterator[Sample]:
        """By each master: its replicas have told it their offsets within the last second."""
        names = {(node.ip, node.port): node.name for node in self._topology}
        lags = {}
        for one in seen:
            for replica in replicas_of(one.info):
                if replica.lag_bytes is not None:
                    name = names.get((replica.host, replica.port), replica.name)
                    lags[self._replication.same(name)] = replica.lag_bytes
        for name, lag in lags.items():
            yield LAG(lag, name, "replica")

    def _cluster_samples(self, seen: list[_Seen]) -> Iterator[Sample]:
        """By the masters that the newest word knows: one that is cut off from them calls everything failed."""
        masters = [node for node in self._topology if node.role == "master" and node.slots]
        replicas = [node for node in self._topology if node.role == "replica" and not node.failed]
        standing = {node.name for node in masters if not node.failed}
        told = [one for one in seen if one.cluster]
        views = [one.cluster for one in told if one.node.name in standing]
        if told and not views:
            views = [max(told, key=lambda one: one.news).cluster]
        if views:
            yield CLUSTER_OK(float(all(view.get("cluster_state") == "ok" for view in views)))
            worst = min(views, key=lambda view: int(view.get("cluster_slots_ok", 0)))
            slots = {
                state: int(worst.get(f"cluster_slots_{state}", 0)) for state in ("assigned", "ok", "pfail", "fail")
            }
            for state, count in (slots | {"unassigned": ALL_SLOTS - slots["assigned"]}).items():
                yield CLUSTER_SLOTS(count, state)
            covered = {node.master_id for node in replicas}
            yield CLUSTER_MASTERS(len(standing))
            yield CLUSTER_REPLICAS(len(replicas))
            yield CLUSTER_BARE(sum(node.id not in covered for node in masters))
            for node in masters:
                yield CLUSTER_OWNED(node.slots, node.name)
        yield CLUSTER_FAILOVERS(self._failovers.total)


def _value(answer: object) -> str | None:
    """The value of a single parameter's CONFIG GET; None where it is forbidden or not known to this version."""
    if isinstance(answer, list) and len(answer) == 2 and isinstance(answer[1], bytes):
        return answer[1].decode("utf-8", "replace")
    return None

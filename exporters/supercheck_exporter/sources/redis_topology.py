"""Which servers make up a Redis, by CLUSTER NODES and INFO replication; pure, no connection.

07c3... 10.0.0.5:6379@16379,redis-1 master - 0 1700000000 3 connected 5461-10922
slave0:ip=10.0.0.6,port=6379,state=online,offset=4711,lag=0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ALL_SLOTS = 16384

REMEMBER_SECONDS = 3600.0
"""A master forgets a replica as soon as it is gone. So long it is asked all the same, and is said to be down."""


@dataclass(frozen=True)
class ClusterNode:
    """One line of CLUSTER NODES."""

    id: str
    host: str
    """Where clients reach it: its hostname where the cluster prefers these, else its address."""
    ip: str
    port: int
    role: str
    """master or replica."""
    failed: bool
    """The cluster itself has agreed that it is down (flag ``fail``, not ``fail?``)."""
    master_id: str
    epoch: int
    """Configuration epoch of its slots: a promotion raises it, so of two words about a node the higher is newer."""
    slots: int

    @property
    def name(self) -> str:
        """host:port, as in the label ``node``."""
        return f"{self.host}:{self.port}"


def parse_cluster_nodes(text: bytes, asked_host: str, hostnames: bool) -> list[ClusterNode]:
    """Read CLUSTER NODES as ``asked_host`` answered it; nodes without an address yet are left out.

    ``hostnames``: the cluster prefers announced hostnames to addresses (cluster-preferred-endpoint-type).
    """
    nodes = []
    for line in text.decode("utf-8", "replace").splitlines():
        parts = line.split()
        if len(parts) < 8:
            continue
        address, _, names = parts[1].partition("@")
        ip, _, port = address.rpartition(":")
        flags = set(parts[2].split(","))
        if "myself" in flags:
            ip = ip or asked_host  # a node that nobody has met yet does not know its own address
        if not ip or not port.isdigit() or flags & {"handshake", "noaddr"}:
            continue
        nodes.append(
            ClusterNode(
                id=parts[0],
                host=_hostname(names) if hostnames and _hostname(names) else ip,
                ip=ip,
                port=int(port),
                role="replica" if flags & {"slave", "replica"} else "master",
                failed="fail" in flags,
                master_id="" if parts[3] == "-" else parts[3],
                epoch=_number(parts[6]) or 0,
                slots=sum(_slots(word) for word in parts[8:]),
            )
        )
    return nodes


def _hostname(names: str) -> str:
    """The hostname of ``16379,redis-1,shard-id=...``; empty where none is announced."""
    return next((word for word in names.split(",")[1:2] if "=" not in word), "")


def _slots(word: str) -> int:
    """Slots of ``5461-10922`` or ``7``; a slot that is being moved (``[93-<-id]``) is counted where it is."""
    if word.startswith("["):
        return 0
    first, _, last = word.partition("-")
    return int(last or first) - int(first) + 1


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def parse_info(text: bytes) -> dict[str, str]:
    """INFO or CLUSTER INFO as key -> value."""
    pairs = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    return {key: value for key, colon, value in pairs if colon}


def keys_held(text: bytes) -> int | None:
    """Keys of all databases by INFO; None where it has no such section (without keys the section is empty)."""
    if b"# Keyspace" not in text:
        return None
    values = [value for key, value in parse_info(text).items() if key.startswith("db") and key[2:].isdigit()]
    return sum(_number(_fields(value).get("keys")) or 0 for value in values)


def _fields(text: str) -> dict[str, str]:
    """``a=1,b=2`` as a mapping."""
    return dict(part.partition("=")[::2] for part in text.split(","))


@dataclass(frozen=True)
class Replica:
    """A replica as its master's INFO replication names it."""

    host: str
    port: int
    lag_bytes: int | None
    """How far it is behind; None while it is not online, as it then loads a whole copy."""

    @property
    def name(self) -> str:
        """host:port, as in the label ``node``."""
        return f"{self.host}:{self.port}"


def replicas_of(info: Mapping[str, str]) -> list[Replica]:
    """The replicas of a server. What only copies for a moment (redis-cli --rdb) listens on no port: it is none."""
    end = _number(info.get("master_repl_offset"))
    found = []
    for key, value in info.items():
        if key.startswith("slave") and key[5:].isdigit():
            fields = _fields(value)
            port, offset = _number(fields.get("port")), _number(fields.get("offset"))
            lag = max(0, end - offset) if end is not None and offset is not None else None
            if fields.get("ip") and port:
                found.append(Replica(fields["ip"], port, lag if fields.get("state") == "online" else None))
    return found


def master_of(info: Mapping[str, str]) -> str | None:
    """The master that a replica follows, as host:port; None for a master."""
    host, port = info.get("master_host"), _number(info.get("master_port"))
    return f"{host}:{port}" if info.get("role") == "slave" and host and port else None


@dataclass
class _Member:
    role: str
    named_at: float
    reached: bool = False


@dataclass
class Replication:
    """A single Redis, its replicas, and theirs.

    ``seed`` is the name that the settings give to the server; ``others`` are asked besides.
    """

    seed: str
    _members: dict[str, _Member] = field(default_factory=dict)
    _aliases: set[str] = field(default_factory=set)
    """Further addresses of the seed: a master names its replica by address, the settings by host name."""

    @property
    def others(self) -> dict[str, str]:
        """Name -> role, the seed left out."""
        return {name: member.role for name, member in self._members.items()}

    def same(self, name: str) -> str:
        """The name under which a server is known."""
        return self.seed if name in self._aliases else name

    def learn(self, infos: Mapping[str, Mapping[str, str]], now: float) -> None:
        """Take the INFO of each server that answered, by name; ``now`` in seconds of any steady clock."""
        run_id = infos.get(self.seed, {}).get("run_id")
        if run_id:
            self._aliases |= {name for name, info in infos.items() if info.get("run_id") == run_id} - {self.seed}
        for name in infos:
            if name in self._members:
                self._members[name].reached = True
        for info in infos.values():
            self._named([(replica.name, "replica") for replica in replicas_of(info)], now)
        master = master_of(infos.get(self.seed, {}))
        self._named([(master, "master")] if master else [], now)
        self._members = {
            name: member
            for name, member in self._members.items()
            # one that was never reached is perhaps reachable by its master only: it is not missed
            if name not in self._aliases
            and (member.named_at == now or (member.reached and now - member.named_at < REMEMBER_SECONDS))
        }

    def _named(self, servers: Iterable[tuple[str, str]], now: float) -> None:
        for name, role in servers:
            if name != self.seed:
                member = self._members.setdefault(name, _Member(role, now))
                member.role, member.named_at = role, now


@dataclass
class Failovers:
    """Counts promotions: a node that was seen as a replica serves slots under a higher epoch now."""

    total: int = 0
    _seen: dict[str, ClusterNode] = field(default_factory=dict)

    def see(self, topology: Iterable[ClusterNode]) -> None:
        """Take the cluster as somebody knows it; ids survive a change of address, and old news are not believed."""
        for node in topology:
            known = self._seen.setdefault(node.id, node)
            if node.epoch >= known.epoch:
                promoted = known.role == "replica" and node.role == "master" and node.slots > 0
                self.total += promoted and node.epoch > known.epoch
                self._seen[node.id] = node

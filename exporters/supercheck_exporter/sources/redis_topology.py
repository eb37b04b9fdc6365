"""Which servers make up a Redis: what CLUSTER NODES and INFO replication say; pure, no connection."""

from __future__ import annotations

from dataclasses import dataclass, field

ALL_SLOTS = 16384


@dataclass(frozen=True)
class ClusterNode:
    """One line of CLUSTER NODES."""

    id: str
    host: str
    port: int
    role: str
    """master or replica."""
    failed: bool
    """The cluster itself has agreed that it is down (flag ``fail``, not ``fail?``)."""
    master_id: str
    slots: int

    @property
    def name(self) -> str:
        """host:port, as in the label ``node``."""
        return f"{self.host}:{self.port}"


def parse_cluster_nodes(text: bytes) -> list[ClusterNode]:
    """Read CLUSTER NODES; nodes without an address yet (handshake) are left out."""
    nodes = []
    for line in text.decode("utf-8", "replace").splitlines():
        parts = line.split()
        if len(parts) < 8:
            continue
        host, _, port = parts[1].partition("@")[0].rpartition(":")
        flags = set(parts[2].split(","))
        if not host or not port.isdigit() or flags & {"handshake", "noaddr"}:
            continue
        nodes.append(
            ClusterNode(
                id=parts[0],
                host=host,
                port=int(port),
                role="replica" if flags & {"slave", "replica"} else "master",
                failed="fail" in flags,
                master_id="" if parts[3] == "-" else parts[3],
                slots=sum(_slots(word) for word in parts[8:]),
            )
        )
    return nodes


def _slots(word: str) -> int:
    """Slots of ``5461-10922`` or ``7``; a slot that is being moved (``[93-<-id]``) is counted where it is."""
    if word.startswith("["):
        return 0
    first, _, last = word.partition("-")
    return int(last or first) - int(first) + 1


def parse_info(text: bytes) -> dict[str, str]:
    """INFO or CLUSTER INFO as key -> value."""
    pairs = (line.partition(":") for line in text.decode("utf-8", "replace").splitlines() if not line.startswith("#"))
    return {key: value for key, colon, value in pairs if colon}


@dataclass(frozen=True)
class Replica:
    """A replica as its master's INFO replication names it."""

    host: str
    port: int
    online: bool
    offset: int

    @property
    def name(self) -> str:
        """host:port, as in the label ``node``."""
        return f"{self.host}:{self.port}"


def replicas_of(info: dict[str, str]) -> list[Replica]:
    """The replicas of a master, from ``slave0:ip=...,port=...,state=online,offset=...,lag=0``."""
    found = []
    for key, value in info.items():
        if key.startswith("slave") and key[5:].isdigit():
            fields = dict(part.partition("=")[::2] for part in value.split(","))
            if fields.get("ip") and fields.get("port", "").isdigit():
                offset = fields.get("offset", "")
                online = fields.get("state") == "online"
                found.append(Replica(fields["ip"], int(fields["port"]), online, int(offset) if offset.isdigit() else 0))
    return found


@dataclass
class Failovers:
    """Counts promotions: a node that was seen as a replica and is a master now."""

    total: int = 0
    roles: dict[str, str] = field(default_factory=dict)

    def see(self, roles: dict[str, str]) -> None:
        """Take the roles by node id; ids survive a change of address."""
        self.total += sum(role == "master" and self.roles.get(node) == "replica" for node, role in roles.items())
        self.roles = {**self.roles, **roles}

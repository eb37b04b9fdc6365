"""Redis Cluster on one machine: three masters and three replicas."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import redis

from servers.process import free_port, wait_for
from servers.redis import LOOPBACK, Client, RedisServer

MASTERS = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 1000
SETTLE_SECONDS = 90.0
GIVEN_UP_SECONDS = 6.0


class ClusterNode(RedisServer):
    """One node; its bus has a free port of its own rather than port + 10000."""

    name = "redis-node"

    def __init__(self) -> None:
        super().__init__("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS))
        self.bus_port = free_port()
        self.args = (*self.args, "--cluster-port", str(self.bus_port), "--repl-diskless-sync-delay", "0")

    def run(self, *words: object) -> Any:
        """Send a command as it stands and return its answer."""
        return self.client().execute_command(*words)

    def node_id(self) -> str:
        """Its id within the cluster."""
        return str(self.run("CLUSTER MYID"))

    def role(self) -> str:
        """`master` or `slave`, as ROLE says."""
        return str(self.run("ROLE")[0])


@dataclass
class Pair:
    """A master and its replica as they are now: a failover swaps them here too."""

    master: ClusterNode
    replica: ClusterNode

    def swap(self) -> None:
        """After a failover: the replica is the master."""
        self.master, self.replica = self.replica, self.master


class RedisCluster:
    """Six nodes, all 16384 slots covered, each master with one replica in sync."""

    def __init__(self) -> None:
        self.nodes = [ClusterNode() for _ in range(2 * MASTERS)]
        self.pairs = [Pair(self.nodes[i], self.nodes[MASTERS + i]) for i in range(MASTERS)]

    def __enter__(self) -> Self:
        try:
            for node in self.nodes:
                node.launch()
            for node in self.nodes:
                node.wait_ready()
            self._form()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End every node."""
        for node in self.nodes:
            node.stop()

    def _form(self) -> None:
        for number, pair in enumerate(self.pairs):
            first, after = SLOTS * number // MASTERS, SLOTS * (number + 1) // MASTERS
            pair.master.run("CLUSTER ADDSLOTSRANGE", first, after - 1)
        entry = self.nodes[0]
        for epoch, node in enumerate(self.nodes, start=1):
            node.run("CLUSTER SET-CONFIG-EPOCH", epoch)
        for node in self.nodes[1:]:
            entry.run("CLUSTER MEET", LOOPBACK, node.port, node.bus_port)
        wait_for(self._all_know_all, SETTLE_SECONDS, "every node knows the other five")
        for pair in self.pairs:
            pair.replica.run("CLUSTER REPLICATE", pair.master.node_id())
        self.wait_healthy()

    def _all_know_all(self) -> bool:
        return all(_cluster_info(node)["cluster_known_nodes"] == "6" for node in self.nodes)

    def wait_healthy(self) -> None:
        """Wait until every running node sees all slots served and every replica is in sync."""
        wait_for(self._healthy, SETTLE_SECONDS, "the cluster is whole")

    def _healthy(self) -> bool:
        running = [node for node in self.nodes if node.running()]
        if any(_cluster_info(node)["cluster_state"] != "ok" for node in running):
            return False
        if any(_view(node) != _view(running[0]) for node in running):
            return False  # a failover asked for before all agree finds no majority of votes
        roles = [node.run("ROLE") for node in running]
        return all(role[0] != "slave" or role[3] == "connected" for role in roles)

    def settle(self) -> None:
        """Wait until the cluster is whole, and note who is master by now: a freeze may have made a failover."""
        self.wait_healthy()
        for pair in self.pairs:
            if pair.master.role() != "master":
                pair.swap()

    def pair_of(self, key: str) -> Pair:
        """The pair that holds a key's slot (by the slots given at the start)."""
        slot = int(self.nodes[0].run("CLUSTER KEYSLOT", key))
        return next(
            pair
            for number, pair in enumerate(self.pairs)
            if SLOTS * number // MASTERS <= slot < SLOTS * (number + 1) // MASTERS
        )

    def kill_master(self, pair: Pair) -> None:
        """Crash a master and wait until its replica has taken its slots over; `pair.replica` is down then."""
        pair.master.kill()
        self._wait_taken_over(pair)

    def switch(self, pair: Pair) -> None:
        """Swap master and replica gracefully (CLUSTER FAILOVER), losing nothing.

        Asked again where Redis gives up after 5 seconds, as it does with a replica that still catches up.
        """
        asked = -GIVEN_UP_SECONDS

        def switched() -> bool:
            nonlocal asked
            roles = pair.master.role(), pair.replica.role()
            if roles == ("master", "slave") and time.monotonic() - asked >= GIVEN_UP_SECONDS:
                asked = time.monotonic()
                pair.replica.run("CLUSTER FAILOVER")
            return roles == ("slave", "master")

        wait_for(switched, SETTLE_SECONDS, "master and replica are swapped")
        pair.swap()
        self.wait_healthy()

    def revive(self, pair: Pair) -> None:
        """Start a killed master again; it comes back as a replica of its successor."""
        pair.replica.start()
        self._wait_follows(pair)

    def _wait_taken_over(self, pair: Pair) -> None:
        wait_for(lambda: pair.replica.role() == "master", SETTLE_SECONDS, "the replica took over")
        pair.swap()
        self.wait_healthy()

    def _wait_follows(self, pair: Pair) -> None:
        wait_for(lambda: pair.replica.role() == "slave", SETTLE_SECONDS, "the old master follows")
        self.wait_healthy()

    def exporter_env(self) -> dict[str, str]:
        """The settings with which the exporter reads this cluster, entering by the first running node."""
        entry = next(node for node in self.nodes if node.running())
        return entry.exporter_env() | {"REDIS_CLUSTER": "true", "BULLMQ_PREFIX": "{bull}"}

    def bullmq_connection(self) -> dict[str, object]:
        """The same for BullMQ's harness."""
        return {"cluster": [{"host": LOOPBACK, "port": node.port} for node in self.nodes]}

    def client(self) -> Client:
        """A new client that follows redirections; the caller closes it."""
        return redis.RedisCluster(host=LOOPBACK, port=self.nodes[0].port, decode_responses=True)


def _cluster_info(node: ClusterNode) -> dict[str, str]:
    text = node.run("CLUSTER INFO")
    if isinstance(text, dict):
        return {str(key): str(value) for key, value in text.items()}
    return dict(line.split(":", 1) for line in str(text).splitlines() if ":" in line)


def _view(node: ClusterNode) -> dict[str, tuple[str, str]]:
    """Who is master or replica of whom, as one node sees it: {address: (flags, master's id)}."""
    nodes = node.run("CLUSTER NODES")
    return {
        address: (str(row["flags"]).replace("myself,", ""), str(row["master_id"])) for address, row in nodes.items()
    }

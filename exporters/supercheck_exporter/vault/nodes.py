"""The state of each Vault node, from what it tells everybody: ``sys/seal-status`` and ``sys/health``.

The status codes of ``sys/health`` are states: 200 active, 429 standby, 472 disaster recovery secondary, 473 performance
standby, 474 standby that does not reach the active node, 501 not initialized, 503 sealed, 530 removed from its cluster.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.http import HttpError
from supercheck_exporter.sources.vault import Reply, VaultSource

SERVING = (200, 473, 429)
"""Nodes that answer a request with a token (a standby hands it on), the best first."""


@dataclass(frozen=True)
class Node:
    """What a node told. None is unknown; ``error`` is empty where it answered as a Vault does."""

    name: str
    error: str = ""
    status: int | None = None
    initialized: bool | None = None
    sealed: bool | None = None
    standby: bool | None = None
    """Unknown of a sealed one: it has no part in the cluster."""
    certificate_expires_at: float | None = None


def serving(nodes: Iterable[Node]) -> Node | None:
    """The node to ask with the token; None while none serves."""
    ready = [node for node in nodes if node.status in SERVING]
    return min(ready, key=lambda node: SERVING.index(node.status or 0), default=None)


class NodeReader:
    """Asks all nodes side by side. One that does not answer in time costs itself alone: its thread is left to end."""

    def __init__(self, source: VaultSource) -> None:
        self._source = source
        self._pool = ThreadPoolExecutor(max(1, len(source.nodes)), thread_name_prefix="vault")
        self._asked: dict[str, Future[Node]] = {}

    def read(self, seconds: float) -> list[Node]:
        """Every node within ``seconds``; what is late (a resolver that hangs has no deadline) counts as down."""
        for name in self._source.nodes:
            if name not in self._asked:  # at most one question to a node is under way
                self._asked[name] = self._pool.submit(ask_node, self._source, name, seconds / 2)
        wait(self._asked.values(), timeout=seconds)
        return [self._take(name, seconds) for name in self._source.nodes]

    def stop(self) -> None:
        """Ask nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, name: str, seconds: float) -> Node:
        if not self._asked[name].done():
            return Node(name, error=f"Vault at {name} does not answer within {seconds:g} s: check VAULT_ADDRS")
        return self._asked.pop(name).result()


def ask_node(source: VaultSource, name: str, deadline: float) -> Node:
    """One node, each of the two questions within ``deadline`` seconds."""
    replies: dict[str, Reply] = {}
    error = ""
    for path in ("sys/seal-status", "sys/health"):
        try:
            reply = source.get(name, path, deadline)
        except SourceError as problem:
            error = str(problem)
            if isinstance(problem, HttpError) and problem.reason in {"refused", "name", "tls"}:
                break  # the other question would end likewise
            continue
        if isinstance(reply.body.get("sealed"), bool):
            replies[path] = reply
        elif path == "sys/health":
            error = f"Vault at {name} answers {reply.status} and not as a Vault does: check VAULT_ADDRS"
    if not replies:
        return Node(name, error=error)
    return _node(name, replies.get("sys/seal-status"), replies.get("sys/health"))


def _node(name: str, seal: Reply | None, health: Reply | None) -> Node:
    told = [reply.body for reply in (seal, health) if reply is not None]
    sealed = bool(told[0]["sealed"])
    initialized = next((body["initialized"] for body in reversed(told) if "initialized" in body), None)
    roles = (health.body.get("standby"), health.body.get("performance_standby")) if health and not sealed else ()
    expiries = [reply.certificate_expires_at for reply in (seal, health) if reply is not None]
    return Node(
        name,
        status=health.status if health is not None else None,
        initialized=initialized if isinstance(initialized, bool) else None,
        sealed=sealed,
        standby=any(roles) if any(isinstance(role, bool) for role in roles) else None,
        certificate_expires_at=expiries[0],
    )


def remaining(until: float, least: float = 0.2) -> float:
    """Seconds until a moment of the monotonic clock, and a little where it has passed."""
    return max(least, until - time.monotonic())


def refused(reply: Reply, node: str, path: str) -> SourceError:
    """What a status that is no answer to a request with a token means."""
    if reply.status == 403:
        return SourceError(
            f"Vault at {node} refuses VAULT_TOKEN for {path}: it has expired or was revoked, or its policy is not the "
            "manual's"
        )
    return SourceError(f"Vault at {node} answers {reply.status} to {path}: see its log")

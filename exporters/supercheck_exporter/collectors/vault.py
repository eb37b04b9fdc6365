"""Vault: which state each node is in, whether what is done with secrets is recorded, and how old they are.

Source: ``sys/seal-status`` and ``sys/health`` of each node without a token; with one ``sys/audit`` and
``auth/token/lookup-self`` of a node that serves, and the metadata of KV version 2 in the background (vault/ages.py).

    supercheck_vault_sealed{node="vault-1"} 0.0
    supercheck_vault_secrets_overdue_rotation{mount="secret"} 3.0
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from supercheck_exporter.core import Collector, Sample, SourceError, gauge
from supercheck_exporter.sources.vault import VaultSource
from supercheck_exporter.vault.ages import SecretAges
from supercheck_exporter.vault.nodes import Node, NodeReader, refused, remaining, serving

NODES_SHARE = 0.6
"""Of the time for a scrape, what the nodes have for their state; the rest is for the token."""

UP = gauge(
    "supercheck_vault_up", "Whether the node answers as a Vault does, in whatever state (1), or not (0).", "node"
)
SEALED = gauge("supercheck_vault_sealed", "Whether the node is sealed (1) or not (0).", "node")
STANDBY = gauge(
    "supercheck_vault_standby",
    "Whether the node is a standby (1) or the active one (0); absent while it is sealed.",
    "node",
)
INITIALIZED = gauge("supercheck_vault_initialized", "Whether the node's Vault is initialized (1) or not (0).", "node")
CERTIFICATE = gauge(
    "supercheck_vault_certificate_expiry_timestamp_seconds",
    "Unix time at which the certificate ends that the node shows; absent without TLS and while it is not accepted.",
    "node",
)
AUDIT = gauge(
    "supercheck_vault_audit_devices",
    "Audit devices that are enabled; absent without a token, where its policy forbids it, and while no node serves.",
)
TTL = gauge(
    "supercheck_vault_token_ttl_seconds",
    "Seconds until the exporter's own token expires; absent of a token that never does.",
)
LIFETIME = gauge(
    "supercheck_vault_token_lifetime_seconds", "Seconds for which that token was made, or its period if it has one."
)
SECRETS = gauge(
    "supercheck_vault_secrets", "Secrets of the mount whose current version is there, below VAULT_KV_PATHS.", "mount"
)
AGE = gauge(
    "supercheck_vault_secret_age_seconds",
    "Seconds since the secret of the mount that was not changed for longest got its current version; 0 where the mount "
    "has none.",
    "mount",
)
OVERDUE = gauge(
    "supercheck_vault_secrets_overdue_rotation",
    "Secrets of the mount whose current version is older than THRESHOLD_SECRET_ROTATION_SECONDS.",
    "mount",
)
WALKED = gauge(
    "supercheck_vault_secrets_last_success_timestamp_seconds",
    "Unix time at which the secrets of the mount were last read whole.",
    "mount",
)


class VaultCollector(Collector):
    """The nodes side by side, then one of them with the token."""

    name = "vault"
    descs = (
        UP, SEALED, STANDBY, INITIALIZED, CERTIFICATE, AUDIT, TTL, LIFETIME, SECRETS, AGE, OVERDUE, WALKED,
    )  # fmt: skip

    def __init__(self, source: VaultSource, ages: SecretAges) -> None:
        self._source = source
        self._ages = ages
        self._reader = NodeReader(source)
        self._walks = source.has_token and bool(source.settings.vault_kv_paths)
        self.audit_forbidden = False
        """Whether the token's policy does not let the audit devices be read; for ``check``."""

    def start(self) -> None:
        """Start reading the ages of secrets, where they are asked for."""
        if self._walks:
            self._ages.start()

    def stop(self) -> None:
        """Stop it."""
        if self._walks:
            self._ages.stop()
        self._reader.stop()

    def collect(self) -> list[Sample]:
        """Read every node; raise with what they told when none answers, or when the token is refused.

        A sealed Vault is an answer: it costs what only a serving node can tell, and is no failure.
        """
        timeout = self._source.settings.vault_timeout_seconds
        until = time.monotonic() + timeout
        nodes = self._reader.read(timeout * NODES_SHARE)
        self.problems = {node.name: node.error for node in nodes if node.error}
        samples = [sample for node in nodes for sample in node_samples(node)]
        samples += self._secrets()
        if len(self.problems) == len(nodes):
            first = nodes[0].error
            raise SourceError(first if len(nodes) == 1 else f"none of {len(nodes)} nodes answers: {first}", samples)
        asked = serving(nodes)
        if self._source.has_token and asked is not None:
            try:
                samples += self._token(asked.name, until)
            except SourceError as problem:
                raise SourceError(str(problem), samples) from problem
        return samples

    def _token(self, node: str, until: float) -> Iterator[Sample]:
        """What needs the token. A policy without ``sys/audit`` is bearable; one without ``lookup-self`` is not."""
        path = "auth/token/lookup-self"
        reply = self._source.get(node, path, remaining(until), token=True)
        if reply.status != 200 or "ttl" not in reply.data:
            raise refused(reply, node, path)
        data = reply.data
        if data.get("expire_time"):
            yield TTL(float(data["ttl"]))
            lifetime = max(float(data.get("creation_ttl") or 0), float(data.get("period") or 0))
            if lifetime:
                yield LIFETIME(lifetime)
        path = "sys/audit"
        reply = self._source.get(node, path, remaining(until), token=True)
        self.audit_forbidden = reply.status == 403
        if reply.status == 200:
            devices = reply.data or reply.body
            yield AUDIT(sum(isinstance(device, dict) and "type" in device for device in devices.values()))
        elif not self.audit_forbidden:
            raise refused(reply, node, path)

    def _secrets(self) -> Iterator[Sample]:
        if not self._walks:
            return
        now, limit = time.time(), self._source.settings.thresholds["secret_rotation_seconds"]
        for mount, ages in self._ages.ages().items():
            yield SECRETS(len(ages.changed), mount)
            yield AGE(max(0.0, now - ages.changed[0]) if ages.changed else 0.0, mount)
            yield OVERDUE(ages.overdue(now, limit), mount)
            yield WALKED(ages.read_at, mount)


def node_samples(node: Node) -> Iterator[Sample]:
    """What one node told; of one that is down, that alone."""
    yield UP(0.0 if node.error else 1.0, node.name)
    for desc, state in ((SEALED, node.sealed), (STANDBY, node.standby), (INITIALIZED, node.initialized)):
        if state is not None:
            yield desc(float(state), node.name)
    if node.certificate_expires_at is not None:
        yield CERTIFICATE(node.certificate_expires_at, node.name)

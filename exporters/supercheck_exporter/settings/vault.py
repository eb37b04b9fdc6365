"""How HashiCorp Vault is reached, where a site keeps secrets there. Vault's own names where it has one."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, FilePath, SecretStr

from supercheck_exporter.settings.fields import Count, Group, setting


def _nodes(text: object) -> object:
    """Read ``name=url`` or a URL, whose name is then its host and port."""
    if not isinstance(text, str):
        return text
    nodes: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        before, _, url = item.rpartition("=")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or "@" in parts.netloc:
            raise ValueError("not a URL of a Vault node")
        name = before.strip() or f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
        if name in nodes:
            raise ValueError("a name stands twice")
        nodes[name] = url.rstrip("/").removesuffix("/v1")
    return nodes


def _kv_paths(text: object) -> object:
    """Read ``mount`` or ``mount:path``; several paths of one mount are looked at together."""
    if not isinstance(text, str):
        return text
    mounts: dict[str, tuple[str, ...]] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        mount, _, path = item.partition(":")
        mount, path = mount.strip("/ "), path.strip("/ ")
        if not mount:
            raise ValueError("no mount")
        mounts[mount] = tuple(dict.fromkeys((*mounts.get(mount, ()), path)))
    return mounts


Nodes = Annotated[dict[str, str], BeforeValidator(_nodes)]
KvPaths = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_kv_paths)]


class VaultSettings(Group):
    """How Vault is reached."""

    vault_addrs: Nodes = setting(
        {}, "URLs or name=URL pairs, separated by commas", "Every node of Vault; unset: no Vault is watched."
    )
    vault_token: SecretStr | None = setting(
        None, "any text", "Token with the policy of this manual; unset: only what a node tells everybody."
    )
    vault_namespace: str | None = setting(None, "a namespace", "Namespace of the token (Vault Enterprise).")
    vault_cacert: FilePath | None = setting(
        None, "the path of a file", "CA certificates (PEM) that signed the nodes' certificates; unset: the system's."
    )
    vault_timeout_seconds: Annotated[float, Field(ge=1, le=30)] = setting(
        4.0, "seconds from 1 to 30", "Deadline of all reads of a scrape; keep it below the scrape timeout."
    )
    vault_kv_paths: KvPaths = setting(
        {},
        "KV version 2 mounts, each alone or as mount:path, separated by commas",
        "Where the ages of secrets are read; unset: nowhere.",
    )
    vault_kv_max_secrets: Count = setting(
        10_000, "a whole number over 0", "Secrets and folders of a mount that are walked at most."
    )

"""Vault's HTTP API: one GET at a time, each with a deadline. Nothing is written, and no value is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from supercheck_exporter.core import SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.http import HttpError, fetch

MAX_BYTES = 4 << 20
"""A folder of 10,000 names is some hundred kilobytes."""


@dataclass(frozen=True)
class Reply:
    """What a node answered. ``body`` is empty where it is no JSON object."""

    status: int
    body: Mapping[str, Any]
    seconds: float
    certificate_expires_at: float | None

    @property
    def data(self) -> Mapping[str, Any]:
        """The part ``data`` of the answer."""
        data = self.body.get("data")
        return data if isinstance(data, dict) else {}


class VaultSource:
    """The nodes by name, and the token."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.nodes: Mapping[str, str] = settings.vault_addrs
        self.has_token = settings.vault_token is not None

    def get(self, node: str, path: str, deadline: float, *, token: bool = False, query: str = "") -> Reply:
        """Ask one node for ``/v1/<path>`` within so many seconds; any status is an answer.

        Raises HttpError where there is none. ``path`` is not encoded yet.
        """
        headers = {"X-Vault-Request": "true", "Accept": "application/json"}
        if token and self.settings.vault_token is not None:
            headers["X-Vault-Token"] = self.settings.vault_token.get_secret_value()
            if self.settings.vault_namespace:
                headers["X-Vault-Namespace"] = self.settings.vault_namespace
        try:
            answer = fetch(
                f"{self.nodes[node]}/v1/{quote(path)}{query}",
                deadline=deadline,
                headers=headers,
                max_bytes=MAX_BYTES,
                ca_file=self.settings.vault_cacert,
            )
        except HttpError as problem:
            setting = "VAULT_CACERT" if problem.reason == "tls" else "VAULT_ADDRS"
            raise HttpError(problem.reason, f"Vault at {node}: {problem} ({setting})") from problem
        if not answer.whole:
            raise SourceError(
                f"Vault at {node} answers more than {MAX_BYTES >> 20} MiB: name its folders singly in VAULT_KV_PATHS"
            )
        return Reply(answer.status, _object(answer.body), answer.seconds, answer.certificate_expires_at)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}

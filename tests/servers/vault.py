"""Answers of HashiCorp Vault by its documentation, over real HTTPS. No real Vault stands behind: none can be had here.

`vault_answers/` has a file for each state that is documented, with the page and version that it comes from.
"""

from __future__ import annotations

import copy
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote

import trustme

from servers.web import HANG, Asked, Raw, Reply, Web

ANSWERS = Path(__file__).with_name("vault_answers")
TOKEN = "hvs.vault-token-of-the-tests"
MOUNT = "secret"


def path_of(asked: Asked) -> str:
    """What was asked for, below v1."""
    return unquote(asked.path.partition("?")[0]).removeprefix("/v1/")


def answers(name: str) -> dict[str, dict[str, Any]]:
    """{path: {status, body}} of a file of vault_answers."""
    found: dict[str, dict[str, Any]] = json.loads((ANSWERS / f"{name}.json").read_text(encoding="utf-8"))["answers"]
    return found


def answer(name: str) -> dict[str, Any]:
    """The one answer of a file."""
    (found,) = answers(name).values()
    return copy.deepcopy(found)


@dataclass
class Secret:
    """A secret of the mount: how many days ago its current version was made, and what became of that version."""

    days: float
    deletion_days: float | None = None
    """When it was or will be deleted, in days from now."""
    destroyed: bool = False
    versions: int = 1


@dataclass
class VaultServer:
    """One node. What it answers can be changed at any time."""

    state: str = "active"
    token_answers: tuple[str, ...] = ("token", "audit")
    secrets: dict[str, Secret] = field(default_factory=dict)
    """By their path in the mount."""
    forbidden: set[str] = field(default_factory=set)
    """Paths below v1 that the policy forbids."""
    failing: set[str] = field(default_factory=set)
    """Paths that a proxy before it answers with an HTML page of status 502."""
    versioned: bool = True
    """Whether the mount is of KV version 2."""
    names: tuple[str, ...] = ("localhost", "127.0.0.1")
    """Of its certificate."""
    expires_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(days=200))
    _forgotten: int = 0
    hanging: bool = False
    """Whether it takes every request and answers none."""

    def __post_init__(self) -> None:
        self._authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*self.names, not_after=self.expires_at).configure_cert(context)
        self._web = Web(self._answer, context)

    @property
    def url(self) -> str:
        """Its address, as VAULT_ADDRS takes it."""
        return self._web.url

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._web.port

    @property
    def asked(self) -> list[Asked]:
        """Every request so far; see ``forget``."""
        return self._web.asked[self._forgotten :]

    def forget(self) -> None:
        """Start a new list of requests."""
        self._forgotten = len(self._web.asked)

    def ca_file(self, folder: Path) -> str:
        """Write the certificate of who signed its own; the path."""
        path = folder / f"vault-{self.port}.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return str(path)

    def settings(self, folder: Path) -> dict[str, str]:
        """Settings with which the exporter watches this node alone, with its token from a file."""
        token = folder / f"vault-token-{self.port}"
        token.write_text(f"{TOKEN}\n")
        return {
            "VAULT_ADDRS": f"vault-1={self.url}",
            "VAULT_CACERT": self.ca_file(folder),
            "VAULT_TOKEN_FILE": str(token),
        }

    def __enter__(self) -> Self:
        self._web.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._web.stop()

    def _answer(self, asked: Asked) -> Reply | Raw:
        if self.hanging:
            return HANG
        path, query, token = path_of(asked), asked.path.partition("?")[2], asked.headers.get("x-vault-token")
        if path in self.failing:
            return Reply(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")
        found = self._found(path, query, token)
        return Reply(found["status"], {"Content-Type": "application/json"}, json.dumps(found["body"]).encode())

    def _found(self, path: str, query: str, token: str | None) -> Mapping[str, Any]:
        of_all = answers(self.state)
        if path in of_all:
            return of_all[path]
        if of_all["sys/seal-status"]["body"]["sealed"]:
            return {"status": 503, "body": {"errors": ["Vault is sealed"]}}
        if token != TOKEN:
            return answer("token_refused")
        if path in self.forbidden:
            return answer("forbidden")
        for name in self.token_answers:
            if path in answers(name):
                return answers(name)[path]
        if path == f"{MOUNT}/config" and self.versioned:
            return answer("kv_config")
        below = path.removeprefix(f"{MOUNT}/metadata/")
        if path.startswith(f"{MOUNT}/metadata/") and self.versioned:
            return self._listed(below) if query == "list=true" else self._metadata(below)
        return answer("kv_nothing")

    def _listed(self, folder: str) -> Mapping[str, Any]:
        rest = [path.removeprefix(folder) for path in self.secrets if path.startswith(folder)]
        keys = sorted({name.partition("/")[0] + ("/" if "/" in name else "") for name in rest if name})
        if not keys:
            return answer("kv_nothing")
        found = answer("kv_list")
        found["body"]["data"]["keys"] = keys
        return found

    def _metadata(self, path: str) -> Mapping[str, Any]:
        secret = self.secrets.get(path)
        if secret is None:
            return answer("kv_nothing")
        found = answer("kv_metadata")
        data, now = found["body"]["data"], datetime.now(UTC)
        old = {"created_time": _text(now - timedelta(days=999)), "deletion_time": "", "destroyed": False}
        data["versions"] = {str(number): dict(old) for number in range(1, secret.versions + 1)}
        data["current_version"] = secret.versions
        if secret.versions:
            deletion = "" if secret.deletion_days is None else _text(now + timedelta(days=secret.deletion_days))
            data["versions"][str(secret.versions)] = {
                "created_time": _text(now - timedelta(days=secret.days)),
                "deletion_time": deletion,
                "destroyed": secret.destroyed,
            }
        return found


def _text(moment: datetime) -> str:
    """As Vault writes it, to the nanosecond."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"

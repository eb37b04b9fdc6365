"""One probe of an endpoint: what is asked, and what the answer means.

A probe of the app or of a GraphQL endpoint looks into the answer: both say 200 when they are not well.
"""

from __future__ import annotations

import json
import re
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.http import Answer, fetch, place, port_of

Outcome = Literal["ok", "degraded", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "degraded", "failed")

APP_STATUS: Mapping[str, Outcome] = {"ok": "ok", "healthy": "ok", "degraded": "degraded"}
"""What the app says of itself (supercheck.md 8); anything else is a failure."""

CHECK_IS_WELL = ("ok", "healthy", "up")
CHECK_NAME = re.compile(r"[a-z0-9_]{1,30}")
MAX_CHECKS = 20
MAX_REPLICAS = 50


@dataclass(frozen=True)
class Finding:
    """What a probe found. ``problem`` is for people, and empty where all is well."""

    outcome: Outcome
    problem: str = ""
    certificate_expires: float | None = None
    checks: Mapping[str, bool] = field(default_factory=dict)
    """What the endpoint says of each thing that it stands on."""
    replicas: tuple[int, int] | None = None
    """(ready, not ready); None where it has no replicas of its own, or they are unknown."""


class Endpoint(ABC):
    """Something that can be asked how it is; what PROBE_CA_FILE names is trusted beside the system's certificates."""

    def __init__(self, url: str, ca_file: Path | None) -> None:
        self._url = url
        self._ca_file = ca_file
        self._where = place(url)

    @abstractmethod
    def ask(self, seconds: float) -> Finding:
        """Ask within so many seconds. Raises SourceError where there is no answer at all."""

    def _fetch(self, path: str, seconds: float, **more: Any) -> Answer:
        return fetch(self._url + path, deadline=seconds, ca_file=self._ca_file, **more)

    def _json(self, answer: Answer) -> Any:
        try:
            return json.loads(answer.body)
        except ValueError:
            raise SourceError(f"{self._where} answers something else than JSON") from None

    def _failed(self, answer: Answer, text: str) -> Finding:
        return Finding("failed", f"{self._where} {text}", answer.certificate_expires_at)


class Page(Endpoint):
    """Any HTTP endpoint: it is well when it answers 2xx. A redirect is not followed, and is a failure."""

    def ask(self, seconds: float) -> Finding:
        """GET it."""
        reply = self._fetch("", seconds)
        if 200 <= reply.status < 300:
            return Finding("ok", certificate_expires=reply.certificate_expires_at)
        mend = " (a redirect is not followed: name what it leads to)" if 300 <= reply.status < 400 else ""
        return self._failed(reply, f"answers {reply.status}{mend}")


class GraphQL(Endpoint):
    """A GraphQL endpoint: it is well when the query has data and no errors."""

    def __init__(self, url: str, ca_file: Path | None, query: str) -> None:
        super().__init__(url, ca_file)
        self._body = json.dumps({"query": query}).encode()

    def ask(self, seconds: float) -> Finding:
        """POST the query."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        reply = self._fetch("", seconds, method="POST", headers=headers, body=self._body)
        if reply.status != 200:
            return self._failed(reply, f"answers {reply.status} to the query")
        said = self._json(reply)
        if not isinstance(said, dict) or said.get("errors"):
            return self._failed(reply, "answers the query with errors")
        if said.get("data") is None:
            return self._failed(reply, "answers the query without data")
        return Finding("ok", certificate_expires=reply.certificate_expires_at)


class App(Endpoint):
    """Supercheck's app, by GET /api/health: 200 and `degraded` without Redis or S3, 503 without PostgreSQL."""

    def ask(self, seconds: float) -> Finding:
        """Ask for its health, and read what it says of each check; the texts of errors are not read."""
        reply = self._fetch("/api/health", seconds)
        if reply.status not in (200, 503):
            return self._failed(reply, f"answers {reply.status} to /api/health")
        said = self._json(reply)
        if not isinstance(said, dict) or not isinstance(said.get("status"), str):
            return self._failed(reply, "answers /api/health without a status: is it Supercheck's app?")
        checks = read_checks(said.get("checks"))
        ill = ", ".join(sorted(name for name, well in checks.items() if not well)) or "no check that it names"
        outcome = APP_STATUS.get(said["status"], "failed") if reply.status == 200 else "failed"
        problem = "" if outcome == "ok" else f"{self._where} calls itself not well: {ill}"
        return Finding(outcome, problem, reply.certificate_expires_at, checks)


class Workers(Endpoint):
    """Supercheck's workers, by GET /health/ready of each address that their name has."""

    def ask(self, seconds: float) -> Finding:
        """Ask every replica, side by side."""
        until = time.monotonic() + seconds
        found = addresses(self._url)
        if len(found) > MAX_REPLICAS:
            found = found[:MAX_REPLICAS]
        with ThreadPoolExecutor(len(found), thread_name_prefix="replica") as pool:
            answers = list(pool.map(lambda address: self._is_ready(address, until), found))
        problems = [answer for answer in answers if isinstance(answer, str)]
        replies = [answer for answer in answers if isinstance(answer, Answer)]
        replicas = (len(replies), len(problems))
        problem = f"{len(problems)} of {len(found)} replicas are not ready: {problems[0]}" if problems else ""
        outcome: Outcome = "failed" if not replies else "degraded" if problems else "ok"
        certificates = [reply.certificate_expires_at for reply in replies if reply.certificate_expires_at]
        return Finding(outcome, problem, min(certificates, default=None), replicas=replicas)

    def _is_ready(self, address: str, until: float) -> Answer | str:
        """The answer of a replica that is ready, or what is wrong with it."""
        try:
            reply = self._fetch("/health/ready", max(0.05, until - time.monotonic()), address=address)
            said = self._json(reply) if reply.status == 200 else None
        except SourceError as error:
            return str(error)
        if reply.status != 200:
            return f"{self._where} answers {reply.status} to /health/ready"
        if not isinstance(said, dict) or said.get("ready") is False:
            return f"{self._where} does not call itself ready"
        return reply


def addresses(url: str) -> list[str]:
    """The IPv4 addresses of the URL's host, else its others; in order. SourceError where it has none."""
    parts = urlsplit(url)
    try:
        found = socket.getaddrinfo(parts.hostname, port_of(parts), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise SourceError(f"the name {parts.hostname} is not known to the resolver: check it, and the DNS") from None
    fourth = sorted({str(address[0]) for family, *_, address in found if family == socket.AF_INET})
    return fourth or sorted({str(address[0]) for *_, address in found})


def read_checks(said: Any) -> dict[str, bool]:
    """``{"redis": {"status": "ok", ...}, ...}`` as name -> whether it is well; what looks otherwise is left out."""
    checks: dict[str, bool] = {}
    for name, check in said.items() if isinstance(said, dict) else ():
        if CHECK_NAME.fullmatch(str(name)) and isinstance(check, dict) and isinstance(check.get("status"), str):
            checks[name] = check["status"] in CHECK_IS_WELL
    return dict(sorted(checks.items())[:MAX_CHECKS])

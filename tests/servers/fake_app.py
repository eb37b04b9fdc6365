"""A small web app with Supercheck's routes as far as an edge sees them: sessions, organizations, reports in a store.

Who may see what is decided as Supercheck decides it: of a run's report by the run's project, of a test's by the
test's. Every read of the object store is counted.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field

from servers.web import Asked, Raw, Reply, Web

COOKIE = "better-auth.session_token"
PAUSE_SECONDS = 0.05
"""What a read of the object store takes."""


STREAM = Raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n", "drip")
"""An event stream that never ends."""


def _json(status: int, headers: dict[str, str] | None = None, **body: object) -> Reply:
    return Reply(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(body).encode())


@dataclass
class Report:
    """One report: whose, of a run or of a test, and its files."""

    organization: str
    kind: str
    files: dict[str, bytes] = field(default_factory=dict)


class FakeApp(Web):
    """Started by `with`. `slow`: reads of the object store take their time."""

    def __init__(self, *, slow: bool = False) -> None:
        super().__init__(self._answer)
        self.slow = slow
        self.reports: dict[str, Report] = {}
        self.sessions: dict[str, str] = {}
        self.reads: Counter[str] = Counter()
        """Reads of the object store by path."""
        self.tallies: Counter[str] = Counter()
        """Requests by the first words of their path."""
        self._counting = threading.Lock()
        self._pause = threading.Event()

    def sign_in(self, organization: str) -> dict[str, str]:
        """A new session of somebody in this organization: the headers to send."""
        token = uuid.uuid4().hex
        self.sessions[f"{COOKIE}={token}.c2lnbmF0dXJl%3D"] = organization
        return {"Cookie": f"{COOKIE}={token}.c2lnbmF0dXJl%3D"}

    def token(self, organization: str) -> dict[str, str]:
        """A new CLI token, likewise."""
        token = f"Bearer sck_live_{uuid.uuid4().hex}"
        self.sessions[token] = organization
        return {"Authorization": token}

    def report(self, organization: str, kind: str = "run", **files: bytes) -> str:
        """Store a report; returns the path of its folder."""
        entity = str(uuid.uuid4())
        named = {name.replace("_", "."): body for name, body in files.items()} or {"index.html": b"<html>"}
        self.reports[entity] = Report(organization, kind, named)
        return f"/api/test-results/{entity}/"

    def _answer(self, asked: Asked) -> Reply | Raw:
        path = asked.path.partition("?")[0]
        with self._counting:
            self.tallies["/".join(path.split("/")[:3])] += 1
        cookies = asked.headers.get("cookie", "").split("; ")
        who = next(
            (self.sessions[c] for c in [*cookies, asked.headers.get("authorization", "")] if c in self.sessions), None
        )
        if path.startswith(("/_next/static/", "/api/assets/")):
            return self._static(asked, path)
        if path in ("/api/jobs/run", "/api/test"):
            return _json(429, error="Queue capacity limit reached")
        if re.fullmatch(r"/api/jobs/[^/]+/trigger", path):
            return _json(429, {"Retry-After": "30"}, error="Rate limit exceeded")
        if path == "/api/stream":
            return STREAM
        if path == "/api/public":
            return _json(200, seen=dict(asked.headers))
        if who is None:
            return _json(401, error="Authentication required")
        match = re.fullmatch(r"/api/(runs|tests)/([^/]+)(/permissions)?", path)
        if match:
            return self._may(who, match[1].rstrip("s"), match[2])
        match = re.fullmatch(r"/api/test-results/(?:(?:jobs|tests)/)?([^/]+)/(.*)", path)
        if match:
            return self._report(who, match[1], match[2] or "index.html")
        return _json(200, seen=dict(asked.headers), organization=who)

    def _may(self, who: str, kind: str, entity: str) -> Reply:
        report = self.reports.get(entity)
        if report is None or report.kind != kind:
            return _json(404, error="not found")
        return _json(200 if report.organization == who else 404 if kind == "run" else 403)

    def _report(self, who: str, entity: str, name: str) -> Reply:
        report = self.reports.get(entity)
        if report is None:
            return _json(404, error="no report")
        if report.organization != who:
            return _json(403, error="Insufficient permissions to view this report")
        return self._object(f"{entity}/{name}", report.files.get(name), "public, max-age=300")

    def _object(self, key: str, body: bytes | None, control: str) -> Reply:
        with self._counting:
            self.reads[key] += 1
        if self.slow:
            self._pause.wait(PAUSE_SECONDS)
        if body is None:
            return _json(404, {"Cache-Control": "no-store"}, error="Object not found")
        return Reply(200, {"Content-Type": "text/html", "Cache-Control": control}, body)

    def _static(self, asked: Asked, path: str) -> Reply:
        seen = "cookie" in asked.headers or "authorization" in asked.headers
        control = "public, max-age=0, must-revalidate" if "/favicon/" in path else "public, max-age=31536000"
        return self._object(path, b"with a cookie" if seen else b"for everybody", control)

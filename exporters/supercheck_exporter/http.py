"""The exporter's HTTP server: /metrics for Prometheus, and the pages for people."""

from __future__ import annotations

import json
import logging
import math
import re
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote

from prometheus_client import CollectorRegistry, Info, ProcessCollector, generate_latest

from supercheck_exporter import __version__, pages, telemetry
from supercheck_exporter.collectors.dependencies import DependenciesCollector, as_json
from supercheck_exporter.core import Run, Runner
from supercheck_exporter.exposition import CONTENT_TYPE, Renderer
from supercheck_exporter.followers import DEAD
from supercheck_exporter.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_SCRAPE_TIMEOUT = 10.0
MAX_SCRAPE_TIMEOUT = 120.0
OFFSET_SECONDS = 0.5
"""Kept of the scrape timeout for rendering and the way back."""

STATUS_MAX_AGE = 15.0
"""The status page shows the last scrape if it is this young, so that reloading it costs nothing."""

_UID = re.compile(r"/d/([A-Za-z0-9_-]{1,40})")


class App:
    """What the handler serves; made once, holds no request."""

    def __init__(self, settings: Settings, runner: Runner) -> None:
        self.settings = settings
        self.runner = runner
        self._renderer = Renderer()
        self._rendering = threading.Lock()
        self._own = CollectorRegistry()
        ProcessCollector(registry=self._own)
        Info("supercheck_exporter_build", "Version of the exporter; always 1.", registry=self._own).info(
            {"version": __version__}
        )

    def metrics(self, names: list[str], timeout: float) -> bytes:
        """Scrape and render; ``names`` empty means every collector. ``timeout`` is in seconds."""
        with telemetry.span(telemetry.SCRAPE, timeout_seconds=timeout):
            runs = self.runner.scrape(names or None, timeout)
            with self._rendering, telemetry.span("render"):
                # a label that is no Unicode text must not cost the page
                page = self._renderer.render(runs).encode("utf-8", "replace")
        return page + generate_latest(self._own)

    def status(self) -> pages.Page:
        """The status page, from the last scrape or a new one."""
        states = {name: self.runner.state(name) for name in self.runner.names}
        runs = [run for run, _ in states.values() if run is not None]
        if len(runs) < len(states) or any(time.time() - run.finished_at > STATUS_MAX_AGE for run in runs):
            runs = self.runner.scrape(timeout=DEFAULT_SCRAPE_TIMEOUT / 2)
        last = {name: success for name, (_, success) in states.items()}
        problems = {name: text for collector in self.runner.collectors for name, text in collector.problems.items()}
        progress = {name: line for collector in self.runner.collectors for name, line in collector.progress().items()}
        return pages.status_page(self.settings, runs, last, problems, progress)

    def not_ready(self) -> str:
        """Why the first look at the sources is not over, or an empty text."""
        waiting = [name for name in self.runner.names if self.runner.state(name)[1] is None]
        runs: list[Run] = self.runner.scrape(waiting, DEFAULT_SCRAPE_TIMEOUT / 2) if waiting else []
        return "; ".join(f"{run.collector}: {run.error}" for run in runs if not run.success)

    def dependencies(self) -> list[str]:
        """The names of what has a circuit breaker."""
        return [name for collector in self._breakers() for name in collector.watches]

    def breakers(self) -> dict[str, Any]:
        """Every circuit breaker, for people: nothing is counted."""
        views = [watch.view() for collector in self._breakers() for watch in collector.watches.values()]
        return {"breakers": [as_json(view) for view in views]}

    def breaker(self, name: str) -> dict[str, Any] | None:
        """One, for somebody who wants to call that dependency: it is counted where the answer is not to."""
        for collector in self._breakers():
            if name in collector.watches:
                return as_json(collector.watches[name].answer())
        return None

    def _breakers(self) -> list[DependenciesCollector]:
        return [collector for collector in self.runner.collectors if isinstance(collector, DependenciesCollector)]


class Handler(BaseHTTPRequestHandler):
    """Routes GET and HEAD; everything else is 501 by the base class."""

    app: App
    timeout = 10
    # head and body are two writes: else a gateway that keeps its connection waits 40 ms for the second
    disable_nagle_algorithm = True
    server_version = f"supercheck-exporter/{__version__}"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name is the base class's
        """Serve one request."""
        path, _, query = self.path.partition("?")
        if path == "/metrics":
            self._metrics(parse_qs(query))
        elif path == "/":
            self._page(self.app.status())
        elif path == "/-/healthy":
            dead = ", ".join(DEAD)
            self._text(503 if dead else 200, f"background readers ended: {dead}\n" if dead else "ok\n")
        elif path == "/-/ready":
            problem = self.app.not_ready()
            self._text(503 if problem else 200, f"not ready: {problem}\n" if problem else "ok\n")
        elif path in ("/breakers", "/breakers/"):
            self._json(200, self.app.breakers())
        elif path.startswith("/breakers/"):
            self._breaker(path.removeprefix("/breakers/"))
        elif path in ("/runbooks", "/runbooks/"):
            self._page(pages.runbook_index())
        elif path.startswith("/runbooks/"):
            self._page(pages.runbook(path.removeprefix("/runbooks/").removesuffix(".md")))
        elif match := _UID.fullmatch(path):
            self._dashboard(match[1], query)
        else:
            self._page(pages.document("Not found", "<h1>Not found</h1><p>There is nothing here.</p>", 404))

    do_HEAD = do_GET  # noqa: N815

    def _metrics(self, query: dict[str, list[str]]) -> None:
        names = query.get("collect[]", [])
        unknown = sorted(set(names) - set(self.app.runner.names))
        if unknown:
            self._text(400, f"no collector {', '.join(unknown)}; there are: {', '.join(self.app.runner.names)}\n")
            return
        header = self.headers.get("X-Prometheus-Scrape-Timeout-Seconds", "")
        try:
            timeout = float(header) if header else DEFAULT_SCRAPE_TIMEOUT
        except ValueError:
            timeout = 0.0
        if not 0 < timeout < math.inf:  # not true of nan either
            self._text(400, "X-Prometheus-Scrape-Timeout-Seconds is not a number of seconds over 0\n")
            return
        timeout = min(timeout, MAX_SCRAPE_TIMEOUT)
        deadline = max(timeout - OFFSET_SECONDS, timeout / 2)
        self._send(200, CONTENT_TYPE, self.app.metrics(names, deadline))

    def _breaker(self, name: str) -> None:
        found = self.app.breaker(name)
        if found is None:
            self._json(404, {"error": "no such dependency", "dependencies": self.app.dependencies()})
            return
        status = {"closed": 200, "half_open": 429, "open": 503}[found["state"]]
        self._json(status, found, **({} if status == 200 else {"Retry-After": str(found["retry_after_seconds"])}))

    def _json(self, status: int, body: object, **headers: str) -> None:
        text = json.dumps(body, indent=2) + "\n"
        self._send(status, "application/json", text.encode(), **{"Cache-Control": "no-store"} | headers)

    def _dashboard(self, uid: str, query: str) -> None:
        if self.app.settings.grafana_url is None:
            self._page(pages.no_dashboards())
            return
        settings = self.app.settings
        # the dashboards' links to runbooks start from this variable, which only we know
        here = "" if "var-public_url=" in query else f"var-public_url={quote(settings.public_url, safe='')}"
        target = f"{settings.grafana_url}/d/{uid}?" + "&".join(filter(None, (query, here)))
        self._send(302, "text/plain; charset=utf-8", b"", Location=target)

    def _page(self, page: pages.Page) -> None:
        self._send(page.status, "text/html; charset=utf-8", page.body.encode())

    def _text(self, status: int, text: str) -> None:
        self._send(status, "text/plain; charset=utf-8", text.encode())

    def _send(self, status: int, content_type: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are no news: Prometheus makes one every 15 seconds."""
        log.debug("%s %s", self.address_string(), format % args)


class Server(ThreadingHTTPServer):
    """Listens on one address; a broken client costs its own thread only."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, type("BoundHandler", (Handler,), {"app": app}))

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no error of ours; anything else is."""
        if isinstance(sys.exception(), OSError):
            log.debug("request from %s broke off", client_address)
        else:
            log.error("request from %s could not be served", client_address, exc_info=True)


def serve(settings: Settings, runner: Runner, address: tuple[str, int], stop: threading.Event) -> None:
    """Serve until ``stop`` is set; raises OSError when the address can't be had."""
    server = Server(address, App(settings, runner))
    runner.start()
    thread = threading.Thread(target=server.serve_forever, name="http", daemon=True)
    thread.start()
    host, port = server.server_address[:2]
    log.info("listening on http://%s:%s, collectors: %s", host, port, ", ".join(runner.names))
    try:
        stop.wait()
    finally:
        server.shutdown()
        server.server_close()
        runner.stop()

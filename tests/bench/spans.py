"""What the collector bears: spans as fast as they can be sent, on one core, and a store that is away meanwhile.

The load is that of a site: of ten spans one is a request, five
are queries of 80 characters, the others commands; a trace in fifty has an error. Bodies are made before, and sent with
new trace ids. The collector has one core.
"""

from __future__ import annotations

import http.client
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from servers.collector import Collector
from servers.process import wait_for
from servers.redis import LOOPBACK
from servers.spans import CLIENT, SERVER, Sent, Value, message

RATE = 10_000
SECONDS = 60.0
TRACES = 50
SPANS_A_TRACE = 10
# as it is shipped, where the tests are in a hurry
SHIPPED = {
    "TRACES_DECISION_WAIT": "10s",
    "TRACES_DECISION_WAIT_AFTER_ROOT": "3s",
    "TRACES_KEEP_PERCENT": "25",
    "COLLECTOR_RETRY_MAX": "30s",
    "SPAN_METRICS_INTERVAL": "5s",
}
MARK = bytes.fromhex("0f1e2d3c4b5a69788796a5b4")
"""The first 12 bytes of each trace id in a body that was made before."""


@dataclass(frozen=True)
class Load:
    """What came of it. ``core`` is the share of one core, ``peak`` MiB of memory, ``lost`` spans."""

    sent: int
    seconds: float
    refused: int
    core: float
    peak: float
    lost: float


class PinnedCollector(Collector):
    """On the last core of the machine, with a core's worth of threads."""

    def command(self) -> list[str | Path]:
        """The collector by taskset."""
        return ["taskset", "--cpu-list", str((os.cpu_count() or 1) - 1), *super().command()]


def body() -> bytes:
    """A request of OTLP with TRACES traces."""
    spans = []
    for number in range(TRACES):
        trace = MARK.hex() + os.urandom(4).hex()
        attributes: dict[str, Value] = {
            "http.request.method": "GET",
            "http.route": f"/api/part{number % 7}/[id]",
            "http.response.status_code": 200,
            "url.path": f"/api/part{number % 7}/{number}",
            "url.scheme": "http",
            "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "server.address": "app",
            "network.peer.address": "10.0.0.7",
        }
        root = Sent(f"GET /api/part{number % 7}/[id]", SERVER, attributes, seconds=0.05, trace=trace)
        query: dict[str, Value] = {
            "db.system.name": "postgresql",
            "db.operation.name": "SELECT",
            "db.query.text": "select id, name, status, created_at from runs where project_id = $1 and id < $2",
            "db.response.returned_rows": 20,
        }
        command: dict[str, Value] = {
            "db.system": "redis",
            "db.statement": "get",
            "net.peer.name": "redis",
            "net.peer.port": 6379,
        }
        below = [Sent("SELECT", CLIENT, query, trace=trace, parent=root.id) for _ in range(5)]
        below += [Sent("get", CLIENT, command, trace=trace, parent=root.id) for _ in range(SPANS_A_TRACE - 6)]
        if number == 0:
            below[0] = Sent("SELECT", CLIENT, query, error="PostgreSQL 42P01", trace=trace, parent=root.id)
        spans += [root, *below]
    return message(spans, "supercheck-app", **{"service.instance.id": "one", "supercheck.location": "eu"})


class Counted:
    """A store that takes everything and reads nothing; ``status`` 503 is one that is away."""

    def __init__(self) -> None:
        self.status = 200
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the name is the base class's
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(store.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is told."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Counted:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def peak_of(pid: int) -> Iterator[list[float]]:
    """The most memory that a process had, in MiB, as the only item of a list at the end."""
    found: list[float] = []
    yield found
    status = Path(f"/proc/{pid}/status").read_text()
    found.append(int(status.split("VmHWM:")[1].split()[0]) / 1024)


def drive(rate: int = RATE, seconds: float = SECONDS, away: bool = False, **settings: str) -> Load:
    """Send ``rate`` spans a second for so long; with ``away`` no store takes any until the end."""
    settings = SHIPPED | settings
    bodies = [body() for _ in range(10)]
    size = TRACES * SPANS_A_TRACE
    with (
        Counted() as store,
        PinnedCollector(tempo=store.url, jaeger=store.url, GOMAXPROCS="1", **settings) as collector,
    ):
        store.status = 503 if away else 200
        host, port = collector.endpoint.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        sent = refused = 0
        with peak_of(collector.pid) as peak:
            cpu, began = collector.own("otelcol_process_cpu_seconds"), time.monotonic()
            while time.monotonic() - began < seconds:
                connection.request(
                    "POST",
                    "/v1/traces",
                    bodies[sent % len(bodies)].replace(MARK, os.urandom(len(MARK))),
                    {"Content-Type": "application/x-protobuf"},
                )
                answer = connection.getresponse()
                answer.read()
                sent += 1
                refused += answer.status != 200
                time.sleep(max(0.0, began + sent * size / rate - time.monotonic()))
            took = time.monotonic() - began
            core = (collector.own("otelcol_process_cpu_seconds") - cpu) / took
            store.status = 200
            accepted, traces = (sent - refused) * size, (sent - refused) * TRACES
            wait_for(lambda: collector.spans("traces_span_metrics_calls_total") >= accepted, 120, "all were counted")
            judged = "otelcol_processor_tail_sampling_global_count_traces_sampled"
            wait_for(lambda: collector.own(judged) >= traces, 120, "every trace was judged")
            kept = collector.own(judged, sampled="true") * SPANS_A_TRACE

            def delivered() -> float:
                return collector.own("otelcol_exporter_sent_spans", exporter="otlp_http/jaeger")

            # what is lost never arrives: then this ends, and the number says how many
            with suppress(AssertionError):
                wait_for(lambda: delivered() >= kept, 300, "every kept span was sent")
            lost = kept - delivered()
        connection.close()
    return Load(sent * size, took, refused * size, core, peak[0], lost)

"""An OTLP receiver over HTTP that keeps the spans and log lines it gets, in this process: a store of traces or Loki."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from servers.redis import LOOPBACK


@dataclass(frozen=True)
class Span:
    """One span as it arrived; ids in hex, an empty parent is the root's."""

    trace: str
    id: str
    parent: str
    name: str
    service: str
    kind: int
    """OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    error: str
    attributes: dict[str, str]
    events: tuple[tuple[str, dict[str, str]], ...]
    """Names with their attributes."""
    resource: dict[str, str]


@dataclass(frozen=True)
class LogLine:
    """One log line as it arrived; ids in hex, or empty."""

    text: str
    level: str
    """OTLP's severity text."""
    number: int
    """OTLP's severity number: from 9 info, from 13 warn, from 17 error; 0 is unknown."""
    time: int
    """Nanoseconds since 1970."""
    trace: str
    span: str
    attributes: dict[str, str]
    resource: dict[str, str]


class OtlpSink:
    """Answers 200 to POST /v1/traces and /v1/logs below any path, or ``status``; on ``port``, or one of its own."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[Span] = []
        self.lines: list[LogLine] = []
        self.status = 200
        self.requests = 0
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the name is the base class's
                body = self._body()
                sink.requests += 1
                if sink.status == 200:
                    sink.keep(self.path, gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
                self.send_response(sink.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _body(self) -> bytes:
                """Of a length that is known, or in chunks as Node sends it."""
                if "Content-Length" in self.headers:
                    return self.rfile.read(int(self.headers["Content-Length"]))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, format: str, *args: object) -> None:
                """Requests are what the test looks at."""

        self._server = ThreadingHTTPServer((LOOPBACK, port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keep(self, path: str, body: bytes) -> None:
        """Take the content of a request."""
        if path.endswith("/v1/logs"):
            self.lines += _lines(body)
        else:
            self.spans += _spans(body)

    def named(self, name: str) -> list[Span]:
        """The spans of this name, in the order of arrival."""
        return [span for span in self.spans if span.name == name]


def _spans(body: bytes) -> list[Span]:
    found = []
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        of_resource = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                found.append(
                    Span(
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex(),
                        name=span.name,
                        service=of_resource["service.name"],
                        kind=span.kind,
                        error=span.status.message if span.status.code == 2 else "",
                        attributes=_attributes(span.attributes),
                        events=tuple((event.name, _attributes(event.attributes)) for event in span.events),
                        resource=of_resource,
                    )
                )
    return found


def _lines(body: bytes) -> list[LogLine]:
    return [
        LogLine(
            text=_text(record.body),
            level=record.severity_text,
            number=record.severity_number,
            time=record.time_unix_nano,
            trace=record.trace_id.hex(),
            span=record.span_id.hex(),
            attributes=_attributes(record.attributes),
            resource=_attributes(resource.resource.attributes),
        )
        for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, str]:
    return {pair.key: _text(pair.value) for pair in pairs}


def _text(value: AnyValue) -> str:
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind else ""

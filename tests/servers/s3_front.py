"""In front of an S3 server, or instead of one: a relay that breaks answers, and a bucket of a million keys."""

from __future__ import annotations

import http.client
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Literal, Self
from urllib.parse import parse_qs, urlsplit

from servers.process import free_port
from servers.redis import LOOPBACK

RELAY_SECONDS = 30
PAGE = 1000

Fault = Literal["", "500", "cut", "closed", "empty"]
"""What happens to an answer: nothing; an InternalError; half of it; none; a body that says nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed in the middle is what these tests are about; anything else is a defect."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Front:
    """An HTTP server in threads of this process."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self._server = _Listener((LOOPBACK, self.port), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def exporter_env(self) -> dict[str, str]:
        """The settings with which the exporter reads this; add the login of the server behind it."""
        return {"S3_ENDPOINT": self.url}


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a test reads what it asked for."""

    def answer(self, status: int, body: bytes, kind: str = "application/xml") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class S3Relay(_Front):
    """Relays to an S3 server; `fault` is asked for each request, by its path with the query."""

    def __init__(self, target_port: int) -> None:
        self.fault: Callable[[str], Fault] = lambda _: ""
        self.requests: list[str] = []
        self.methods: set[str] = set()
        relay = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                relay.requests.append(self.path)
                relay.methods.add(self.command)
                _relay(self, target_port, relay.fault(self.path))

            do_HEAD = do_PUT = do_DELETE = do_POST = do_GET  # noqa: N815

        super().__init__(Handler)


def _relay(handler: _Quiet, port: int, fault: Fault) -> None:
    length = int(handler.headers.get("Content-Length") or 0)
    sent = handler.rfile.read(length) if length else None
    if fault == "500":
        handler.answer(500, b"<Error><Code>InternalError</Code></Error>")
        return
    if fault == "empty":
        handler.answer(200, b"<ListBucketResult></ListBucketResult>")
        return
    if fault == "closed":
        handler.close_connection = True
        return
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=RELAY_SECONDS)
    try:
        # the signature is over the headers as they came, the host among them
        connection.request(handler.command, handler.path, sent, dict(handler.headers.items()))
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    handler.send_response(answer.status)
    for name, value in answer.getheaders():
        if name.lower() not in ("connection", "transfer-encoding", "content-length"):
            handler.send_header(name, value)
    size = len(body) if handler.command != "HEAD" else int(answer.getheader("Content-Length") or 0)
    handler.send_header("Content-Length", str(size))
    handler.end_headers()
    if fault == "cut":
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True
    else:
        handler.wfile.write(body)


class ManyObjects(_Front):
    """An object store in which one bucket has `count` objects, and every other none; listings are all it answers.

    Keys are made when they are asked for, like ids that begin with the time: `0192f0c1-00000000/report.html`. All are
    `size` bytes and `age` old.
    """

    entry: ClassVar[str] = (
        "<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>&quot;0&quot;</ETag>"
        "<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )

    def __init__(self, bucket: str, count: int, size: int = 200_000, age: timedelta = timedelta(days=1)) -> None:
        self.count = count
        self.most_at_once = 0
        self.pages = 0
        self._now = 0
        self._lock = threading.Lock()
        written = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        many = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                with many._lock:
                    many._now += 1
                    many.most_at_once = max(many.most_at_once, many._now)
                    many.pages += 1
                try:
                    self.answer(200, many._listing(self.path, bucket, written, size).encode())
                finally:
                    with many._lock:
                        many._now -= 1

            do_HEAD = do_GET  # noqa: N815

        super().__init__(Handler)

    @staticmethod
    def key(number: int) -> str:
        """The key of an object."""
        return f"0192f0c1-{number:08d}/report.html"

    def _after(self, key: str) -> int:
        """The first object behind a key."""
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            if self.key(middle) <= key:
                low = middle + 1
            else:
                high = middle
        return low

    def _listing(self, path: str, bucket: str, written: str, size: int) -> str:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if "uploads" in query:
            return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
        most = int(query.get("max-keys", PAGE))
        first = self._after(query.get("continuation-token") or query.get("start-after", ""))
        total = self.count if parts.path.strip("/") == bucket else 0
        last = min(first + most, total)
        entries = [self.entry.format(key=self.key(n), time=written, size=size) for n in range(first, last)]
        more = f"<NextContinuationToken>{self.key(last - 1)}</NextContinuationToken>" if last < total else ""
        flag = "true" if last < total else "false"
        return f"<ListBucketResult><IsTruncated>{flag}</IsTruncated>{more}{''.join(entries)}</ListBucketResult>"

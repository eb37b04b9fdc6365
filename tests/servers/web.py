"""An HTTP server on a free port that answers as a test says, badly too, and writes down what it was asked."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from servers.process import free_port
from servers.redis import LOOPBACK

MAX_HEAD_BYTES = 65536
DRIP_SECONDS = 0.05


@dataclass(frozen=True)
class Asked:
    """One request; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Raw:
    """These bytes as they are, and then: close, hang (never close), reset, or drip (a byte at a time, for ever)."""

    data: bytes = b""
    then: str = "close"


HANG = Raw(then="hang")
RESET = Raw(then="reset")
DRIPPING_HEAD = Raw(b"HTTP/1.1 200 OK\r\nX-Drip: ", "drip")
DRIPPING_BODY = Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "drip")

Answers = Callable[[Asked], Reply | Raw]


class Web:
    """Started by `with`; each connection has a thread and takes one request. `answer` may be changed at any time."""

    def __init__(
        self,
        answer: Answers | Reply | Raw,
        tls: ssl.SSLContext | None = None,
        *,
        host: str = LOOPBACK,
        port: int | None = None,
    ) -> None:
        self.answer = answer
        self.host = host
        self.port = port or free_port()
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self._tls = tls
        self._lock = threading.Lock()
        self._asked: list[Asked] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._listener = socket.create_server((host, self.port), backlog=64)

    @property
    def asked(self) -> list[Asked]:
        """Every request so far, in order."""
        with self._lock:
            return list(self._asked)

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse and break every connection; a second call changes nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections, threads = list(self._open), list(self._threads)
        for connection in connections:
            _shut(connection)
        for thread in threads:
            thread.join(5)

    def _run(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(connection)
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                plain, connection = connection, self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open = [connection if each is plain else each for each in self._open]
            asked = _read(connection)
            if asked is None:
                return
            with self._lock:
                self._asked.append(asked)
            answer = self.answer(asked) if callable(self.answer) else self.answer
            if isinstance(answer, Reply):
                connection.sendall(_bytes(answer, asked.method))
            else:
                self._misbehave(connection, answer)
        except OSError:  # the client has gone, or does not trust us
            return
        finally:
            connection.close()

    def _misbehave(self, connection: socket.socket, raw: Raw) -> None:
        connection.sendall(raw.data)
        if raw.then == "hang":
            self._stopping.wait()
        elif raw.then == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif raw.then == "drip":
            while not self._stopping.wait(DRIP_SECONDS):
                connection.sendall(b"x")


def _read(connection: socket.socket) -> Asked | None:
    """One request; None where the client says nothing."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(MAX_HEAD_BYTES)
        if not more or len(data) > MAX_HEAD_BYTES:
            return None
        data += more
        if data.startswith(b"\x16"):  # TLS: say so in plain words, as web servers do
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    pairs = (re.split(r":\s*", line, maxsplit=1) for line in lines)
    headers = {pair[0].lower(): pair[1] for pair in pairs}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(MAX_HEAD_BYTES)
    return Asked(method, path, headers, body)


def _bytes(reply: Reply, method: str) -> bytes:
    headers = {"Content-Length": str(len(reply.body)), "Connection": "close", **reply.headers}
    head = f"HTTP/1.1 {reply.status} Scripted\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return head.encode("latin-1") + b"\r\n" + (b"" if method == "HEAD" else reply.body)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return

"""A relay in front of Redis that writes down who asked what, one entry a round trip."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from servers.process import free_port
from servers.redis import LOOPBACK

READ_BYTES = 1 << 16


@dataclass
class RoundTrip:
    """What a client sent on one connection before the server next answered."""

    connection: int
    sent: bytearray = field(default_factory=bytearray)

    def commands(self) -> list[tuple[bytes, ...]]:
        """The commands in it, as lists of words (RESP arrays of bulk strings)."""
        found, rest = list[tuple[bytes, ...]](), bytes(self.sent)
        while rest:
            head, rest = rest.split(b"\r\n", 1)
            assert head.startswith(b"*"), f"not a command: {head!r}"
            words = list[bytes]()
            for _ in range(int(head[1:])):
                size, rest = rest.split(b"\r\n", 1)
                length = int(size[1:])
                words.append(rest[:length])
                rest = rest[length + 2 :]
            found.append(tuple(words))
        return found


class RedisProxy:
    """Listens on `port` of 127.0.0.1 and relays to a Redis on the same machine."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._lock = threading.Lock()
        self._round_trips: list[RoundTrip] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._is_cut = False
        self._listener = socket.create_server((LOOPBACK, self.port))

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            open_sockets = list(self._sockets)
        for each in open_sockets:
            _shut(each)
        for thread in self._threads:
            thread.join(5)
        for each in open_sockets:
            each.close()

    def take(self) -> list[RoundTrip]:
        """The round trips since the last call, in their order."""
        with self._lock:
            taken, self._round_trips = self._round_trips, []
        return taken

    def cut(self) -> None:
        """Break every connection and accept no new one, as a network partition does."""
        with self._lock:
            self._is_cut = True
            for each in self._sockets:
                _shut(each)

    def restore(self) -> None:
        """Relay again."""
        with self._lock:
            self._is_cut = False

    def _run(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        number = 0
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                client.close()
                continue
            number += 1
            server = socket.create_connection((LOOPBACK, self._target_port))
            with self._lock:
                self._sockets += [client, server]
            answered = threading.Event()
            answered.set()
            self._run(self._requests, client, server, number, answered)
            self._run(self._answers, server, client, answered)

    def _requests(self, client: socket.socket, server: socket.socket, number: int, answered: threading.Event) -> None:
        current = RoundTrip(number)
        while chunk := _receive(client):
            with self._lock:
                if answered.is_set():
                    answered.clear()
                    current = RoundTrip(number)
                    self._round_trips.append(current)
                current.sent += chunk
            if not _send(server, chunk):
                break
        _shut(server)

    def _answers(self, server: socket.socket, client: socket.socket, answered: threading.Event) -> None:
        while chunk := _receive(server):
            answered.set()
            if not _send(client, chunk):
                break
        _shut(client)


def _receive(source: socket.socket) -> bytes:
    try:
        return source.recv(READ_BYTES)
    except OSError:
        return b""


def _send(target: socket.socket, chunk: bytes) -> bool:
    try:
        target.sendall(chunk)
    except OSError:
        return False
    return True


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        return

"""A relay in front of Redis that writes down who asked what, one entry a round trip."""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import hiredis

from servers.process import free_port
from servers.redis import LOOPBACK

READ_BYTES = 1 << 16
HOLD_SECONDS = 0.05


Command = tuple[bytes, ...]


@dataclass
class RoundTrip:
    """The commands that a client sent on one connection before it got an answer."""

    connection: int
    commands: list[Command] = field(default_factory=list)


@dataclass
class _Connection:
    number: int
    trip: RoundTrip | None = None
    """The round trip that is on its way; None once an answer was passed on."""
    last_sent: float = 0.0
    requests: hiredis.Reader = field(default_factory=hiredis.Reader)


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
            connection = _Connection(number)
            self._run(self._requests, client, server, connection)
            self._run(self._answers, server, client, connection)

    def _requests(self, client: socket.socket, server: socket.socket, connection: _Connection) -> None:
        while chunk := _receive(client):
            connection.requests.feed(chunk)
            with self._lock:
                connection.last_sent = time.monotonic()
                if connection.trip is None:
                    connection.trip = RoundTrip(connection.number)
                    self._round_trips.append(connection.trip)
                while (words := connection.requests.gets()) is not False:
                    connection.trip.commands.append(tuple(words))
            if not _send(server, chunk):
                break
        _shut(server)

    def _answers(self, server: socket.socket, client: socket.socket, connection: _Connection) -> None:
        while chunk := _receive(server):
            # A long pipeline is sent in several parts, and the first may be answered before the last is sent:
            # the answer is held back until no more comes, so that what comes after it was sent in its knowledge.
            while (quiet := time.monotonic() - connection.last_sent) < HOLD_SECONDS:
                time.sleep(HOLD_SECONDS - quiet)
            with self._lock:
                connection.trip = None
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

"""One HTTP request with a deadline that holds, whatever the server does.

The timeouts of HTTP clients count from one byte to the next, so that a server that sends a byte a second is waited for
without end. Here each read gets what is left of one deadline: connecting, TLS, headers and body together. Only the
resolver is beyond it: a name server that is silent costs what the machine's own resolver allows.

No proxy of the environment is used, and a redirect leads at most to another path of the same server.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import SplitResult, urljoin, urlsplit

from supercheck_exporter.core import SourceError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

AGENT = "supercheck-exporter"
CHUNK_BYTES = 65536
REDIRECTS = (301, 302, 303, 307, 308)

Reason = Literal["name", "refused", "timeout", "tls", "broken"]
"""Why there is no answer: the name is not known, nobody listens (or no way leads there), the deadline passed, TLS
failed (a certificate that is not trusted or has expired among others), or what came is no whole HTTP answer."""


class HttpError(SourceError):
    """There is no answer; ``reason`` says why in one word. The text names host and port, never path or query."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case; repeated ones are joined by a comma and a space."""
    body: bytes
    """At most ``max_bytes`` of it."""
    whole: bool
    """Whether ``body`` is all of it."""
    seconds: float
    """From the first packet (the resolver's time left out) until the last byte read; with redirects, of all."""
    certificate_expires_at: float | None
    """Unix time; None without TLS, and where the certificate was not verified."""


def fetch(
    url: str,
    *,
    deadline: float,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    max_bytes: int = CHUNK_BYTES,
    redirects: int = 0,
    verify: bool = True,
    ca_file: Path | None = None,
    context: ssl.SSLContext | None = None,
    address: str | None = None,
) -> Answer:
    """Ask once, within ``deadline`` seconds; any status is an answer. Raises HttpError where there is none.

    ``url`` is http:// or https:// (the settings see to it). With ``redirects`` that many are followed, to the same
    scheme, host and port only; one more, or one that leads elsewhere, is itself the answer. ``ca_file`` is trusted
    beside the system's certificates; a ``context`` stands for ``verify`` and ``ca_file``, where a client certificate is
    needed. With ``address`` that one is asked, as one of several that the URL's name has.
    """
    until = time.monotonic() + deadline
    spent = 0.0
    while True:
        parts = urlsplit(url)
        encrypted = (context or trust(verify, ca_file)) if parts.scheme == "https" else None
        answer = _ask(parts, address, until, deadline, method, headers or {}, body, max_bytes, encrypted)
        spent += answer.seconds
        target = urlsplit(urljoin(url, answer.headers.get("location", "")))
        if not redirects or answer.status not in REDIRECTS or not _same_server(parts, target):
            return Answer(**(vars(answer) | {"seconds": spent}))
        redirects -= 1
        url = target._replace(fragment="").geturl()
        if answer.status == 303:
            method, body = "GET", None


@lru_cache(maxsize=16)
def trust(verify: bool, ca_file: Path | None) -> ssl.SSLContext:
    """What TLS connections trust: the system's certificates, and those of the file. Raises HttpError on a bad file."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise HttpError("tls", f"{ca_file} can't be read as CA certificates (PEM): check the file") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def port_of(parts: SplitResult) -> int:
    """The port that a URL means."""
    return parts.port or (443 if parts.scheme == "https" else 80)


def _same_server(one: SplitResult, other: SplitResult) -> bool:
    return (one.scheme, one.hostname, port_of(one)) == (other.scheme, other.hostname, port_of(other))


def _ask(
    parts: SplitResult,
    address: str | None,
    until: float,
    deadline: float,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    max_bytes: int,
    context: ssl.SSLContext | None,
) -> Answer:
    host, port = parts.hostname or "", port_of(parts)
    where = f"{host}:{port}"
    wire: _Wire | None = None
    try:
        addresses = socket.getaddrinfo(address or host, port, type=socket.SOCK_STREAM)
        began = time.monotonic()
        connected = connect(addresses, until)
        wire = _Wire(connected, until)
        if context is not None:
            connected.settimeout(seconds_left(until))
            wire = _Wire(context.wrap_socket(connected, server_hostname=host), until)
        expires_at = certificate_end(wire.socket)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = wire
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        sent = {"User-Agent": AGENT, "Accept-Encoding": "identity", "Connection": "close", **headers}
        connection.request(method, path, body, sent)
        with connection.getresponse() as response:
            read = _read(response, max_bytes + 1)
        return Answer(
            status=response.status,
            headers=_joined(response.getheaders()),
            body=read[:max_bytes],
            whole=len(read) <= max_bytes,
            seconds=time.monotonic() - began,
            certificate_expires_at=expires_at,
        )
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        raise HttpError(*meaning(error, host, where, deadline)) from error
    finally:
        if wire is not None:
            wire.end()


def place(url: str) -> str:
    """Host and port, all that is shown of a URL."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{port_of(parts)}"


def meaning(error: Exception, host: str, where: str, deadline: float) -> tuple[Reason, str]:
    """Why there is no answer, in one word and in a sentence that names the mend."""
    if isinstance(error, TimeoutError):
        return "timeout", f"{where} does not answer within {deadline:g} s"
    if isinstance(error, socket.gaierror | UnicodeError):
        return "name", f"the name {host} is not known to the resolver: check it, and the DNS"
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or error.reason or "it speaks no TLS"
        return "tls", f"TLS with {where} fails ({why}): check its certificate and the port"
    if isinstance(error, ConnectionRefusedError):
        return "refused", f"{where} refuses the connection: check that it runs, and the port"
    if isinstance(error, http.client.HTTPException):
        return "broken", f"what {where} sends is no whole HTTP answer ({type(error).__name__})"
    said = getattr(error, "strerror", "") or error
    if isinstance(error, ConnectionError):
        return "broken", f"the connection to {where} breaks ({said})"
    return "refused", f"no way leads to {where} ({said})"


def seconds_left(until: float) -> float:
    """Seconds until the deadline; a socket with the timeout 0 would not block at all."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def connect(addresses: list[Any], until: float) -> socket.socket:
    """The first of the addresses that takes a connection; the others share what time is left."""
    problem: OSError = OSError("it has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        made = socket.socket(family, kind, protocol)
        try:
            # one that drops packets must leave time for the next: a dead IPv6 route is common
            made.settimeout(seconds_left(until) / (len(addresses) - number))
            made.connect(address)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    """At most ``limit`` bytes of the body."""
    found = bytearray()
    while len(found) < limit:
        chunk = response.read(min(CHUNK_BYTES, limit - len(found)))
        if not chunk:
            if response.length:  # with a size given, http.client takes a connection that ended early for the end
                raise http.client.IncompleteRead(bytes(found), response.length)
            break
        found += chunk
    return bytes(found)


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def certificate_end(connected: socket.socket) -> float | None:
    """Unix time at which the certificate of the other end is over; None without TLS, and where it was not verified."""
    if not isinstance(connected, ssl.SSLSocket):
        return None
    ends = (connected.getpeercert() or {}).get("notAfter")
    return float(ssl.cert_time_to_seconds(str(ends))) if ends else None


class _Wire:
    """A socket as http.client wants it. Only ``end`` closes it: http.client closes its own before it reads the body."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        self.socket = connected
        self._until = until

    def makefile(self, *_: object, **__: object) -> io.BufferedReader:
        """What the answer is read from."""
        return io.BufferedReader(_Reader(self.socket, self._until))

    def sendall(self, data: ReadableBuffer) -> None:
        """Send; the timeout counts for all of it together."""
        self.socket.settimeout(seconds_left(self._until))
        self.socket.sendall(data)

    def close(self) -> None:
        """Keep it open."""

    def end(self) -> None:
        """Close the socket."""
        self.socket.close()


class _Reader(io.RawIOBase):
    """Reads from a socket until the deadline."""

    def __init__(self, connected: socket.socket, until: float) -> None:
        self._socket = connected
        self._until = until

    def readable(self) -> bool:
        """It is read from."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what there is."""
        self._socket.settimeout(seconds_left(self._until))
        return self._socket.recv_into(buffer)

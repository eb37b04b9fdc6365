"""A mail server is asked whether it would take mail: EHLO, STARTTLS where it offers that, NOOP, QUIT. Never a mail.

No login either: a provider that locks an address out after wrong logins would do so with probes.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from pathlib import Path

from supercheck_exporter.breakers.watch import Dependency, Found
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.http import HttpError, certificate_end, connect, meaning, seconds_left, trust

MAX_REPLY_BYTES = 65536
NAME = "supercheck-exporter.invalid"
"""What we call ourselves in EHLO."""


class MailServer(Dependency):
    """``secure``: TLS from the first byte, as nodemailer's option of that name; else STARTTLS where it is offered."""

    def __init__(self, host: str, port: int, ca_file: Path | None, *, secure: bool) -> None:
        self._host = host
        self._port = port
        self._ca_file = ca_file
        self._secure = secure

    def ask(self, seconds: float) -> Found:
        """Hold the dialogue within so many seconds."""
        until = time.monotonic() + seconds
        where = f"{self._host}:{self._port}"
        wire: socket.socket | None = None
        try:
            wire = connect(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM), until)
            if self._secure:
                wire = self._encrypted(wire, until)
            dialogue = _Dialogue(wire, until, where)
            dialogue.expect("the connection", 220)
            offered = dialogue.say(f"EHLO {NAME}", 250)
            if not self._secure and re.search(r"(?im)^250[ -]STARTTLS\s*$", offered):
                dialogue.say("STARTTLS", 220)
                wire = self._encrypted(wire, until)
                dialogue = _Dialogue(wire, until, where)
                dialogue.say(f"EHLO {NAME}", 250)
            dialogue.say("NOOP", 250)
            found = Found(certificate_end(wire))
            dialogue.say("QUIT", 221)
        except OSError as error:
            raise HttpError(*meaning(error, self._host, where, seconds)) from None
        finally:
            if wire is not None:
                wire.close()
        return found

    def _encrypted(self, wire: socket.socket, until: float) -> ssl.SSLSocket:
        wire.settimeout(seconds_left(until))
        return trust(True, self._ca_file).wrap_socket(wire, server_hostname=self._host)


class _Dialogue:
    """Commands and replies; every read gets what is left of the one deadline."""

    def __init__(self, wire: socket.socket, until: float, where: str) -> None:
        self._wire = wire
        self._until = until
        self._where = where

    def say(self, command: str, expected: int) -> str:
        """Send a command and return the reply; SourceError where it is another than the expected one."""
        self._wire.settimeout(seconds_left(self._until))
        self._wire.sendall(f"{command}\r\n".encode())
        return self.expect(command.split()[0], expected)

    def expect(self, what: str, expected: int) -> str:
        """The reply, all of its lines. What it says is not shown, only its number."""
        reply = b""
        # the last line has a space behind the number
        while not re.search(rb"(?m)^\d{3}(?: [^\n]*)?\r?\n\Z", reply):
            self._wire.settimeout(seconds_left(self._until))
            more = self._wire.recv(4096)
            if not more or len(reply) > MAX_REPLY_BYTES:
                raise SourceError(f"{self._where} breaks off in its reply to {what}")
            reply += more
        text = reply.decode("latin-1")
        if text[:3] != str(expected):
            number = text[:3] if text[:3].isdigit() else "something else than SMTP"
            raise SourceError(f"{self._where} answers {number} to {what}")
        return text

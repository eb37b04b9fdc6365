"""A real SMTP server (aiosmtpd) that writes down every command, and can be told to refuse."""

from __future__ import annotations

import ssl
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from servers.process import free_port, wait_for
from servers.redis import LOOPBACK

START_SECONDS = 30.0


class _Noting(SMTP):
    """Notes each command's first word."""

    def __init__(self, server: MailServer, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self._server.open.add(id(self))
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._server.open.discard(id(self))

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802  the names are aiosmtpd's
        await self._note("EHLO")
        await super().smtp_EHLO(hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        await self._note("STARTTLS")
        await super().smtp_STARTTLS(arg)

    async def smtp_NOOP(self, arg: str) -> None:  # noqa: N802
        await self._note("NOOP")
        if self._server.refuses:
            await self.push("421 4.3.2 going down")
        else:
            await super().smtp_NOOP(arg)

    async def smtp_QUIT(self, arg: str) -> None:  # noqa: N802
        await self._note("QUIT")
        await super().smtp_QUIT(arg)

    async def smtp_MAIL(self, arg: str) -> None:  # noqa: N802
        await self._note("MAIL")
        await super().smtp_MAIL(arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        await self._note("AUTH")
        await super().smtp_AUTH(arg)

    async def _note(self, verb: str) -> None:
        self._server.verbs.append(verb)


class MailServer(Controller):
    """Listens while it runs; `tls` is what STARTTLS speaks, or with `secure` the connection from its first byte."""

    def __init__(self, tls: ssl.SSLContext | None = None, *, secure: bool = False, port: int | None = None) -> None:
        self.verbs: list[str] = []
        self.refuses = False
        self.gone = False
        self.open: set[int] = set()
        """Connections, by what serves them."""
        self._starttls = None if secure else tls
        super().__init__(
            handler=object(),
            hostname=LOOPBACK,
            port=port or free_port(),
            ready_timeout=START_SECONDS,
            ssl_context=tls if secure else None,
        )

    def factory(self) -> SMTP:
        """One connection's server."""
        return _Noting(self, self.handler, hostname="mail.example", tls_context=self._starttls)

    def __enter__(self) -> MailServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.gone:
            return
        self.gone = True
        wait_for(lambda: not self.open, START_SECONDS, "whoever asked has left")
        self.stop()

"""A certificate authority of a test, whose servers' certificates end when the test says."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import trustme

from servers.redis import LOOPBACK


class Authority:
    """Its own certificate is in the file ``path``."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.path))

    def server(self, *names: str, ends: datetime.datetime | None = None) -> ssl.SSLContext:
        """What a server of these names (this machine's, if none is given) speaks TLS with."""
        begins = ends - datetime.timedelta(days=90) if ends else None
        certificate = self._authority.issue_cert(*(names or (LOOPBACK, "localhost")), not_before=begins, not_after=ends)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context

"""The front as compose runs it: compose/front/start.sh and Debian's nginx, with folders of its own."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

import requests
import urllib3

from compose.demo.database import give_away, unprivileged
from servers.process import Server, free_port, require_program
from servers.redis import LOOPBACK

FOLDER = Path(__file__).resolve().parents[2] / "compose/front"
HTTP_SECONDS = 30.0


class Front(Server):
    """In front of what `settings` name; each (FRONT_EXPORTER, ...) is HOST:PORT. `given` are files of a person."""

    name = "front"

    def __init__(self, settings: Mapping[str, str] | None = None, given: Mapping[str, str] | None = None) -> None:
        require_program("nginx")
        require_program("openssl")
        super().__init__()
        self.port, health = free_port(), free_port()
        self.health = f"http://{LOOPBACK}:{health}/healthy"
        self.url = f"https://{LOOPBACK}:{self.port}"
        self.state, self.secrets = self.directory / "state", self.directory / "secrets"
        for folder in (self.directory / "run", self.state, self.secrets):
            folder.mkdir()
        for name, text in (given or {}).items():
            (self.secrets / name).write_text(text)
        shutil.copytree(FOLDER, self.directory / "front")  # to where that user may read it
        give_away(self.directory)
        nowhere = f"{LOOPBACK}:{free_port()}"
        self.env = {
            "PATH": os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin",
            "PUBLIC_URL": self.url,
            **dict.fromkeys(("FRONT_EXPORTER", "FRONT_GRAFANA", "FRONT_ALERTMANAGER", "FRONT_PROMETHEUS"), nowhere),
            "FRONT_LISTEN": f"{LOOPBACK}:{self.port}",
            "FRONT_HEALTH": f"{LOOPBACK}:{health}",
            "FRONT_RESOLVER": LOOPBACK,
            "FRONT_RUN_FOLDER": str(self.directory / "run"),
            "FRONT_STATE_FOLDER": str(self.state),
            "FRONT_SECRETS_FOLDER": str(self.secrets),
            **(settings or {}),
        }

    def command(self) -> list[str | Path]:
        """The start script, as nobody in particular."""
        return unprivileged(self.directory / "front/start.sh")

    def ready(self) -> bool:
        """Answers its health check."""
        return requests.get(self.health, timeout=HTTP_SECONDS).status_code == 200

    @property
    def password(self) -> str:
        """Of the user admin, as it was made."""
        return (self.state / "password").read_text().strip()

    def ask(
        self,
        path: str,
        login: tuple[str, str] | None,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json: object = None,
    ) -> requests.Response:
        """Ask on a connection of its own; no redirect is followed, the certificate is not looked at."""
        with requests.Session() as session:
            session.trust_env = False
            request = requests.Request(method, self.url, headers=dict(headers or {}), auth=login, json=json)
            prepared = session.prepare_request(request)
            prepared.url = self.url + path  # as it is: requests would tidy it
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
            return session.send(prepared, verify=False, timeout=HTTP_SECONDS, allow_redirects=False)

    def certificate(self) -> bytes:
        """The certificate that it shows (DER)."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((LOOPBACK, self.port), HTTP_SECONDS) as plain,
            context.wrap_socket(plain) as secured,
        ):
            return secured.getpeercert(binary_form=True) or b""

    def raw(self, data: bytes) -> bytes:
        """Send these bytes over TLS (HTTP/1.1), and return all that comes until the connection is closed."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with (
            socket.create_connection((LOOPBACK, self.port), HTTP_SECONDS) as plain,
            context.wrap_socket(plain) as secured,
        ):
            secured.sendall(data)
            found = b""
            while part := secured.recv(65536):
                found += part
            return found

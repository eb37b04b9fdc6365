"""Redis 7 on a free port: one server, with or without password, ACL and TLS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import trustme
from redis.backoff import NoBackoff
from redis.retry import Retry

from servers.process import Server, ServerError, free_port, require_program

Client = Any
"""redis.Redis that answers text; its own types are for every protocol at once, which says nothing here."""

LOOPBACK = "127.0.0.1"
CLIENT_TIMEOUT_SECONDS = 5.0


@dataclass
class Certificates:
    """A certificate authority of its own and a server certificate for 127.0.0.1 and localhost."""

    authority: trustme.CA = field(default_factory=trustme.CA)

    def write(self, directory: Path) -> tuple[Path, Path, Path]:
        """Write authority, certificate and key as PEM files; return their paths in that order."""
        issued = self.authority.issue_cert(LOOPBACK, "localhost")
        ca, cert, key = directory / "ca.pem", directory / "cert.pem", directory / "key.pem"
        self.authority.cert_pem.write_to_path(str(ca))
        issued.cert_chain_pems[0].write_to_path(str(cert))
        issued.private_key_pem.write_to_path(str(key))
        return ca, cert, key


class RedisServer(Server):
    """One redis-server that keeps nothing on disk, as Supercheck's own compose file runs it.

    `acl` holds lines as in redis.conf after the word `user`; `args` are further options of redis-server.
    """

    name = "redis"

    def __init__(
        self,
        *args: str,
        password: str | None = None,
        acl: Sequence[str] = (),
        tls: Certificates | None = None,
    ) -> None:
        self.program = require_program("redis-server")
        super().__init__()
        self.args = args
        self.password = password
        self.acl = acl
        self.port = free_port()
        self.tls = tls
        self.ca_path: Path | None = None
        self._certificate: tuple[Path, Path] | None = None
        if tls is not None:
            self.ca_path, *pair = tls.write(self.directory)
            self._certificate = (pair[0], pair[1])
        self._client: Client = None

    @property
    def address(self) -> str:
        """host:port."""
        return f"{LOOPBACK}:{self.port}"

    def command(self) -> list[str | Path]:
        """redis-server with a configuration file, so that no password stands in the process list."""
        listen = "tls-port" if self._certificate else "port"
        lines = [f"{listen} {self.port}", f"bind {LOOPBACK}", 'save ""', "appendonly no"]
        if self._certificate:
            cert, key = self._certificate
            lines += ["port 0", f"tls-cert-file {cert}", f"tls-key-file {key}"]
            lines += [f"tls-ca-cert-file {self.ca_path}", "tls-auth-clients no"]
        if self.password is not None:
            lines.append(f'requirepass "{self.password}"')
        lines += [f"user {rule}" for rule in self.acl]
        path = self.directory / "redis.conf"
        path.write_text("\n".join(lines) + "\n")
        return [self.program, path, *self.args]

    def ready(self) -> bool:
        """Answers PING."""
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def client(self) -> Client:
        """The administrator's client, decoded to text; the same one each time, closed by `stop()`."""
        if self._client is None:
            self._client = self.connect()
        return self._client

    def connect(self, username: str | None = None, password: str | None = None) -> Client:
        """A new client; the caller closes it."""
        return redis.Redis(
            host=LOOPBACK,
            port=self.port,
            username=username,
            password=self.password if password is None else password,
            ssl=self.tls is not None,
            ssl_ca_certs=str(self.ca_path) if self.ca_path else None,
            decode_responses=True,
            socket_timeout=CLIENT_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    def restart_empty(self) -> None:
        """Crash and come back on the same port with nothing in it."""
        self.kill()
        self.start()

    def kill(self) -> None:
        """End it at once; its client reconnects after the next start."""
        super().kill()
        self._close_client()

    def stop(self) -> None:
        """End it and close its client."""
        self._close_client()
        super().stop()

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def exporter_env(self) -> dict[str, str]:
        """The settings, by Supercheck's names, with which the exporter reads this server."""
        env = {"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(self.port)}
        if self.password is not None:
            env["REDIS_PASSWORD"] = self.password
        if self.ca_path is not None:
            env |= {"REDIS_TLS_ENABLED": "true", "REDIS_TLS_CA_FILE": str(self.ca_path)}
        return env

    def bullmq_connection(self) -> dict[str, object]:
        """The same for BullMQ's harness (ioredis options)."""
        options: dict[str, object] = {"host": LOOPBACK, "port": self.port}
        if self.password is not None:
            options["password"] = self.password
        if self.ca_path is not None:
            options["tls"] = {"ca": self.ca_path.read_text()}
        return options

    def command_calls(self) -> dict[str, int]:
        """Calls so far of each command and subcommand, in lower case (INFO commandstats)."""
        stats = self.client().info("commandstats")
        if not isinstance(stats, dict):
            raise ServerError(f"INFO commandstats answered {stats!r}")
        return {name.removeprefix("cmdstat_"): int(row["calls"]) for name, row in stats.items()}

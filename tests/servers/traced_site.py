"""A site in Supercheck's shape on Node (node/site.cjs), with the instrumentation preloaded or without it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import requests

from servers.nodejs import install_packages, node_program
from servers.process import Server, free_port
from servers.redis import LOOPBACK, RedisServer

INSTRUMENTATION = Path(__file__).resolve().parents[2] / "otel-collector/instrumentation"
HTTP_SECONDS = 10.0


def preload(endpoint: str, service: str, **more: str) -> dict[str, str]:
    """The environment that the compose override gives to Supercheck's containers."""
    install_packages(INSTRUMENTATION)
    return {
        "NODE_OPTIONS": f"--require {INSTRUMENTATION / 'register.cjs'}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_SERVICE_NAME": service,
        **more,
    }


class SiteProcess(Server):
    """`node site.cjs app` or `worker`; its log lines are pino's."""

    def __init__(
        self,
        role: Literal["app", "worker"],
        redis: RedisServer,
        env: Mapping[str, str],
        database: str = "",
        **more: Any,
    ) -> None:
        self.node = node_program()
        self.package = install_packages()
        self.port = free_port()
        site = {"redis": {"host": LOOPBACK, "port": redis.port}, "port": self.port, "database": database, **more}
        super().__init__(env={"PATH": os.environ["PATH"], "SITE": json.dumps(site), **env})
        self.name = f"site-{role}"
        self.role = role
        self._session = requests.Session()

    def command(self) -> list[str | Path]:
        """Node with the site."""
        return [self.node, self.package / "site.cjs", self.role]

    def ready(self) -> bool:
        """Has said so."""
        return "ready\n" in self.log()

    def get(self, path: str) -> requests.Response:
        """A request of a user; it carries what must not be stored."""
        return self._session.get(f"http://{LOOPBACK}:{self.port}{path}", timeout=HTTP_SECONDS)

    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines of its log."""
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

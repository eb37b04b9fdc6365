"""Debian's node_exporter with the options that compose gives it, on this machine's own folders."""

from __future__ import annotations

from pathlib import Path

import requests
import yaml

from compose.demo.database import unprivileged
from servers.process import Server, free_port, require_program
from servers.redis import LOOPBACK

COMPOSE = Path(__file__).resolve().parents[2] / "compose/compose.yaml"
HTTP_SECONDS = 30.0


def shipped_options() -> list[str]:
    """As the container has them, but for where it finds the host."""
    service = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["node-exporter"]
    options = [option.replace("$$", "$") for option in service["command"]]
    return [option.replace("=/host/root", "=/").replace("=/host/", "=/") for option in options]


class NodeExporter(Server):
    """It watches this machine, as a user without rights."""

    name = "node-exporter"

    def __init__(self) -> None:
        self.program = require_program("prometheus-node-exporter")
        super().__init__()
        self.port = free_port()
        self.target = f"{LOOPBACK}:{self.port}"

    def command(self) -> list[str | Path]:
        """The shipped options, and an address of this test's own."""
        options = [option for option in shipped_options() if not option.startswith("--web.listen-address")]
        return unprivileged(self.program, *options, f"--web.listen-address={self.target}")

    def ready(self) -> bool:
        """Its page is there, as compose asks for it."""
        return requests.get(f"http://{self.target}/", timeout=HTTP_SECONDS).ok

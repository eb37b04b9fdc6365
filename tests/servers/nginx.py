"""The edge as compose runs it: compose/edge/start.sh and Debian's nginx, with folders of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests

from compose.demo.database import give_away, unprivileged
from servers.process import Server, free_port, require_program, wait_for
from servers.redis import LOOPBACK

FOLDER = Path(__file__).resolve().parents[2] / "compose/edge"
HTTP_SECONDS = 30.0
REFRESH_SECRET = "let-me-refresh-0123456789"


class Edge(Server):
    """In front of an app on this machine; `settings` are those of compose/edge/README.md."""

    name = "edge"

    def __init__(self, app_port: int, settings: Mapping[str, str] | None = None, *, log: Path | None = None) -> None:
        require_program("nginx")
        super().__init__()
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        folders = {name: self.directory / name for name in ("run", "cache", "logs", "secrets")}
        for folder in folders.values():
            folder.mkdir()
        self.log_folder = log or folders["logs"]
        (folders["secrets"] / "edge_refresh.map").write_text(f'"{REFRESH_SECRET}" 1;\n')
        shutil.copytree(FOLDER, self.directory / "edge")  # to where that user may read it
        give_away(self.directory)
        self.env = {
            "PATH": os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin",
            "EDGE_APP": f"{LOOPBACK}:{app_port}",
            "EDGE_LISTEN": f"{LOOPBACK}:{self.port}",
            "EDGE_RESOLVER": LOOPBACK,
            "EDGE_RUN_FOLDER": str(folders["run"]),
            "EDGE_CACHE_FOLDER": str(folders["cache"]),
            "EDGE_LOG_FOLDER": str(self.log_folder),
            "EDGE_SECRETS_FOLDER": str(folders["secrets"]),
            **(settings or {}),
        }
        self._session = requests.Session()

    @property
    def access_log(self) -> Path:
        """The file of requests."""
        return self.log_folder / "access.log"

    def command(self) -> list[str | Path]:
        """The start script, as nobody in particular."""
        return unprivileged(self.directory / "edge/start.sh")

    def ready(self) -> bool:
        """Answers."""
        return self.get("/_edge/health").status_code == 200

    def get(self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> requests.Response:
        """Ask; no redirect is followed, and no cookie kept."""
        answer = self._session.request(
            method, self.url + path, headers=dict(headers or {}), timeout=HTTP_SECONDS, allow_redirects=False
        )
        self._session.cookies.clear()
        return answer

    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        return [json.loads(line) for line in self.access_log.read_text().splitlines()]

    def wait_lines(self, count: int) -> dict[str, Any]:
        """The newest line of the access log once there are so many: it is written after the answer."""
        wait_for(lambda: len(self.lines()) >= count, 30, f"{count} lines are written")
        return self.lines()[-1]

    def stop(self) -> None:
        """End it and close the connections to it."""
        self._session.close()
        super().stop()

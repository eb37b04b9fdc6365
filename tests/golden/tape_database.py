"""Answers of a real PostgreSQL and a real PgBouncer, recorded once and played back: the golden files' input.

    PYTHONPATH=tests:exporters .venv/bin/python -m golden.tape_database

records them anew; afterwards ``make golden``, and review the difference. What is kept is the rows of each statement in
the order in which a collector asks; process ids and addresses of the machine that recorded are not among them.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from servers.postgres import OWNER, OWNER_PASSWORD, PgBouncerServer, PostgresServer
from supercheck_exporter import watermark
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.config import load
from supercheck_exporter.core import Collector
from supercheck_exporter.site import Site
from supercheck_exporter.sources.postgres import PostgresSource, Session

ROWS = ("notifications", "stored_secrets")
"""Collectors of Supercheck's own rows."""

PATH = Path(__file__).parent / "answers_database.json"
FED_BY_DATABASE = ("pgbouncer", "postgres", "postgres_statements", *ROWS)
CONFIG = "max_client_conn"
"""The one line of SHOW CONFIG that is read; the others tell of the machine."""
SECONDS_BETWEEN = 15.0
"""What passes between the two readings of pg_stat_statements."""

Rows = list[dict[str, Any]]


class _Recording:
    """A session that keeps what it was answered."""

    def __init__(self, session: Session, kept: list[Rows]) -> None:
        self._session, self._kept = session, kept

    def rows(self, statement: Any) -> Rows:
        found = self._session.rows(statement)
        self._kept.append(found)
        return found

    def refuse_pooler(self, server_pid: int) -> None:
        self._session.refuse_pooler(server_pid)


class _Playing:
    """A session that gives them again."""

    def __init__(self, kept: deque[Rows]) -> None:
        self._kept = kept

    def rows(self, statement: Any) -> Rows:
        return self._kept.popleft()

    def refuse_pooler(self, server_pid: int) -> None:
        """It was no pooler when it was recorded."""


class Recorder:
    """Stands for a source while it is recorded."""

    def __init__(self, source: PostgresSource) -> None:
        self._source = source
        self.kept: list[Rows] = []

    @contextmanager
    def session(self, up: Any = None) -> Iterator[_Recording]:
        with self._source.session(up) as session:
            yield _Recording(session, self.kept)


class Player:
    """Stands for a source afterwards."""

    def __init__(self, kept: list[Rows]) -> None:
        self._kept = deque(kept)

    @contextmanager
    def session(self, up: Any = None) -> Iterator[_Playing]:
        yield _Playing(self._kept)


def collector(name: str, source: Any) -> Collector:
    """A collector of the table on a stand-in for its source."""
    site = Site(load({}))
    site.__dict__["pgbouncer" if name == "pgbouncer" else "postgres"] = source
    return TABLE[name][1](site)


def recorded() -> dict[str, list[Rows]]:
    """The rows by collector."""
    answers: dict[str, list[Rows]] = json.loads(PATH.read_text(encoding="utf-8"))["answers"]
    return answers


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def main() -> None:
    """A site with a client in each state, a deadlock-free day, and a few statements."""
    answers: dict[str, list[Rows]] = {}
    with PostgresServer() as server, PgBouncerServer(server) as pooler, ExitStack() as stack:
        site = Site(load(server.exporter_env() | pooler.exporter_env()))
        sources = {name: Recorder(site.pgbouncer if name == "pgbouncer" else site.postgres) for name in FED_BY_DATABASE}
        statements = collector("postgres_statements", sources["postgres_statements"])
        app = stack.enter_context(psycopg.connect(server.url(OWNER, OWNER_PASSWORD), application_name="postgres.js"))
        through = stack.enter_context(psycopg.connect(pooler.url(), autocommit=True))
        list(statements.collect())
        server.run("INSERT INTO organization (name) SELECT 'o' FROM generate_series(1, 3000)")
        server.run("SELECT 1 FROM organization WHERE name = 'x'")
        for _ in range(30):
            through.execute("SELECT count(*) FROM locations")
        app.execute("SELECT pg_sleep(0.03)")
        list(statements.collect())
        server.run("SELECT pg_stat_force_next_flush()")
        list(collector("pgbouncer", sources["pgbouncer"]).collect())
        list(collector("postgres", sources["postgres"]).collect())
        record_rows(server, sources)
        versions = {
            "postgres": str(server.run("SHOW server_version")[0]["server_version"]),
            "pgbouncer": str(pooler.console("SHOW VERSION")[0]["version"]),
        }
        for name, source in sources.items():
            answers[name] = [[_clean(row) for row in rows if row.get("key", CONFIG) == CONFIG] for rows in source.kept]
    facts = {"versions": versions, "answers": answers}
    PATH.write_text(json.dumps(facts, indent=1, default=_plain) + "\n", encoding="utf-8")


def record_rows(server: PostgresServer, sources: Mapping[str, Recorder]) -> None:
    """Alerts of three channels, one of them deleted since, and variables of each type."""
    watermark.BEHIND_SECONDS = 0  # what is written now counts at once
    notifications = collector("notifications", sources["notifications"])
    list(notifications.collect())
    sources["notifications"].kept.clear()
    server.run("INSERT INTO notification_providers (type) VALUES ('slack'), ('email')")
    for status, number in (("sent", 7), ("failed", 2)):
        server.run(
            "INSERT INTO alert_history (provider, status, sent_at) SELECT id::text, "
            f"'{status}', now() AT TIME ZONE 'utc' FROM notification_providers, generate_series(1, {number})"
        )
    server.run(
        "INSERT INTO alert_history (provider, status, sent_at) VALUES ('gone', 'sent', now() AT TIME ZONE 'utc')"
    )
    list(notifications.collect())
    server.run(
        "INSERT INTO project_variables (type, is_secret, updated_at) SELECT type, secret, "
        "(now() AT TIME ZONE 'utc') - days * interval '1 day' FROM (VALUES ('secret', true, 90), ('secret', true, 3), "
        "('file', true, 30), ('variable', true, 400), ('variable', false, 800)) v (type, secret, days)"
    )
    list(collector("stored_secrets", sources["stored_secrets"]).collect())


def _clean(row: dict[str, Any]) -> dict[str, Any]:
    """Without what is of the machine."""
    return {key: value for key, value in row.items() if key not in {"host", "port", "default", "changeable"}}


if __name__ == "__main__":
    main()

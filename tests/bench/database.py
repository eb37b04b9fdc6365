"""What a scrape of PgBouncer and PostgreSQL costs: on few rows and on many, against bare logins in the same run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import psycopg
from servers.postgres import PgBouncerServer, PostgresServer
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.config import load
from supercheck_exporter.core import Runner
from supercheck_exporter.site import Site
from supercheck_exporter.sources.postgres import Session

NAMES = ("pgbouncer", "postgres", "postgres_statements")
RUNS, RESULTS = 1_000_000, 5_000_000
FEW = 1_000
STATEMENTS = 500
"""Statements that differ, in pg_stat_statements: a site of Supercheck has some hundred."""


def fill(server: PostgresServer, runs: int, results: int) -> None:
    """So many runs and results, and a server that has seen some hundred statements."""
    server.run(
        "INSERT INTO runs (status, created_at) SELECT 'passed', now() - n * interval '1 second' "
        f"FROM generate_series(1, {runs}) n"
    )
    server.run(
        "INSERT INTO monitor_results (checked_at, response_time_ms) SELECT now() - n * interval '1 second', n % 900 "
        f"FROM generate_series(1, {results}) n"
    )
    server.run("ANALYZE")
    with server.connect("supercheck") as connection:
        for number in range(STATEMENTS):
            connection.execute(f"SELECT {'1, ' * number}1")  # type: ignore[call-overload,unused-ignore]


class WatchedDatabase:
    """The collectors of one server and its pooler, without the HTTP server."""

    def __init__(self, server: PostgresServer, pooler: PgBouncerServer) -> None:
        site = Site(load(server.exporter_env() | pooler.exporter_env()))
        self.runner = Runner([TABLE[name][1](site) for name in NAMES])
        self._urls = (server.url(), server.url(), pooler.console_url())

    def scrape(self) -> None:
        """One run of all three, side by side as on a real scrape."""
        for run in self.runner.scrape():
            assert run.success, run.error

    def floor(self) -> None:
        """As many logins one after the other, and nothing asked."""
        for url in self._urls:
            psycopg.connect(url, autocommit=True).close()

    def queries(self) -> Counter[str]:
        """Statements of one scrape, by their first words."""
        seen: Counter[str] = Counter()
        rows = Session.rows

        def counting(session: Session, statement: Any) -> list[dict[str, Any]]:
            seen[" ".join(str(statement).split()[:2])] += 1
            return rows(session, statement)

        Session.rows = counting  # type: ignore[method-assign,assignment]
        try:
            self.scrape()
        finally:
            Session.rows = rows  # type: ignore[method-assign]
        return seen

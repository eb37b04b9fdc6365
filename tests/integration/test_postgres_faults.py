"""PostgreSQL frozen, locked, full, gone: it costs its own collectors only, in time, and nothing piles up."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from servers.exporter import Exporter, Samples, run_cli
from servers.postgres import DATABASE, OWNER, OWNER_PASSWORD, PgBouncerServer, PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from supercheck_exporter.collectors import NEEDS
from supercheck_exporter.collectors.postgres import UP
from supercheck_exporter.core import SourceError
from supercheck_exporter.sources.postgres import PostgresSource

TIMEOUT = {"DATABASE_TIMEOUT_SECONDS": "2", "DATABASE_READ_SECONDS": "1", "ANALYTICS_READ_SECONDS": "1"}
DEADLINE = 6.0
STATISTICS = ("postgres", "postgres_statements")
"""Read the server's statistics, no table of Supercheck's."""

KEEPS = "analytics"
"""What was used until lately is shown for 15 minutes more."""

DATABASE_COLLECTORS = tuple(
    name for name, needs in NEEDS.items() if needs == ("EXPORTER_DATABASE_URL",) and name != KEEPS
)
"""Those whose only source is the server, and that fail with it; some read on a scrape, some in the background."""


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """One with few connections, to be broken and mended again."""
    with PostgresServer({"max_connections": 20}) as own:
        yield own


@pytest.fixture
def exporter(server: PostgresServer) -> Iterator[Exporter]:
    """An exporter that gives up after 2 seconds."""
    with Exporter(server.exporter_env() | TIMEOUT) as own:
        yield own
    server.thaw()


def success(samples: Samples) -> dict[str, float]:
    return samples.values("supercheck_scrape_collector_success", by="collector")


@pytest.mark.promise("frozen source")
def test_a_frozen_server_costs_its_own_collectors(server: PostgresServer) -> None:
    with (
        RedisServer() as redis,
        PgBouncerServer(server) as pooler,
        Exporter(redis.exporter_env() | pooler.exporter_env() | server.exporter_env() | TIMEOUT) as exporter,
    ):
        exporter.wait_failed(deadline=DEADLINE)  # none
        server.freeze()
        # of the last one the half of Redis is served all the same
        samples = exporter.wait_failed(*DATABASE_COLLECTORS, "organization_capacity", deadline=DEADLINE)
        assert samples.value("supercheck_postgres_up") == 0
        assert samples.value("supercheck_pgbouncer_up") == 1
        assert samples.labels("supercheck_postgres_connections") == []
        assert "PostgreSQL is down" in exporter.page("/")
        server.thaw()
        exporter.wait_value(1, "supercheck_postgres_up")


@pytest.mark.promise("frozen source")
def test_scrapes_of_a_frozen_server_pile_nothing_up(server: PostgresServer, exporter: Exporter) -> None:
    exporter.wait_failed(deadline=DEADLINE)  # none
    server.freeze()
    exporter.wait_failed(*DATABASE_COLLECTORS, deadline=DEADLINE)
    threads, descriptors = exporter.threads(), exporter.descriptors()
    for _ in range(5):
        # shorter than the reads, which go on meanwhile
        assert success(exporter.scrape(deadline=1.5)) == dict.fromkeys(DATABASE_COLLECTORS, 0) | {KEEPS: 1}
    exporter.scrape(deadline=DEADLINE)
    readers = 2  # monitors and retention may be at it or not, now and before
    assert exporter.threads() <= threads + readers
    assert exporter.descriptors() <= descriptors + readers
    server.thaw()
    exporter.wait_value(1, "supercheck_postgres_up")


@pytest.mark.promise("frozen source")
def test_a_backend_that_freezes_after_the_login_costs_the_deadline_and_no_more(server: PostgresServer) -> None:
    """psycopg alone would wait for its answer for ever."""
    source = PostgresSource("EXPORTER_DATABASE_URL", server.url(), 2)
    threads = threading.active_count()

    def ask_a_frozen_one() -> None:
        with source.session(UP) as session:
            pid = session.rows("SELECT pg_backend_pid() AS pid")[0]["pid"]
            os.kill(pid, signal.SIGSTOP)
            try:
                session.rows("SELECT 1")
            finally:
                os.kill(pid, signal.SIGCONT)

    with pytest.raises(SourceError, match="does not answer in time") as caught:
        ask_a_frozen_one()
    assert caught.value.samples == (UP(0),)
    assert threading.active_count() == threads


@pytest.mark.promise("frozen source")
def test_a_catalog_that_is_locked_fails_its_collector_and_is_not_called_down(
    server: PostgresServer, exporter: Exporter
) -> None:
    """The server ends our read before we would give up."""
    with server.connect(DATABASE) as admin, admin.transaction():
        admin.execute("LOCK TABLE pg_constraint IN ACCESS EXCLUSIVE MODE")
        samples = exporter.scrape(deadline=DEADLINE)
        done = run_cli("check", settings=server.exporter_env() | TIMEOUT)
        assert success(samples)["postgres"] == 0
        assert samples.value("supercheck_postgres_up") == 1, "it answers"
        assert samples.labels("supercheck_postgres_connections") == [], "all or nothing"
    assert "holds a lock that our read waits for" in done.stdout
    exporter.wait_value(1, "supercheck_scrape_collector_success", collector="postgres")


@pytest.mark.promise("no lock on a writer")
def test_our_reads_take_no_lock_that_a_writer_waits_for(server: PostgresServer, exporter: Exporter) -> None:
    """A table that somebody alters can be read about, and our reads wait for no row."""
    with ExitStack() as stack:
        writer = stack.enter_context(psycopg.connect(server.url(OWNER, OWNER_PASSWORD)))
        for table in ("runs", "monitor_results", "monitors", "jobs", "organization"):
            writer.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        samples = exporter.scrape(*STATISTICS, deadline=DEADLINE)
        assert success(samples) == dict.fromkeys(STATISTICS, 1)


def one_more(server: PostgresServer) -> psycopg.Connection | None:
    try:
        return psycopg.connect(server.url(OWNER, OWNER_PASSWORD))
    except psycopg.OperationalError:
        return None


def test_no_connection_left_is_said(server: PostgresServer, exporter: Exporter) -> None:
    with ExitStack() as stack:
        for _ in range(17):  # 20, and 3 of them are kept for superusers
            taken = wait_for(lambda: one_more(server), 30, "the exporter's background readers have let one go")
            assert taken is not None
            stack.enter_context(taken)
        samples = exporter.scrape(deadline=DEADLINE)
        done = run_cli("check", settings=server.exporter_env() | TIMEOUT)
    assert samples.value("supercheck_postgres_up") == 0
    assert "has no connection left for us: see who holds them in pg_stat_activity" in done.stdout
    exporter.wait_value(1, "supercheck_postgres_up")


@pytest.mark.promise("recovers by itself")
def test_a_server_that_crashes_is_down_and_well_again(server: PostgresServer, exporter: Exporter) -> None:
    exporter.wait_value(1, "supercheck_postgres_up")
    server.kill()
    samples = exporter.wait_failed(*DATABASE_COLLECTORS, deadline=DEADLINE)
    assert samples.value("supercheck_postgres_up") == 0
    server.start()
    exporter.wait_failed(deadline=DEADLINE)  # none any more


@pytest.mark.promise("no secret")
def test_no_password_in_logs_page_or_metrics(server: PostgresServer) -> None:
    word = "wrong-secret-word"
    for url in (server.url(password=word), f"postgresql://somebody:{word}@127.0.0.1:1/x"):
        with Exporter({"EXPORTER_DATABASE_URL": url, "LOG_LEVEL": "debug"} | TIMEOUT) as exporter:
            shown = exporter.scrape(deadline=DEADLINE).text + exporter.page("/") + exporter.log()
        assert word not in shown
    done = run_cli("serve", settings={"DATABASE_URL": f"mysql://x:{word}@h/db"})
    assert done.returncode == 2
    assert "DATABASE_URL: read a value, allowed is postgresql://" in done.stdout
    assert word not in done.stdout

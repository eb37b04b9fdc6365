"""The pooler's numbers against a real PgBouncer: at rest, and with 1,000 clients on 80 server connections."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from servers.exporter import Exporter, Samples, run_cli
from servers.postgres import (
    DATABASE,
    OWNER,
    OWNER_PASSWORD,
    PgBouncerServer,
    PostgresServer,
    program,
)
from servers.process import wait_for
from servers.redis import LOOPBACK

CLIENTS, SERVERS, EACH = 1000, 80, 3
POOL = {"database": DATABASE, "pool_user": OWNER}


@pytest.fixture(scope="module", params=["1.18", "1.24"])
def pgbouncer(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[PgBouncerServer]:
    """Each real PgBouncer in turn: columns come and go between them."""
    with PgBouncerServer(postgres, version=request.param) as server:
        assert server.console("SHOW VERSION")[0]["version"].startswith(f"PgBouncer {request.param}.")
        yield server


@pytest.fixture(scope="module")
def exporter(postgres: PostgresServer, pgbouncer: PgBouncerServer) -> Iterator[Exporter]:
    """An exporter on both."""
    with Exporter(postgres.exporter_env() | pgbouncer.exporter_env()) as own:
        yield own


def test_a_pool_at_rest(pgbouncer: PgBouncerServer, exporter: Exporter) -> None:
    with psycopg.connect(pgbouncer.url(), autocommit=True) as client:
        client.execute("SELECT 1")
        samples = exporter.scrape("pgbouncer")
    assert samples.value("supercheck_pgbouncer_up") == 1
    clients = samples.values("supercheck_pgbouncer_client_connections", "state", **POOL)
    assert {"active": 1, "waiting": 0}.items() <= clients.items()
    servers = samples.values("supercheck_pgbouncer_server_connections", "state", **POOL)
    assert sum(servers.values()) == 1
    assert samples.value("supercheck_pgbouncer_oldest_wait_seconds", **POOL) == 0
    assert samples.value("supercheck_pgbouncer_pool_size_connections", database=DATABASE) == SERVERS
    assert samples.value("supercheck_pgbouncer_client_connection_limit") == 2000
    assert DATABASE in samples.values("supercheck_pgbouncer_queries_total", "database")
    # the console is no pool of anybody
    assert {labels["database"] for labels in samples.labels("supercheck_pgbouncer_client_connections")} == {DATABASE}


def test_the_totals_count_what_passes(pgbouncer: PgBouncerServer, exporter: Exporter) -> None:
    def totals() -> list[float]:
        samples = exporter.scrape("pgbouncer")
        names = ("transactions", "queries", "query_seconds", "received_bytes", "sent_bytes")
        found = [samples.value(f"supercheck_pgbouncer_{name}_total", database=DATABASE) for name in names]
        return [value or 0.0 for value in found]  # a pool that nobody has used yet has no row

    before = totals()
    with psycopg.connect(pgbouncer.url()) as client:
        client.execute("SELECT pg_sleep(0.2)")
        client.execute("SELECT repeat('x', 10000)")
    # PgBouncer adds up its totals as it goes: what was sent last, and the transaction, come a moment later

    def counted() -> list[float] | None:
        now = totals()
        return now if now[0] > before[0] and now[-1] > before[-1] + 10_000 else None

    after = wait_for(counted, 60, "the transaction and its bytes are counted")
    assert after is not None
    transactions, queries, seconds, received, sent = (b - a for a, b in zip(before, after, strict=True))
    assert (transactions, queries) == (1, 4)  # BEGIN, two statements, COMMIT
    assert 0.15 < seconds < 10
    assert 0 < received < 1000
    assert 10_000 < sent < 20_000


def test_a_wait_is_told_finer_than_in_seconds(postgres: PostgresServer) -> None:
    with (
        PgBouncerServer(postgres, {"default_pool_size": 1, "max_db_connections": 0}) as own,
        Exporter(own.exporter_env()) as exporter,
        ExitStack() as stack,
    ):
        first = stack.enter_context(psycopg.connect(own.url()))
        first.execute("SELECT 1")  # the one server connection is lent to this transaction
        second = stack.enter_context(psycopg.connect(own.url()))
        waiting = threading.Thread(target=second.execute, args=("SELECT 1",))

        def fraction() -> Samples | None:
            samples = exporter.scrape("pgbouncer")
            wait = samples.value("supercheck_pgbouncer_oldest_wait_seconds", **POOL)
            return samples if wait is not None and wait % 1 > 0 else None

        waiting.start()
        try:
            samples = wait_for(fraction, 60, "a wait with a fraction of a second")
        finally:
            first.commit()
            waiting.join()
    assert samples is not None
    assert samples.value("supercheck_pgbouncer_client_connections", **POOL, state="waiting") == 1
    assert samples.value("supercheck_pgbouncer_pool_size_connections", database=DATABASE) == 1


def pgbench(url: str, script: Path, clients: int) -> subprocess.Popen[str]:
    """So many clients at once, each with EACH transactions."""
    return subprocess.Popen(
        [program("pgbench"), "-n", "-f", script, "-c", str(clients), "-j", "2", "-t", str(EACH), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.promise("1,000 clients")
def test_a_thousand_clients_are_served_by_80_connections(postgres: PostgresServer, tmp_path: Path) -> None:
    """And without the pooler most of them are refused, in the same run."""
    script = tmp_path / "work.sql"
    script.write_text("SELECT pg_sleep(0.1);\n")
    # clients come without a password here: 1,000 logins by SCRAM measure the machine's processor
    with (
        PgBouncerServer(postgres, {"auth_type": "trust"}) as pooler,
        Exporter(postgres.exporter_env() | pooler.exporter_env()) as exporter,
    ):
        seen: list[Samples] = []
        load = pgbench(pooler.url(), script, CLIENTS)
        try:
            while load.poll() is None:
                seen.append(exporter.scrape("pgbouncer", "postgres"))
            said = load.communicate()[0]
        finally:
            load.kill()
            load.wait()
        after = exporter.scrape("pgbouncer")
    assert load.returncode == 0, said
    assert f"number of transactions actually processed: {CLIENTS * EACH}/{CLIENTS * EACH}" in said
    assert "number of failed transactions: 0" in said

    def most(name: str, **labels: str) -> float:
        return max(samples.value(name, **labels) or 0 for samples in seen)

    def connections(samples: Samples) -> float:
        return sum(samples.values("supercheck_pgbouncer_server_connections", "state", **POOL).values())

    assert most("supercheck_pgbouncer_client_connections", **POOL, state="waiting") > CLIENTS / 2
    assert most("supercheck_pgbouncer_oldest_wait_seconds", **POOL) > 0.5
    assert max(map(connections, seen)) == SERVERS
    assert all(samples.value("supercheck_postgres_up") == 1 for samples in seen), "the exporter still gets in"
    used = [sum(samples.values("supercheck_postgres_connections", "state").values()) for samples in seen if samples]
    assert max(used, default=0) <= 100
    assert after.value("supercheck_pgbouncer_client_connections", **POOL, state="waiting") == 0
    waited = after.value("supercheck_pgbouncer_wait_seconds_total", database=DATABASE)
    assert waited is not None
    assert waited > CLIENTS * 0.5

    direct = pgbench(postgres.url(OWNER, OWNER_PASSWORD), script, CLIENTS)
    said = direct.communicate()[0]
    assert direct.returncode != 0
    assert re.search("too many clients|remaining connection slots", said), said


def test_a_frozen_pooler_costs_its_own_collector(postgres: PostgresServer) -> None:
    with (
        PgBouncerServer(postgres) as own,
        Exporter(postgres.exporter_env() | own.exporter_env() | {"DATABASE_TIMEOUT_SECONDS": "2"}) as exporter,
    ):
        exporter.wait_failed()  # none
        own.freeze()
        samples = exporter.wait_failed("pgbouncer", deadline=6)
        assert samples.value("supercheck_pgbouncer_up") == 0
        assert samples.labels("supercheck_pgbouncer_client_connections") == []
        page = exporter.page("/")
        assert "PgBouncer is down" in page
        assert "does not answer in time" in page
        own.thaw()
        exporter.wait_value(1, "supercheck_pgbouncer_up")


def test_a_pooler_that_is_gone_is_down_and_well_again(postgres: PostgresServer) -> None:
    with PgBouncerServer(postgres) as own, Exporter(own.exporter_env()) as exporter:
        exporter.wait_value(1, "supercheck_pgbouncer_up")
        own.kill()
        samples = exporter.scrape()
        assert samples.value("supercheck_pgbouncer_up") == 0
        own.start()
        exporter.wait_value(1, "supercheck_pgbouncer_up")


def problem(settings: dict[str, str]) -> str:
    done = run_cli("check", settings=settings)
    assert done.returncode == 2, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    return line


def test_check_says_what_is_wrong_with_the_console(postgres: PostgresServer, pgbouncer: PgBouncerServer) -> None:
    assert run_cli("check", settings=pgbouncer.exporter_env()).stdout == "ok\n"
    not_console = {"PGBOUNCER_URL": pgbouncer.url()}
    assert problem(not_console).endswith("is not PgBouncer's console: PGBOUNCER_URL must end in /pgbouncer.")
    not_pooler = {"PGBOUNCER_URL": postgres.url()}
    assert problem(not_pooler).endswith("is not PgBouncer's console: PGBOUNCER_URL must end in /pgbouncer.")
    stranger = {"PGBOUNCER_URL": f"postgresql://{OWNER}:{OWNER_PASSWORD}@{LOOPBACK}:{pgbouncer.port}/pgbouncer"}
    assert "add it to stats_users" in problem(stranger)
    wrong = {"PGBOUNCER_URL": pgbouncer.console_url().replace("stats-secret", "guessed")}
    assert problem(wrong).endswith("refuses the login: check user and password in PGBOUNCER_URL.")
    for settings in (not_console, not_pooler, stranger, wrong):
        assert "word" not in problem(settings).replace("password", ""), "a password is never shown"


def test_a_pooler_is_refused_where_the_server_itself_is_meant(pgbouncer: PgBouncerServer) -> None:
    env = {"EXPORTER_DATABASE_URL": pgbouncer.url()}
    assert "is a pooler, or something else stands between: EXPORTER_DATABASE_URL must name" in problem(env)
    with Exporter(env) as exporter:
        samples = exporter.scrape()
    assert set(samples.values("supercheck_scrape_collector_success", by="collector").values()) == {0}
    # it is not the server that is down
    assert samples.value("supercheck_postgres_up") is None


def test_a_pooler_that_lets_the_options_pass_is_refused_as_well(postgres: PostgresServer) -> None:
    with PgBouncerServer(postgres, {"ignore_startup_parameters": "extra_float_digits,options"}) as lax:
        assert "is a pooler, or something else stands between" in problem({"DATABASE_URL": lax.url()})

"""The server's numbers against a real PostgreSQL, and what the exporter's role may see."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from servers.exporter import Exporter, run_cli
from servers.postgres import DATABASE, EXPORTER, EXPORTER_PASSWORD, OWNER, OWNER_PASSWORD, PostgresServer
from servers.process import wait_for

BIG = 200_000


@pytest.fixture(scope="module", params=[15, 18])
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The oldest and the newest PostgreSQL that is supported."""
    with PostgresServer(version=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def exporter(postgres: PostgresServer) -> Iterator[Exporter]:
    """An exporter on it."""
    with Exporter(postgres.exporter_env()) as own:
        yield own


def app(postgres: PostgresServer, stack: ExitStack, name: str = "postgres.js") -> psycopg.Connection[tuple[object]]:
    """A client as Supercheck's."""
    url = postgres.url(OWNER, OWNER_PASSWORD)
    return stack.enter_context(psycopg.connect(url, application_name=name))


def test_connections_by_application_and_state(postgres: PostgresServer, exporter: Exporter) -> None:
    with ExitStack() as stack:
        for number in range(3):
            connection = app(postgres, stack)
            connection.execute("SELECT 1")
            if number:
                connection.commit()
        app(postgres, stack, name="")
        samples = exporter.scrape("postgres")
    ours = samples.values("supercheck_postgres_connections", "state", application="postgres.js", database=DATABASE)
    assert ours == {"idle": 2, "idle in transaction": 1}
    assert samples.values("supercheck_postgres_connections", "state", application="(none)") == {"idle": 1}
    # our own counts too: each is one of the limit; other collectors may look at the same moment
    own = samples.values("supercheck_postgres_connections", "state", application="supercheck-exporter")
    assert own["active"] >= 1
    assert samples.value("supercheck_postgres_connection_limit") == 100
    assert samples.value("supercheck_postgres_up") == 1


def test_the_oldest_transaction_and_who_waits_for_its_lock(postgres: PostgresServer, exporter: Exporter) -> None:
    with ExitStack() as stack:
        holder, waiter = app(postgres, stack), app(postgres, stack)
        holder.execute("LOCK TABLE locations")
        blocked = threading.Thread(target=waiter.execute, args=("SELECT count(*) FROM locations",))
        blocked.start()
        exporter.wait_value(1, "supercheck_postgres_lock_waiters", database=DATABASE)
        one, two = (
            exporter.scrape("postgres").value("supercheck_postgres_oldest_transaction_age_seconds", database=DATABASE)
            for _ in range(2)
        )
        holder.rollback()
        blocked.join()
        waiter.rollback()
    assert one is not None
    assert two is not None
    assert 0 < one < two < 600
    samples = exporter.wait_value(0, "supercheck_postgres_lock_waiters", database=DATABASE)
    after = samples.value("supercheck_postgres_oldest_transaction_age_seconds", database=DATABASE)
    assert after is not None
    assert after < one


def test_deadlocks_and_transactions_are_counted(postgres: PostgresServer, exporter: Exporter) -> None:
    name = "supercheck_postgres_deadlocks_total"
    before = exporter.scrape("postgres")
    with ExitStack() as stack:
        first, second = app(postgres, stack), app(postgres, stack)
        first.execute("LOCK TABLE locations")
        second.execute("LOCK TABLE plan_limits")
        failed: list[BaseException] = []

        def cross() -> None:
            try:
                first.execute("LOCK TABLE plan_limits")
            except psycopg.errors.DeadlockDetected as error:
                failed.append(error)
            first.rollback()

        thread = threading.Thread(target=cross)
        thread.start()
        try:
            second.execute("LOCK TABLE locations")
        except psycopg.errors.DeadlockDetected as error:
            failed.append(error)
        second.rollback()
        thread.join()
    assert len(failed) == 1
    counted = before.value(name, database=DATABASE)
    assert counted is not None
    after = exporter.wait_value(counted + 1, name, database=DATABASE)
    for outcome in ("commit", "rollback"):
        was = before.value("supercheck_postgres_transactions_total", database=DATABASE, outcome=outcome)
        now = after.value("supercheck_postgres_transactions_total", database=DATABASE, outcome=outcome)
        assert was is not None
        assert now is not None
        assert now > was


@pytest.mark.promise("slow table named")
def test_a_big_table_that_is_read_whole_is_named(postgres: PostgresServer, exporter: Exporter) -> None:
    rows = "supercheck_postgres_table_sequential_rows_total"
    postgres.run(f"INSERT INTO monitor_results (response_time_ms) SELECT n FROM generate_series(1, {BIG}) n")
    exporter.wait_value(BIG, "supercheck_postgres_table_live_rows", table="monitor_results")
    before = exporter.scrape("postgres").values(rows, "table")
    postgres.run("SELECT 1 FROM monitor_results WHERE response_time_ms = -1")
    postgres.run("DELETE FROM monitor_results WHERE response_time_ms <= 1000")

    def read() -> dict[str, float] | None:
        now = exporter.scrape("postgres").values(rows, "table")
        more = {table: value - before[table] for table, value in now.items() if value > before[table]}
        return more if more.get("monitor_results", 0) >= 2 * BIG else None

    assert wait_for(read, 60, "both reads are counted") == {"monitor_results": 2 * BIG}
    samples = exporter.wait_value(1000, "supercheck_postgres_table_dead_rows", table="monitor_results")
    assert samples.value("supercheck_postgres_table_live_rows", table="monitor_results") == BIG - 1000


@pytest.mark.promise("slow table named")
def test_a_foreign_key_without_an_index_is_named(postgres: PostgresServer, exporter: Exporter) -> None:
    name = "supercheck_postgres_unindexed_foreign_keys"
    keys = exporter.scrape("postgres").values(name, "table")
    assert keys["monitors"] == 1  # organization_id, as in Supercheck; project_id is the first of an index
    assert keys["runs"] == 0
    postgres.run("CREATE INDEX half ON monitors (organization_id) WHERE enabled")
    assert exporter.scrape("postgres").value(name, table="monitors") == 1, "a partial index does not cover it"
    postgres.run("CREATE INDEX payload ON monitors (name) INCLUDE (organization_id)")
    assert exporter.scrape("postgres").value(name, table="monitors") == 1, "nor does one that only carries it"
    postgres.run("CREATE INDEX whole ON monitors (organization_id, status)")
    assert exporter.scrape("postgres").value(name, table="monitors") == 0
    postgres.run("DROP INDEX half, payload, whole")
    postgres.run("CREATE TABLE pair (a int, b int, PRIMARY KEY (a, b))")
    postgres.run("CREATE TABLE child (x int, b int, a int, FOREIGN KEY (a, b) REFERENCES pair)")
    assert exporter.scrape("postgres").value(name, table="child") == 1
    postgres.run("CREATE INDEX ON child (b, a, x)")
    assert exporter.scrape("postgres").value(name, table="child") == 0, "the order of its columns does not matter"
    postgres.run("DROP TABLE child, pair")


def test_size_cache_age_and_archive(postgres: PostgresServer, exporter: Exporter) -> None:
    samples = exporter.scrape("postgres")
    size = postgres.run("SELECT pg_database_size('supercheck') AS size")[0]["size"]
    assert samples.value("supercheck_postgres_database_size_bytes", database=DATABASE) == pytest.approx(size, rel=0.1)
    assert (samples.value("supercheck_postgres_cache_hits_total", database=DATABASE) or 0) > 0
    assert samples.value("supercheck_postgres_cache_reads_total", database=DATABASE) is not None
    age = samples.value("supercheck_postgres_transaction_id_age", database=DATABASE)
    assert age == pytest.approx(
        postgres.run("SELECT age(datfrozenxid) FROM pg_database WHERE datname = 'supercheck'")[0]["age"], abs=20
    )
    assert samples.value("supercheck_postgres_wal_archive_failures_total") == 0


def test_failures_of_the_archive_are_counted() -> None:
    settings = {"archive_mode": "on", "archive_command": "false"}
    with PostgresServer(settings) as server, Exporter(server.exporter_env()) as exporter:
        assert exporter.scrape().value("supercheck_postgres_wal_archive_failures_total") == 0
        server.run("SELECT pg_switch_wal()")
        exporter.wait_value(3, "supercheck_postgres_wal_archive_failures_total", timeout=30)


# -- the role --------------------------------------------------------------------------------------

SECRET = [
    ("project_variables", "value"), ("project_variables", "encrypted_value"), ("project_variables", "key"),
    ("project_variables", "storage_path"),
    ("monitors", "config"), ("monitors", "target"), ("monitors", "name"), ("apikey", "key"), ("session", "token"),
    ('"user"', "email"), ("notification_providers", "config"), ("alert_history", "message"),
    ("alert_history", "error_message"), ("runs", "error_details"), ("runs", "metadata"), ("audit_logs", "details"),
    ("jobs", "alert_config"), ("monitor_results", "details"), ("organization", "name"), ("organization", "metadata"),
]  # fmt: skip


@pytest.mark.promise("least rights")
@pytest.mark.parametrize(("table", "column"), SECRET, ids=lambda part: part.strip('"'))
def test_a_secret_column_is_denied_to_the_role(postgres: PostgresServer, table: str, column: str) -> None:
    with (
        postgres.connect(DATABASE, EXPORTER, EXPORTER_PASSWORD) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"SELECT {column} FROM {table}")


@pytest.mark.promise("least rights")
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO locations (code) VALUES ('x')",
        "UPDATE runs SET status = 'error'",
        "DELETE FROM monitor_results",
        "CREATE TABLE own (x int)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
        "SELECT pg_read_file('pg_hba.conf')",
        "COPY locations TO PROGRAM 'cat'",
        "SELECT * FROM pg_authid",
    ],
)
def test_the_role_can_t_change_anything(postgres: PostgresServer, statement: str) -> None:
    with postgres.connect(), postgres.connect(DATABASE, EXPORTER, EXPORTER_PASSWORD) as connection:
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.promise("least rights")
def test_the_role_s_script_may_run_again(postgres: PostgresServer, exporter: Exporter) -> None:
    postgres.make_role()
    assert exporter.scrape().value("supercheck_postgres_up") == 1


def problems(settings: dict[str, str]) -> list[str]:
    done = run_cli("check", settings=settings)
    return [line for line in done.stdout.splitlines() if line.startswith("error: ")]


@pytest.mark.promise("revoked grant")
def test_a_revoked_grant_is_named(postgres: PostgresServer, exporter: Exporter) -> None:
    postgres.run(f"REVOKE pg_monitor FROM {EXPORTER}")
    try:
        samples = exporter.scrape()
        (line,) = problems(postgres.exporter_env())
    finally:
        postgres.run(f"GRANT pg_monitor TO {EXPORTER}")
    assert "lacks pg_monitor: GRANT pg_monitor" in line
    assert samples.value("supercheck_scrape_collector_success", collector="postgres") == 0
    assert samples.value("supercheck_postgres_up") == 1, "it is not down"
    assert samples.labels("supercheck_postgres_connections") == [], "half of the truth is not told"
    assert problems(postgres.exporter_env()) == []


# -- check -----------------------------------------------------------------------------------------


def test_a_database_of_bytes_without_an_encoding_is_read(postgres: PostgresServer) -> None:
    """What initdb makes where no locale is set, as in many containers."""
    postgres.run("CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")
    env = postgres.exporter_env() | {"EXPORTER_DATABASE_URL": postgres.url(database="bytes")}
    with Exporter(env) as own:
        samples = own.scrape("postgres")
        assert samples.value("supercheck_scrape_collector_success", collector="postgres") == 1
        assert "bytes" in samples.values("supercheck_postgres_database_size_bytes", "database")


def test_check_says_what_is_wrong(postgres: PostgresServer) -> None:
    wrong = {"EXPORTER_DATABASE_URL": postgres.url(password="guessed-word")}
    (line,) = problems(wrong)
    assert line.endswith("refuses the login: check user and password in EXPORTER_DATABASE_URL.")
    assert "guessed" not in line
    (line,) = problems({"EXPORTER_DATABASE_URL": postgres.url(database="nowhere")})
    assert 'database "nowhere" does not exist' in line
    done = run_cli("check", settings={"DATABASE_URL": postgres.url(database="postgres")})
    assert done.returncode == 0
    assert "The database of DATABASE_URL has no table runs: it is not Supercheck's." in done.stdout
    assert "EXPORTER_DATABASE_URL is not set, and DATABASE_URL is used" in done.stdout


def test_a_url_from_a_file(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("secrets") / "url"
    path.write_text(postgres.url() + "\n")
    assert run_cli("check", settings={"EXPORTER_DATABASE_URL_FILE": str(path)}).stdout == "ok\n"

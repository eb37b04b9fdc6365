"""Every statement that the exporter sends, on tables of a million rows: its plan, its locks, its rights, its time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from servers.exporter import run_cli
from servers.postgres import DATABASE, EXPORTER, EXPORTER_PASSWORD, PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from supercheck_exporter import grants, retention
from supercheck_exporter.analytics.reader import AnalyticsReader
from supercheck_exporter.check import check
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import load
from supercheck_exporter.core import Runner
from supercheck_exporter.site import Site
from supercheck_exporter.sources.postgres import Session

MILLION, SOME = 1_000_000, 200_000
GROWING = {"runs", "monitor_results", "monitor_aggregates", "alert_history", "audit_logs", "usage_events"}
"""What a site has ever more of; monitors, jobs, projects, organizations are as many as people made."""

INDEXED = {"Index Scan", "Index Only Scan", "Bitmap Index Scan"}

FILL = """
CREATE FUNCTION pg_temp.uuid_of(n int) RETURNS uuid IMMUTABLE LANGUAGE sql AS
    $$ SELECT lpad(to_hex(n), 32, '0')::uuid $$;
INSERT INTO plan_limits (plan, running_capacity, queued_capacity, data_retention_days, job_data_retention_days)
    VALUES ('unlimited', 999, 9999, 7, 90), ('plus', 5, 50, 7, 30), ('pro', 10, 100, 7, 90);
INSERT INTO organization (id, name, slug, subscription_plan, subscription_status)
    SELECT pg_temp.uuid_of(n), 'o', 'o' || n, 'plus', 'active' FROM generate_series(1, 100) n;
INSERT INTO projects (id, organization_id) SELECT id, id FROM organization;
INSERT INTO jobs (id, organization_id, project_id, name) SELECT id, id, id, 'j' FROM organization;
INSERT INTO monitors (id, organization_id, project_id, name, frequency_minutes, last_check_at, created_at)
    SELECT id, id, id, 'm', 5, now(), now() FROM organization;
CREATE TEMP TABLE numbered AS SELECT id, row_number() OVER () - 1 AS number FROM organization;
INSERT INTO runs (id, job_id, project_id, status, created_at, completed_at)
    SELECT pg_temp.uuid_of(n), CASE WHEN n % 4 > 0 THEN o.id END, o.id, CASE WHEN n <= 40 THEN 'running'
        WHEN n <= 80 THEN 'queued' ELSE 'passed' END, t, CASE WHEN n > 80 THEN t END
    FROM (SELECT n, (now() AT TIME ZONE 'utc') - n * interval '9 seconds' AS t FROM generate_series(1, {rows}) n) r
    JOIN numbered o ON o.number = n % 100;
INSERT INTO monitor_results (id, monitor_id, checked_at, is_status_change)
    SELECT pg_temp.uuid_of(n), o.id, (now() AT TIME ZONE 'utc') - n * interval '1 second', n % 500 = 0
    FROM generate_series(1, {rows}) n JOIN numbered o ON o.number = n % 100;
INSERT INTO monitor_aggregates (id, monitor_id, period_type, period_start)
    SELECT pg_temp.uuid_of(n), o.id, CASE WHEN n % 25 = 0 THEN 'daily' ELSE 'hourly' END,
        (now() AT TIME ZONE 'utc') - n * interval '5 seconds'
    FROM generate_series(1, {some}) n JOIN numbered o ON o.number = n % 100;
INSERT INTO audit_logs (id, action, created_at)
    SELECT pg_temp.uuid_of(n), 'x', (now() AT TIME ZONE 'utc') - n * interval '5 minutes'
    FROM generate_series(1, {some}) n;
INSERT INTO usage_events (id, organization_id, event_type, units, created_at)
    SELECT pg_temp.uuid_of(n), o.id, 'monitor_execution', 1, (now() AT TIME ZONE 'utc') - n * interval '1 minute'
    FROM generate_series(1, {some}) n JOIN numbered o ON o.number = n % 100;
INSERT INTO alert_history (id, status, sent_at)
    SELECT pg_temp.uuid_of(n), 'sent', (now() AT TIME ZONE 'utc') - n * interval '1 minute'
    FROM generate_series(1, {some}) n
"""


def fill(server: PostgresServer) -> None:
    """In one transaction that empties the tables first, indexes last: a table of a million rows takes two seconds."""
    indexes = server.run(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made FROM pg_index i "
        f"JOIN pg_class c ON c.oid = i.indrelid WHERE c.relname = ANY('{{{','.join(GROWING)}}}') AND NOT i.indisprimary"
    )
    with server.connect(DATABASE) as connection:
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # no look at the parent of each row
            connection.execute(f"TRUNCATE {', '.join(GROWING)}")
            for index in indexes:
                connection.execute(f"DROP INDEX {index['name']}")
            for statement in FILL.format(rows=MILLION, some=SOME).split(";\n"):
                connection.execute(statement)
            for index in indexes:
                connection.execute(index["made"])
        connection.execute("VACUUM ANALYZE")


@pytest.fixture(scope="module")
def site() -> Iterator[PostgresServer]:
    """Months of a busy site."""
    fast: dict[str, str | int] = {
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "maintenance_work_mem": "128MB",
        "max_wal_size": "4GB",
    }
    with PostgresServer(fast) as server:
        fill(server)
        yield server


@pytest.fixture(scope="module")
def statements(site: PostgresServer, redis_server: RedisServer) -> list[str]:
    """Whatever any collector and any of its background readers asks of the database, twice at least."""
    seen: dict[str, int] = {}
    rows = Session.rows

    def noting(session: Session, statement: str) -> list[dict[str, Any]]:
        found = rows(session, statement)
        seen[statement] = seen.get(statement, 0) + 1
        return found

    hurry = {"DATABASE_READ_SECONDS": "1", "ANALYTICS_READ_SECONDS": "1"}
    settings = load(redis_server.exporter_env() | site.exporter_env() | hurry)
    own = Site(settings)
    runner = Runner([make(own) for name, (_, make) in TABLE.items() if not missing(name, settings)])
    patch = pytest.MonkeyPatch()
    patch.setattr(Session, "rows", noting)
    try:
        runner.start()

        def all_was_asked() -> bool:
            done = all(run.success for run in runner.scrape())
            moved = [text for text in seen if "greatest(" in text and "infinity" not in text]
            counted = len(own.retention.counts()) == len(retention.statements(False))
            return done and len(moved) >= 3 and counted and own.analytics.facts is not None

        wait_for(all_was_asked, 120, "every statement was sent")
        in_the_cloud = AnalyticsReader(own.postgres, 1, cloud=True)
        wait_for(
            lambda: in_the_cloud.attempt() and in_the_cloud.facts, 120, "a month of runs, and a look at the events"
        )
        in_the_cloud.attempt()  # the look that follows counts some
        assert in_the_cloud.error == ""
    finally:
        runner.stop()
        own.redis.close()
        patch.undo()
    return list(seen)


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


@pytest.mark.promise("bounded plans")
def test_no_statement_reads_a_table_whole_that_grows(site: PostgresServer, statements: list[str]) -> None:
    read: set[str] = set()
    with site.connect(DATABASE, EXPORTER, EXPORTER_PASSWORD) as connection:
        for statement in statements + list(retention.statements(True).values()):
            (row,) = connection.execute(f"EXPLAIN (FORMAT JSON) {statement}").fetchall()
            found = list(nodes(row["QUERY PLAN"][0]["Plan"]))
            read |= {node["Relation Name"] for node in found if "Relation Name" in node}
            whole = {node["Relation Name"] for node in found if node["Node Type"] == "Seq Scan"}
            assert not whole & GROWING, f"{statement}\n{json.dumps(row['QUERY PLAN'], indent=1)}"
            # an index that is read from end to end is no better
            assert all(node.get("Index Cond") for node in found if node["Node Type"] in INDEXED), statement
    assert read >= GROWING, "the statements were looked at"


@pytest.mark.promise("no lock on a writer")
def test_no_statement_takes_a_lock_that_a_writer_waits_for(site: PostgresServer, statements: list[str]) -> None:
    with site.connect(DATABASE, EXPORTER, EXPORTER_PASSWORD) as connection:
        for statement in statements:
            with connection.transaction():
                connection.execute(statement)
                held = connection.execute(
                    "SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid'"
                ).fetchall()
            assert [row["mode"] for row in held] == ["AccessShareLock"], statement


@pytest.mark.parametrize("cloud", [False, True], ids=["self-hosted", "cloud"])
def test_what_is_past_its_retention_is_counted_within_the_statement_s_time(site: PostgresServer, cloud: bool) -> None:
    """The role's own timeout is in force: a statement that takes longer has no number."""
    source = Site(load(site.exporter_env())).postgres
    for entity, statement in retention.statements(cloud).items():
        with source.session() as session:
            began = time.monotonic()
            rows = session.rows(statement)[0]["rows"]
            print(f"{entity}: {rows} rows in {time.monotonic() - began:.3f} s")
        assert rows > 0, entity
        assert rows <= retention.MAX_ROWS


# -- rights ----------------------------------------------------------------------------------------

COLUMNS = [(table, column) for table, columns in grants.GRANTS.items() for column in columns]


@pytest.mark.promise("revoked grant")
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_check_names_the_grant_that_is_missing(site: PostgresServer, table: str, column: str) -> None:
    site.run(f"REVOKE SELECT ({column}) ON {table} FROM {EXPORTER}")
    try:
        problems, _ = check(site.exporter_env())
    finally:
        site.run(f"GRANT SELECT ({column}) ON {table} TO {EXPORTER}")
    grant = f"GRANT SELECT ({column}) ON {table} TO {EXPORTER};"
    assert problems == [f"The role {EXPORTER} may not read {column} of {table}: {grant}"]


@pytest.mark.promise("revoked grant")
def test_check_names_every_right_of_a_role_without_any(site: PostgresServer) -> None:
    site.run("CREATE ROLE stranger LOGIN PASSWORD 'word' IN ROLE pg_monitor")
    try:
        env = {"EXPORTER_DATABASE_URL": site.url("stranger", "word")}
        problems, _ = check(env)
        assert len(problems) == len(grants.GRANTS)
        for problem in problems:
            site.run(problem.split(": ", 1)[1])
        # what it says is what is needed: no more, and no less
        assert run_cli("check", settings=env).stdout == "ok\n"
        with Site(load(env)).postgres.session() as session:
            for statement in retention.statements(False).values():
                session.rows(statement)
        site.run("REVOKE USAGE ON SCHEMA public FROM public")
        problems, _ = check(env)
        grant = "GRANT USAGE ON SCHEMA public TO stranger;"
        assert f"The role stranger may not enter the schema public: {grant}" in problems
    finally:
        site.run("GRANT USAGE ON SCHEMA public TO public")
        site.run("DROP OWNED BY stranger")
        site.run("DROP ROLE stranger")


@pytest.mark.promise("revoked grant")
def test_check_says_when_the_tables_are_of_another_version(site: PostgresServer) -> None:
    site.run("ALTER TABLE jobs RENAME next_run_at TO later_at")
    try:
        problems, _ = check(site.exporter_env())
    finally:
        site.run("ALTER TABLE jobs RENAME later_at TO next_run_at")
    assert problems == ["The table jobs has no next_run_at: this is not the database of a known Supercheck."]

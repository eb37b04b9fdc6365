"""Statement times and the hint at N+1 against a real pg_stat_statements."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from servers.exporter import Exporter, Samples, run_cli
from servers.postgres import EXPORTER, OWNER, OWNER_PASSWORD, PostgresServer

SECONDS = "supercheck_postgres_query_seconds"
SINGLE = "supercheck_postgres_single_row_statements"


@pytest.fixture(scope="module", params=[15, 18])
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """The oldest and the newest PostgreSQL that is supported."""
    with PostgresServer(version=request.param) as server:
        yield server


@pytest.fixture
def app(postgres: PostgresServer) -> Iterator[psycopg.Connection[tuple[object]]]:
    """A client as Supercheck's."""
    with psycopg.connect(postgres.url(OWNER, OWNER_PASSWORD), autocommit=True, prepare_threshold=None) as connection:
        yield connection


@pytest.fixture
def exporter(postgres: PostgresServer, app: object) -> Iterator[Exporter]:
    """A new exporter that has had its first look; what the app's login ran is behind it."""
    with Exporter(postgres.exporter_env()) as own:
        assert own.scrape("postgres_statements").value(f"{SECONDS}_count") == 0
        yield own


def quantile(samples: Samples, share: float) -> tuple[float, float]:
    """The edges of the bucket in which a quantile lies."""
    found = samples.histogram(SECONDS)
    assert found is not None
    below = 0.0
    for edge, count in sorted(found.buckets.items()):
        if count >= share * found.count:
            return below, edge
        below = edge
    raise AssertionError("no bucket holds it")


@pytest.mark.promise("statement latency")
def test_a_known_mix_lands_in_the_right_buckets(exporter: Exporter, app: psycopg.Connection[tuple[object]]) -> None:
    for _ in range(90):
        app.execute("SELECT 1")
    for _ in range(10):
        app.execute("SELECT pg_sleep(0.15)")
    samples = exporter.scrape("postgres_statements")
    found = samples.histogram(SECONDS)
    assert found is not None
    assert found.count == 100
    assert found.total == pytest.approx(1.5, rel=0.3)
    assert quantile(samples, 0.5)[1] <= 0.01
    assert quantile(samples, 0.95) == (0.1, 0.25)
    again = exporter.scrape("postgres_statements").histogram(SECONDS)
    assert again is not None
    assert again.count == 100, "our own reads are not counted"


@pytest.mark.promise("N+1 hint")
def test_a_loop_that_asks_once_a_row_tops_the_list_and_the_join_does_not(
    postgres: PostgresServer, exporter: Exporter, app: psycopg.Connection[tuple[object]]
) -> None:
    postgres.run("INSERT INTO organization (name) SELECT 'o' FROM generate_series(1, 50)")
    postgres.run("INSERT INTO projects (organization_id, name) SELECT id, 'p' FROM organization")
    exporter.scrape("postgres_statements")
    for _ in range(40):
        app.execute("SELECT p.id, o.name FROM projects p JOIN organization o ON o.id = p.organization_id LIMIT 20")
    app.execute("SELECT count(*) FROM jobs")
    for (organization,) in app.execute("SELECT organization_id FROM projects").fetchall():
        app.execute("SELECT name FROM organization WHERE id = %s", (organization,))
    samples = exporter.scrape("postgres_statements")
    listed = samples.values(SINGLE, "fingerprint")
    texts = {str(row["queryid"]): row["query"] for row in postgres.run("SELECT queryid, query FROM pg_stat_statements")}
    first = max(listed, key=lambda fingerprint: listed[fingerprint])
    assert texts[first].startswith("SELECT name FROM organization WHERE id =")
    assert [text for fingerprint, text in texts.items() if fingerprint in listed and "JOIN" in text] == []
    assert samples.labels(SINGLE)[0].keys() == {"fingerprint"}, "no text of a statement"


def test_statistics_that_were_reset_count_on(
    postgres: PostgresServer, exporter: Exporter, app: psycopg.Connection[tuple[object]]
) -> None:
    for _ in range(20):
        app.execute("SELECT 2 AS two")
    exporter.wait_value(20, f"{SECONDS}_count")
    postgres.run("SELECT pg_stat_statements_reset()")
    for _ in range(5):
        app.execute("SELECT 2 AS two")
    samples = exporter.scrape("postgres_statements")
    # the five, and the statement of the superuser that reset
    assert (samples.value(f"{SECONDS}_count") or 0) in (25, 26)


def test_an_extension_in_a_schema_of_its_own(postgres: PostgresServer) -> None:
    postgres.run("CREATE SCHEMA own")
    postgres.run("ALTER EXTENSION pg_stat_statements SET SCHEMA own")
    try:
        refused = run_cli("check", settings=postgres.exporter_env()).stdout
        assert "refuses a read (permission denied for schema own): grant it" in refused
        postgres.run(f"GRANT USAGE ON SCHEMA own TO {EXPORTER}")
        with Exporter(postgres.exporter_env()) as exporter:
            assert exporter.scrape().value(f"{SECONDS}_count") is not None
    finally:
        postgres.run("ALTER EXTENSION pg_stat_statements SET SCHEMA public")


@pytest.mark.parametrize("created", [False, True], ids=["no extension", "extension without its library"])
def test_without_statistics_of_statements_there_is_no_series_and_check_says_how(created: bool) -> None:
    with PostgresServer(statements=False) as server:
        if created:
            server.run("CREATE EXTENSION pg_stat_statements")
        with Exporter(server.exporter_env()) as exporter:
            samples = exporter.scrape()
        done = run_cli("check", settings=server.exporter_env())
    assert samples.labels(f"{SECONDS}_count") == []
    assert samples.value("supercheck_scrape_collector_success", collector="postgres_statements") == 1
    assert samples.value("supercheck_postgres_up") == 1
    assert done.returncode == 0
    assert "shared_preload_libraries = 'pg_stat_statements'" in done.stdout
    assert "CREATE EXTENSION pg_stat_statements" in done.stdout

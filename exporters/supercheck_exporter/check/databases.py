"""The part of ``check`` that tries PostgreSQL and PgBouncer."""

from __future__ import annotations

from supercheck_exporter import grants
from supercheck_exporter.capacity import directory, runs
from supercheck_exporter.collectors import pgbouncer, postgres, postgres_statements
from supercheck_exporter.core import NoData, SourceError
from supercheck_exporter.settings import Settings
from supercheck_exporter.site import Site
from supercheck_exporter.watermark import Watermark

OLDEST_TESTED, NEWEST_TESTED = 15, 18
NO_STATEMENTS = (
    "pg_stat_statements is not there: without it there is no supercheck_postgres_query_seconds and no "
    "supercheck_postgres_single_row_statements. Start PostgreSQL with shared_preload_libraries = 'pg_stat_statements', "
    "then run CREATE EXTENSION pg_stat_statements in Supercheck's database."
)
NO_SUPERCHECK = "The database of {} has no table runs: it is not Supercheck's."
FALLBACK = (
    "EXPORTER_DATABASE_URL is not set, and DATABASE_URL is used: that is Supercheck's own user, who may write. "
    "Make the role of exporters/sql/role.sql."
)

FACTS = """
SELECT EXISTS (
    SELECT FROM pg_class WHERE relname = 'runs' AND relnamespace = 'public'::regnamespace) AS supercheck
"""


def check_databases(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try what is set; what is not set is left out."""
    site = Site(settings)
    try:
        if settings.database is not None:
            _check_postgres(site, problems, notes)
    except SourceError as error:
        problems.append(f"{error}.")
    try:
        if settings.pgbouncer_url is not None:
            list(pgbouncer.PgBouncerCollector(site.pgbouncer).collect())
    except SourceError as error:
        problems.append(f"{error}.")


def _check_postgres(site: Site, problems: list[str], notes: list[str]) -> None:
    try:
        list(postgres.PostgresCollector(site.postgres).collect())
    except SourceError as error:
        if error.samples != (postgres.UP(1),):
            raise
        problems.append(f"{error}.")  # it answers: there may be more to mend
    with site.postgres.session() as session:
        supercheck = session.rows(FACTS)[0]["supercheck"]
        lacking = grants.lacking(session) if supercheck else []
        major = session.version // 10000
    if not supercheck:
        notes.append(NO_SUPERCHECK.format(site.postgres.setting))
    elif lacking:
        problems += lacking
    else:
        _try_tables(site)
    if not OLDEST_TESTED <= major <= NEWEST_TESTED:
        notes.append(f"PostgreSQL {major} was not tested: {OLDEST_TESTED} to {NEWEST_TESTED} were.")
    if site.settings.exporter_database_url is None:
        notes.append(FALLBACK)
    try:
        list(postgres_statements.PostgresStatementsCollector(site.postgres).collect())
    except NoData:
        notes.append(NO_STATEMENTS)


def _try_tables(site: Site) -> None:
    """The reads of organization_capacity and monitors, once each."""
    with site.postgres.session() as session:
        for statement in (directory.ORGANIZATIONS, directory.PLANS, runs.statement(Watermark(0))):
            session.rows(statement)
    site.monitors.step()

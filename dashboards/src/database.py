"""The database, the way a wait travels: client -> pooler -> server -> statement."""

from . import links, promql, shared
from .database_detail import server_section, tables_section
from .database_pooler import pooler_section
from .layout import Section, shelf
from .levels import GREEN, RED, Thresholds, states
from .panels import Doc, one
from .sdk import models
from .spec import Spec

_SERVER_BLIND = "no database, or no answer"
_UP = states({"0": ("DOWN", RED), "1": ("up", GREEN)})


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about the database", 'component="database"')
    return [
        Section("Is the database well?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        pooler_section(limits),
        server_section(limits),
        tables_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "PgBouncer",
            Doc(
                "Whether the pooler's console answers the exporter.",
                "up; no data where PGBOUNCER_URL is not set.",
                "clients that go through it stand still: open the runbook.",
            ),
            "max(supercheck_pgbouncer_up)",
            unit="short",
            mappings=[_UP],
            no_data="no pooler, or no answer",
            runbooks=["PgBouncerDown"],
            loud=True,
        ),
        one(
            "Longest wait",
            Doc(
                "How long the first client in a pool's queue has waited; the worst pool.",
                "0; some milliseconds in bursts.",
                "all server connections are lent: see who holds them.",
            ),
            "max(supercheck_pgbouncer_oldest_wait_seconds)",
            unit="s",
            levels=limits.above(warning="pgbouncer_wait_warning_seconds", critical="pgbouncer_wait_critical_seconds"),
            no_data="no pool is in use",
            runbooks=["PgBouncerClientsWaiting"],
        ),
        one(
            "PostgreSQL",
            Doc(
                "Whether the server itself lets the exporter in and answers.",
                "up; no data where no database is set, or a pooler stands between.",
                "nothing works without it: open the runbook.",
            ),
            "max(supercheck_postgres_up)",
            unit="short",
            mappings=[_UP],
            no_data=_SERVER_BLIND,
            runbooks=["PostgresDown"],
            more=[links.status_page()],
            loud=True,
        ),
        one(
            "Connections",
            Doc(
                "Connections over max_connections, everybody's.",
                "below 80 %.",
                "at 100 % the server refuses the next one: see 'Connections by state'.",
            ),
            "max(site:supercheck_postgres_connections:ratio)",
            unit="percentunit",
            decimals=0,
            levels=limits.above(
                warning="postgres_connections_warning_ratio", critical="postgres_connections_critical_ratio"
            ),
            no_data=_SERVER_BLIND,
            runbooks=["PostgresConnectionsHigh"],
        ),
        one(
            "Statements, p95",
            Doc(
                "19 of 20 statements were faster. An approximation: each statement counts with its mean.",
                "below 100 ms; no data without pg_stat_statements.",
                "see locks, then tables that are read whole, then single-row statements.",
            ),
            promql.known("max(site:supercheck_postgres_query_seconds:p95_rate5m)"),
            unit="s",
            levels=limits.above(warning="postgres_query_latency_seconds"),
            no_data="no extension, or no calls",
            runbooks=["PostgresQueryLatencyHigh"],
        ),
        one(
            "Transaction age",
            Doc(
                "How long the oldest open transaction has been open.",
                "seconds; minutes during a backup.",
                "it holds locks and keeps dead rows: see who owns it.",
            ),
            "max(supercheck_postgres_oldest_transaction_age_seconds)",
            unit="s",
            levels=limits.above(warning="postgres_long_transaction_seconds"),
            no_data=_SERVER_BLIND,
            runbooks=["PostgresLongTransaction"],
        ),
    ]


SPEC = Spec(
    uid=links.DATABASE,
    title="Supercheck / Database",
    description="Do clients wait for a connection? Is the server full or blocked? Which statement, which table is it?",
    sections=_sections,
    alert_matchers='component="database"',
)

"""How the database server is doing: connections, locks, transactions, tables that are read whole.

Source: pg_stat_activity, pg_stat_database, pg_stat_archiver, pg_stat_user_tables, pg_constraint, on a
direct connection of a role with pg_monitor. Every statement reads the server's own statistics, so none
depends on how many rows the site has, and none takes a lock that a writer would wait for.

    supercheck_postgres_connections{application="postgres.js",database="supercheck",state="active"} 4.0
    supercheck_postgres_table_sequential_rows_total{table="monitor_results"} 1.2e+07
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from supercheck_exporter.core import Collector, Sample, SourceError, counter, gauge
from supercheck_exporter.sources.postgres import PostgresSource, Row

MAX_APPLICATIONS = 20
MAX_DATABASES = 20
MAX_TABLES = 100
"""Supercheck has 57; the largest are kept."""

OTHER = "other"

UP = gauge("supercheck_postgres_up", "Whether the database server lets us in and answers (1) or not (0).")
CONNECTIONS = gauge(
    "supercheck_postgres_connections",
    "Client connections by database, application name and state (active, idle, idle in transaction, ...).",
    "database",
    "application",
    "state",
)
LIMIT = gauge("supercheck_postgres_connection_limit", "Connections the server accepts (max_connections).")
OLDEST_TRANSACTION = gauge(
    "supercheck_postgres_oldest_transaction_age_seconds",
    "Seconds since the longest open transaction of a client began; 0 when there is none.",
    "database",
)
LOCK_WAITERS = gauge("supercheck_postgres_lock_waiters", "Clients that wait for a lock.", "database")
SIZE = gauge("supercheck_postgres_database_size_bytes", "Size of the database on disk.", "database")
HITS = counter("supercheck_postgres_cache_hits_total", "Blocks found in shared buffers.", "database")
READS = counter("supercheck_postgres_cache_reads_total", "Blocks that had to be read.", "database")
DEADLOCKS = counter("supercheck_postgres_deadlocks_total", "Deadlocks.", "database")
TRANSACTIONS = counter(
    "supercheck_postgres_transactions_total", "Transactions by outcome: commit, rollback.", "database", "outcome"
)
XID_AGE = gauge(
    "supercheck_postgres_transaction_id_age",
    "Transactions since the oldest one that is not frozen; the server stops taking writes near 2 billion.",
    "database",
)
ARCHIVE_FAILURES = counter("supercheck_postgres_wal_archive_failures_total", "Failed attempts to archive WAL.")
SEQ_SCANS = counter("supercheck_postgres_table_sequential_scans_total", "Times the table was read whole.", "table")
SEQ_ROWS = counter("supercheck_postgres_table_sequential_rows_total", "Rows read by reading it whole.", "table")
LIVE = gauge("supercheck_postgres_table_live_rows", "Estimated live rows of the table.", "table")
DEAD = gauge("supercheck_postgres_table_dead_rows", "Estimated dead rows of the table.", "table")
UNINDEXED = gauge(
    "supercheck_postgres_unindexed_foreign_keys",
    "Foreign keys whose columns no index begins with: a delete of the parent reads the whole child.",
    "table",
)

# One row a database, application and state. All of them count, our own too: each one is a connection of the limit.
ACTIVITY = """
SELECT datname AS database, application_name AS application, coalesce(state, 'unknown') AS state,
       count(*) AS connections,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS lock_waiters,
       coalesce(max(extract(epoch FROM clock_timestamp() - xact_start))
           FILTER (WHERE pid <> pg_backend_pid()), 0)::float8 AS oldest
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname IS NOT NULL
GROUP BY 1, 2, 3
"""

DATABASES = f"""
SELECT s.datname AS database, blks_hit, blks_read, deadlocks, xact_commit, xact_rollback,
       age(d.datfrozenxid) AS xid_age, pg_database_size(d.oid) AS size,
       current_setting('max_connections')::int AS connection_limit,
       (SELECT failed_count FROM pg_stat_archiver) AS archive_failures,
       pg_backend_pid() AS pid, pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all
FROM pg_stat_database s JOIN pg_database d ON d.oid = s.datid
WHERE NOT d.datistemplate OR s.datname = current_database()
ORDER BY s.datname <> current_database(), s.xact_commit DESC LIMIT {MAX_DATABASES}
"""  # noqa: S608  a number of ours

TABLES = f"""
SELECT relname AS table, seq_scan, seq_tup_read, n_live_tup, n_dead_tup
FROM pg_stat_user_tables WHERE schemaname = 'public'
ORDER BY n_live_tup DESC, relname LIMIT {MAX_TABLES}
"""  # noqa: S608

# A foreign key is covered by an index whose first columns are its columns, in any order.
FOREIGN_KEYS = f"""
SELECT r.relname AS table, count(*) FILTER (WHERE NOT EXISTS (
         SELECT FROM pg_index i
         WHERE i.indrelid = c.conrelid AND i.indpred IS NULL AND i.indisvalid
           AND i.indnkeyatts >= cardinality(c.conkey)
           AND (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey
       )) AS unindexed
FROM pg_constraint c
JOIN pg_class r ON r.oid = c.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
WHERE c.contype = 'f' AND n.nspname = 'public'
GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_TABLES}
"""  # noqa: S608


class PostgresCollector(Collector):
    """Four statements on one connection."""

    name = "postgres"
    descs = (
        UP, CONNECTIONS, LIMIT, OLDEST_TRANSACTION, LOCK_WAITERS, SIZE, HITS, READS, DEADLOCKS, TRANSACTIONS,
        XID_AGE, ARCHIVE_FAILURES, SEQ_SCANS, SEQ_ROWS, LIVE, DEAD, UNINDEXED,
    )  # fmt: skip

    def __init__(self, source: PostgresSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Sample]:
        """Read the statistics."""
        with self._source.session(UP) as session:
            databases = session.rows(DATABASES)
            session.refuse_pooler(databases[0]["pid"])
            if not databases[0]["sees_all"]:
                raise SourceError(
                    "the role lacks pg_monitor: GRANT pg_monitor TO it, as in exporters/sql/role.sql", (UP(1),)
                )
            activity = session.rows(ACTIVITY)
            tables, foreign_keys = session.rows(TABLES), session.rows(FOREIGN_KEYS)
        yield UP(1)
        yield from activity_samples(activity, [row["database"] for row in databases])
        for row in databases:
            yield from _database_samples(row)
        for row in databases[:1]:  # the same in every row
            yield LIMIT(row["connection_limit"])
            yield ARCHIVE_FAILURES(row["archive_failures"])
        for row in tables:
            yield SEQ_SCANS(row["seq_scan"], row["table"])
            yield SEQ_ROWS(row["seq_tup_read"], row["table"])
            yield LIVE(row["n_live_tup"], row["table"])
            yield DEAD(row["n_dead_tup"], row["table"])
        for row in foreign_keys:
            yield UNINDEXED(row["unindexed"], row["table"])


def activity_samples(rows: Iterable[Row], databases: Iterable[str]) -> Iterator[Sample]:
    """Connections by application, the rarest summed as ``other``: anybody may name an application."""
    rows = list(rows)
    oldest: dict[str, float] = dict.fromkeys(databases, 0.0)
    waiters: dict[str, int] = dict.fromkeys(oldest, 0)
    sizes: Counter[str] = Counter()
    for row in rows:
        sizes[row["application"]] += row["connections"]
    kept = {name for name, _ in sizes.most_common(MAX_APPLICATIONS)}
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        database = row["database"]
        if database in oldest:
            oldest[database] = max(oldest[database], row["oldest"])
            waiters[database] += row["lock_waiters"]
        else:
            database = OTHER
        application = row["application"] if row["application"] in kept else OTHER
        counts[database, application or "(none)", row["state"]] += row["connections"]
    for labels, count in counts.items():
        yield CONNECTIONS(count, *labels)
    for database, age in oldest.items():
        yield OLDEST_TRANSACTION(age, database)
        yield LOCK_WAITERS(waiters[database], database)


def _database_samples(row: Row) -> Iterator[Sample]:
    database = row["database"]
    yield SIZE(row["size"], database)
    yield HITS(row["blks_hit"], database)
    yield READS(row["blks_read"], database)
    yield DEADLOCKS(row["deadlocks"], database)
    yield TRANSACTIONS(row["xact_commit"], database, "commit")
    yield TRANSACTIONS(row["xact_rollback"], database, "rollback")
    yield XID_AGE(row["xid_age"], database)

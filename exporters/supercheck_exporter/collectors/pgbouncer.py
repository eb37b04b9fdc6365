"""How the pooler is doing: clients that wait, server connections in use, what passes through.

Source: PgBouncer's admin console (SHOW POOLS, STATS, DATABASES, CONFIG), read by column name, as columns
come and go between 1.18 and 1.24 (both tested). Times of the console are microseconds; a wait shorter than a second
stands in ``maxwait_us`` alone.

    supercheck_pgbouncer_client_connections{database="supercheck",pool_user="app",state="waiting"} 3.0
    supercheck_pgbouncer_oldest_wait_seconds{database="supercheck",pool_user="app"} 1.25
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supercheck_exporter.core import Collector, Sample, counter, gauge
from supercheck_exporter.sources.postgres import PostgresSource, Row

CONSOLE = "pgbouncer"
"""The console's own name among the databases; not a pool of anybody."""

UP = gauge("supercheck_pgbouncer_up", "Whether PgBouncer's console answers (1); 0 when it does not.")
CLIENTS = gauge(
    "supercheck_pgbouncer_client_connections",
    "Client connections of a pool by state (the console's cl_ columns: active, waiting, ...).",
    "database",
    "pool_user",
    "state",
)
SERVERS = gauge(
    "supercheck_pgbouncer_server_connections",
    "Server connections of a pool by state (the console's sv_ columns: active, idle, used, ...).",
    "database",
    "pool_user",
    "state",
)
POOL_SIZE = gauge(
    "supercheck_pgbouncer_pool_size_connections",
    "Server connections that each pool of the database may have (pool_size, or max_db_connections if that is less).",
    "database",
)
CLIENT_LIMIT = gauge("supercheck_pgbouncer_client_connection_limit", "Clients that may connect (max_client_conn).")
WAIT = gauge(
    "supercheck_pgbouncer_oldest_wait_seconds",
    "Seconds that the first client in the queue has waited for a server connection (maxwait + maxwait_us).",
    "database",
    "pool_user",
)

QUERIES = counter("supercheck_pgbouncer_queries_total", "Queries that passed through.", "database")
TRANSACTIONS = counter("supercheck_pgbouncer_transactions_total", "Transactions that passed through.", "database")
QUERY_SECONDS = counter("supercheck_pgbouncer_query_seconds_total", "Seconds spent in queries.", "database")
WAIT_SECONDS = counter(
    "supercheck_pgbouncer_wait_seconds_total", "Seconds that clients waited for a server connection.", "database"
)
RECEIVED = counter("supercheck_pgbouncer_received_bytes_total", "Bytes received from clients.", "database")
SENT = counter("supercheck_pgbouncer_sent_bytes_total", "Bytes sent to clients.", "database")

MICROSECOND = 1e-6
TOTALS = (
    (QUERIES, "total_query_count", 1),
    (TRANSACTIONS, "total_xact_count", 1),
    (QUERY_SECONDS, "total_query_time", MICROSECOND),
    (WAIT_SECONDS, "total_wait_time", MICROSECOND),
    (RECEIVED, "total_received", 1),
    (SENT, "total_sent", 1),
)


class PgBouncerCollector(Collector):
    """Four statements of the console on one connection."""

    name = "pgbouncer"
    descs = (UP, CLIENTS, SERVERS, POOL_SIZE, CLIENT_LIMIT, WAIT, *(desc for desc, _, _ in TOTALS))

    def __init__(self, source: PostgresSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Sample]:
        """Read the console."""
        with self._source.session(UP) as session:
            pools, stats = session.rows("SHOW POOLS"), session.rows("SHOW STATS")
            databases, config = session.rows("SHOW DATABASES"), session.rows("SHOW CONFIG")
        yield UP(1)
        yield from parse(pools, stats, databases, config)


def parse(
    pools: Iterable[Row], stats: Iterable[Row], databases: Iterable[Row], config: Iterable[Row]
) -> Iterator[Sample]:
    """What the four answers say."""
    for row in pools:
        if row["database"] == CONSOLE:
            continue
        labels = (row["database"], row["user"])
        for column, value in row.items():
            if value is not None and column.startswith("cl_"):
                yield CLIENTS(int(value), *labels, column[3:])
            elif value is not None and column.startswith("sv_"):
                yield SERVERS(int(value), *labels, column[3:])
        yield WAIT(int(row["maxwait"]) + int(row.get("maxwait_us") or 0) / 1e6, *labels)
    for row in databases:
        if row["name"] != CONSOLE:
            sizes = [int(row["pool_size"]), int(row.get("max_connections") or 0)]
            if any(sizes):  # 0 is no limit
                yield POOL_SIZE(min(size for size in sizes if size), row["name"])
    for row in stats:
        if row["database"] != CONSOLE:
            for desc, column, unit in TOTALS:
                if row.get(column) is not None:
                    yield desc(int(row[column]) * unit, row["database"])
    for row in config:
        if row["key"] == "max_client_conn":
            yield CLIENT_LIMIT(int(row["value"]))

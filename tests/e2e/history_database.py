"""The database in the stories of history.py: a pool with room; in trouble, a transaction that blocks lends it out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

EDGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
POOL = {"database": "supercheck", "pool_user": "supercheck"}
DATABASE = {"database": "supercheck"}
TABLES = {  # rows, rows read whole a second, foreign keys without an index
    "monitor_results": (5e6, 1200.0, 0),
    "runs": (1.2e6, 300.0, 0),
    "audit_logs": (4e5, 20.0, None),
    "monitors": (900.0, 40.0, 1),
    "organization": (40.0, 80.0, None),
}


def database_series(in_trouble: bool, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def wave(base: float, swing: float, n: int = 0) -> Value:
        return lambda t: base + swing * math.sin(t / 700 + n)

    def either(well: Value, ill: float) -> Value:
        return lambda t: ill if since(t) else well(t)

    def counted(rate: float, after: float) -> Value:
        """A total that grows by `rate` a second, and by `after` once the trouble has begun."""
        return lambda t: rate * (t + span - since(t)) + after * since(t)

    one = "supercheck_pgbouncer_"
    yield one + "up", {}, lambda t: 1.0
    for state, well, ill in (("active", wave(140, 20), 300.0), ("waiting", wave(0, 0), 214.0)):
        yield one + "client_connections", {**POOL, "state": state}, either(well, ill)
    for state, well, ill in (("active", wave(22, 6), 80.0), ("idle", wave(30, -6), 0.0), ("login", wave(0, 0), 0.0)):
        yield one + "server_connections", {**POOL, "state": state}, either(well, ill)
    yield one + "pool_size_connections", DATABASE, lambda t: 80.0
    yield one + "client_connection_limit", {}, lambda t: 2000.0
    yield one + "oldest_wait_seconds", POOL, lambda t: min(since(t) / 20, 14.5)
    for name, rate, after in (
        ("queries", 820.0, 240.0), ("transactions", 410.0, 120.0), ("query_seconds", 9.0, 72.0),
        ("wait_seconds", 0.05, 190.0), ("received_bytes", 240e3, 70e3), ("sent_bytes", 1.9e6, 5e5),
    ):  # fmt: skip
        yield f"{one}{name}_total", DATABASE, counted(rate, after)

    one = "supercheck_postgres_"
    yield one + "up", {}, lambda t: 1.0
    for application, state, well, ill in (
        ("postgres.js", "active", wave(9, 4), 68.0),
        ("postgres.js", "idle", wave(40, -4), 6.0),
        ("postgres.js", "idle in transaction", wave(1, 1), 12.0),
        ("pg_dump", "active", wave(0, 0), 0.0),
        ("supercheck-exporter", "active", wave(1, 0), 1.0),
    ):
        labels = {**DATABASE, "application": application, "state": state}
        yield one + "connections", labels, either(well, ill)
    yield one + "connection_limit", {}, lambda t: 100.0
    yield one + "oldest_transaction_age_seconds", DATABASE, lambda t: since(t) or 2 + math.sin(t / 90)
    yield one + "lock_waiters", DATABASE, either(wave(0, 0), 61.0)
    yield one + "database_size_bytes", DATABASE, lambda t: 7.3e9 + 900 * t
    yield one + "cache_hits_total", DATABASE, counted(52e3, 21e3)
    yield one + "cache_reads_total", DATABASE, counted(600, 900)
    yield one + "deadlocks_total", DATABASE, lambda t: 2.0
    yield one + "transactions_total", {**DATABASE, "outcome": "commit"}, counted(405, 116)
    yield one + "transactions_total", {**DATABASE, "outcome": "rollback"}, counted(5, 9)
    yield one + "transaction_id_age", DATABASE, lambda t: 1.4e8 + 400 * t
    yield one + "wal_archive_failures_total", {}, lambda t: 0.0
    for n, (table, (rows, pace, keys)) in enumerate(TABLES.items()):
        labels = {"table": table}
        yield one + "table_sequential_scans_total", labels, counted(pace / rows, pace / rows)
        yield one + "table_sequential_rows_total", labels, counted(pace, pace)
        yield one + "table_live_rows", labels, lambda t, rows=rows: rows  # type: ignore[misc]
        yield one + "table_dead_rows", labels, wave(rows / 50, rows / 200, n)
        if keys is not None:
            yield one + "unindexed_foreign_keys", labels, lambda t, keys=keys: float(keys)  # type: ignore[misc]
    for edge in (*EDGES, math.inf):
        fast, slow = (1 - math.exp(-edge / mean) for mean in (0.012, 0.4))
        le = "+Inf" if edge == math.inf else f"{edge:g}"
        yield one + "query_seconds_bucket", {"le": le}, counted(820 * fast, 240 * slow)
    yield one + "query_seconds_count", {}, counted(820, 240)
    yield one + "query_seconds_sum", {}, counted(820 * 0.012, 240 * 0.4)
    for n in range(10):
        yield (
            one + "single_row_statements",
            {"fingerprint": str(-(7**20) // (n + 3))},
            wave(180 / (n + 1), 9 / (n + 1), n),
        )

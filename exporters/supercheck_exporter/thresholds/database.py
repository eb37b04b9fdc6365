"""What is too much of PostgreSQL and PgBouncer."""

from supercheck_exporter.thresholds.threshold import Threshold

THRESHOLDS = (
    Threshold(
        "pgbouncer_wait_warning_seconds",
        1,
        "seconds",
        "How long the first waiting client of a pool has waited: above it PgBouncerClientsWaiting warns.",
    ),
    Threshold(
        "pgbouncer_wait_critical_seconds",
        10,
        "seconds",
        "How long the first waiting client of a pool has waited: above it PgBouncerClientsWaiting pages.",
    ),
    Threshold(
        "postgres_connections_warning_ratio",
        0.8,
        "ratio",
        "Connections over max_connections: above it PostgresConnectionsHigh warns.",
    ),
    Threshold(
        "postgres_connections_critical_ratio",
        0.95,
        "ratio",
        "Connections over max_connections: above it PostgresConnectionsHigh pages.",
    ),
    Threshold(
        "postgres_query_latency_seconds",
        0.1,
        "seconds",
        "p95 of the statements' times: above it PostgresQueryLatencyHigh warns.",
    ),
    Threshold(
        "postgres_long_transaction_seconds",
        600,
        "seconds",
        "Age of the oldest transaction of a database: above it PostgresLongTransaction warns.",
    ),
    Threshold(
        "postgres_sequential_scan_rows",
        100_000,
        "rows",
        "Rows a second that are read of a table by reading it whole: above it PostgresSequentialScans warns.",
    ),
    Threshold(
        "postgres_sequential_scan_table_rows",
        100_000,
        "rows",
        "Rows that a table must have for PostgresSequentialScans: reading a small one whole is no fault.",
    ),
    Threshold(
        "postgres_transaction_id_ratio",
        0.5,
        "ratio",
        "Age of the oldest transaction id over the 2^31 that are possible: above it PostgresWraparoundNear warns.",
    ),
)

ORDER = (
    ("pgbouncer_wait_warning_seconds", "pgbouncer_wait_critical_seconds"),
    ("postgres_connections_warning_ratio", "postgres_connections_critical_ratio"),
)

"""The database, the server's part: connections, locks, cache; then statements and tables."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, WARNING
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, Thresholds
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_NONE = "no database is set, or it does not answer"
_STATES = "application, database, state"
_TABLES = 15


def _pace(metric: str, matchers: str = "", by: str = "database") -> str:
    return f"max by ({by}) (rate({promql.select(metric, matchers)}[$__rate_interval]))"


def _ended(outcome: str) -> str:
    matchers = f'outcome="{outcome}"'
    return f"sum({_pace('supercheck_postgres_transactions_total', matchers)})"


def server_section(limits: Thresholds) -> Section:
    """Return the section about the server as a whole."""
    connections = promql.each("supercheck_postgres_connections", "", _STATES)
    held = lines(
        "Connections by state",
        Doc(
            "Connections of all clients by what they do, and max_connections.",
            "mostly idle; 'idle in transaction' for moments only.",
            "'idle in transaction' stays: a client forgot its transaction. All active: statements are slow or wait.",
        ),
        [
            Line(f"sum by (state) ({connections})", "{{state}}"),
            Line("max(supercheck_postgres_connection_limit)", "max_connections", LIMIT, dashed=True),
        ],
        unit="short",
        decimals=0,
        colors={"active": OUT, "idle": IN, "idle in transaction": WARNING},
        no_data=_NONE,
        runbooks=["PostgresConnectionsHigh"],
    )
    owners = lines(
        f"Connections by application (largest {promql.FEW})",
        Doc(
            "Who holds them, by application_name. App and workers are both postgres.js unless PGAPPNAME is set.",
            "flat.",
            "one that grows without end leaks connections.",
        ),
        [Line(f"topk({promql.FEW}, sum by (application) ({connections}))", "{{application}}")],
        unit="short",
        decimals=0,
        no_data=_NONE,
        runbooks=["PostgresConnectionsHigh"],
    )
    blocked = lines(
        "Oldest transaction, and who waits for a lock",
        Doc(
            "Seconds since the oldest transaction began, and clients that wait for a lock. Dashed: the alert.",
            "both near 0.",
            "both rise together: that transaction holds what the others want.",
        ),
        [
            Line("max(supercheck_postgres_oldest_transaction_age_seconds)", "oldest transaction (s)", SLOW),
            Line(
                f"sum({promql.each('supercheck_postgres_lock_waiters', '', 'database')})", "clients that wait", WARNING
            ),
        ],
        unit="short",
        levels=limits.above(warning="postgres_long_transaction_seconds"),
        no_data=_NONE,
        runbooks=["PostgresLongTransaction"],
    )
    work = lines(
        "Transactions",
        Doc(
            "Transactions a second by outcome, all databases, and deadlocks.",
            "rollbacks a small part; no deadlock.",
            "rollbacks rise after a deploy: its statements fail. Deadlocks: the server's log names both statements.",
        ),
        [
            Line(_ended("commit"), "committed", OUT),
            Line(_ended("rollback"), "rolled back", SLOW),
            Line(f"sum({_pace('supercheck_postgres_deadlocks_total')})", "deadlocks", WARNING),
        ],
        unit="ops",
        no_data=_NONE,
        runbooks=["PostgresDeadlocks"],
    )
    return Section(
        "Is the server full or blocked?",
        [shelf(8, held, owners, blocked), shelf(7, work, _databases(limits))],
    )


def _databases(limits: Thresholds) -> models.Panel:
    age = promql.each("supercheck_postgres_transaction_id_age", "", "database")
    hits, reads = (_pace(f"supercheck_postgres_cache_{kind}_total") for kind in ("hits", "reads"))
    failures = "max(increase(supercheck_postgres_wal_archive_failures_total[$__rate_interval]))"
    return rows(
        "Each database",
        Doc(
            "Size, share of blocks found in memory, how much of the way to transaction wraparound is used, and failed "
            "attempts to archive the log (of the whole server, just now).",
            "over 95 % in memory, below 12 % to wraparound (autovacuum freezes at 200 million), no failure.",
            "wraparound: something holds vacuum back. Archiving: the command's message is in the server's log.",
        ),
        [Label("database", "Database")],
        [
            Value("Size", promql.each("supercheck_postgres_database_size_bytes", "", "database"), "bytes"),
            Value(
                "In memory", promql.known(f"{hits} / ({hits} + {reads})"), "percentunit", decimals=1, absent="no read"
            ),
            Value(
                "To wraparound",
                f"{age} / 2147483648",
                "percentunit",
                limits.above(warning="postgres_transaction_id_ratio"),
                decimals=1,
            ),
            Value(
                "Archive failures", f"0 * {age} + on () group_left () {failures}", "short", ANY_IS_WARNING, decimals=0
            ),
        ],
        no_data=_NONE,
        sort_by="Size",
        runbooks=["PostgresWraparoundNear", "PostgresArchivingFails"],
    )


def tables_section(limits: Thresholds) -> Section:
    """Return the section about statements and tables."""
    times = lines(
        "Statement times",
        Doc(
            "p50, p95 and p99 of the execution time over 5 minutes, each statement with its mean. Dashed: "
            "PostgresQueryLatencyHigh.",
            "p95 below 100 ms.",
            "p50 rises too: the whole server is slow. p99 alone: one statement.",
        ),
        [
            Line(promql.known(f"max(site:supercheck_postgres_query_seconds:{q}_rate5m)"), q, color)
            for q, color in (("p50", OUT), ("p95", IN), ("p99", SLOW))
        ],
        unit="s",
        levels=limits.above(warning="postgres_query_latency_seconds"),
        no_data="pg_stat_statements is not installed, or nothing ran",
        runbooks=["PostgresQueryLatencyHigh"],
    )
    single = rows(
        "Asked once a row? (top 10)",
        Doc(
            "Statements that return about one row a call, by calls a second: a hint at a loop that asks once a row. "
            "select query from pg_stat_statements where queryid = the fingerprint.",
            "no more calls than requests.",
            "hundreds a second: find the loop and make it one query.",
        ),
        [Label("fingerprint", "Fingerprint", width=190)],
        [Value("Calls/s", promql.each("supercheck_postgres_single_row_statements", "", "fingerprint"), "ops")],
        no_data="pg_stat_statements is not installed, or nothing ran",
        sort_by="Calls/s",
        runbooks=["PostgresQueryLatencyHigh"],
    )
    return Section("Which statement, which table?", [shelf(9, times, single, _tables(limits), widths=(7, 6, 11))])


def _tables(limits: Thresholds) -> models.Panel:
    live, dead = (promql.each(f"supercheck_postgres_table_{kind}_rows", "", "table") for kind in ("live", "dead"))
    scans = _pace("supercheck_postgres_table_sequential_scans_total", by="table")
    pace = _pace("supercheck_postgres_table_sequential_rows_total", by="table")
    worst = f"topk({_TABLES}, {pace} + 1e-9 * {live})"

    def column(expr: str) -> str:
        return f"{expr} and on (table) {worst}"

    return rows(
        f"Tables that are read whole (worst {_TABLES})",
        Doc(
            "Rows and times a second by reading the table whole, its rows, and foreign keys without an index.",
            "only small tables.",
            "a large one: an index is missing. A foreign key without one: each delete of the parent reads it whole.",
        ),
        [Label("table", "Table", width=150)],
        [
            Value("Rows/s", column(pace), "short", limits.above(warning="postgres_sequential_scan_rows")),
            Value(
                "Scans/s",
                column(scans),
                "short",
                decimals=2,
            ),
            Value("Live rows", column(live), "short", decimals=0),
            Value(
                "Dead rows",
                column(dead),
                "short",
                decimals=0,
            ),
            Value(
                "No index",
                column(promql.each("supercheck_postgres_unindexed_foreign_keys", "", "table")),
                "short",
                absent="no key",
            ),
        ],
        no_data=_NONE,
        sort_by="Rows/s",
        runbooks=["PostgresSequentialScans"],
    )

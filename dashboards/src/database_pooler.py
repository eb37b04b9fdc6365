"""The database, the pooler's part: who waits, what is lent, what passes through."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, WARNING
from .layout import Section, shelf
from .levels import Thresholds
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_POOL = "database, pool_user"
_OTHER = 'state!~"active|idle"'


def _sum(metric: str, by: str, matchers: str = "") -> str:
    """Return the sum by some labels, each pool and state counted once."""
    return f"sum by ({by}) ({promql.each(metric, matchers, f'{_POOL}, state')})"


def _pace(metric: str) -> str:
    return f"sum(max by (database) (rate({metric}[$__rate_interval])))"


def pooler_section(limits: Thresholds) -> Section:
    """Return the section about waiting for a connection."""
    clients, servers = "supercheck_pgbouncer_client_connections", "supercheck_pgbouncer_server_connections"
    wait = lines(
        "Longest wait by pool",
        Doc(
            "How long the first client of each pool's queue has waited. Dashed: the thresholds of "
            "PgBouncerClientsWaiting, which asks for 2 minutes.",
            "0.",
            "the pool is lent out: slow statements, open transactions, or simply too much load.",
        ),
        [Line(promql.each("supercheck_pgbouncer_oldest_wait_seconds", "", _POOL), "{{pool_user}} on {{database}}")],
        unit="s",
        soft_max=12,
        levels=limits.above(warning="pgbouncer_wait_warning_seconds", critical="pgbouncer_wait_critical_seconds"),
        no_data="PGBOUNCER_URL is not set",
        runbooks=["PgBouncerClientsWaiting"],
    )
    who = lines(
        "Clients of the pooler",
        Doc(
            "Clients that have a server connection or need none now, and clients that wait for one.",
            "nobody waits.",
            "waiting grows with active at the pool's size: the server's part below says why.",
        ),
        [
            Line(_sum(clients, "state", 'state="active"'), "active", OUT),
            Line(_sum(clients, "state", 'state="waiting"'), "waiting", WARNING),
        ],
        unit="short",
        decimals=0,
        no_data="PGBOUNCER_URL is not set",
        runbooks=["PgBouncerPoolSaturated"],
    )
    lent = lines(
        "Server connections of the pools",
        Doc(
            "Connections to PostgreSQL: lent, idle, in another state (login, used, tested), and the pool's size.",
            "lent below the size.",
            "lent at the size and clients wait: PgBouncerPoolSaturated after 5 minutes.",
        ),
        [
            Line(_sum(servers, "state", 'state="active"'), "lent", OUT),
            Line(_sum(servers, "state", 'state="idle"'), "idle", IN),
            Line(f"sum({promql.each(servers, _OTHER, f'{_POOL}, state')})", "other", SLOW),
            Line("max(supercheck_pgbouncer_pool_size_connections)", "pool size", LIMIT, dashed=True),
        ],
        unit="short",
        decimals=0,
        no_data="PGBOUNCER_URL is not set",
        runbooks=["PgBouncerPoolSaturated"],
    )
    busy = lines(
        "Where the time goes",
        Doc(
            "Seconds of each second: in queries (connections that are busy on average), and waited for a connection.",
            "waiting near 0; busy far below the pool's size.",
            "busy far below the size and clients wait: transactions are open and idle.",
        ),
        [
            Line(_pace("supercheck_pgbouncer_query_seconds_total"), "in queries", OUT),
            Line(_pace("supercheck_pgbouncer_wait_seconds_total"), "waiting", WARNING),
        ],
        unit="short",
        no_data="PGBOUNCER_URL is not set",
        runbooks=["PgBouncerPoolSaturated"],
    )
    return Section("Do clients wait for a connection?", [shelf(8, wait, who, lent), shelf(7, busy, _passing())])


def _passing() -> models.Panel:
    def pace(what: str) -> str:
        return f"max by (database) (rate(supercheck_pgbouncer_{what}_total[$__rate_interval]))"

    return rows(
        "Through the pooler",
        Doc(
            "What passes a second, by database: queries, transactions, bytes from and to the clients. And how many "
            "clients may connect at all (max_client_conn).",
            "as ever at this hour.",
            "many queries a transaction after a deploy: a loop that asks once a row. Nothing: see PgBouncer's state.",
        ),
        [Label("database", "Database")],
        [
            Value(
                "May connect",
                f"0 * {pace('queries')} + on () group_left () max(supercheck_pgbouncer_client_connection_limit)",
                "short",
            ),
            Value("Queries", pace("queries"), "ops"),
            Value("Transactions", pace("transactions"), "ops"),
            Value("From clients", pace("received_bytes"), "Bps"),
            Value("To clients", pace("sent_bytes"), "Bps"),
        ],
        no_data="PGBOUNCER_URL is not set",
        sort_by="Queries",
    )

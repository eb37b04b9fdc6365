"""What the console's answers mean, in the columns of PgBouncer 1.18 and of 1.24.

The columns are those that the real consoles of 1.18.0 and 1.24.1 gave: in between reserve_pool became
reserve_pool_size, and load_balance_hosts, server_lifetime, the client limits of databases, and the counters of prepared
statements came in.
"""

from __future__ import annotations

from typing import Any

import pytest
from supercheck_exporter.collectors.pgbouncer import parse
from supercheck_exporter.core import Sample

Row = dict[str, Any]


def pools(**more: object) -> list[Row]:
    cells: Row = {
        "cl_active": 40, "cl_waiting": 7, "cl_active_cancel_req": 0, "cl_waiting_cancel_req": 1, "sv_active": 78,
        "sv_active_cancel": 0, "sv_being_canceled": 1, "sv_idle": 0, "sv_used": 0, "sv_tested": 0, "sv_login": 1,
        "maxwait": 2, "maxwait_us": 250_000, "pool_mode": "transaction",
    }  # fmt: skip
    console = {**cells, "database": "pgbouncer", "user": "pgbouncer", "pool_mode": "statement"}
    return [{**row, **more} for row in (console, {"database": "supercheck", "user": "app", **cells})]


def stats(**more: object) -> list[Row]:
    cells: Row = {
        "total_xact_count": 10, "total_query_count": 30, "total_received": 1000, "total_sent": 5000,
        "total_xact_time": 9_000_000, "total_query_time": 4_500_000, "total_wait_time": 1_500_000,
        "avg_xact_count": 1, "avg_query_count": 3, "avg_recv": 10, "avg_sent": 50, "avg_wait_time": 2,
    }  # fmt: skip
    return [{"database": name, **cells, **more} for name in ("pgbouncer", "supercheck")]


def databases(pool_size: int = 80, max_connections: int = 80, **more: object) -> list[Row]:
    cells: Row = {
        "host": "postgres", "port": 5432, "database": "supercheck", "force_user": None, "min_pool_size": 0,
        "pool_mode": None, "current_connections": 80, "paused": 0, "disabled": 0,
    }  # fmt: skip
    own = {"name": "supercheck", **cells, "pool_size": pool_size, "max_connections": max_connections, **more}
    return [{"name": "pgbouncer", **cells, "pool_size": 2, "max_connections": 0, **more}, own]


CONFIG: list[Row] = [
    {"key": "max_client_conn", "value": "2000", "default": "100", "changeable": "yes"},
    {"key": "listen_port", "value": "6432", "default": "6432", "changeable": "no"},
]
OLD = (pools(), stats(), databases(reserve_pool=0), CONFIG)
NEW = (
    pools(load_balance_hosts=None),
    stats(
        total_server_assignment_count=9, total_client_parse_count=1, total_server_parse_count=1, total_bind_count=1,
        avg_server_assignment_count=1, avg_client_parse_count=0, avg_server_parse_count=0, avg_bind_count=0,
    ),
    databases(
        reserve_pool_size=0, server_lifetime=3600, load_balance_hosts=None, max_client_connections=0,
        current_client_connections=47,
    ),
    CONFIG,
)  # fmt: skip
VERSIONS = pytest.mark.parametrize("answers", [OLD, NEW], ids=["1.18", "1.24"])


def values(samples: list[Sample]) -> dict[tuple[str, ...], object]:
    return {(s.desc.name.removeprefix("supercheck_pgbouncer_"), *s.labels): s.value for s in samples}


@VERSIONS
def test_the_numbers_of_a_pool(answers: tuple[list[Row], list[Row], list[Row], list[Row]]) -> None:
    found = values(list(parse(*answers)))
    pool = ("supercheck", "app")
    assert found["client_connections", *pool, "active"] == 40
    assert found["client_connections", *pool, "waiting"] == 7
    assert found["server_connections", *pool, "active"] == 78
    assert found["server_connections", *pool, "being_canceled"] == 1
    assert found["oldest_wait_seconds", *pool] == 2.25
    assert found["pool_size_connections", "supercheck"] == 80
    assert found["client_connection_limit",] == 2000
    totals = ("queries", "transactions", "query_seconds", "wait_seconds", "received_bytes", "sent_bytes")
    assert [found[f"{name}_total", "supercheck"] for name in totals] == [30, 10, 4.5, 1.5, 1000, 5000]
    assert not [key for key in found if "pgbouncer" in key]


def test_both_versions_tell_the_same() -> None:
    assert values(list(parse(*OLD))) == values(list(parse(*NEW)))


def test_a_wait_shorter_than_a_second() -> None:
    found = values(list(parse(pools(maxwait=0, maxwait_us=1500), [], [], [])))
    assert found["oldest_wait_seconds", "supercheck", "app"] == pytest.approx(0.0015)


@pytest.mark.parametrize(
    ("pool_size", "most", "told"), [(20, 0, 20), (20, 100, 20), (100, 60, 60), (0, 30, 30), (0, 0, None)]
)
def test_the_pool_s_size_is_the_smaller_limit_and_0_is_none(pool_size: int, most: int, told: int | None) -> None:
    found = values(list(parse([], [], databases(pool_size, most), [])))
    assert found.get(("pool_size_connections", "supercheck")) == told


def test_a_column_that_a_version_lacks_is_absent() -> None:
    short = [{"database": "supercheck", "total_xact_count": 1}]
    assert values(list(parse([], short, [], []))) == {("transactions_total", "supercheck"): 1}

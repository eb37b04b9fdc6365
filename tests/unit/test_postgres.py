"""Differences of statement totals, and connections by application: what is made of the server's answers."""

from __future__ import annotations

import random
from typing import Any

import psycopg
import pytest
from supercheck_exporter.collectors.postgres import MAX_APPLICATIONS, activity_samples
from supercheck_exporter.collectors.postgres_statements import EDGES, TOP, Statements
from supercheck_exporter.core import HistogramValue
from supercheck_exporter.sources.postgres import PostgresSource

Row = dict[str, Any]


def statement(queryid: int, calls: int, milliseconds: float, rows: int = 0, userid: int = 10) -> Row:
    return {"userid": userid, "queryid": queryid, "calls": calls, "milliseconds": milliseconds, "rows": rows}


def counted(statements: Statements) -> dict[float, int]:
    edges = (*EDGES, float("inf"))
    return {edge: count for edge, count in zip(edges, statements.counts, strict=True) if count}


def test_the_first_reading_counts_nothing() -> None:
    statements = Statements()
    assert statements.take([statement(1, 1000, 5000)], 0) is None
    assert (counted(statements), statements.total) == ({}, 0)


def test_calls_since_the_last_reading_count_with_their_mean() -> None:
    statements = Statements()
    statements.take([statement(1, 10, 10), statement(2, 1, 3000)], 0)
    statements.take([statement(1, 110, 60), statement(2, 3, 3400), statement(3, 1, 20_000)], 15)
    # 100 calls of 0.5 ms (an edge belongs to its bucket), 2 of 200 ms, a new one of 20 s
    assert counted(statements) == {0.0005: 100, 0.25: 2, float("inf"): 1}
    assert statements.total == pytest.approx(0.05 + 0.4 + 20)


def test_a_statement_that_was_forgotten_and_seen_anew_counts_from_zero() -> None:
    statements = Statements()
    statements.take([statement(1, 1000, 1000)], 0)
    statements.take([statement(1, 5, 10)], 15)
    assert counted(statements) == {0.0025: 5}
    statements.take([], 30)
    statements.take([statement(1, 7, 14)], 45)
    assert sum(statements.counts) == 12


def test_the_same_statement_of_two_users_is_one_fingerprint() -> None:
    statements = Statements()
    statements.take([], 0)
    single = statements.take([statement(7, 30, 1, 30), statement(7, 60, 1, 61, userid=11)], 10)
    assert single == {"7": 9.0}


@pytest.mark.parametrize(("rows", "single"), [(0, False), (49, False), (50, True), (150, True), (151, False)])
def test_about_one_row_a_call(rows: int, single: bool) -> None:
    statements = Statements()
    statements.take([], 0)
    assert bool(statements.take([statement(1, 100, 1, rows)], 10)) == single


def test_the_most_called_are_kept() -> None:
    statements = Statements()
    statements.take([], 0)
    single = statements.take([statement(n, n, 1, n) for n in range(1, 101)], 1)
    assert single == {str(n): float(n) for n in range(100, 100 - TOP, -1)}


def test_whatever_the_readings_the_counts_never_fall() -> None:
    chance = random.Random(5)
    statements, before = Statements(), [0] * (len(EDGES) + 1)
    for at in range(200):
        rows = [statement(n, chance.randrange(50), chance.uniform(0, 9000)) for n in range(chance.randrange(8))]
        statements.take(rows, at)
        assert all(new >= old for new, old in zip(statements.counts, before, strict=True))
        assert statements.total >= 0
        before = list(statements.counts)


def test_the_samples_of_a_histogram_are_cumulative() -> None:
    assert HistogramValue((1, 3), 2.0).cumulative == (1, 3)


def client(application: str, connections: int = 1, database: str = "supercheck", **more: object) -> Row:
    row = {"database": database, "application": application, "state": "idle", "connections": connections}
    return {**row, "lock_waiters": 0, "oldest": 0.0, **more}


def test_the_rarest_applications_are_summed() -> None:
    rows = [client(f"app-{n:02}", 2) for n in range(MAX_APPLICATIONS)] + [client(f"rare-{n}") for n in range(7)]
    found = {s.labels: s.value for s in activity_samples(rows, ["supercheck"])}
    assert found["supercheck", "other", "idle"] == 7
    assert found["supercheck", "app-00", "idle"] == 2
    assert len([labels for labels in found if len(labels) == 3]) == MAX_APPLICATIONS + 1


def test_a_database_beyond_those_that_are_shown_counts_for_the_limit() -> None:
    rows = [client("a", 3), client("a", 4, database="stray", oldest=99.0, lock_waiters=2)]
    found = [
        (s.desc.name.removeprefix("supercheck_postgres_"), s.labels, s.value)
        for s in activity_samples(rows, ["supercheck"])
    ]
    assert ("connections", ("other", "a", "idle"), 4) in found
    assert ("oldest_transaction_age_seconds", ("supercheck",), 0.0) in found
    assert ("lock_waiters", ("supercheck",), 0) in found


REFUSED = psycopg.OperationalError
ERRORS = [
    (
        psycopg.errors.InsufficientPrivilege("permission denied for table runs"),
        "refuses a read (permission denied for table runs): grant it",
    ),
    (psycopg.errors.UndefinedTable('relation "runs" does not exist LINE 1: SELECT'), "is not the database of a known"),
    (
        psycopg.errors.LockNotAvailable("canceling statement due to lock timeout"),
        "holds a lock that our read waits for",
    ),
    (REFUSED('FATAL:  password authentication failed for user "x"'), "refuses the login"),
    (REFUSED("FATAL:  sorry, too many clients already"), "has no connection left for us"),
    (REFUSED("ERROR:  no such user secret-word"), "can't be read (no such user ***)"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS, ids=lambda part: type(part).__name__)
def test_an_error_names_the_mend_and_never_the_password(error: psycopg.Error, text: str) -> None:
    source = PostgresSource("DATABASE_URL", "postgresql://u:secret-word@db/supercheck", 2)
    said = str(source._down(error))
    assert said.startswith("PostgreSQL at db:5432 ")
    assert text in said
    assert "secret-word" not in said

"""How long statements take, and which run once a row, from pg_stat_statements.

Source: pg_stat_statements(false), that is without the statements' texts, of the database that the URL names.
Between two scrapes each statement's mean is taken for all its calls, so the histogram is an approximation: a
statement that is fast a thousand times and slow once shows as a little slower a thousand times.

    supercheck_postgres_query_seconds_bucket{le="0.1"} 18234.0
    supercheck_postgres_single_row_statements{fingerprint="-3421578123456789012"} 212.5
"""

from __future__ import annotations

import heapq
import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from supercheck_exporter.core import Collector, HistogramValue, NoData, Sample, gauge, histogram
from supercheck_exporter.sources.postgres import PostgresSource, Row

TOP = 10
ROLE = "supercheck_exporter"
"""The role of exporters/sql/role.sql: its own statements would be the only ones of a quiet site."""

# 0.1 s is the target for p95
EDGES = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SECONDS = histogram(
    "supercheck_postgres_query_seconds",
    "Execution time of statements; an approximation: each statement's mean of the interval, weighted by its calls.",
    EDGES,
)
SINGLE_ROW = gauge(
    "supercheck_postgres_single_row_statements",
    "Calls a second of the statements that return about one row a call, the ten most called: a hint at N+1. "
    "The fingerprint is the queryid of pg_stat_statements.",
    "fingerprint",
)

# the extension may stand in any schema, and is no use where its library was not loaded at the server's start
INSTALLED = """
SELECT format('%I', n.nspname) AS schema, current_setting('pg_stat_statements.max', true) IS NOT NULL AS loaded
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""
STATEMENTS = """
SELECT userid, queryid, sum(calls)::int8 AS calls, sum(total_exec_time) AS milliseconds, sum(rows)::int8 AS rows
FROM {}.pg_stat_statements(false)
WHERE queryid IS NOT NULL AND calls > 0
  AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND userid NOT IN (SELECT oid FROM pg_roles WHERE rolname = '{}')
GROUP BY 1, 2
"""

Key = tuple[int, int]
Totals = tuple[int, float, int]
"""Calls, milliseconds, rows."""


class Statements:
    """Adds up the differences between two readings; pure."""

    def __init__(self) -> None:
        self.counts = [0] * (len(EDGES) + 1)
        self.total = 0.0
        self._before: dict[Key, Totals] | None = None
        self._at = 0.0

    def take(self, rows: list[Row], at: float) -> dict[str, float] | None:
        """Take a reading made ``at`` a monotonic time; returns calls a second of single-row statements.

        None on the first one, which has nothing to compare with. A statement whose calls went down was
        forgotten by the server and seen anew: all its calls are new.
        """
        before, since = self._before, self._at
        now = {
            (row["userid"], row["queryid"]): (int(row["calls"]), float(row["milliseconds"]), int(row["rows"]))
            for row in rows
        }
        self._before, self._at = now, at
        if before is None or at <= since:
            return None
        single: dict[str, float] = {}
        for key, (calls, milliseconds, found) in now.items():
            old = before.get(key, (0, 0.0, 0))
            if calls < old[0]:
                old = (0, 0.0, 0)
            more = calls - old[0]
            if not more:
                continue
            mean = max(0.0, milliseconds - old[1]) / more / 1000
            self.counts[bisect_left(EDGES, mean)] += more
            self.total += mean * more
            if 0.5 <= (found - old[2]) / more <= 1.5:
                name = str(key[1])
                single[name] = single.get(name, 0.0) + more / (at - since)
        return dict(heapq.nlargest(TOP, single.items(), key=lambda item: item[1]))


class PostgresStatementsCollector(Collector):
    """Compares two readings; the first scrape after a start has nothing to compare and counts nothing."""

    name = "postgres_statements"
    descs = (SECONDS, SINGLE_ROW)

    def __init__(self, source: PostgresSource) -> None:
        self._source = source
        self._statements = Statements()

    def collect(self) -> Iterator[Sample]:
        """Read the statements' totals; NoData where the extension is not installed."""
        with self._source.session() as session:
            installed = session.rows(INSTALLED)
            if not installed or not installed[0]["loaded"]:
                raise NoData
            rows = session.rows(STATEMENTS.format(installed[0]["schema"], ROLE))
        single = self._statements.take(rows, time.monotonic())
        yield SECONDS(HistogramValue(tuple(accumulate(self._statements.counts)), self._statements.total))
        for fingerprint, pace in (single or {}).items():
            yield SINGLE_ROW(pace, fingerprint)

"""Counts the rows of a growing table once each, by the time that they bear, in one statement a look.

A look counts what lies between the last look and a moment ago: a transaction is committed a moment after the time that
its row bears. Rows that were there before the first look are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from psycopg import sql

from supercheck_exporter.sources.postgres import Row, Session

BEHIND_SECONDS = 10

# one row even where nothing is counted, so that the moment is always there
_LOOK = sql.SQL(
    """
SELECT w.until AS look_until, c.*
FROM (SELECT u.until, greatest({since}, u.until - {gap} * interval '1 second') AS since
      FROM (SELECT (now() AT TIME ZONE 'utc') - {behind} * interval '1 second' AS until) u) w
LEFT JOIN LATERAL ({counted}) c ON true
"""
)


@dataclass(frozen=True)
class Look:
    """What one look counted: ``rows`` of the statement, up to ``until``, the server's time (UTC without a zone)."""

    rows: list[Row]
    until: datetime


class Watermark:
    """How far a table has been counted; after an outage longer than ``gap`` seconds only the last ``gap`` are."""

    def __init__(self, gap: float) -> None:
        self._gap = gap
        self._until: datetime | None = None

    def look(self, session: Session, counted: LiteralString) -> Look:
        """Run a statement that counts rows later than ``w.since`` and not later than ``w.until``.

        It must not return a row of NULLs alone. Nothing is remembered until ``take``: a look whose collector fails
        afterwards is looked at again.
        """
        since = sql.Literal(self._until) if self._until else sql.SQL("'infinity'::timestamp")
        rows = session.rows(
            _LOOK.format(
                since=since, gap=sql.Literal(self._gap), behind=sql.Literal(BEHIND_SECONDS), counted=sql.SQL(counted)
            )
        )
        until = rows[0]["look_until"]
        counts = [{name: value for name, value in row.items() if name != "look_until"} for row in rows]
        return Look([row for row in counts if any(value is not None for value in row.values())], until)

    def take(self, look: Look) -> list[Row]:
        """Remember how far the look went, and hand its rows out."""
        # the server's clock may be set back: nothing is counted twice
        self._until = look.until if self._until is None else max(self._until, look.until)
        return look.rows

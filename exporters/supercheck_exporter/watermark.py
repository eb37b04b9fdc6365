"""Counts the rows of a growing table once each, by the time that they bear, in one statement a look.

A look counts what lies between the last look and a moment ago: a transaction is committed a moment after the time that
its row bears. Rows that were there before the first look are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from supercheck_exporter.sources.postgres import Row, Session

BEHIND_SECONDS = 10


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

    @property
    def began(self) -> bool:
        """Whether there was a look before."""
        return self._until is not None

    def window(self) -> str:
        """SQL of one row: ``now``, and ``since`` and ``until`` between which rows are to be counted."""
        since = "infinity" if self._until is None else self._until.isoformat()
        gap = f"{self._gap:.0f} * interval '1 second'"
        return (
            f"(SELECT now, until, greatest('{since}'::timestamp, until - {gap}) AS since FROM ("  # noqa: S608
            f"SELECT now() AT TIME ZONE 'utc' AS now, "
            f"(now() AT TIME ZONE 'utc') - {BEHIND_SECONDS} * interval '1 second' AS until) m)"
        )

    def look(self, session: Session, counted: str) -> Look:
        """Run a statement that counts rows later than ``w.since`` and not later than ``w.until``.

        It must not return a row of NULLs alone. Nothing is remembered until ``take``: a look whose collector fails
        afterwards is looked at again.
        """
        # one row even where nothing is counted, so that the moment is always there
        statement = f"SELECT w.until AS look_until, c.* FROM {self.window()} w LEFT JOIN LATERAL ({counted}) c ON true"  # noqa: S608
        rows = session.rows(statement)
        until = rows[0]["look_until"]
        counts = [{name: value for name, value in row.items() if name != "look_until"} for row in rows]
        return Look([row for row in counts if any(value is not None for value in row.values())], until)

    def take(self, look: Look) -> list[Row]:
        """Remember how far the look went, and hand its rows out."""
        self.reach(look.until)
        return look.rows

    def reach(self, until: datetime) -> None:
        """Remember that all was counted up to this moment."""
        # the server's clock may be set back: nothing is counted twice
        self._until = until if self._until is None else max(self._until, until)

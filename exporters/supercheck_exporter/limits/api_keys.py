"""The limits of trigger keys, as their rows say; read from the database in the background once a minute."""

from __future__ import annotations

import re
from typing import NamedTuple

from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.postgres import PostgresSource

READ_SECONDS = 60.0
MAX_AGE_SECONDS = 900.0
MAX_KEYS = 200_000
DEFAULT_WINDOW_SECONDS, DEFAULT_REQUESTS = 60, 100
MAX_WINDOW_SECONDS, MAX_REQUESTS = 86400, 100_000

KEYS = f"""
SELECT id::text AS id, rate_limit_time_window AS window, rate_limit_max AS requests FROM apikey
WHERE coalesce(rate_limit_enabled, true) LIMIT {MAX_KEYS}
"""  # noqa: S608  a number of ours


class KeyLimit(NamedTuple):
    """So many requests in a window of so many seconds."""

    window_seconds: int
    requests: int


def _number(text: str | None, default: int, most: int) -> int:
    """A number in a text column as the app reads it: its leading digits; the default for none and for 0."""
    digits = re.match(r"\s*([+-]?\d+)", text or "")
    return max(1, min(int(digits[1]) if digits and int(digits[1]) else default, most))


def key_limit(window: str | None, requests: str | None) -> KeyLimit:
    """The limit of a row, clamped as the app clamps it."""
    return KeyLimit(
        _number(window, DEFAULT_WINDOW_SECONDS, MAX_WINDOW_SECONDS), _number(requests, DEFAULT_REQUESTS, MAX_REQUESTS)
    )


class ApiKeys(Follower):
    """Keeps ``limits`` by id of the keys that are limited; replaced as a whole."""

    name = "api-keys"
    retry_seconds = 5.0

    def __init__(self, source: PostgresSource) -> None:
        super().__init__()
        self._source = source
        self.limits: dict[str, KeyLimit] = {}

    def step(self) -> float:
        """Read the table once."""
        with self._source.session() as session:
            rows = session.rows(KEYS)
        self.limits = {row["id"]: key_limit(row["window"], row["requests"]) for row in rows}
        return READ_SECONDS

    @property
    def known(self) -> bool:
        """Whether what it holds can be relied on."""
        return self.is_fresh(MAX_AGE_SECONDS)

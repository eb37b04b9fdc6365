"""How many secrets Supercheck's database holds, and since when the oldest has not been changed.

Source: the table project_variables, by one statement on one short connection. Which rows are secret, of which type, and
when they were changed is read; never a key, a value, or the path of a file.

    supercheck_secrets_stored{kind="secret"} 12.0
    supercheck_secrets_oldest_age_seconds{kind="secret"} 8640000.0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from supercheck_exporter.core import Collector, Sample, gauge
from supercheck_exporter.sources.postgres import PostgresSource, Row

KINDS = ("secret", "file", "variable")
OTHER = "other"
MAX_ROWS = 100_000

STORED = gauge(
    "supercheck_secrets_stored",
    "Secrets of all projects by their type (a variable that is marked as secret is one), counted up to 100000.",
    "kind",
)
OLDEST = gauge(
    "supercheck_secrets_oldest_age_seconds",
    "Seconds since the secret that was not changed for longest was made or changed; 0 when there is none, absent when "
    "there are 100000 or more.",
    "kind",
)

SECRETS_SQL = f"""
SELECT type, count(*) AS secrets,
       max(extract(epoch FROM (now() AT TIME ZONE 'utc') - coalesce(updated_at, created_at)))::float8 AS oldest
FROM (
    SELECT type, created_at, updated_at FROM project_variables WHERE is_secret OR type = 'secret' LIMIT {MAX_ROWS}
) s GROUP BY 1
"""  # noqa: S608  a number of ours


class StoredSecretsCollector(Collector):
    """One statement."""

    name = "stored_secrets"
    descs = (STORED, OLDEST)

    def __init__(self, source: PostgresSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Sample]:
        """Count them."""
        with self._source.session() as session:
            rows = session.rows(SECRETS_SQL)
        yield from secret_samples(rows)


def secret_samples(rows: Iterable[Row]) -> Iterator[Sample]:
    """Of the rows by type: how many, and how old the oldest is. What was cut off may be older."""
    numbers, ages = dict.fromkeys(KINDS, 0), dict.fromkeys(KINDS, 0.0)
    for row in rows:
        kind = row["type"] if row["type"] in KINDS else OTHER
        numbers[kind] = numbers.get(kind, 0) + row["secrets"]
        # a clock that was set back must not make a secret younger than new
        ages[kind] = max(ages.get(kind, 0.0), row["oldest"] or 0.0)
    for kind, number in numbers.items():
        yield STORED(number, kind)
    if sum(numbers.values()) < MAX_ROWS:
        for kind, age in ages.items():
            yield OLDEST(age, kind)

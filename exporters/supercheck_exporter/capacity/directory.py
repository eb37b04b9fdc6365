"""Organizations and plans, read from the database in the background once a minute.

10,000 organizations are 10,000 rows of five columns: too many for each scrape, and they hardly change.
"""

from __future__ import annotations

from collections.abc import Iterable

from supercheck_exporter.capacity.limits import Limits, Organization
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.postgres import PostgresSource, Row

READ_SECONDS = 60.0
MAX_AGE_SECONDS = 900.0
"""Plans rarely change: a database that is away for a while does not make every limit unknown at once."""

MAX_ORGANIZATIONS = 200_000

ORGANIZATIONS = f"""
SELECT id::text AS id, coalesce(slug, '') AS slug, coalesce(subscription_plan, '') AS plan,
       coalesce(subscription_status, '') AS status, subscription_ends_at AS ends_at
FROM organization LIMIT {MAX_ORGANIZATIONS}
"""  # noqa: S608  a number of ours
PLANS = """
SELECT plan, running_capacity AS running, queued_capacity AS queued FROM plan_limits
WHERE running_capacity IS NOT NULL AND queued_capacity IS NOT NULL
"""


class Directory(Follower):
    """Keeps ``organizations`` by id and ``plans`` by name; both are replaced as a whole."""

    name = "organizations"
    retry_seconds = 5.0

    def __init__(self, source: PostgresSource) -> None:
        super().__init__()
        self._source = source
        self.organizations: dict[str, Organization] = {}
        self.plans: dict[str, Limits] = {}

    def step(self) -> float:
        """Read both tables once."""
        with self._source.session() as session:
            organizations, plans = session.rows(ORGANIZATIONS), session.rows(PLANS)
        self.plans = {row["plan"]: Limits(row["running"], row["queued"]) for row in plans}
        self.organizations = _by_id(organizations)
        return READ_SECONDS

    @property
    def known(self) -> bool:
        """Whether what it holds can be relied on."""
        return self.is_fresh(MAX_AGE_SECONDS)


def _by_id(rows: Iterable[Row]) -> dict[str, Organization]:
    return {row["id"]: Organization(**row) for row in rows}

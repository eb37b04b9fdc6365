"""Where the organizations stand against their limits: made in the background, whenever one of its inputs is new.

To rank 10,000 of them takes longer than a whole scrape should.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from supercheck_exporter.capacity.directory import Directory
from supercheck_exporter.capacity.limits import Limits, Policy
from supercheck_exporter.capacity.ranking import Ranking, rank
from supercheck_exporter.capacity.runs import MAX_AGE_SECONDS, RunFacts, RunReader
from supercheck_exporter.capacity.use import UseReader
from supercheck_exporter.settings import Settings


@dataclass(frozen=True)
class Standing:
    """What was known at one moment."""

    ranking: Ranking
    organizations: int | None
    """How many there are; None: not known."""
    facts: RunFacts | None
    """The database's view that went into the ranking."""


class Standings:
    """Keeps ``latest``, which is replaced as a whole."""

    def __init__(
        self, settings: Settings, uses: UseReader, directory: Directory | None, runs: RunReader | None
    ) -> None:
        self._settings = settings
        self._uses = uses
        self._directory = directory
        self._runs = runs
        self._lock = threading.Lock()
        self.latest: Standing | None = None
        for follower in (uses, directory, runs):
            if follower is not None:
                follower.then.append(self.refresh)

    def refresh(self) -> None:
        """Make them anew from what is known at the moment."""
        with self._lock:  # one after the other, so that the last one saw everything
            if not self._uses.last_success:
                return
            directory = self._directory if self._directory is not None and self._directory.known else None
            organizations = directory.organizations if directory else {}
            policy, now = self._policy(directory), datetime.now(UTC).replace(tzinfo=None)

            def limits_of(organization: str) -> Limits | None:
                return policy.limits(organizations.get(organization), now)

            top = self._settings.capacity_top_organizations
            facts = self._runs.facts if self._runs is not None and self._runs.is_fresh(MAX_AGE_SECONDS) else None
            ranking = rank(self._uses.uses, facts.running if facts else None, organizations, limits_of, top)
            self.latest = Standing(ranking, len(organizations) if directory else None, facts)

    def _policy(self, directory: Directory | None) -> Policy:
        settings = self._settings
        return Policy(
            cloud=settings.cloud,
            running=settings.running_capacity,
            queued=settings.queued_capacity,
            plans=directory.plans if directory else None,
            tiers=settings.capacity_tiers,
        )

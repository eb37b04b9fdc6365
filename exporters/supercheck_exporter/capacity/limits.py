"""Which limits an organization has, resolved as the app resolves them (supercheck.md 2.2); pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

CODE_RUNNING, CODE_QUEUED = 5, 50
"""What the app falls back to where nothing else is known."""

UNLIMITED = "unlimited"
"""The plan row that a self-hosted site uses where no capacity is set."""


class Limits(NamedTuple):
    """Runs that may run and wait at once."""

    running: int
    queued: int


FALLBACK = Limits(CODE_RUNNING, CODE_QUEUED)


@dataclass(frozen=True)
class Organization:
    """What the database says of one; ``ends_at`` is UTC without zone, as all of its times."""

    id: str
    slug: str
    plan: str
    status: str
    ends_at: datetime | None


@dataclass(frozen=True)
class Policy:
    """The app's settings, and the plans as the database holds them; no plans (None): it was not read."""

    cloud: bool
    running: int | None = None
    queued: int | None = None
    plans: Mapping[str, Limits] | None = None
    tiers: Mapping[str, Limits] | None = None

    def limits(self, organization: Organization | None, now: datetime) -> Limits | None:
        """The limits of an organization (None: the database has no such one), or None where they can't be known."""
        if not self.cloud and (self.running is not None or self.queued is not None):
            return Limits(
                CODE_RUNNING if self.running is None else self.running,
                CODE_QUEUED if self.queued is None else self.queued,
            )
        if self.plans is None:
            return None
        if organization is None:
            return FALLBACK
        if not self.cloud:
            return self.plans.get(UNLIMITED, FALLBACK)
        if not _pays(organization, now):
            return FALLBACK
        return self.plans.get(organization.plan) or (self.tiers or {}).get(organization.plan) or FALLBACK


def _pays(organization: Organization, now: datetime) -> bool:
    """Active, late, or canceled and still within what was paid for."""
    if organization.status in ("active", "past_due"):
        return True
    return organization.status == "canceled" and organization.ends_at is not None and organization.ends_at > now


@dataclass(frozen=True)
class Use:
    """What one organization holds in Redis; ``oldest_ms`` (Unix time) is None where nothing is parked."""

    running: int = 0
    queued: int = 0
    oldest_ms: float | None = None


def pressure(running: int, queued: int, limits: Limits | None) -> float:
    """Use over limit, the larger of running and parked: by this organizations are ranked.

    Where the limits are unknown the app's own fallback stands for them: an order is needed all the same.
    """
    known = limits or FALLBACK
    return max(running / max(known.running, 1), queued / max(known.queued, 1))

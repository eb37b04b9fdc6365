"""Which organizations get series of their own: the fullest ones; all others are summed; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from supercheck_exporter.capacity.limits import Limits, Organization, Use, pressure

OTHER = "other"
NO_PLAN, UNKNOWN_PLAN = "none", "unknown"
LimitsOf = Callable[[str], Limits | None]


@dataclass(frozen=True)
class Shown:
    """The series of one organization, or of the rest: no limits then, since a sum of limits limits nothing."""

    organization: str
    plan: str
    use: Use
    runs: int | None
    limits: Limits | None


@dataclass(frozen=True)
class Ranking:
    """What a scrape shows."""

    shown: list[Shown]
    at_queue_limit: int | None
    """Of all organizations; None where a limit that matters is unknown."""


def rank(
    uses: Mapping[str, Use],
    runs: Mapping[str, int] | None,
    organizations: Mapping[str, Organization],
    limits_of: LimitsOf,
    top: int,
) -> Ranking:
    """Rank by use over limit, by Redis's counters and by the database's rows (None: not read)."""
    everyone = sorted(uses.keys() | (runs or {}).keys())
    limits = {id_: limits_of(id_) for id_ in everyone}

    def worst_first(id_: str) -> tuple[float, str]:
        use = uses.get(id_, Use())
        return -pressure(max(use.running, (runs or {}).get(id_, 0)), use.queued, limits[id_]), id_

    ordered = sorted(everyone, key=worst_first)
    names = labels_of(ordered[:top], {id_: one.slug for id_, one in organizations.items()})
    shown = [
        Shown(
            names[id_],
            _plan(organizations.get(id_)),
            uses.get(id_, Use()),
            None if runs is None else runs.get(id_, 0),
            limits[id_],
        )
        for id_ in ordered[:top]
    ]
    rest = ordered[top:]
    if rest:
        shown.append(_sum([uses.get(id_, Use()) for id_ in rest], runs, rest))
    return Ranking(shown, _at_limit(uses, limits))


def labels_of(ids: list[str], slugs: Mapping[str, str]) -> dict[str, str]:
    """The slug; the id where there is none, or where it would be taken for another's series."""
    slug_of = {id_: slugs.get(id_, "") for id_ in ids}
    taken = Counter([*slug_of.values(), *ids, OTHER, ""])
    return {id_: slug if taken[slug] == 1 else id_ for id_, slug in slug_of.items()}


def _plan(organization: Organization | None) -> str:
    """Unknown is one that the database does not have, or every one without a database."""
    return (organization.plan or NO_PLAN) if organization else UNKNOWN_PLAN


def _sum(uses: list[Use], runs: Mapping[str, int] | None, rest: list[str]) -> Shown:
    oldest = min((use.oldest_ms for use in uses if use.oldest_ms is not None), default=None)
    total = Use(sum(use.running for use in uses), sum(use.queued for use in uses), oldest)
    return Shown(OTHER, OTHER, total, None if runs is None else sum(runs.get(id_, 0) for id_ in rest), None)


def _at_limit(uses: Mapping[str, Use], limits: Mapping[str, Limits | None]) -> int | None:
    full = 0
    for id_, use in uses.items():
        known = limits[id_]
        if not use.queued:
            continue
        if known is None:
            return None
        full += use.queued >= known.queued
    return full

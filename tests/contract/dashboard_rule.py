"""The frame of the dashboards' rules: what a rule is, the facts it may use, and the table of all rules.

The rules themselves are in dashboard_rules_whole.py, dashboard_rules_panels.py and dashboard_rules_queries.py.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from contract.dashboard_queries import Json


@dataclass(frozen=True)
class Facts:
    """What the rest of the bundle offers: metrics (name -> labels), alerts, dashboards' uids, thresholds' values."""

    metrics: Mapping[str, frozenset[str]]
    alerts: frozenset[str]
    dashboards: frozenset[str]
    thresholds: frozenset[float]


Rule = Callable[[Json, Facts], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Register a rule under its function's name: it yields one sentence a problem."""
    RULES[function.__name__] = function
    return function


def broken_rules(dashboard: Json, facts: Facts) -> dict[str, list[str]]:
    """Return the problems by rule; empty when the dashboard is good."""
    found = {name: list(check(dashboard, facts)) for name, check in RULES.items()}
    return {name: problems for name, problems in found.items() if problems}

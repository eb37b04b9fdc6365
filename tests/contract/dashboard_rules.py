"""All rules that dashboards keep; importing this module fills the table."""

from contract import dashboard_rules_panels, dashboard_rules_queries, dashboard_rules_whole
from contract.dashboard_rule import RULES, Facts, broken_rules

__all__ = [
    "RULES",
    "Facts",
    "broken_rules",
    "dashboard_rules_panels",
    "dashboard_rules_queries",
    "dashboard_rules_whole",
]

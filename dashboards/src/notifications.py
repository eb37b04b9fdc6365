"""Whether Supercheck's own alerts reach their readers: a row of another dashboard."""

from . import promql
from .colors import CHANNEL_COLORS, LIMIT
from .layout import Section, shelf
from .levels import Thresholds
from .panels import Doc, Line, lines
from .sdk import models

_COLORS = CHANNEL_COLORS | {"teams": "yellow", "other": LIMIT}


def _count(status: str) -> str:
    chosen = promql.select("supercheck_notifications_total", f'status="{status}"')
    return f"max by (provider) (increase({chosen}[$__rate_interval]))"


def notifications_section(limits: Thresholds) -> Section:
    """Return the section about Supercheck's own alerts."""
    return Section("Do Supercheck's own alerts arrive?", [shelf(7, _failed(limits))])


def _failed(limits: Thresholds) -> models.Panel:
    failed, sent = _count("failed"), _count("sent")
    return lines(
        "Share of alerts that failed",
        Doc(
            "Failed over all alerts in each interval, by kind of channel. Dashed: NotificationsFailing's threshold, "
            "which looks at 30 minutes and asks for at least 5 alerts.",
            "0; empty where nothing was sent.",
            "the runbook's query names channel and error: a revoked token, a service that is down, no way out.",
        ),
        [Line(f"{failed} / ({failed} + {sent} > 0)", "{{provider}}")],
        unit="percentunit",
        soft_max=0.2,
        colors=_COLORS,
        levels=limits.above(critical="notifications_failing_ratio"),
        no_data="nothing was sent, or no database is configured",
        runbooks=["NotificationsFailing"],
    )

"""How usage is read."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supercheck_exporter.settings.fields import Group, setting


class AnalyticsSettings(Group):
    """How usage is read."""

    analytics_read_seconds: Annotated[float, Field(ge=0.1, le=600)] = setting(
        60, "seconds from 0.1 to 600", "Rest between two readings of what was used."
    )
    analytics_top_organizations: Annotated[int, Field(ge=1, le=200)] = setting(
        20, "a whole number from 1 to 200", "Organizations with usage of their own, the busiest; the rest by plan."
    )

"""How many workers a location may have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from supercheck_exporter.settings.fields import Count, Group, Positive, setting

ORDER = (("workers_min", "workers_max"), ("workers_scale_down_below", "workers_scale_up_above"))
"""(the smaller one, the larger one)."""


class WorkerSettings(Group):
    """How many workers a location may have."""

    workers_min: Annotated[int, Field(ge=0)] = setting(1, "a whole number", "Fewest workers of a location.")
    workers_max: Count = setting(10, "a whole number over 0", "Most workers of a location.")
    workers_scale_down_below: Positive = setting(10, "jobs over 0", "Backlog below which workers may go.")
    workers_scale_up_above: Positive = setting(50, "jobs over 0", "Backlog above which workers must come.")
    workers_steady_seconds: Annotated[float, Field(ge=0, le=3600)] = setting(
        300, "seconds from 0 to 3600", "Least time between two changes of how many workers a location wants."
    )

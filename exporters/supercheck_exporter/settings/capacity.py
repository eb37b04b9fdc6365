"""What organizations may run, as Supercheck is told."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from supercheck_exporter.capacity.limits import Limits
from supercheck_exporter.settings.fields import FLAG, Group, IsSet, Limit, setting


def _tiers(text: object) -> object:
    """Read ``plan=running/queued`` pairs, separated by commas."""
    if not isinstance(text, str):
        return text
    tiers: dict[str, Limits] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        plan, _, numbers = item.partition("=")
        running, _, queued = (part.strip() for part in numbers.partition("/"))
        if not plan.strip() or not running.isdecimal() or not queued.isdecimal():
            raise ValueError(f"{item!r} is not plan=running/queued")
        tiers[plan.strip()] = Limits(int(running), int(queued))
    return tiers


Tiers = Annotated[dict[str, Limits], BeforeValidator(_tiers)]


class CapacitySettings(Group):
    """What organizations may run, as Supercheck is told."""

    self_hosted: bool = setting(False, FLAG, "Supercheck's own switch: true, and plans do not matter.")
    polar_access_token: IsSet = setting(
        False, "any text", "Whether Supercheck's own is set (the cloud's plans count then); the text itself is dropped."
    )
    running_capacity: Limit | None = setting(
        None, "a whole number", "Runs an organization may have at once, as Supercheck is told; unset: the plan's."
    )
    queued_capacity: Limit | None = setting(
        None, "a whole number", "Runs an organization may have parked, as Supercheck is told; unset: the plan's."
    )
    capacity_tiers: Tiers = setting(
        {"free": Limits(1, 5), "pro": Limits(5, 50), "enterprise": Limits(20, 200)},
        "plan=running/queued pairs, separated by commas",
        "Limits of plans that the table plan_limits does not have.",
    )
    capacity_top_organizations: Annotated[int, Field(ge=1, le=200)] = setting(
        20, "a whole number from 1 to 200", "Organizations with series of their own, the fullest; the rest is summed."
    )

    @property
    def cloud(self) -> bool:
        """Whether the app goes by the plans that organizations pay for, as it decides that itself."""
        return self.polar_access_token and not self.self_hosted

"""One limit: its name, value, unit and what it is for."""

import math
from dataclasses import dataclass
from typing import Literal

Unit = Literal[
    "ratio",
    "seconds",
    "jobs",
    "bytes",
    "rows",
    "intervals",
    "requests",
    "lockouts",
    "lines",
    "dollars",
    "monitors",
    "spans",
]

ENV_PREFIX = "THRESHOLD_"

# a longer duration is a typing mistake (milliseconds for seconds), and would switch the alert off
_MAX_SECONDS = 365 * 24 * 3600.0


@dataclass(frozen=True)
class Threshold:
    """One limit. `default` is in `unit`: ratio (0.8 is 80 %), seconds, intervals; else whole numbers."""

    name: str
    default: float
    unit: Unit
    help: str

    @property
    def variable(self) -> str:
        """The name of its setting in the environment."""
        return ENV_PREFIX + self.name.upper()

    @property
    def allowed(self) -> str:
        """What a person may set, as the end of a sentence."""
        if self.unit == "ratio":
            return "a number above 0 and up to 1 (0.8 means 80 %)"
        if self.unit == "seconds":
            return "a number of seconds above 0, at most one year (31536000)"
        if self.unit == "intervals":
            return "a number of intervals above 0"
        return f"a whole number of {self.unit}, 1 or more"

    def accepts(self, value: float) -> bool:
        """Whether `value` is allowed for this unit."""
        if not math.isfinite(value) or value <= 0:
            return False
        if self.unit == "ratio":
            return value <= 1
        if self.unit == "seconds":
            return value <= _MAX_SECONDS
        if self.unit == "intervals":
            return True
        return value >= 1 and value == int(value)

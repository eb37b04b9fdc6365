"""Colours and thresholds: one meaning each, everywhere.

green: fine; orange: a warning alert's threshold; red: a critical alert's; grey: unknown. The numbers come from
supercheck_exporter.thresholds, the table that the alert rules are rendered from.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .sdk import dashboard, models

GREEN = "green"
ORANGE = "orange"
RED = "red"
UNKNOWN = "#8e8e8e"
PLAIN = "text"


@dataclass(frozen=True)
class Levels:
    """Threshold steps: the colour below the first one, then (value, colour) in rising order."""

    base: str
    steps: tuple[tuple[float, str], ...] = ()

    def build(self) -> dashboard.ThresholdsConfig:
        """Return the SDK's builder of these steps."""
        first = models.Threshold(value=None, color=self.base)
        rest = [models.Threshold(value=value, color=color) for value, color in self.steps]
        return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps([first, *rest])


NEUTRAL = Levels(PLAIN)
ANY_IS_WARNING = Levels(GREEN, ((1, ORANGE),))
ANY_IS_CRITICAL = Levels(GREEN, ((1, RED),))
ZERO_IS_CRITICAL = Levels(RED, ((1, GREEN),))


class Thresholds:
    """The alert thresholds by name, with a record of which were drawn (a test compares that with the rules)."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)
        self.drawn: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.drawn.add(name)
        return self._values[name]

    def above(self, *, warning: str | None = None, critical: str | None = None) -> Levels:
        """Return levels for a value that is bad when high; each argument names a threshold."""
        steps = [(self[name], color) for name, color in ((warning, ORANGE), (critical, RED)) if name]
        return Levels(GREEN, tuple(steps))

    def below(self, *, warning: str, critical: str | None = None) -> Levels:
        """Return levels for a value that is bad when low."""
        if critical is None:
            return Levels(ORANGE, ((self[warning], GREEN),))
        return Levels(RED, ((self[critical], ORANGE), (self[warning], GREEN)))


def special_null(text: str) -> models.ValueMap | models.SpecialValueMap:
    """Return the mapping that shows an absent value as grey text, so that unknown never looks green."""
    return models.SpecialValueMap(
        options=models.DashboardSpecialValueMapOptions(
            match=models.SpecialValueMatch.NULL_AND_NAN,
            result=models.ValueMappingResult(text=text, color=UNKNOWN, index=99),
        )
    )


def states(texts: Mapping[str, tuple[str, str]]) -> models.ValueMap:
    """Return a mapping from a value ("0", "1") to (text, colour)."""
    return models.ValueMap(
        options={
            value: models.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(texts.items())
        }
    )

"""What a dashboard is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .layout import Section
from .levels import Thresholds


@dataclass(frozen=True)
class Spec:
    """A dashboard before it is built.

    `variables`: names out of "queue", "location" and "database"; `alert_matchers`: the alerts that are marked on its
    graphs.
    """

    uid: str
    title: str
    description: str
    sections: Callable[[Thresholds], Sequence[Section]]
    variables: Sequence[str] = ()
    alert_matchers: str = ""

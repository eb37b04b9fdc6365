"""What a dashboard is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .layout import Section
from .levels import Thresholds


@dataclass(frozen=True)
class Spec:
    """A dashboard before it is built.

    `variables`: names out of "queue", "location", "database", "service" and "route"; `alert_matchers`: the alerts that
    are marked on its graphs; `span`: how far back it looks when it is opened.
    """

    uid: str
    title: str
    description: str
    sections: Callable[[Thresholds], Sequence[Section]]
    variables: Sequence[str] = ()
    alert_matchers: str = ""
    span: str = "1h"

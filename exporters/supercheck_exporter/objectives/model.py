"""`alert-rules/src/objectives.yaml` as objects, and the check that no objective is senseless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_HOURS = {"m": 1 / 60, "h": 1.0, "d": 24.0}


class ObjectiveError(ValueError):
    """An objective that makes no sense; the text names the setting and the reason."""


@dataclass(frozen=True)
class Window:
    """Times the budget's own pace, over two ranges in PromQL's notation."""

    burn: float
    long: str
    short: str
    severity: str


@dataclass(frozen=True)
class Objective:
    """See objectives.yaml, which holds the same keys."""

    name: str
    alert: str
    target: str
    per_hour: float
    bad: str
    summary: str
    total: str
    good: str
    severities: tuple[str, ...] = ("critical", "warning")
    least_bad: int = 0
    edge: str = ""
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A success metric: PromQL for what is so now, and the threshold that is its target."""

    name: str
    target: str
    current: str


@dataclass(frozen=True)
class Objectives:
    """The whole file."""

    period: str
    windows: tuple[Window, ...]
    least_bad_events: int
    objectives: tuple[Objective, ...]
    success: tuple[Metric, ...]


def load(path: Path) -> Objectives:
    """Read the file; raises TypeError for a key that is missing or unknown (it is part of the package)."""
    told: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for objective in told["objectives"]:
        objective |= {key: tuple(objective[key]) for key in ("severities", "edges") if key in objective}
    return Objectives(
        period=told["period"],
        windows=tuple(Window(**window) for window in told["windows"]),
        least_bad_events=told["least_bad_events"],
        objectives=tuple(Objective(**objective) for objective in told["objectives"]),
        success=tuple(Metric(**metric) for metric in told["success"]),
    )


def hours(duration: str) -> float:
    """A duration such as 5m, 1h or 3d, in hours."""
    return int(duration[:-1]) * _HOURS[duration[-1]]


def check(told: Objectives, thresholds: Mapping[str, float]) -> None:
    """Raise ObjectiveError with every objective that these thresholds make senseless."""
    problems = []
    for objective in told.objectives:
        variable, target = f"THRESHOLD_{objective.target.upper()}", thresholds[objective.target]
        if target >= 1:
            problems.append(f"{variable}: read {target:g}, which leaves no error budget: allowed is less than 1.")
        for window in told.windows:
            if window.severity in objective.severities and window.burn * (1 - target) > 1:
                problems.append(
                    f"{variable}: read {target:g}, and {objective.alert} ({window.severity}) could never fire: a burn "
                    f"of {window.burn:g} would be {window.burn * (1 - target):.0%} of all events. "
                    f"Allowed is {1 - 1 / window.burn:.4f} or more."
                )
                break
        if objective.edge and thresholds[objective.edge] not in objective.edges:
            problems.append(
                f"THRESHOLD_{objective.edge.upper()}: read {thresholds[objective.edge]:g}, allowed are the edges of "
                f"the histogram's buckets: {', '.join(f'{edge:g}' for edge in objective.edges)}."
            )
    if problems:
        raise ObjectiveError("\n".join(problems))

"""The one table of thresholds: what the rules, the status page and the dashboards call too much.

Each threshold is a setting `THRESHOLD_<NAME>`, for example `THRESHOLD_QUEUE_DEPTH_WARNING_RATIO=0.7`. They stand in one
module a component. This package imports nothing of the rest, so that every part may import it.
"""

import difflib
from collections.abc import Mapping

from supercheck_exporter.thresholds import (
    api,
    backup,
    capacity,
    database,
    dependency,
    edge,
    host,
    logs,
    monitor,
    observability,
    queue,
    redis,
    secrets,
    slo,
    storage,
    worker,
)
from supercheck_exporter.thresholds.threshold import ENV_PREFIX, Threshold

THRESHOLDS: tuple[Threshold, ...] = (
    *queue.THRESHOLDS,
    *worker.THRESHOLDS,
    *redis.THRESHOLDS,
    *database.THRESHOLDS,
    *capacity.THRESHOLDS,
    *monitor.THRESHOLDS,
    *dependency.THRESHOLDS,
    *secrets.THRESHOLDS,
    *backup.THRESHOLDS,
    *storage.THRESHOLDS,
    *slo.THRESHOLDS,
    *edge.THRESHOLDS,
    *api.THRESHOLDS,
    *logs.THRESHOLDS,
    *observability.THRESHOLDS,
    *host.THRESHOLDS,
)

ORDER: tuple[tuple[str, str], ...] = (
    *queue.ORDER,
    *redis.ORDER,
    *database.ORDER,
    *dependency.ORDER,
    *api.ORDER,
    *host.ORDER,
)
"""(the smaller one, the larger one): the other way round the page would come before the warning."""


class ThresholdError(ValueError):
    """One or more bad settings; `problems` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def default_thresholds() -> dict[str, float]:
    """The shipped values by name."""
    return {threshold.name: float(threshold.default) for threshold in THRESHOLDS}


def load_thresholds(env: Mapping[str, str]) -> dict[str, float]:
    """Every threshold by name: the setting in `env` where there is one, else the default.

    An empty setting counts as unset (compose passes unset variables on as empty ones). Raises ThresholdError
    with every problem at once: not a number, out of range, a misspelt name, a warning beyond its critical.
    """
    by_variable = {threshold.variable: threshold for threshold in THRESHOLDS}
    values = default_thresholds()
    problems = []
    for variable in sorted(name for name in env if name.startswith(ENV_PREFIX)):
        text = env[variable].strip()
        threshold = by_variable.get(variable)
        if threshold is None:
            problems.append(_unknown(variable, list(by_variable)))
        elif text:
            value = _number(text)
            if value is not None and threshold.accepts(value):
                values[threshold.name] = value
            else:
                problems.append(f"{variable}: read {_quoted(text)}, allowed is {threshold.allowed}.")
    problems.extend(_order_problems(values))
    if problems:
        raise ThresholdError(problems)
    return values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quoted(text: str) -> str:
    """What was read, shortened: a pasted file must not fill the screen."""
    return '"' + (text if len(text) <= 40 else text[:37] + "...") + '"'


def _unknown(variable: str, known: list[str]) -> str:
    nearest = difflib.get_close_matches(variable, known, n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}."
    return f"{variable}: read a name that is no threshold; {hint}"


def _order_problems(values: Mapping[str, float]) -> list[str]:
    variables = {threshold.name: threshold.variable for threshold in THRESHOLDS}
    return [
        f"{variables[small]}: read {values[small]:g}, allowed is less than {variables[large]}, "
        f"which is {values[large]:g}."
        for small, large in ORDER
        if values[small] >= values[large]
    ]

"""Dependencies and endpoints in the stories of history.py; in trouble, the object store is away and the app says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

EDGES = (0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 3, 5, 10)
DEPENDENCIES = {"s3": 0.02, "smtp": 0.3, "slack": 0.12, "openai": 0.6}
"""Name -> mean seconds of a probe."""
ENDPOINTS = {"app": 0.06, "worker": 0.01, "status-page": 0.18}
EVERY = 15.0
DAY = 86400.0
CYCLE = 35.0
"""Seconds from one half-open moment to the next while a dependency is away."""


def dependency_series(in_trouble: bool, now: float, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def probes(t: float) -> float:
        return (t + span) // EVERY

    def away(name: str, t: float) -> bool:
        return name == "s3" and since(t) > 0

    for name, mean in DEPENDENCIES.items():
        labels = {"dependency": name}
        for state in ("closed", "half_open", "open"):

            def here(t: float, name: str = name, state: str = state) -> float:
                actual = "closed" if not away(name, t) else "half_open" if since(t) % CYCLE > CYCLE - 5 else "open"
                return float(state == actual)

            def spent(t: float, name: str = name, state: str = state) -> float:
                gone = since(t) if name == "s3" else 0.0
                return {"closed": t + span - gone, "half_open": gone / 7, "open": gone * 6 / 7}[state]

            yield "supercheck_circuit_breaker_state", labels | {"state": state}, here
            yield "supercheck_circuit_breaker_state_seconds_total", labels | {"state": state}, spent
        for before, after in (
            ("closed", "open"),
            ("open", "half_open"),
            ("half_open", "open"),
            ("half_open", "closed"),
        ):

            def changes(t: float, name: str = name, before: str = before, after: str = after) -> float:
                if not away(name, t):
                    return 0.0
                return {"closed": 1.0, "open": since(t) // CYCLE, "half_open": since(t) // CYCLE}[before] * (
                    after != "closed"
                )

            yield "supercheck_circuit_breaker_transitions_total", labels | {"from": before, "to": after}, changes
        yield "supercheck_dependency_up", labels, lambda t, n=name: float(not away(n, t))  # type: ignore[misc]
        yield (
            "supercheck_circuit_breaker_rejected_total",
            labels,
            lambda t, n=name: (  # type: ignore[misc]
                2 * since(t) if n == "s3" else 0.0
            ),
        )
        yield from _times(
            "supercheck_dependency_probe_seconds",
            labels,
            mean,
            lambda t, n=name: (  # type: ignore[misc]
                probes(t - since(t)) if n == "s3" else probes(t)
            ),
        )
    yield (
        "supercheck_dependency_certificate_expiry_timestamp_seconds",
        {"dependency": "smtp"},
        lambda t: now + (10 if in_trouble else 61) * DAY,
    )
    for name, mean in ENDPOINTS.items():
        labels = {"endpoint": name}
        yield from _times("supercheck_endpoint_seconds", labels, mean, probes)
        yield "supercheck_endpoint_up", labels, lambda t: 1.0
        yield "supercheck_endpoint_degraded", labels, lambda t, n=name: float(n == "app" and since(t) > 0)  # type: ignore[misc]
        for outcome in ("ok", "degraded", "failed"):

            def counted(t: float, name: str = name, outcome: str = outcome) -> float:
                ill = since(t) // EVERY if name == "app" else 0.0
                failed = 4.0 if name == "status-page" else 0.0
                return {"ok": probes(t) - ill - failed, "degraded": ill, "failed": failed}[outcome]

            yield "supercheck_endpoint_probes_total", labels | {"outcome": outcome}, counted
    for name, days in (("app", 48), ("status-page", 71)):
        yield (
            "supercheck_endpoint_certificate_expiry_timestamp_seconds",
            {"endpoint": name},
            lambda t, d=days: now + d * DAY,  # type: ignore[misc]
        )
    for check in ("database", "redis", "s3"):
        yield (
            "supercheck_endpoint_check_up",
            {"endpoint": "app", "dependency": check},
            lambda t, c=check: float(c != "s3" or not since(t)),  # type: ignore[misc]
        )
    for state, number in (("ready", 3), ("not_ready", 0)):
        yield "supercheck_endpoint_replicas", {"endpoint": "worker", "state": state}, lambda t, n=number: float(n)  # type: ignore[misc]


def _times(name: str, labels: dict[str, str], mean: float, probes: Value) -> Iterator[Told]:
    """A histogram of so many probes whose times are spread around the mean."""
    for edge in (*EDGES, math.inf):
        share = 1 - math.exp(-((edge / mean) ** 3))
        yield f"{name}_bucket", labels | {"le": f"{edge:g}"}, lambda t, s=share: math.floor(s * (probes(t) or 0))  # type: ignore[misc]
    yield f"{name}_sum", labels, lambda t: mean * (probes(t) or 0)
    yield f"{name}_count", labels, probes

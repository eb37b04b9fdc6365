"""Usage in the stories of history.py; in trouble, runs end in error."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

ORGANIZATIONS = {
    "acme": ("pro", 2140, 0.91, 8400, 52_000, 210),
    "globex": ("plus", 610, 0.97, 1900, 0, 64),
    "initech": ("pro", 480, 0.84, 2600, 31_000, 12),
    "other": ("plus", 1290, 0.95, 5100, 9000, 118),
}
"""Plan, runs of a day, share that passes; minutes of Playwright, minutes of k6's users, and credits of the period."""

PLANS = {"pro": (9, 6, 8), "plus": (28, 15, 24)}
"""Organizations, active in a day, active in a month."""

DAY = 86400.0


def analytics_series(in_trouble: bool, now: float, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def flat(value: float) -> Value:
        return lambda t: value

    for name, (plan, runs, passing, playwright, k6, credits) in ORGANIZATIONS.items():
        labels = {"organization": name, "plan": plan}
        for status, share in (("passed", passing), ("failed", 0.98 - passing), ("error", 0.02), ("blocked", 0.0)):
            value = runs * share
            yield (
                "supercheck_organization_day_runs",
                {**labels, "status": status},
                lambda t, v=value, n=runs, s=status: round(  # type: ignore[misc]
                    v + n * t / DAY / 9 + (since(t) * n / DAY if s == "error" else 0)
                ),
            )
        one = "supercheck_organization_"
        yield one + "day_run_seconds", labels, lambda t, n=runs: n * (74 + 6 * math.sin(t / 900))  # type: ignore[misc]
        yield one + "playwright_used_seconds", labels, lambda t, n=playwright: 60.0 * (n + n * t / DAY / 12)  # type: ignore[misc]
        yield one + "k6_used_vu_seconds", labels, lambda t, n=k6: 60.0 * (n + n * t / DAY / 12)  # type: ignore[misc]
        yield one + "ai_credits_used", labels, flat(credits)
    for n, (plan, (organizations, day, month)) in enumerate(PLANS.items()):
        yield "supercheck_plan_organizations", {"plan": plan}, flat(organizations)
        for name, active in (("day", day), ("month", month)):
            yield "supercheck_active_organizations", {"plan": plan, "span": name}, flat(active)
        rate = 0.03 / (n + 1)
        for status, share in (("passed", 0.9), ("failed", 0.08), ("error", 0.02), ("blocked", 0.0)):
            yield (
                "supercheck_plan_runs_total",
                {"plan": plan, "status": status},
                lambda t, r=rate * share, s=status, a=rate: (  # type: ignore[misc]
                    r * (t + span) + (0.6 * a * since(t) if s == "error" else 0)
                ),
            )
        yield "supercheck_plan_run_seconds_total", {"plan": plan}, lambda t, r=rate: r * 74 * (t + span)  # type: ignore[misc]
    yield "supercheck_analytics_last_success_timestamp_seconds", {}, lambda t: now + t - 20

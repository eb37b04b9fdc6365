"""Organizations, runs and monitors in the stories of history.py; in trouble, one organization reaches its limit.

Then the checks of the monitors are late as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

EDGES = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)
ORGANIZATIONS = {"acme": ("pro", 10, 100, 7), "globex": ("plus", 5, 50, 2), "initech": ("enterprise", 20, 200, 9)}
SCHEDULED = {"job-scheduler": 29, "k6-job-scheduler": 30, "monitor-scheduler": 31}  # as history.py has them
DAY = 86400.0


def capacity_series(in_trouble: bool, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def counted(rate: float, after: float | None = None) -> Value:
        later = rate if after is None else after
        return lambda t: math.floor(rate * (t + span - since(t)) + later * since(t))

    def flat(value: float) -> Value:
        return lambda t: value

    for n, (name, (plan, slots, places, running)) in enumerate(ORGANIZATIONS.items()):
        labels = {"organization": name, "plan": plan}
        one = "supercheck_organization_"

        def parked(t: float, n: int = n, places: int = places) -> float:
            wave = max(0.0, round(3 * math.sin(t / 500 + n)))
            return min(places, wave + since(t) / 10) if n == 0 else wave

        def used(t: float, n: int = n, running: int = running, slots: int = slots) -> float:
            return slots if n == 0 and since(t) else max(0.0, round(running + 2 * math.sin(t / 400 + n)))

        yield one + "running_jobs", labels, used
        yield one + "running_runs", labels, used
        yield one + "queued_jobs", labels, parked
        yield one + "running_limit_jobs", labels, flat(slots)
        yield one + "queued_limit_jobs", labels, flat(places)
        yield one + "oldest_queued_age_seconds", labels, lambda t, p=parked: 40 * p(t) / 3  # type: ignore[misc]
        total = sum(row[3] for row in ORGANIZATIONS.values())
        ratio = "organization:supercheck_organization_running_jobs:ratio"
        yield ratio, {"organization": name}, lambda t, u=used, all_=total: min(1.0, u(t) / all_)  # type: ignore[misc]
        yield "organization:supercheck_organization_running_jobs:drift", {"organization": name}, flat(0)
    for provider, status, rate, after in (
        ("email", "sent", 0.004, 0.01), ("slack", "sent", 0.003, 0.0), ("slack", "failed", 0.0, 0.008),
        ("email", "failed", 0.0, 0.0),
    ):  # fmt: skip
        labels = {"provider": provider, "status": status}
        yield "supercheck_notifications_total", labels, counted(rate, after)
    yield "supercheck_organizations", {}, flat(37)
    yield "supercheck_organizations_at_queue_limit", {}, lambda t: 1.0 if since(t) > 1000 else 0.0
    for edge in (*EDGES, math.inf):
        share = 1 - math.exp(-edge / 8)
        yield "supercheck_admission_wait_seconds_bucket", {"le": f"{edge:g}"}, counted(0.05 * share)
    yield "supercheck_runs", {"status": "running"}, lambda t: round(18 + 3 * math.sin(t / 400))
    yield "supercheck_runs", {"status": "queued"}, lambda t: 4 + since(t) // 10
    for status, rate in (("passed", 0.2), ("failed", 0.02), ("error", 0.001), ("blocked", 0.0)):
        yield "supercheck_runs_finished_total", {"status": status}, counted(rate)
    yield "supercheck_phantom_runs", {"kind": "running_completed"}, flat(1)
    yield "supercheck_phantom_runs", {"kind": "queued_unparked"}, lambda t: since(t) // 200
    for status, monitors in (("up", 38), ("down", 2), ("paused", 5), ("pending", 0), ("maintenance", 1), ("error", 1)):
        yield "supercheck_monitors", {"status": status}, flat(monitors)
    yield "supercheck_monitor_staleness_seconds", {}, lambda t: max(0.0, 5 * math.sin(t / 300)) + since(t)
    yield "supercheck_monitor_staleness_intervals", {}, lambda t: 1 + since(t) / 300
    yield "supercheck_jobs_overdue", {}, flat(0)
    yield "supercheck_job_overdue_seconds", {}, lambda t: max(0.0, 2 * math.sin(t / 300))
    for queue, schedules in SCHEDULED.items():
        yield "supercheck_schedules_expected", {"queue": queue}, flat(schedules)
    for location in ("local", "eu-central"):
        yield "supercheck_location_enabled", {"location": location}, flat(1)
        yield "supercheck_location_workers", {"location": location}, flat(2)
        yield "supercheck_location_monitors", {"location": location}, flat(38)
        here = location == "local"
        yield (
            "supercheck_location_failing_monitors",
            {"location": location, "elsewhere": "up"},
            lambda t, here=here: 0 if here else min(38, since(t) // 10),  # type: ignore[misc]
        )
        for elsewhere, failing in (("down", 2), ("none", 1)):
            yield "supercheck_location_failing_monitors", {"location": location, "elsewhere": elsewhere}, flat(failing)
        for status, rate in (("up", 0.3), ("down", 0.004)):
            yield "supercheck_monitor_results_total", {"location": location, "status": status}, counted(rate)
    for entity, rows in (("job_runs", 340), ("monitor_results", 0), ("audit_logs", 0)):
        yield "supercheck_retention_overdue_rows", {"entity": entity}, lambda t, n=rows: n + n * t / DAY  # type: ignore[misc]

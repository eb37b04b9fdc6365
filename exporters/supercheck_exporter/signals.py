"""Which signals are over their threshold now, for the status page; the rules decide who is woken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from supercheck_exporter.core import HistogramValue, Run

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Limit:
    """One comparison: a metric (over another, if a ratio) with a warning and a critical threshold."""

    alert: str
    metric: str
    unit: Literal["ratio", "seconds", "state"]
    warning: str = ""
    """Name of the threshold; empty where any value but 0 counts."""
    critical: str = ""
    over: str = ""
    below: bool = False


LIMITS = (
    Limit(
        "QueueDepthHigh",
        "supercheck_queue_backlog_jobs",
        "ratio",
        "queue_depth_warning_ratio",
        "queue_depth_critical_ratio",
        over="supercheck_queue_capacity_jobs",
    ),
    Limit(
        "QueueJobsWaitingTooLong",
        "supercheck_queue_oldest_ready_job_age_seconds",
        "seconds",
        "queue_oldest_ready_warning_seconds",
        "queue_oldest_ready_critical_seconds",
    ),
    Limit(
        "QueueSchedulesWillVanish",
        "supercheck_queue_schedule_key_ttl_seconds",
        "seconds",
        "queue_schedule_ttl_warning_seconds",
        "queue_schedule_ttl_critical_seconds",
        below=True,
    ),
    Limit(
        "QueueSchedulesLate",
        "supercheck_queue_schedule_lateness_seconds",
        "seconds",
        "queue_schedule_lateness_seconds",
    ),
    Limit("QueueJobsStalled", "supercheck_queue_stalled_jobs", "state"),
    Limit("QueuePausedWithBacklog", "supercheck_queue_paused", "state", over="supercheck_queue_backlog_jobs"),
)


@dataclass(frozen=True)
class Signal:
    """One thing that is wrong now; ``value`` and ``limit`` are texts with their units."""

    alert: str
    subject: str
    severity: Severity
    value: str
    limit: str


def over_threshold(runs: Iterable[Run], thresholds: Mapping[str, float]) -> list[Signal]:
    """Compare the latest values with the thresholds; critical ones first, then by subject."""
    series: dict[str, dict[tuple[str, ...], float]] = {}
    for run in runs:
        for sample in run.samples:
            if not isinstance(sample.value, HistogramValue):
                series.setdefault(sample.desc.name, {})[sample.labels] = sample.value
    found = []
    for limit in LIMITS:
        for labels, value in series.get(limit.metric, {}).items():
            signal = _compare(limit, ", ".join(labels), value, series.get(limit.over, {}).get(labels), thresholds)
            if signal is not None:
                found.append(signal)
    return sorted(found, key=lambda s: (s.severity != "critical", s.subject, s.alert))


def _compare(
    limit: Limit, subject: str, value: float, over: float | None, thresholds: Mapping[str, float]
) -> Signal | None:
    if limit.unit == "state":
        wrong = value > 0 and (not limit.over or bool(over))
        return Signal(limit.alert, subject, "warning", f"{over if limit.over else value:.0f}", "0") if wrong else None
    if limit.over:
        if not over:
            return None
        value /= over
    levels: tuple[tuple[Severity, str], ...] = (("critical", limit.critical), ("warning", limit.warning))
    for severity, name in levels:
        if name and (value < thresholds[name] if limit.below else value > thresholds[name]):
            return Signal(limit.alert, subject, severity, show(value, limit.unit), show(thresholds[name], limit.unit))
    return None


def show(value: float, unit: str) -> str:
    """A value for people: a percentage, or the two largest units of a duration."""
    if unit == "ratio":
        return f"{value:.1%}"
    seconds = round(value)
    parts = []
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        if seconds >= size:
            parts.append(f"{seconds // size}{letter}")
            seconds %= size
    return " ".join(parts[:2]) or "0s"

"""Which signals are over their threshold now, for the status page; the rules decide who is woken."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from supercheck_exporter.core import HistogramValue, Run

Severity = Literal["critical", "warning"]


@dataclass(frozen=True)
class Limit:
    """One comparison of a metric with thresholds, by their names, or with another metric of the same labels.

    ratio: the metric over ``other``. seconds: the metric itself. budget: more seconds than ``other``.
    nonzero: any value but 0, and ``other``, where it is named, is not 0 either. unserved: not 0, while ``other`` is;
    critical. state: any value but 0, which ``warning`` or ``critical`` puts into words. age: seconds since the
    metric's Unix time.
    """

    alert: str
    metric: str
    kind: Literal["ratio", "seconds", "budget", "nonzero", "state", "unserved", "age"]
    warning: str = ""
    critical: str = ""
    other: str = ""
    below: bool = False


LIMITS = (
    Limit(
        "QueueDepthHigh",
        "supercheck_queue_backlog_jobs",
        "ratio",
        "queue_depth_warning_ratio",
        "queue_depth_critical_ratio",
        other="supercheck_queue_capacity_jobs",
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
    Limit(
        "QueueJobStuckActive",
        "supercheck_queue_oldest_active_job_age_seconds",
        "budget",
        other="supercheck_queue_run_budget_seconds",
    ),
    Limit("NoWorkersForQueue", "supercheck_queue_backlog_jobs", "unserved", other="supercheck_workers_serving"),
    Limit("QueueJobsStalled", "supercheck_queue_stalled_jobs", "nonzero"),
    Limit("QueuePausedWithBacklog", "supercheck_queue_paused", "nonzero", other="supercheck_queue_backlog_jobs"),
    Limit(
        "PgBouncerClientsWaiting",
        "supercheck_pgbouncer_oldest_wait_seconds",
        "seconds",
        "pgbouncer_wait_warning_seconds",
        "pgbouncer_wait_critical_seconds",
    ),
    Limit(
        "PostgresLongTransaction",
        "supercheck_postgres_oldest_transaction_age_seconds",
        "seconds",
        "postgres_long_transaction_seconds",
    ),
    Limit(
        "IncompleteUploads",
        "supercheck_bucket_oldest_incomplete_upload_timestamp_seconds",
        "age",
        "incomplete_upload_seconds",
    ),
    Limit(
        "ExecutionPodsPending",
        "supercheck_execution_oldest_pending_age_seconds",
        "seconds",
        "execution_pending_seconds",
    ),
    Limit("VaultSealed", "supercheck_vault_sealed", "state", critical="sealed"),
    Limit("SecretRotationOverdue", "supercheck_vault_secret_age_seconds", "seconds", "secret_rotation_seconds"),
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
            other = series.get(limit.other, {}).get(labels)
            if verdict := _compare(limit, value, other, thresholds):
                found.append(Signal(limit.alert, ", ".join(labels), *verdict))
    return sorted(found, key=lambda s: (s.severity != "critical", s.subject, s.alert))


def _compare(
    limit: Limit, value: float, other: float | None, thresholds: Mapping[str, float]
) -> tuple[Severity, str, str] | None:
    """Severity, value and limit, or None where nothing is wrong or not everything is known."""
    if limit.other and other is None:
        return None
    match limit.kind:
        case "nonzero":
            counted = value if other is None else other
            return ("warning", f"{counted:.0f}", "0") if value and counted else None
        case "state":
            return ("critical" if limit.critical else "warning", limit.critical or limit.warning, "") if value else None
        case "unserved":
            return ("critical", f"{value:.0f} jobs, 0 workers", "1 worker") if value and not other else None
        case "budget":
            late = other is not None and value > other
            return ("warning", show(value, "seconds"), show(other or 0, "seconds")) if late else None
        case "ratio":
            if not other:
                return None
            value /= other
        case "age":
            value = time.time() - value
    levels: tuple[tuple[Severity, str], ...] = (("critical", limit.critical), ("warning", limit.warning))
    for severity, name in levels:
        if name and (value < thresholds[name] if limit.below else value > thresholds[name]):
            return severity, show(value, limit.kind), show(thresholds[name], limit.kind)
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

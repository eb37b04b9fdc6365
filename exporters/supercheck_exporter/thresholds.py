"""The one table of thresholds: what the rules, the status page and the dashboards call too much.

Each threshold is a setting `THRESHOLD_<NAME>`, for example `THRESHOLD_QUEUE_DEPTH_WARNING_RATIO=0.7`.
This module imports nothing of the package, so that every part may import it.
"""

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Unit = Literal["ratio", "seconds", "jobs", "bytes", "rows", "intervals"]

ENV_PREFIX = "THRESHOLD_"

# a longer duration is a typing mistake (milliseconds for seconds), and would switch the alert off
_MAX_SECONDS = 365 * 24 * 3600.0


@dataclass(frozen=True)
class Threshold:
    """One limit. `default` is in `unit`: ratio (0.8 is 80 %), seconds; jobs, bytes, rows, intervals (whole numbers)."""

    name: str
    default: float
    unit: Unit
    help: str

    @property
    def variable(self) -> str:
        """The name of its setting in the environment."""
        return ENV_PREFIX + self.name.upper()

    @property
    def allowed(self) -> str:
        """What a person may set, as the end of a sentence."""
        if self.unit == "ratio":
            return "a number above 0 and up to 1 (0.8 means 80 %)"
        if self.unit == "seconds":
            return "a number of seconds above 0, at most one year (31536000)"
        return f"a whole number of {self.unit}, 1 or more"

    def accepts(self, value: float) -> bool:
        """Whether `value` is allowed for this unit."""
        if not math.isfinite(value) or value <= 0:
            return False
        if self.unit == "ratio":
            return value <= 1
        if self.unit == "seconds":
            return value <= _MAX_SECONDS
        return value >= 1 and value == int(value)


class ThresholdError(ValueError):
    """One or more bad settings; `problems` holds one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold(
        "queue_depth_warning_ratio",
        0.8,
        "ratio",
        "Backlog over capacity of a queue: above it QueueDepthHigh warns.",
    ),
    Threshold(
        "queue_depth_critical_ratio",
        0.95,
        "ratio",
        "Backlog over capacity of a queue: above it QueueDepthHigh pages.",
    ),
    Threshold(
        "queue_oldest_ready_warning_seconds",
        300,
        "seconds",
        "Age of the oldest ready job of a queue: above it QueueJobsWaitingTooLong warns.",
    ),
    Threshold(
        "queue_oldest_ready_critical_seconds",
        900,
        "seconds",
        "Age of the oldest ready job of a queue: above it QueueJobsWaitingTooLong pages.",
    ),
    Threshold(
        "queue_not_processing_seconds",
        120,
        "seconds",
        "How long ago the last start and the last finish of a queue must be for QueueNotProcessing to page. "
        "Besides, its backlog must have lasted 2 minutes.",
    ),
    Threshold(
        "queue_failure_ratio",
        0.1,
        "ratio",
        "Failed over finished jobs of a queue: above it QueueFailureRateHigh warns. "
        "A failed test is a completed job and does not count.",
    ),
    Threshold(
        "queue_failure_min_finished_10m_jobs",
        20,
        "jobs",
        "From this many finished jobs in 10 minutes on, the failure ratio of those 10 minutes counts.",
    ),
    Threshold(
        "queue_failure_min_finished_1h_jobs",
        5,
        "jobs",
        "With fewer in 10 minutes, but this many in an hour, the failure ratio of that hour counts.",
    ),
    Threshold(
        "queue_schedule_ttl_warning_seconds",
        48 * 3600,
        "seconds",
        "Time left to a queue's schedule key: below it QueueSchedulesWillVanish warns.",
    ),
    Threshold(
        "queue_schedule_ttl_critical_seconds",
        6 * 3600,
        "seconds",
        "Time left to a queue's schedule key: below it QueueSchedulesWillVanish pages.",
    ),
    Threshold(
        "queue_schedule_lateness_seconds",
        120,
        "seconds",
        "How late the most overdue schedule of a queue is: above it QueueSchedulesLate warns.",
    ),
    Threshold(
        "worker_utilization_ratio",
        0.9,
        "ratio",
        "Active jobs over slots of a queue: above it, with jobs behind, WorkerUtilizationHigh warns.",
    ),
    Threshold(
        "exporter_scrape_seconds",
        5,
        "seconds",
        "Duration of a scrape of the exporter: above it ExporterSlow warns. Prometheus gives up after 10.",
    ),
    Threshold(
        "collector_stale_seconds",
        300,
        "seconds",
        "Age of what a collector reads in the background: above it CollectorFailing warns.",
    ),
    Threshold(
        "notifications_failed_ratio",
        0.1,
        "ratio",
        "Failed over all notifications of a receiver type: above it AlertmanagerNotDelivering pages.",
    ),
    Threshold(
        "redis_memory_warning_ratio",
        0.8,
        "ratio",
        "Memory over maxmemory of a Redis node: above it RedisMemoryHigh warns.",
    ),
    Threshold(
        "redis_memory_critical_ratio",
        0.95,
        "ratio",
        "Memory over maxmemory of a Redis node: above it RedisMemoryHigh pages.",
    ),
    Threshold(
        "redis_restart_kept_keys_ratio",
        0.5,
        "ratio",
        "Keys of a Redis node after over before its restart: below it RedisRestartedEmpty pages.",
    ),
    Threshold(
        "redis_replication_lag_bytes",
        10_000_000,
        "bytes",
        "Bytes that a Redis replica is behind its master: above it RedisReplicationLag warns.",
    ),
    Threshold(
        "pgbouncer_wait_warning_seconds",
        1,
        "seconds",
        "How long the first waiting client of a pool has waited: above it PgBouncerClientsWaiting warns.",
    ),
    Threshold(
        "pgbouncer_wait_critical_seconds",
        10,
        "seconds",
        "How long the first waiting client of a pool has waited: above it PgBouncerClientsWaiting pages.",
    ),
    Threshold(
        "postgres_connections_warning_ratio",
        0.8,
        "ratio",
        "Connections over max_connections: above it PostgresConnectionsHigh warns.",
    ),
    Threshold(
        "postgres_connections_critical_ratio",
        0.95,
        "ratio",
        "Connections over max_connections: above it PostgresConnectionsHigh pages.",
    ),
    Threshold(
        "postgres_query_latency_seconds",
        0.1,
        "seconds",
        "p95 of the statements' times: above it PostgresQueryLatencyHigh warns.",
    ),
    Threshold(
        "postgres_long_transaction_seconds",
        600,
        "seconds",
        "Age of the oldest transaction of a database: above it PostgresLongTransaction warns.",
    ),
    Threshold(
        "postgres_sequential_scan_rows",
        100_000,
        "rows",
        "Rows a second that are read of a table by reading it whole: above it PostgresSequentialScans warns.",
    ),
    Threshold(
        "postgres_sequential_scan_table_rows",
        100_000,
        "rows",
        "Rows that a table must have for PostgresSequentialScans: reading a small one whole is no fault.",
    ),
    Threshold(
        "postgres_transaction_id_ratio",
        0.5,
        "ratio",
        "Age of the oldest transaction id over the 2^31 that are possible: above it PostgresWraparoundNear warns.",
    ),
    Threshold(
        "organization_queue_warning_ratio",
        0.8,
        "ratio",
        "Parked runs of an organization over its limit: above it OrganizationNearQueueLimit warns.",
    ),
    Threshold(
        "organization_monopoly_ratio",
        0.8,
        "ratio",
        "Share of the slots in use that one organization holds: above it OrganizationMonopolizesWorkers warns.",
    ),
    Threshold(
        "organization_monopoly_wait_seconds",
        300,
        "seconds",
        "Age of another organization's oldest parked run for OrganizationMonopolizesWorkers.",
    ),
    Threshold(
        "phantom_runs_rows",
        5,
        "rows",
        "Runs of a day that say what is not so: above it PhantomRuns warns.",
    ),
    Threshold(
        "runs_erroring_ratio",
        0.1,
        "ratio",
        "Runs that end in error over all that end: above it RunsErroring warns.",
    ),
    Threshold(
        "runs_erroring_min_finished_1h_rows",
        5,
        "rows",
        "Runs that must end within an hour for RunsErroring.",
    ),
    Threshold(
        "retention_overdue_rows",
        1000,
        "rows",
        "Rows past their retention: RetentionFallingBehind warns above it, where they grow.",
    ),
    Threshold(
        "monitor_stale_intervals",
        3,
        "intervals",
        "Age of the last check of a monitor in its own intervals: above it MonitorsStale pages.",
    ),
    Threshold(
        "job_missed_seconds",
        300,
        "seconds",
        "How late the most overdue scheduled job is: above it ScheduledJobsMissed pages.",
    ),
)

# (the smaller one, the larger one): the other way round the page would come before the warning
_ORDER = (
    ("queue_depth_warning_ratio", "queue_depth_critical_ratio"),
    ("queue_oldest_ready_warning_seconds", "queue_oldest_ready_critical_seconds"),
    ("queue_schedule_ttl_critical_seconds", "queue_schedule_ttl_warning_seconds"),
    ("pgbouncer_wait_warning_seconds", "pgbouncer_wait_critical_seconds"),
    ("postgres_connections_warning_ratio", "postgres_connections_critical_ratio"),
    ("redis_memory_warning_ratio", "redis_memory_critical_ratio"),
)


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
        for small, large in _ORDER
        if values[small] >= values[large]
    ]

"""The success metrics as the scorecard shows them; numbers and PromQL are in alert-rules/src/objectives.yaml."""

from collections.abc import Sequence
from dataclasses import dataclass

from .colors import IN, OUT, SLOW
from .levels import NEUTRAL, Levels, Thresholds


@dataclass(frozen=True)
class Metric:
    """One metric; `name` is its label in the recorded series, `too_much` the threshold above which it is orange."""

    name: str
    title: str
    shows: str
    target: str
    normal: str
    act: str
    unit: str
    color: str
    no_data: str
    too_much: str = ""
    decimals: int = 0
    runbooks: Sequence[str] = ()

    def levels(self, limits: Thresholds) -> Levels:
        """Return the colours of the value."""
        return limits.above(warning=self.too_much) if self.too_much else NEUTRAL


METRICS = (
    Metric(
        "queue-processing",
        "Time to start",
        "Mean time from asked for to started, over an hour: the wait in the queue and, if a run was parked, before.",
        "5 s (THRESHOLD_SLO_QUEUE_WAIT_SECONDS)",
        "below the target; with one slot and several tests it is not.",
        "more workers, or higher limits for the organizations whose runs are parked.",
        "s",
        IN,
        "no job was started in the last hour",
        too_much="slo_queue_wait_seconds",
        decimals=1,
        runbooks=["QueueProcessingBudgetBurning"],
    ),
    Metric(
        "database-latency",
        "Database p95",
        "One statement in twenty takes longer, over an hour (an approximation: each statement counts with its mean).",
        "100 ms (THRESHOLD_SLO_DATABASE_QUERY_SECONDS)",
        "below the target.",
        "see the Database dashboard: which statement, which table.",
        "s",
        SLOW,
        "no database is configured, or pg_stat_statements is not installed",
        too_much="slo_database_query_seconds",
        decimals=1,
        runbooks=["DatabaseLatencyBudgetBurning"],
    ),
    Metric(
        "worker-utilization",
        "Worker utilization",
        "Active jobs over slots, over an hour, of all queues that workers serve.",
        "75 % (THRESHOLD_SLO_WORKER_UTILIZATION_RATIO)",
        "up to the target; low means that workers wait for work, which costs money and harms nobody.",
        "far below it all day: fewer workers. Above it: WorkerUtilizationHigh says when jobs wait.",
        "percentunit",
        OUT,
        "no queue has slots",
        runbooks=["WorkerUtilizationHigh"],
    ),
)

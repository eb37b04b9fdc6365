"""The success metrics as the scorecard shows them; numbers and PromQL are in alert-rules/src/objectives.yaml."""

from collections.abc import Sequence
from dataclasses import dataclass

from .colors import IN, OUT, SLOW, WHOLE
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
    too_little: str = ""
    decimals: int = 0
    runbooks: Sequence[str] = ()
    beside: Sequence[tuple[str, str]] = ()  # (PromQL, name) of more lines

    def levels(self, limits: Thresholds) -> Levels:
        """Return the colours of the value."""
        if self.too_little:
            return limits.below(warning=self.too_little)
        return limits.above(warning=self.too_much) if self.too_much else NEUTRAL


METRICS = (
    Metric(
        "api-latency",
        "API p95",
        "One probe of the app's /api/health in twenty takes longer, over an hour. A probe is no user's request.",
        "200 ms (THRESHOLD_SLO_API_LATENCY_SECONDS)",
        "below the target.",
        "the app, its database or its Redis is slow: see Dependencies, Database and Redis.",
        "s",
        WHOLE,
        "SUPERCHECK_APP_URL is not set, or the exporter does not probe",
        too_much="slo_api_latency_seconds",
        decimals=0,
        runbooks=["ApiLatencyBudgetBurning"],
    ),
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
        "storage-cost",
        "Storage cost a month",
        "What the buckets cost a month at the prices that are set: storage, and requests and egress where known.",
        "200 dollars (THRESHOLD_STORAGE_MONTHLY_BUDGET_DOLLARS)",
        "below the target.",
        "see Storage: which bucket, which class, what the lifecycle rules would save.",
        "currencyUSD",
        "yellow",
        "no object store is configured, or it was not listed yet",
        too_much="storage_monthly_budget_dollars",
        runbooks=["StorageCostOverBudget"],
    ),
    Metric(
        "uptime",
        "Uptime in 30 days",
        "Share of the probes that did not fail, of app and workers the worse, of what Prometheus remembers of 30 days.",
        "99.9 % (THRESHOLD_SLO_UPTIME_RATIO); 99.99 % is drawn beside it",
        "above the target.",
        "'Error budget left' says since when; the marks say what was changed then.",
        "percentunit",
        SLOW,
        "neither SUPERCHECK_APP_URL nor SUPERCHECK_WORKER_URL is set",
        too_little="slo_uptime_ratio",
        decimals=3,
        runbooks=["UptimeBudgetBurning"],
        beside=[("vector(0.9999)", "99.99 %")],
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

"""Two hours of a site's metrics, written at once, so that a drawn dashboard has lines and not dots.

`story("rest")` is a healthy site, `story("trouble")` the same until 25 minutes before now: then the k6 workers vanish,
their queue grows, and the alerts fire. Values are made by formulas, so two runs draw the same picture.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from e2e.history_analytics import analytics_series
from e2e.history_backup import backup_series
from e2e.history_capacity import capacity_series
from e2e.history_database import database_series
from e2e.history_dependencies import dependency_series
from e2e.history_edge import edge_series
from e2e.history_host import host_series
from e2e.history_redis import redis_series
from e2e.history_secrets import secrets_series
from e2e.history_storage import storage_series
from e2e.history_traces import traces_series

STEP_SECONDS = 15
SPAN_SECONDS = 2 * 3600
AHEAD_SECONDS = 900  # who looks at it by hand sees it go on for a while
TROUBLE_SECONDS = 1500

TEST_QUEUES = ("playwright-global", "k6-global", "k6-local", "monitor-local")
APP_QUEUES = (
    "job-scheduler",
    "k6-job-scheduler",
    "monitor-scheduler",
    "email-template-render",
    "data-lifecycle-cleanup",
)
QUEUES = TEST_QUEUES + APP_QUEUES
STATES = ("waiting", "prioritized", "delayed", "active", "paused", "waiting_children", "completed", "failed")
WAIT_EDGES = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
RUN_EDGES = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4800)
COLLECTORS = (
    *("queues", "queue_events", "workers", "redis", "pgbouncer", "postgres", "postgres_statements"),
    *("organization_capacity", "monitors", "rate_limits", "edge", "report_cache", "cdn"),
    *("notifications", "stored_secrets", "execution", "vault", "backups", "s3", "s3_lifecycle"),
    "analytics",
)

EXPORTER = {"job": "supercheck-exporter", "instance": "127.0.0.1:9820"}

Value = Callable[[float], float | None]


@dataclass(frozen=True)
class Series:
    """One series: its value at `t` seconds before or after now (negative: before). None: no sample."""

    name: str
    labels: dict[str, str]
    value: Value


def _constant(value: float) -> Value:
    return lambda _t: value


def _wave(base: float, swing: float, period: float, phase: float = 0.0) -> Value:
    return lambda t: max(0.0, base + swing * math.sin(2 * math.pi * (t / period + phase)))


def _counter(rate: float, start: float = 1000.0) -> Value:
    return lambda t: math.floor(start + rate * (t + SPAN_SECONDS))


def _sum(rate: float) -> Value:
    """Like a counter, but not in whole steps: a smooth line is easier to look at than a true one."""
    return lambda t: rate * (t + SPAN_SECONDS)


def _queue(queue: str, n: int, in_trouble: bool, now: float) -> Iterator[Series]:
    stopped = in_trouble and queue == "k6-global"
    rate = 0.4 / (n + 1)

    def since(t: float) -> float:
        return max(0.0, t + TROUBLE_SECONDS) if stopped else 0.0

    def backlog(t: float) -> float:
        return math.floor(_wave(2.0, 2.0, 1700, n / 7)(t) or 0) + math.floor(since(t) * 5.9)

    def one(name: str, value: Value, **labels: str) -> Series:
        return Series(f"supercheck_{name}", {"queue": queue, **labels}, value)

    def counted(name: str, per_second: float, **labels: str) -> Series:
        stop = -TROUBLE_SECONDS
        return one(name, lambda t: _counter(per_second)(min(t, stop) if stopped else t), **labels)

    for state in STATES:
        retained = {"completed": 900.0 - n, "failed": 12.0 + n}.get(state, 0.0)
        value: Value = _constant(retained)
        if state == "waiting":
            value = backlog
        elif state == "active":
            value = lambda t: 0.0 if since(t) else 1.0  # noqa: E731
        yield one("queue_jobs", value, state=state)
    yield one("queue_backlog_jobs", backlog)
    yield one("queue_capacity_jobs", _constant(10000))
    yield one("queue_oldest_ready_job_age_seconds", lambda t: since(t) or 3.0 * (backlog(t) > 0))
    yield one("queue_oldest_active_job_age_seconds", lambda t: 0.0 if since(t) else 40.0 + 9 * n)
    yield one("queue_overdue_delayed_jobs", _constant(0))
    yield one("queue_paused", _constant(0))
    yield one("queue_consumers", lambda t: 0.0 if since(t) else 2.0)
    yield one("queue_stalled_jobs", _constant(0))
    yield one("queue_run_budget_seconds", _constant(4800))
    yield one("queue_added_jobs_total", _counter(rate))
    for name, part in (("jobs_completed", 0.98), ("jobs_failed", 0.02), ("job_retries", 0.01)):
        yield counted(f"queue_{name}_total", rate * part)
    yield one("queue_jobs_stalled_total", _constant(0))
    yield one("queue_events_lost_total", _constant(0))
    yield one("queue_last_started_timestamp_seconds", lambda t: now + (-TROUBLE_SECONDS if since(t) else t) - 4)
    yield one("queue_last_finished_timestamp_seconds", lambda t: now + (-TROUBLE_SECONDS if since(t) else t) - 2)
    if queue.endswith("scheduler"):
        yield one("queue_schedules", _constant(25 + n))
        yield one("queue_schedule_lateness_seconds", _constant(0))
    yield from _histogram(one, "queue_job_wait_seconds", WAIT_EDGES, 0.8 + n / 4, rate, {})
    for outcome, part in (("completed", 0.98), ("failed", 0.02), ("retried", 0.01)):
        yield from _histogram(one, "queue_job_run_seconds", RUN_EDGES, 20 + 9 * n, rate * part, {"outcome": outcome})
    if queue in TEST_QUEUES:
        serving = 2.0
        yield one("workers_serving", lambda t: 0.0 if since(t) else serving)
        yield one("queue_slots", lambda t: 0.0 if since(t) else serving)


def _histogram(
    one: Callable[..., Series], name: str, edges: tuple[float, ...], mean: float, rate: float, labels: dict[str, str]
) -> Iterator[Series]:
    """Exponentially spread around `mean`, `rate` observations a second."""
    for edge in (*edges, math.inf):
        part = 1 - math.exp(-edge / mean)
        yield one(f"{name}_bucket", _sum(rate * part), le="+Inf" if edge == math.inf else f"{edge:g}", **labels)
    yield one(f"{name}_count", _sum(rate), **labels)
    yield one(f"{name}_sum", _sum(rate * mean), **labels)


def _workers(in_trouble: bool, now: float) -> Iterator[Series]:
    for n in range(4):
        location = "global" if n < 2 else "local"
        gone = in_trouble and n == 1
        labels = {"worker": f"worker-{location}-{n}", "location": location}

        def while_alive(value: float, gone: bool = gone, moves: bool = False) -> Value:
            return lambda t: None if gone and t > -TROUBLE_SECONDS else value + (t if moves else 0)

        yield Series("supercheck_worker_start_timestamp_seconds", labels, while_alive(now - 5400 + 600 * n))
        beat = "supercheck_worker_last_heartbeat_timestamp_seconds"
        yield Series(beat, labels, while_alive(now - 3, moves=True))
    for location in ("global", "local"):
        lost = in_trouble and location == "global"
        place = {"location": location}
        fewer = lambda t, lost=lost: 1.0 if lost and t > -TROUBLE_SECONDS else 2.0  # noqa: E731
        yield Series("supercheck_workers", place, fewer)
        desired = lambda t, lost=lost: 10.0 if lost and t > -TROUBLE_SECONDS else 1.0  # noqa: E731
        yield Series("supercheck_workers_desired", place, desired)


def _stack(now: float) -> Iterator[Series]:
    """What exporter, Prometheus and Alertmanager say of themselves."""
    for job, port in (("supercheck-exporter", 9820), ("prometheus", 9090), ("alertmanager", 9093)):
        target = {"job": job, "instance": f"127.0.0.1:{port}"}
        yield Series("up", target, _constant(1))
        yield Series("scrape_duration_seconds", target, _wave(0.05, 0.01, 900))
        yield Series("process_resident_memory_bytes", target, _wave(90e6 + port * 1e4, 4e6, 3000))
    for n, collector in enumerate(COLLECTORS):
        labels = {"collector": collector}
        yield Series("supercheck_scrape_collector_success", labels, _constant(1))
        yield Series("supercheck_scrape_collector_duration_seconds", labels, _wave(0.004 * (n + 1), 0.002, 800, n / 4))
    yield Series("supercheck_exporter_build_info", {"version": "0.1.0"}, _constant(1))
    yield Series("supercheck_queues_dropped", {}, _constant(0))
    for name in ("queue_events", "keyspace_scan"):
        yield Series(f"supercheck_{name}_last_success_timestamp_seconds", {}, lambda t: now + t - 4)
    yield from _prometheus({"job": "prometheus", "instance": "127.0.0.1:9090"})
    yield from _alertmanager({"job": "alertmanager", "instance": "127.0.0.1:9093"})


def _prometheus(target: dict[str, str]) -> Iterator[Series]:
    def one(name: str, value: Value, **labels: str) -> Series:
        return Series(f"prometheus_{name}", {**target, **labels}, value)

    yield one("notifications_alertmanagers_discovered", _constant(1))
    yield one("config_last_reload_successful", _constant(1))
    yield one("tsdb_head_series", _wave(4200, 60, 3600))
    yield one("tsdb_storage_blocks_bytes", _sum(900))
    yield one("tsdb_retention_limit_bytes", _constant(20e9))
    for n, group in enumerate(("queue", "worker", "redis", "observability")):
        rules = {"rule_group": f"/etc/prometheus/rules/{group}.yaml;{group}"}
        yield one("rule_group_last_duration_seconds", _wave(0.003 * (n + 1), 0.001, 700, n / 5), **rules)
        yield one("rule_group_interval_seconds", _constant(15), **rules)
        yield one("rule_evaluation_failures_total", _constant(0), **rules)
        yield one("rule_group_iterations_missed_total", _constant(0), **rules)


def _alertmanager(target: dict[str, str]) -> Iterator[Series]:
    for state, count in (("active", 3.0), ("suppressed", 1.0)):
        yield Series("alertmanager_alerts", {**target, "state": state}, _constant(count))
    yield Series("alertmanager_silences", {**target, "state": "active"}, _constant(0))
    yield Series("alertmanager_build_info", {**target, "version": "0.28.1"}, _constant(1))
    yield Series("alertmanager_config_last_reload_successful", target, _constant(1))
    for integration, rate in (("webhook", 0.01), ("slack", 0.002)):
        sent = {**target, "integration": integration}
        yield Series("alertmanager_notifications_total", sent, _counter(rate, 20))
        yield Series("alertmanager_notifications_failed_total", sent, _constant(0))


def _alerts(in_trouble: bool, now: float) -> Iterator[Series]:
    def firing(name: str, severity: str, component: str, since: float, **labels: str) -> Iterator[Series]:
        what = {"alertname": name, "severity": severity, "component": component, **labels}
        yield Series("ALERTS", {**what, "alertstate": "firing"}, lambda t: 1.0 if t > since else None)
        yield Series("ALERTS_FOR_STATE", what, lambda t: now + since - 60 if t > since else None)

    yield from firing("Watchdog", "none", "observability", -SPAN_SECONDS)
    if in_trouble:
        yield from firing("NoWorkersForQueue", "critical", "worker", 120 - TROUBLE_SECONDS, queue="k6-global")
        yield from firing("QueueNotProcessing", "critical", "queue", 180 - TROUBLE_SECONDS, queue="k6-global")
        yield from firing("QueueJobsWaitingTooLong", "warning", "queue", 360 - TROUBLE_SECONDS, queue="k6-global")
        yield from firing("WorkersLost", "warning", "worker", 60 - TROUBLE_SECONDS, location="global")
        yield from firing("RedisDown", "critical", "redis", 75 - TROUBLE_SECONDS, node="redis-node-1:6379")
        pool = {"database": "supercheck", "pool_user": "supercheck"}
        yield from firing("PgBouncerClientsWaiting", "critical", "database", 330 - TROUBLE_SECONDS, **pool)
        yield from firing("PgBouncerPoolSaturated", "warning", "database", 315 - TROUBLE_SECONDS, **pool)
        yield from firing("VaultSealed", "critical", "secrets", 75 - TROUBLE_SECONDS, node="vault-1")
        yield from firing("VaultDown", "critical", "secrets", 375 - TROUBLE_SECONDS, node="vault-3")
        late = {"database": "supercheck", "type": "full"}
        yield from firing("BackupMissing", "critical", "backup", 300 - TROUBLE_SECONDS / 2, **late)
        bucket = {"bucket": "k6-job-artifacts"}
        yield from firing("BucketUnreadable", "warning", "storage", 900 - TROUBLE_SECONDS, state="missing", **bucket)
        yield from firing("S3OperationsFailing", "warning", "storage", 660 - TROUBLE_SECONDS, dependency="s3")
        full = {"instance": "node-exporter:9100", "mountpoint": "/var/lib", "node": "node-exporter:9100 /var/lib"}
        yield from firing("DiskFilling", "warning", "host", 1200 - TROUBLE_SECONDS, **full)
        yield from firing("CdnDown", "critical", "edge", 150 - TROUBLE_SECONDS, node="cdn/font", target="font")
        refused = {"node": "edge", "tier": "public"}
        yield from firing("RateLimitedRequestsHigh", "warning", "api", 420 - TROUBLE_SECONDS, **refused)
        yield from firing("RedisClusterNoReplica", "warning", "redis", 330 - TROUBLE_SECONDS, node="cluster")


def story(name: str, now: float) -> list[Series]:
    """Return the series of a healthy site (`rest`) or of one in trouble (`trouble`); `now` in Unix seconds."""
    in_trouble = name == "trouble"
    series = [s for n, queue in enumerate(QUEUES) for s in _queue(queue, n, in_trouble, now)]
    redis = [Series(*one) for one in redis_series(in_trouble, now, SPAN_SECONDS, TROUBLE_SECONDS)]
    database = [Series(*one) for one in database_series(in_trouble, SPAN_SECONDS, TROUBLE_SECONDS)]
    capacity = [Series(*one) for one in capacity_series(in_trouble, SPAN_SECONDS, TROUBLE_SECONDS)]
    secrets = [Series(*one) for one in secrets_series(in_trouble, now, SPAN_SECONDS, TROUBLE_SECONDS)]
    backups = [Series(*one) for one in backup_series(in_trouble, now, TROUBLE_SECONDS)]
    storage = [Series(*one) for one in storage_series(in_trouble, now, SPAN_SECONDS, TROUBLE_SECONDS)]
    outside = [Series(*one) for one in dependency_series(in_trouble, now, SPAN_SECONDS, TROUBLE_SECONDS)]
    analytics = [Series(*one) for one in analytics_series(in_trouble, now, SPAN_SECONDS, TROUBLE_SECONDS)]
    edge = [Series(*one) for one in edge_series(in_trouble, SPAN_SECONDS, TROUBLE_SECONDS)]
    host = [Series(*one) for one in host_series(in_trouble, SPAN_SECONDS, TROUBLE_SECONDS)]
    traces = [Series(*one) for one in traces_series(in_trouble, SPAN_SECONDS, TROUBLE_SECONDS)]
    told = [*host, *traces, *redis, *edge, *database, *capacity, *secrets, *backups, *storage, *outside, *analytics]
    return [*series, *_workers(in_trouble, now), *told, *_stack(now), *_alerts(in_trouble, now)]


def openmetrics(series: list[Series], now: float) -> Iterator[str]:
    """Yield the lines of an OpenMetrics file, as `promtool tsdb create-blocks-from openmetrics` reads it."""
    steps = range(-SPAN_SECONDS, AHEAD_SECONDS, STEP_SECONDS)
    for one in series:
        target = EXPORTER if one.name.startswith("supercheck_") else {}
        labels = ",".join(f'{k}="{v}"' for k, v in {**target, **one.labels}.items())
        for t in steps:
            value = one.value(t)
            if value is not None:
                yield f"{one.name}{{{labels}}} {value:.15g} {now + t:.3f}\n"
    yield "# EOF\n"

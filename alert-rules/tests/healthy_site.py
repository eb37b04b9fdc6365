"""Makes healthy_site.yaml: a day of a healthy small site, in which the whole rule set must stay silent.

One worker with one slot a queue. By day two 3-minute tests are started together every 10 minutes, so that one waits
behind the other; at noon a load test of 65 minutes; monitors every 5 minutes; a night in which only monitors
run, and one test. The schedule key has the 7-day TTL that the app gives it. In the afternoon the exporter restarts:
a scrape is missed, counters begin at 0, and the last starts are not known any more.

Samples are a minute apart, four times the shipped interval: what is there for a moment looks longer than it is.
`python alert-rules/tests/healthy_site.py` rewrites the file.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TARGET = Path(__file__).with_suffix(".yaml")
STEP = 60
DAY = 24 * 3600
RESTART = 13 * 3600 + 32 * 60
EXPORTER = 'job="supercheck-exporter",instance="exporter:9820"'
PROMETHEUS = 'job="prometheus",instance="prometheus:9090"'
ALERTMANAGER = 'job="alertmanager",instance="alertmanager:9093"'
NODE = 'job="node",instance="node-exporter:9100"'
WATCHDOG = '{alertname="Watchdog",alertstate="firing",component="observability",severity="none"}'
GROUPS = (
    "supercheck-recording-api",
    "supercheck-recording-capacity",
    "supercheck-recording-database",
    "supercheck-recording-edge",
    "supercheck-recording-storage",
    "supercheck-recording-dependency",
    "supercheck-recording-host",
    "supercheck-recording-queue",
    "supercheck-recording-queue-slow",
    "supercheck-recording-worker-slow",
    "supercheck-recording-worker",
    "supercheck-recording-slo",
    "supercheck-recording-slo-slow",
    "supercheck-recording-success",
    "supercheck-queue",
    "supercheck-worker",
    "supercheck-redis",
    "supercheck-database",
    "supercheck-capacity",
    "supercheck-monitor",
    "supercheck-edge",
    "supercheck-api",
    "supercheck-dependency",
    "supercheck-secrets",
    "supercheck-backup",
    "supercheck-storage",
    "supercheck-slo",
    "supercheck-host",
    "supercheck-observability",
)
TIMES = range(0, DAY + STEP, STEP)


@dataclass(frozen=True)
class Job:
    """Moments of one job, in seconds of the day: ready, started, finished."""

    ready: int
    start: int
    end: int


@dataclass(frozen=True)
class Queue:
    """What the queue does in the day, and who serves it."""

    name: str
    jobs: tuple[Job, ...]
    slots: int = 1
    schedules: int = 0
    key_ttl: int | None = None


def one_slot(arrivals: Iterable[tuple[int, int]]) -> tuple[Job, ...]:
    """Jobs, each (arrival, duration), as one slot works them off in order."""
    jobs: list[Job] = []
    for ready, duration in sorted(arrivals):
        start = max(ready + 1, jobs[-1].end if jobs else 0)
        jobs.append(Job(ready, start, start + duration))
    return tuple(jobs)


def queues() -> list[Queue]:
    """The nine queues that a fresh site has."""
    working_hours = range(8 * 3600, 20 * 3600, 600)
    tests = [(at + offset, 180) for at in working_hours for offset in (55, 58)] + [(2 * 3600 + 59, 180)]
    monitors = [(at + offset, 6) for at in range(0, DAY, 300) for offset in (57, 58, 59)]
    ticks = [(at + 56, 1) for at in range(0, DAY, 300)]
    return [
        Queue("playwright-global", one_slot(tests)),
        Queue("k6-global", ()),
        Queue("k6-local", one_slot([(12 * 3600 + 59, 65 * 60)])),
        Queue("monitor-local", one_slot(monitors)),
        Queue("job-scheduler", one_slot([(2 * 3600 + 58, 1)]), slots=5, schedules=1, key_ttl=604800),
        Queue("k6-job-scheduler", one_slot([(12 * 3600 + 58, 1)]), slots=5, schedules=1, key_ttl=604800),
        Queue("monitor-scheduler", one_slot(ticks), slots=5, schedules=3, key_ttl=604800),
        Queue("email-template-render", one_slot([(9 * 3600 + 59, 2)]), slots=5),
        Queue("data-lifecycle-cleanup", one_slot([(at + 59, 20) for at in range(0, DAY, 3600)]), schedules=9),
    ]


Value = Callable[[int], float | None]


def queue_series(queue: Queue) -> Iterator[tuple[str, Value]]:
    """Every series of the queue that a rule reads."""
    jobs = queue.jobs

    def waiting(t: int) -> list[Job]:
        return [job for job in jobs if job.ready <= t < job.start]

    def active(t: int) -> list[Job]:
        return [job for job in jobs if job.start <= t < job.end]

    def since(t: int) -> int:
        """When the exporter that answers at `t` began to follow the events."""
        return RESTART if t > RESTART else -1

    def counter(moment: Callable[[Job], int]) -> Value:
        return lambda t: len([job for job in jobs if since(t) < moment(job) <= t])

    def last(moment: Callable[[Job], int]) -> Value:
        return lambda t: max((moment(job) for job in jobs if since(t) < moment(job) <= t), default=None)

    def series(name: str, value: Value, labels: str = "") -> tuple[str, Value]:
        return f'supercheck_{name}{{queue="{queue.name}"{labels}}}', value

    yield series("queue_backlog_jobs", lambda t: len(waiting(t)))
    yield series("queue_capacity_jobs", lambda t: 10000)
    yield series("queue_run_budget_seconds", lambda t: 4800)
    yield series("queue_oldest_ready_job_age_seconds", lambda t: max((t - j.ready for j in waiting(t)), default=0))
    yield series("queue_oldest_active_job_age_seconds", lambda t: max((t - j.start for j in active(t)), default=0))
    yield series("queue_jobs", lambda t: len(active(t)), ',state="active"')
    yield series("queue_stalled_jobs", lambda t: 0)
    yield series("queue_paused", lambda t: 0)
    yield series("queue_schedules", lambda t: queue.schedules)
    if queue.schedules:
        yield series("queue_schedule_lateness_seconds", lambda t: max((t - j.ready for j in waiting(t)), default=0))
    if queue.key_ttl is not None:
        ttl = queue.key_ttl
        yield series("queue_schedule_key_ttl_seconds", lambda t: ttl - t)
    yield series("queue_jobs_completed_total", counter(lambda job: job.end))
    yield series("queue_added_jobs_total", counter(lambda job: job.ready))
    prompt = [job for job in jobs if job.start - job.ready <= 5]
    yield series("queue_job_wait_seconds_count", counter(lambda job: job.start))
    yield series(
        "queue_job_wait_seconds_bucket",
        lambda t: len([job for job in prompt if since(t) < job.start <= t]),
        ',le="5.0"',
    )
    yield series("queue_last_started_timestamp_seconds", last(lambda job: job.start))
    yield series("queue_last_finished_timestamp_seconds", last(lambda job: job.end))
    for name in ("queue_jobs_failed_total", "queue_jobs_stalled_total", "queue_events_lost_total"):
        yield series(name, lambda t: 0)
    yield series("workers_serving", lambda t: 1)
    yield series("queue_slots", lambda t: queue.slots)


def redis_series() -> Iterator[tuple[str, Value]]:
    """Redis as Supercheck's compose runs it: 256 MB, noeviction, nothing on disk, and no restart in this day."""

    def series(name: str, value: Value) -> tuple[str, Value]:
        return f'supercheck_redis_{name}{{node="redis:6379",role="master"}}', value

    yield series("node_up", lambda t: 1)
    yield series("start_timestamp_seconds", lambda t: -86400)
    yield series("keys", lambda t: 300 + t // 3600)
    yield series("memory_used_bytes", lambda t: 60_000_000 + t)
    yield series("memory_limit_bytes", lambda t: 268_435_456)
    yield series("persistence_enabled", lambda t: 0)
    yield series("eviction_policy_safe", lambda t: 1)


def exporter_series() -> Iterator[tuple[str, Value]]:
    """Everything that vanishes for the one scrape that the restart costs."""
    for queue in queues():
        yield from queue_series(queue)
    yield 'supercheck_workers{location="local"}', lambda t: 1
    yield 'supercheck_workers_desired{location="local"}', lambda t: 1
    yield from redis_series()
    yield from database_series()
    yield from capacity_series()
    yield from monitor_series()
    yield from edge_series()
    yield from span_series()
    yield from notification_series()
    yield from vault_series()
    yield from execution_series()
    yield from backup_series()
    yield from storage_series()
    yield from endpoint_series()
    yield from dependency_series()
    for name in (
        "queues",
        "queue_events",
        "workers",
        "redis",
        "pgbouncer",
        "postgres",
        "postgres_statements",
        "organization_capacity",
        "monitors",
        "rate_limits",
        "edge",
        "cdn",
        "notifications",
        "stored_secrets",
        "execution",
        "vault",
        "backups",
        "s3",
        "s3_lifecycle",
        "endpoints",
        "dependencies",
        "analytics",
    ):
        yield f'supercheck_scrape_collector_success{{collector="{name}",{EXPORTER}}}', lambda t: 1
    yield f"supercheck_queue_events_last_success_timestamp_seconds{{{EXPORTER}}}", lambda t: t
    yield f"supercheck_keyspace_scan_last_success_timestamp_seconds{{{EXPORTER}}}", lambda t: t - 30


def database_series() -> Iterator[tuple[str, Value]]:
    """A pooler and a server with room, and a backup from 3:00 on that reads every table whole for 8 minutes."""
    backup = range(3 * 3600, 3 * 3600 + 480)
    pool, database = 'database="supercheck",pool_user="app"', 'database="supercheck"'
    yield "supercheck_pgbouncer_up", lambda t: 1
    yield f'supercheck_pgbouncer_client_connections{{{pool},state="waiting"}}', lambda t: 0
    for state, connections in (("active", 3), ("idle", 7)):
        yield f'supercheck_pgbouncer_server_connections{{{pool},state="{state}"}}', lambda t, n=connections: n  # type: ignore[misc]
    yield f"supercheck_pgbouncer_pool_size_connections{{{database}}}", lambda t: 80
    yield f"supercheck_pgbouncer_oldest_wait_seconds{{{pool}}}", lambda t: 0.02 if t % 3600 == 0 else 0
    yield "supercheck_postgres_up", lambda t: 1
    yield f'supercheck_postgres_connections{{application="postgres.js",{database},state="idle"}}', lambda t: 40
    yield "supercheck_postgres_connection_limit", lambda t: 100
    yield (
        f"supercheck_postgres_oldest_transaction_age_seconds{{{database}}}",
        lambda t: t - backup.start if t in backup else 0,
    )
    yield f"supercheck_postgres_lock_waiters{{{database}}}", lambda t: 0
    yield f"supercheck_postgres_deadlocks_total{{{database}}}", lambda t: 4
    yield f"supercheck_postgres_transaction_id_age{{{database}}}", lambda t: 150_000_000 + t
    yield "supercheck_postgres_wal_archive_failures_total", lambda t: 1
    table = 'table="monitor_results"'
    yield f"supercheck_postgres_table_live_rows{{{table}}}", lambda t: 2_000_000
    yield (
        f"supercheck_postgres_table_sequential_rows_total{{{table}}}",
        lambda t: 250_000 * min(max(t - backup.start, 0), 480),
    )
    # 20 statements a second, one in 50 slow
    for edge, calls in (("0.1", 1176), ("0.25", 1200), ("+Inf", 1200)):
        yield (
            f'supercheck_postgres_query_seconds_bucket{{le="{edge}"}}',
            lambda t, n=calls: (t - RESTART if t > RESTART else t) // 60 * n,  # type: ignore[misc]
        )
    yield "supercheck_postgres_query_seconds_count", lambda t: (t - RESTART if t > RESTART else t) // 60 * 1200


def capacity_series() -> Iterator[tuple[str, Value]]:
    """One organization, which may run one and park ten: of two tests one is parked, for 3 minutes."""
    by = 'organization="acme",plan="none"'
    tests = queues()[0].jobs

    def since(t: int) -> list[int]:
        return [t - job.ready for job in tests if job.ready <= t < job.start]

    def running(t: int) -> int:
        return len([job for job in tests if job.start <= t < job.end])

    yield f"supercheck_organization_running_jobs{{{by}}}", running
    yield f"supercheck_organization_running_runs{{{by}}}", running
    yield f"supercheck_organization_queued_jobs{{{by}}}", lambda t: len(since(t))
    yield f"supercheck_organization_running_limit_jobs{{{by}}}", lambda t: 1
    yield f"supercheck_organization_queued_limit_jobs{{{by}}}", lambda t: 10
    yield f"supercheck_organization_oldest_queued_age_seconds{{{by}}}", lambda t: max(since(t), default=0)
    yield "supercheck_organizations_at_queue_limit", lambda t: 0
    parked = [job.start for job in tests if job.start - job.ready > 1]
    yield (
        "supercheck_admission_wait_seconds_count",
        lambda t: len([at for at in parked if (RESTART if t > RESTART else -1) < at <= t]),
    )
    yield 'supercheck_admission_wait_seconds_bucket{le="5.0"}', lambda t: 0
    for kind in ("running_completed", "queued_unparked"):
        yield f'supercheck_phantom_runs{{kind="{kind}"}}', lambda t: 1
    # one test in twenty fails, and in the whole day one run ends in error
    for status, share in (("passed", 20), ("failed", 1), ("error", 0)):
        yield (
            f'supercheck_runs_finished_total{{status="{status}"}}',
            lambda t, n=share: n * (t - RESTART if t > RESTART else t) // 3600 + (not n and t > RESTART),  # type: ignore[misc]
        )
    yield 'supercheck_retention_overdue_rows{entity="job_runs"}', lambda t: 40 + t // 3600


def monitor_series() -> Iterator[tuple[str, Value]]:
    """Three monitors of 5 minutes, a job of each type, one location."""
    yield "supercheck_monitor_staleness_intervals", lambda t: 1 if t % 300 == 0 else 0
    yield "supercheck_job_overdue_seconds", lambda t: 2 if t % 3600 == 0 else 0
    for queue, schedules in (("monitor-scheduler", 3), ("job-scheduler", 1), ("k6-job-scheduler", 1)):
        yield f'supercheck_schedules_expected{{queue="{queue}"}}', lambda t, n=schedules: n  # type: ignore[misc]
    yield 'supercheck_location_enabled{location="local"}', lambda t: 1
    # one target is down in the morning, and for three minutes of a restart every check fails
    failing = range(8 * 3600, 8 * 3600 + 1800)
    restart = range(10 * 3600, 10 * 3600 + 180)
    yield 'supercheck_location_workers{location="local"}', lambda t: 1
    yield 'supercheck_location_monitors{location="local"}', lambda t: 3
    for elsewhere, down in (("up", 0), ("down", 0), ("none", 1)):
        yield (
            f'supercheck_location_failing_monitors{{location="local",elsewhere="{elsewhere}"}}',
            lambda t, n=down: 3 * n if t in restart else n * (t in failing),  # type: ignore[misc]
        )
    yield (
        'supercheck_location_last_success_timestamp_seconds{location="local"}',
        lambda t: (restart.start if t in restart else t) - 10,
    )


def notification_series() -> Iterator[tuple[str, Value]]:
    """Two mails an hour, and in the whole day one message that Slack did not take."""
    for provider, status, hourly in (("email", "sent", 2), ("email", "failed", 0), ("slack", "sent", 0)):
        yield (
            f'supercheck_notifications_total{{provider="{provider}",status="{status}"}}',
            lambda t, n=hourly: n * (t - RESTART if t > RESTART else t) // 3600,  # type: ignore[misc]
        )
    failed = 'supercheck_notifications_total{provider="slack",status="failed"}'
    yield failed, lambda t: 1 if 9 * 3600 < t < RESTART else 0


def vault_series() -> Iterator[tuple[str, Value]]:
    """Two nodes, of which one restarts at 4:00; a token of a day that is renewed every 6 hours; nothing is old."""
    restart = range(4 * 3600, 4 * 3600 + 60)
    for node, standby in (("vault-1", 0), ("vault-2", 1)):
        yield f'supercheck_vault_up{{node="{node}"}}', lambda t, n=standby: int(not (n and t in restart))  # type: ignore[misc]
        yield f'supercheck_vault_sealed{{node="{node}"}}', lambda t: 0
        yield f'supercheck_vault_certificate_expiry_timestamp_seconds{{node="{node}"}}', lambda t: 40 * DAY
        yield f'supercheck_vault_standby{{node="{node}"}}', lambda t, n=standby: n  # type: ignore[misc]
    yield "supercheck_vault_audit_devices", lambda t: 1
    yield "supercheck_vault_token_ttl_seconds", lambda t: DAY - t % 21600
    yield "supercheck_vault_token_lifetime_seconds", lambda t: DAY
    yield 'supercheck_vault_secrets_overdue_rotation{mount="secret"}', lambda t: 0


def execution_series() -> Iterator[tuple[str, Value]]:
    """A pod a test, which starts at once; its Job counts for ten minutes after its end."""
    tests = queues()[0].jobs
    yield "supercheck_execution_oldest_pending_age_seconds", lambda t: 4 if any(job.start == t for job in tests) else 0
    for resource, limit, kept in (("pods", 10, 0), ("count/jobs.batch", 10, 600), ("requests.cpu", 4, 0)):
        labels = f'{{resource="{resource}"}}'
        yield (
            f"supercheck_execution_quota_used{labels}",
            lambda t, k=kept: len([job for job in tests if job.start <= t < job.end + k]),  # type: ignore[misc]
        )
        yield f"supercheck_execution_quota_limit{labels}", lambda t, n=limit: n  # type: ignore[misc]


def backup_series() -> Iterator[tuple[str, Value]]:
    """A full backup at 1:00 and an incremental one every 6 hours, each read back in 8 minutes; tested 30 days ago."""

    def last(every: int) -> Callable[[int], int]:
        return lambda t: (t - 3600 - 120) // every * every + 3600

    for kind, every, kept in (("full", DAY, 90), ("incremental", 6 * 3600, 360)):
        by, at = f'database="supercheck",type="{kind}"', last(every)
        yield f"supercheck_backup_last_success_timestamp_seconds{{{by}}}", at
        yield f"supercheck_backup_verification_failures{{{by}}}", lambda t, at=at: int(t - at(t) < 600)  # type: ignore[misc]
        yield f"supercheck_backup_retained{{{by}}}", lambda t, n=kept: n  # type: ignore[misc]
        yield f"supercheck_backup_oldest_timestamp_seconds{{{by}}}", lambda t: -90 * DAY
        yield f"supercheck_backup_encrypted{{{by}}}", lambda t: 1
        yield f"supercheck_backup_past_retention{{{by}}}", lambda t: 0
        yield f"supercheck_backup_last_size_bytes{{{by}}}", lambda t: 900_000
        yield f"supercheck_backup_median_size_bytes{{{by}}}", lambda t: 1_000_000
    yield 'supercheck_backup_last_restore_test_timestamp_seconds{database="supercheck"}', lambda t: -30 * DAY
    yield 'supercheck_backup_last_restore_test_success{database="supercheck"}', lambda t: 1


def storage_series() -> Iterator[tuple[str, Value]]:
    """Two buckets on a server of one's own, without lifecycle rules; listed each hour, and slow at night."""
    yield "supercheck_s3_up", lambda t: 1
    yield "supercheck_bucket_listing_interval_seconds", lambda t: 3600
    for edge, answers in (("1.0", 19), ("2.0", 19), ("5.0", 20), ("+Inf", 20)):
        # one answer in 20 takes longer than 2 seconds
        yield (
            f'supercheck_s3_operation_seconds_bucket{{operation="list",le="{edge}"}}',
            lambda t, n=answers: (t - RESTART if t > RESTART else t) // 600 * n,  # type: ignore[misc]
        )
    yield (
        'supercheck_s3_operation_seconds_count{operation="list"}',
        lambda t: (t - RESTART if t > RESTART else t) // 600 * 20,
    )
    yield 'supercheck_s3_operation_failures_total{operation="list"}', lambda t: t // 3600
    for bucket, old in (("playwright-job-artifacts", None), ("status-page-artifacts", 40_000)):
        by = f'bucket="{bucket}"'
        for state in ("readable", "missing", "forbidden", "failing"):
            yield f'supercheck_bucket_state{{{by},state="{state}"}}', lambda t, s=state: int(s == "readable")  # type: ignore[misc]
        yield f"supercheck_bucket_listing_last_success_timestamp_seconds{{{by}}}", lambda t: t - t % 3600
        yield f'supercheck_bucket_bytes{{{by},storage_class="STANDARD"}}', lambda t: 9_000_000_000
        yield f'supercheck_bucket_age_bytes{{{by},tier="over_90d"}}', lambda t, n=old: n or 0  # type: ignore[misc]
        yield f'supercheck_storage_monthly_cost_dollars{{{by},component="storage"}}', lambda t: 0
        yield f"supercheck_storage_monthly_cost_optimal_dollars{{{by}}}", lambda t: 0
    by = 'bucket="playwright-job-artifacts"'
    yield f"supercheck_bucket_lifecycle_rules{{{by}}}", lambda t: 0
    yield f'supercheck_bucket_misplaced_bytes{{{by},expected_class="EXPIRE"}}', lambda t: 0
    # an upload that is under way
    yield f"supercheck_bucket_oldest_incomplete_upload_timestamp_seconds{{{by}}}", lambda t: t - 600


def span_series() -> Iterator[tuple[str, Value]]:
    """By day a request a second, at night health checks; one in 100 fails, one in 50 is slow; a page with a loop."""
    request = 'service_name="supercheck-app",span_name="GET",span_kind="SPAN_KIND_SERVER"'
    calls = "traces_span_metrics_calls_total"

    def by_day(t: int) -> int:
        return min(max(t - 8 * 3600, 0), 10 * 3600)

    yield f'{calls}{{{request},status_code="STATUS_CODE_UNSET"}}', lambda t: by_day(t) * 99 // 100
    yield f'{calls}{{{request},status_code="STATUS_CODE_ERROR"}}', lambda t: by_day(t) // 100
    yield f'{calls}{{{request},status_code="STATUS_CODE_ERROR",http_route="/api/health"}}', lambda t: t // 30
    for edge, share in (("0.2", 98), ("0.5", 98), ("1", 100), ("+Inf", 100)):
        yield (
            f'traces_span_metrics_duration_seconds_bucket{{{request},le="{edge}"}}',
            lambda t, n=share: by_day(t) * n // 100,  # type: ignore[misc]
        )
    yield (
        'traces_span_metrics_repeated_queries_total{service_name="supercheck-app",span_name="GET"}',
        lambda t: by_day(t) // 300,
    )


def endpoint_series() -> Iterator[tuple[str, Value]]:
    """The app and a worker, which is restarted at 5:00 and not ready for two minutes; a certificate that is renewed."""
    restart = range(5 * 3600, 5 * 3600 + 120)
    renewed = 9 * 3600
    for endpoint in ("app", "worker"):
        yield (
            f'supercheck_endpoint_up{{endpoint="{endpoint}"}}',
            lambda t, e=endpoint: int(e == "app" or t not in restart),
        )  # type: ignore[misc]
        yield f'supercheck_endpoint_degraded{{endpoint="{endpoint}"}}', lambda t: 0
        away = restart if endpoint == "worker" else range(0)

        def failed(t: int, away: range = away) -> int:
            return min(max(t - away.start, 0), len(away)) // 15

        def probes(t: int) -> int:
            return (t - RESTART if t > RESTART else t) // 15

        # four probes a minute, each answered at once
        for outcome in ("ok", "degraded", "failed"):
            yield (
                f'supercheck_endpoint_probes_total{{endpoint="{endpoint}",outcome="{outcome}"}}',
                lambda t, o=outcome, f=failed: {  # type: ignore[misc]
                    "ok": probes(t) - (f(t) if t <= RESTART else 0),
                    "degraded": 0,
                    "failed": f(t) if t <= RESTART else 0,
                }[o],
            )  # fmt: skip
        yield f'supercheck_endpoint_seconds_count{{endpoint="{endpoint}"}}', probes
        yield f'supercheck_endpoint_seconds_bucket{{endpoint="{endpoint}",le="0.2"}}', probes
    yield (
        'supercheck_endpoint_certificate_expiry_timestamp_seconds{endpoint="app"}',
        lambda t: (90 if t >= renewed else 30) * DAY,
    )


def dependency_series() -> Iterator[tuple[str, Value]]:
    """An object store and a mail server that answer at once; at 10:00 a probe of the latter fails."""
    for dependency in ("s3", "smtp"):
        by = f'dependency="{dependency}"'
        yield f'supercheck_circuit_breaker_state{{{by},state="closed"}}', lambda t: 1
        for before, after in (("closed", "open"), ("half_open", "closed")):
            yield f'supercheck_circuit_breaker_transitions_total{{{by},from="{before}",to="{after}"}}', lambda t: 0
        yield f"supercheck_dependency_up{{{by}}}", lambda t, d=dependency: int(d == "s3" or t != 10 * 3600)  # type: ignore[misc]
        for edge in ("0.1", "2.0", "+Inf"):
            yield (
                f'supercheck_dependency_probe_seconds_bucket{{{by},le="{edge}"}}',
                lambda t: (t - RESTART if t > RESTART else t) // 60 * 4,
            )
    yield 'supercheck_dependency_certificate_expiry_timestamp_seconds{dependency="smtp"}', lambda t: 60 * DAY


def edge_series() -> Iterator[tuple[str, Value]]:
    """Requests at the edge by day, and in the morning a release, after which each static file is missed once."""
    release = range(9 * 3600, 9 * 3600 + 600)

    def so_far(t: int) -> int:
        """Seconds of work since the exporter that answers at `t` began."""
        began = RESTART if t > RESTART else 0
        return sum(max(0, min(t, end) - max(began, start)) for start, end in ((8 * 3600, 20 * 3600),))

    for kind, cache, share in (
        ("report", "hit", 97),
        ("report", "miss", 3),
        ("static", "hit", 990),
        ("static", "miss", 10),
    ):
        name, labels = "supercheck_edge_file_seconds", f'kind="{kind}",cache="{cache}"'
        missed = (
            (lambda t: min(max(t - release.start, 0), 600) // 6 * (t < RESTART)) if kind == "static" else lambda t: 0
        )

        def files(t: int, share: int = share, cache: str = cache, missed: Callable[[int], int] = missed) -> int:
            return so_far(t) * share // 100 + (missed(t) if cache == "miss" else 0)

        yield f"{name}_count{{{labels}}}", files
        if (kind, cache) == ("report", "hit"):
            yield f'{name}_bucket{{{labels},le="0.1"}}', lambda t, f=files: f(t) * 98 // 100  # type: ignore[misc]
            yield f'{name}_bucket{{{labels},le="0.25"}}', files
            yield f'{name}_bucket{{{labels},le="+Inf"}}', files
    for tier, rate in (("public", 1), ("authenticated", 8), ("admin", 0)):
        yield (
            f'supercheck_edge_requests_total{{tier="{tier}",cache="none",code="200"}}',
            lambda t, n=rate: so_far(t) * n,  # type: ignore[misc]
        )
        # a crawler, once an hour
        yield (
            f'supercheck_edge_refused_requests_total{{tier="{tier}",kind="tier"}}',
            lambda t, n=rate: so_far(t) // 3600 * 5 * (n == 1),  # type: ignore[misc]
        )
    yield 'supercheck_cdn_probe_up{target="logo"}', lambda t: 0 if t == 11 * 3600 else 1
    # a pipeline triggers as often as it may for 5 minutes, and somebody has forgotten a password
    yield 'supercheck_rate_limit_hottest_ratio{limiter="api_key"}', lambda t: 0.95 if t % 43200 < 360 else 0.1
    yield 'supercheck_rate_limit_hottest_ratio{limiter="password_reset"}', lambda t: 1 if t % 21600 < 900 else 0
    yield "supercheck_login_lockouts_total", lambda t: 0 if t > RESTART else t // 14400


def bundle_series() -> Iterator[tuple[str, Value]]:
    """What Prometheus says of its targets, itself and Alertmanager; a dead-man message a minute."""
    yield f"up{{{EXPORTER}}}", lambda t: 0 if t == RESTART else 1
    yield f"scrape_duration_seconds{{{EXPORTER}}}", lambda t: 10 if t == RESTART else 0.02
    yield f"up{{{PROMETHEUS}}}", lambda t: 1
    yield f"up{{{ALERTMANAGER}}}", lambda t: 1
    yield f'prometheus_rule_evaluation_failures_total{{rule_group="supercheck-queue",{PROMETHEUS}}}', lambda t: 0
    yield f'prometheus_notifications_errors_total{{alertmanager="http://alertmanager:9093",{PROMETHEUS}}}', lambda t: 0
    yield f"prometheus_notifications_alertmanagers_discovered{{{PROMETHEUS}}}", lambda t: 1
    yield from host_series()
    for integration, messages in (("webhook", 1), ("pagerduty", 0)):
        yield f'alertmanager_notifications_failed_total{{integration="{integration}",{ALERTMANAGER}}}', lambda t: 0
        yield (
            f'alertmanager_notifications_total{{integration="{integration}",{ALERTMANAGER}}}',
            lambda t, messages=messages: t // 60 * messages,  # type: ignore[misc]
        )


def host_series() -> Iterator[tuple[str, Value]]:
    """A disk on which a backup of 60 GB lies for two hours at night, a small one at 86 %, and what does not count."""
    backup = range(3 * 3600, 3 * 3600 + 1200)

    def main(t: int) -> int:
        made = min(max(t - backup.start, 0), 1200) * 50_000_000 * (t < backup.start + 7200)
        return 200_000_000_000 - t * 20_000 - made

    for mountpoint, fstype, size, free, readonly in (
        ("/", "ext4", 500_000_000_000, main, 0),
        ("/boot", "ext4", 1_000_000_000, lambda t: 140_000_000, 0),
        ("/run", "tmpfs", 800_000_000, lambda t: 0, 0),
        ("/snap/core", "squashfs", 100_000_000, lambda t: 0, 1),
        ("/media/cdrom", "udf", 4_000_000_000, lambda t: 0, 1),
    ):
        by = f'{NODE},device="{fstype}{mountpoint}",fstype="{fstype}",mountpoint="{mountpoint}"'
        yield f"node_filesystem_avail_bytes{{{by}}}", free
        yield f"node_filesystem_size_bytes{{{by}}}", lambda t, n=size: n  # type: ignore[misc]
        yield f"node_filesystem_readonly{{{by}}}", lambda t, n=readonly: n  # type: ignore[misc]
    yield f"up{{{NODE}}}", lambda t: 1


def telemetry_series() -> Iterator[tuple[str, Value]]:
    """The collectors and the stores; Tempo is restarted at four, and its queue holds what comes meanwhile."""
    restart = 4 * 3600
    collector = 'job="otel-collector",instance="otel-collector:8888"'
    for job, port in (
        ("otel-collector", 8888),
        ("log-collector", 8888),
        ("loki", 3100),
        ("jaeger", 8888),
        ("grafana", 3000),
    ):
        yield f'up{{job="{job}",instance="{job}:{port}"}}', lambda t: 1
    yield 'up{job="tempo",instance="tempo:3200"}', lambda t: int(t != restart)
    for store, signal in (("tempo", "traces"), ("jaeger", "traces"), ("loki", "logs")):
        labels = f'{collector},exporter="otlp_http/{store}",data_type="{signal}"'
        waiting = 900_000 if store == "tempo" else 4000
        yield f"otelcol_exporter_queue_size{{{labels}}}", lambda t, n=waiting: n if t == restart else 0  # type: ignore[misc]
        yield f"otelcol_exporter_queue_capacity{{{labels}}}", lambda t: 1 << 30
    for name in ("otelcol_receiver_refused_spans", "otelcol_receiver_refused_log_records"):
        yield f'{name}{{{collector},receiver="otlp",transport="http"}}', lambda t: 0
    yield f"otelcol_processor_tail_sampling_sampling_trace_dropped_too_early{{{collector}}}", lambda t: 0


def samples(value: Value, restarts: bool) -> Iterator[str]:
    """One text a step: the number, "stale" where the series ends, "_" while it is absent."""
    there = False
    for t in TIMES:
        number = None if restarts and t == RESTART else value(t)
        if number is None:
            yield "stale" if there else "_"
        else:
            yield f"{number:g}" if isinstance(number, float) else str(number)
        there = number is not None


def compress(texts: list[str]) -> str:
    """The notation of promtool: a run of equal steps as start+stepxcount, gaps as _xcount."""
    parts = []
    index = 0
    while index < len(texts):
        first, end = texts[index], index + 1
        step: int | None = None
        if first == "_":
            while end < len(texts) and texts[end] == "_":
                end += 1
            parts.append(f"_x{end - index}")
        elif "." in first or first == "stale":
            while end < len(texts) and texts[end] == first and first != "stale":
                end += 1
            parts.append(f"{first}x{end - index - 1}" if end - index > 1 else first)
        else:
            while end < len(texts) and texts[end].lstrip("-").isdigit():
                difference = int(texts[end]) - int(texts[end - 1])
                if step not in (None, difference):
                    break
                step = difference
                end += 1
            if step and end - index == 2:  # two different values are no run
                end, step = index + 1, None
            sign = "" if not step else f"{step:+d}"
            parts.append(f"{first}{sign}x{end - index - 1}" if end - index > 1 else first)
        index = end
    return " ".join(parts)


def render() -> str:
    """The whole file."""
    lines = [
        "# Made by healthy_site.py: do not edit. What the site does in this day is said there.",
        "rule_files:",
        "  - ../recording/*.yaml",
        "  - ../alerts/*.yaml",
        "evaluation_interval: 1m",
        "group_eval_order:",
        *(f"  - {group}" for group in GROUPS),
        "tests:",
        "  - name: a healthy small site is silent for a day",
        "    interval: 1m",
        "    input_series:",
    ]
    for series, value in exporter_series():
        lines.append(f"      - {{series: '{series}', values: '{compress(list(samples(value, True)))}'}}")
    for series, value in (*bundle_series(), *telemetry_series()):
        lines.append(f"      - {{series: '{series}', values: '{compress(list(samples(value, False)))}'}}")
    lines += [
        "    promql_expr_test:",
        "      # of all alerts, at every evaluation of the day, only the Watchdog fired: 1441 times",
        """      - expr: count_over_time(ALERTS{alertstate="firing"}[25h])""",
        "        eval_time: 24h",
        "        exp_samples:",
        f"          - labels: '{WATCHDOG}'",
        "            value: 1441",
        "      # and it was a day with work: tests waited, and the slot was busy",
        """      - expr: max_over_time(supercheck_queue_oldest_ready_job_age_seconds{queue=~"p.+"}[1d])""",
        "        eval_time: 24h",
        "        exp_samples:",
        """          - labels: '{queue="playwright-global"}'""",
        "            value: 122",
        '      - expr: max_over_time(queue:supercheck_worker_utilization:ratio{queue=~"play.+|k6-local"}[1d])',
        "        eval_time: 24h",
        "        exp_samples:",
        """          - labels: '{queue="k6-local"}'""",
        "            value: 1",
        """          - labels: '{queue="playwright-global"}'""",
        "            value: 1",
        "      # of its jobs many waited for longer than the objective says: with so few that is no news",
        '      - expr: objective:supercheck_slo_bad_events:ratio_rate1d{objective="queue-processing"} > bool 0.5',
        "        eval_time: 24h",
        "        exp_samples:",
        """          - labels: '{objective="queue-processing"}'""",
        "            value: 1",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")

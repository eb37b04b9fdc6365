"""Monitors, schedules and retention on a real PostgreSQL, beside the schedules of a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from servers.bullmq import BullMQ
from servers.exporter import Exporter
from servers.heartbeats import beat
from servers.postgres import PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from supercheck_exporter.watermark import BEHIND_SECONDS

CANARY = "canary-91bd"
UTC = "(now() AT TIME ZONE 'utc')"
ORGANIZATION = "00000000-0000-0000-0000-000000000001"
PROJECT = "00000000-0000-0000-0000-000000000002"


def ago(seconds: float) -> str:
    """SQL of a moment."""
    return f"{UTC} - interval '{seconds} seconds'"


@pytest.fixture(scope="module")
def site(postgres: PostgresServer) -> PostgresServer:
    """An organization with a project, and the plan of a self-hosted site."""
    postgres.run(
        "INSERT INTO plan_limits (plan, data_retention_days, aggregated_data_retention_days, job_data_retention_days) "
        "VALUES ('unlimited', 7, 90, 90), ('plus', 30, 30, 30)"
    )
    postgres.run(f"INSERT INTO organization (id, name) VALUES ('{ORGANIZATION}', '{CANARY}')")
    postgres.run(f"INSERT INTO projects (id, organization_id) VALUES ('{PROJECT}', '{ORGANIZATION}')")
    return postgres


@pytest.fixture(autouse=True)
def empty(site: PostgresServer) -> None:
    site.run("TRUNCATE monitor_results, monitors, jobs, runs, locations, monitor_aggregates, audit_logs, alert_history")


Watch = Callable[[], Exporter]


@pytest.fixture
def watch(site: PostgresServer) -> Iterator[Watch]:
    """Start an exporter on what is in the tables now, and wait for its first look at them."""
    with ExitStack() as stack:

        def start() -> Exporter:
            exporter = stack.enter_context(Exporter(site.exporter_env() | {"DATABASE_READ_SECONDS": "1"}))
            exporter.wait_value(1, "supercheck_scrape_collector_success", timeout=30, collector="monitors")
            return exporter

        yield start


def monitor(site: PostgresServer, *, every: int, checked: str, status: str = "up", enabled: bool = True) -> None:
    """A monitor that runs every so many minutes and was last checked then."""
    site.run(
        "INSERT INTO monitors (organization_id, project_id, name, target, config, frequency_minutes, enabled, status, "
        f"last_check_at, created_at) VALUES ('{ORGANIZATION}', '{PROJECT}', '{CANARY}', '{CANARY}', "
        f"'{{\"auth\": \"{CANARY}\"}}', {every}, {enabled}, '{status}', {checked}, {ago(9e6)})"
    )


def near(value: float | None, expected: float, within: float = 120) -> bool:
    return value is not None and expected <= value < expected + within


def test_the_most_overdue_enabled_monitor(site: PostgresServer, watch: Watch) -> None:
    monitor(site, every=5, checked=ago(20 * 60))  # three intervals after it was due
    monitor(site, every=60, checked=ago(70 * 60), status="down")
    monitor(site, every=5, checked=ago(2))
    monitor(site, every=1, checked=ago(9e5), status="paused")
    monitor(site, every=1, checked=ago(9e5), enabled=False)
    exporter = watch()
    samples = exporter.scrape("monitors")
    assert near(samples.value("supercheck_monitor_staleness_seconds"), 900)
    intervals = samples.value("supercheck_monitor_staleness_intervals")
    assert near(intervals, 4, 0.4)
    assert samples.values("supercheck_monitors", "status") == {
        "up": 3, "down": 1, "paused": 1, "pending": 0, "maintenance": 0, "error": 0,
    }  # fmt: skip
    assert samples.value("supercheck_schedules_expected", queue="monitor-scheduler") == 3
    assert CANARY not in samples.text + exporter.log()


def test_a_monitor_that_was_never_checked_counts_from_its_making(site: PostgresServer, watch: Watch) -> None:
    monitor(site, every=5, checked="NULL", status="pending")
    assert near(watch().scrape("monitors").value("supercheck_monitor_staleness_seconds"), 9e6 - 300)


def test_no_monitor_is_stale_where_there_is_none(watch: Watch) -> None:
    samples = watch().scrape("monitors")
    assert samples.value("supercheck_monitor_staleness_seconds") == 0
    assert samples.value("supercheck_monitor_staleness_intervals") == 0
    assert samples.values("supercheck_schedules_expected", "queue") == {
        "monitor-scheduler": 0, "job-scheduler": 0, "k6-job-scheduler": 0,
    }  # fmt: skip
    assert samples.value("supercheck_job_overdue_seconds") == 0


def test_scheduled_jobs_and_the_one_that_was_missed(site: PostgresServer, watch: Watch) -> None:
    for kind, cron, due in (
        ("playwright", "'* * * * *'", ago(600)),
        ("playwright", "'* * * * *'", ago(-600)),
        ("k6", "'0 3 * * *'", "NULL"),
        ("k6", "''", ago(9e5)),
        ("playwright", "NULL", ago(9e5)),
    ):
        site.run(f"INSERT INTO jobs (name, job_type, cron_schedule, next_run_at) VALUES ('x', '{kind}', {cron}, {due})")
    samples = watch().scrape("monitors")
    assert samples.value("supercheck_schedules_expected", queue="job-scheduler") == 2
    assert samples.value("supercheck_schedules_expected", queue="k6-job-scheduler") == 1
    assert samples.value("supercheck_jobs_overdue") == 1
    assert near(samples.value("supercheck_job_overdue_seconds"), 600)


def test_locations_and_results_since_the_start(site: PostgresServer, watch: Watch) -> None:
    site.run("INSERT INTO locations (code, is_enabled) VALUES ('local', true), ('eu-central', false)")
    name = "supercheck_monitor_results_total"

    def results(location: str, status: str, number: int, when: str) -> None:
        site.run(
            "INSERT INTO monitor_results (location, status, checked_at) "
            f"SELECT '{location}', '{status}', {when} FROM generate_series(1, {number})"
        )

    results("local", "up", 9, ago(600))  # before the exporter came
    exporter = watch()
    assert exporter.scrape("monitors").values("supercheck_location_enabled", "location") == {
        "local": 1, "eu-central": 0,
    }  # fmt: skip
    results("eu-central", "down", 2, UTC)
    results("local", "up", 3, UTC)  # the last one is waited for
    samples = exporter.wait_value(3, name, timeout=30, location="local", status="up")
    assert samples.value(name, location="eu-central", status="down") == 2
    assert exporter.scrape("monitors").value(name, location="local", status="up") == 3


def test_what_fails_at_which_location(site: PostgresServer, watch: Watch) -> None:
    """Four monitors at two locations, one of which loses its network; what was before the exporter came is seen."""
    site.run("INSERT INTO locations (code, is_enabled) VALUES ('eu', true), ('us', true), ('empty', true)")
    for _ in range(4):
        monitor(site, every=5, checked=UTC)
    monitor(site, every=5, checked=UTC, enabled=False)

    def check(location: str, status: str, when: str, among: str = "true") -> None:
        site.run(
            "INSERT INTO monitor_results (monitor_id, location, status, checked_at) "
            f"SELECT id, '{location}', '{status}', {when} FROM monitors WHERE {among}"
        )

    for location, status in (("eu", "up"), ("us", "up"), ("nowhere", "down")):
        check(location, status, ago(400))
    check("eu", "down", ago(300), "enabled")
    check("us", "timeout", ago(7200))  # longer ago than the first look goes back
    exporter = watch()
    failing, monitors = "supercheck_location_failing_monitors", "supercheck_location_monitors"
    samples = exporter.scrape("monitors")
    assert samples.values(monitors, "location") == {"eu": 4, "us": 4, "empty": 0}
    assert samples.value(failing, location="eu", elsewhere="up") == 4
    assert samples.value(failing, location="us", elsewhere="up") == 0
    assert samples.value(failing, location="empty", elsewhere="none") == 0
    success = "supercheck_location_last_success_timestamp_seconds"
    assert near(time.time() - (samples.value(success, location="eu") or 0), 400)
    assert samples.value(success, location="empty") is None
    just_now = ago(BEHIND_SECONDS - 2)  # what lies behind the watermark would not be seen
    check("us", "error", just_now, "enabled")
    samples = exporter.wait_value(4, failing, timeout=30, location="us", elsewhere="down")
    assert samples.value(failing, location="eu", elsewhere="down") == 4
    assert samples.value(failing, location="eu", elsewhere="up") == 0
    check("eu", "up", just_now, "enabled")
    samples = exporter.wait_value(4, failing, timeout=30, location="us", elsewhere="up")
    assert samples.value(failing, location="eu", elsewhere="down") == 0
    assert near(time.time() - (samples.value(success, location="eu") or 0), 8)


def test_workers_of_the_locations_that_the_database_names(site: PostgresServer, redis_server: RedisServer) -> None:
    """One is served by a worker of another location, one by nobody, and Redis knows neither."""
    name = "supercheck_location_workers"
    site.run("INSERT INTO locations (code, is_enabled) VALUES ('local', true), ('served', true), ('unserved', true)")
    client = redis_server.client()
    client.flushdb()
    beat(client, "host-a-1", "local", queues=["playwright-global", "k6-local", "monitor-local", "monitor-served"])
    beat(client, "host-b-1", "local", queues=["playwright-global"])  # as a new worker's first heartbeat has it
    env = redis_server.exporter_env() | site.exporter_env() | {"DATABASE_READ_SECONDS": "1"}
    with Exporter(env) as exporter:
        samples = exporter.wait_value(0, name, timeout=30, location="unserved")
        assert samples.values(name, "location") == {"local": 2, "served": 1, "unserved": 0}
        assert samples.values("supercheck_workers", "location") == {"local": 2}


def test_rows_past_their_retention(site: PostgresServer) -> None:
    day = 86400
    monitor(site, every=5, checked=UTC)
    for days, change in ((7.5, False), (8.5, False), (9, False), (400, True)):
        site.run(
            "INSERT INTO monitor_results (monitor_id, checked_at, is_status_change) "
            f"SELECT id, {ago(days * day)}, {change} FROM monitors"
        )
    for days in (29, 32, 100):
        site.run(f"INSERT INTO runs (project_id, status, created_at) VALUES ('{PROJECT}', 'passed', {ago(days * day)})")
    site.run(f"INSERT INTO jobs (id, name) VALUES ('{PROJECT}', 'x')")
    for days in (32, 92):
        site.run(
            "INSERT INTO runs (project_id, job_id, status, created_at) "
            f"VALUES ('{PROJECT}', '{PROJECT}', 'passed', {ago(days * day)})"
        )
    site.run(f"INSERT INTO monitor_aggregates (period_type, period_start) VALUES ('hourly', {ago(9 * day)})")
    site.run(f"INSERT INTO monitor_aggregates (period_type, period_start) VALUES ('daily', {ago(9 * day)})")
    site.run(f"INSERT INTO audit_logs (created_at) VALUES ({ago(300 * day)}), ({ago(367 * day)})")
    site.run(f"INSERT INTO alert_history (sent_at) VALUES ({ago(89 * day)}), ({ago(92 * day)})")
    with Exporter(site.exporter_env()) as exporter:
        samples = exporter.wait_value(1, "supercheck_retention_overdue_rows", entity="alert_history")
    assert samples.values("supercheck_retention_overdue_rows", "entity") == {
        "monitor_results": 2, "job_runs": 1, "playground_runs": 2, "monitor_aggregates_hourly": 1, "audit_logs": 1,
        "alert_history": 1,
    }  # fmt: skip


def test_the_schedule_key_warns_before_the_monitors_go_stale(site: PostgresServer, bullmq_newest: BullMQ,
                                                              redis_server: RedisServer) -> None:  # fmt: skip
    """Fact 13: the key gets a time to live, expires, nothing is scheduled, and only then checks are late."""
    queue = "monitor-scheduler"
    monitor(site, every=5, checked=UTC)
    bullmq_newest.queue(queue).schedule("one", {"every": 300_000})
    client = redis_server.client()
    client.pexpire(f"bull:{queue}:repeat", 600_000)
    env = redis_server.exporter_env() | site.exporter_env() | {"DATABASE_READ_SECONDS": "1"}
    with Exporter(env) as exporter:
        exporter.wait_value(1, "supercheck_schedules_expected", timeout=30, queue=queue)
        before = exporter.wait_value(1, "supercheck_queue_schedules", queue=queue)
        ttl = before.value("supercheck_queue_schedule_key_ttl_seconds", queue=queue)
        assert ttl is not None  # what QueueSchedulesWillVanish reads, while all is well
        assert ttl < 601
        assert before.value("supercheck_monitor_staleness_seconds") == 0
        client.pexpire(f"bull:{queue}:repeat", 1)
        gone = exporter.wait_value(0, "supercheck_queue_schedules", queue=queue)
        assert gone.value("supercheck_schedules_expected", queue=queue) == 1  # what QueueSchedulesGone compares with
        site.run(f"UPDATE monitors SET last_check_at = {ago(1500)}")

        def intervals() -> float | None:
            return exporter.scrape("monitors").value("supercheck_monitor_staleness_intervals")

        wait_for(lambda: near(intervals(), 5, 0.4), 60, "the monitor is five intervals old")


def test_a_missing_grant_is_named(site: PostgresServer, watch: Watch) -> None:
    exporter = watch()
    site.run("REVOKE SELECT (last_check_at) ON monitors FROM supercheck_exporter")
    try:
        samples = exporter.wait_value(0, "supercheck_scrape_collector_success", timeout=30, collector="monitors")
        page = exporter.page("/")
    finally:
        site.make_role()
    assert samples.value("supercheck_scrape_collector_success", collector="postgres") == 1
    assert samples.value("supercheck_monitors", status="up") is None, "what was read before is not passed off as new"
    assert "permission denied for table monitors" in page
    assert "role.sql" in page
    exporter.wait_value(1, "supercheck_scrape_collector_success", timeout=30, collector="monitors")

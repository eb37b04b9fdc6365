"""Runs that pile up, schedules that expire, a job that is not started: from the site's own rows and keys to the page.

The site is the demo's small Supercheck on real BullMQ, Redis and PostgreSQL, its times divided as the rules' durations
are (shorten.py). All faults are made at once; the tests wait for what comes of each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from e2e.shorten import shortened_thresholds
from e2e.stack import Stack
from servers.process import wait_for
from supercheck_exporter.thresholds import load_thresholds

RUN_QUEUES = ("playwright-global", "k6-global", "k6-local")
BLIND = "eu-central"  # a location that loses its network
KEY = "bull:monitor-scheduler:repeat"
LEFT_SECONDS = 20  # of the week that the schedules' key lives
FIRE_SECONDS = 100.0
LIMITS = load_thresholds(shortened_thresholds())


@dataclass(frozen=True)
class Trouble:
    """The site after the faults, and when they came, in Unix seconds."""

    stack: Stack
    began: float
    key_expires: float


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The healthy site, watched."""
    with Stack(tmp_path_factory.mktemp("rendered"), supercheck=True) as running:
        yield running


@pytest.fixture(scope="module")
def trouble(stack: Stack) -> Trouble:
    """Runs are not executed, the monitors' schedules are about to expire, the jobs' ones have, a location is blind."""
    for name in ("supercheck_runs_finished_total", "supercheck_monitor_results_total"):
        wait_for(lambda name=name: stack.prometheus.value(f"sum({name}) > 5"), 60, f"{name} counts")  # type: ignore[misc]
    assert stack.prometheus.firing(component="capacity") == []
    assert stack.prometheus.firing(component="monitor") == []
    assert stack.prometheus.firing(queue="monitor-scheduler") == []
    began = time.time()
    redis = stack.redis.client()
    for name in RUN_QUEUES:
        stack.site.bullmq.queue(name).pause()
    redis.pexpire("bull:job-scheduler:repeat", 1)
    week = redis.pttl(KEY)
    assert isinstance(week, int)
    assert week > 1000 * LIMITS["queue_schedule_ttl_warning_seconds"], "as the app's cleanup left it"
    redis.expire(KEY, LEFT_SECONDS)
    assert stack.database is not None
    stack.database.server.run(f"INSERT INTO locations (code) VALUES ('{BLIND}')")
    for status, ago in (("up", 20), ("timeout", 0)):
        stack.database.server.run(
            "INSERT INTO monitor_results (monitor_id, location, status, checked_at) SELECT id, "
            f"'{BLIND}', '{status}', now() AT TIME ZONE 'utc' - interval '{ago} seconds' FROM monitors"
        )
    return Trouble(stack, began, time.time() + LEFT_SECONDS)


@pytest.mark.promise("told before schedules expire")
@pytest.mark.promise("page arrives")
def test_schedules_that_expire_are_told_before_monitors_go_stale(trouble: Trouble) -> None:
    """The 7-day life of the schedules' key: no error is shown anywhere when it ends, so the warning must come first."""
    stack = trouble.stack
    stack.sinks.wait_message(
        "pagerduty", "firing", "QueueSchedulesWillVanish (queue monitor-scheduler)", FIRE_SECONDS, trouble.began
    )
    (warned,) = stack.alertmanager.alerts(
        alertname="QueueSchedulesWillVanish", severity="critical", queue="monitor-scheduler"
    )
    page = stack.sinks.wait_message("pagerduty", "firing", "MonitorsStale", FIRE_SECONDS, trouble.began)
    assert any(link.endswith("/runbooks/MonitorsStale") for link in page.links)
    (stale,) = stack.alertmanager.alerts(alertname="MonitorsStale")
    assert warned.since < trouble.key_expires < stale.since
    # checked to the end, and never since
    assert stack.database is not None
    last = stack.database.server.run(
        "SELECT extract(epoch FROM max(last_check_at) AT TIME ZONE 'utc')::float8 AS at FROM monitors"
    )
    assert warned.since < last[0]["at"] < stale.since


@pytest.mark.promise("page arrives")
def test_a_scheduled_job_that_is_not_started_pages(trouble: Trouble) -> None:
    page = trouble.stack.sinks.wait_message("pagerduty", "firing", "ScheduledJobsMissed", FIRE_SECONDS, trouble.began)
    assert "CRITICAL" in page.title
    assert any(link.endswith("/d/supercheck-capacity") for link in page.links)


@pytest.mark.promise("page arrives")
def test_a_location_from_which_all_checks_fail_pages(trouble: Trouble) -> None:
    """The same monitors are up from `local`, which is not named."""
    page = trouble.stack.sinks.wait_message(
        "pagerduty", "firing", f"LocationDown (location {BLIND})", FIRE_SECONDS, trouble.began
    )
    assert any(link.endswith("/runbooks/LocationDown") for link in page.links)
    (alert,) = trouble.stack.prometheus.alerts(alertname="LocationDown")
    assert alert.labels["location"] == BLIND
    assert alert.annotations["value"] == "5 monitors fail"  # the sixth is paused
    # its own ticket names the cause
    trouble.stack.sinks.wait_message("slack", "firing", "LocationWithoutWorkers", FIRE_SECONDS, trouble.began)


@pytest.mark.promise("page arrives")
def test_an_organization_at_its_queue_limit_is_named(trouble: Trouble) -> None:
    message = trouble.stack.sinks.wait_message(
        "slack", "firing", "OrganizationAtQueueLimit", FIRE_SECONDS, trouble.began
    )
    assert "organization corner-shop" in message.title
    (limit,) = trouble.stack.prometheus.alerts(alertname="OrganizationAtQueueLimit", organization="corner-shop")
    assert limit.labels["plan"] == "free"
    assert limit.annotations["value"] == "5 parked"
    # as Supercheck writes it
    assert trouble.stack.database is not None
    refused = "SELECT count(*) AS rows FROM runs WHERE error_details LIKE 'Queue capacity limit reached%'"
    wait_for(lambda: trouble.stack.database.server.run(refused)[0]["rows"], 60, "runs are refused")  # type: ignore[union-attr]


@pytest.mark.promise("page arrives")
def test_an_organization_that_holds_nearly_all_slots_is_named(trouble: Trouble) -> None:
    message = trouble.stack.sinks.wait_message(
        "slack", "firing", "OrganizationMonopolizesWorkers", FIRE_SECONDS, trouble.began
    )
    assert "organization acme" in message.title

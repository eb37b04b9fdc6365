"""What is used, on a real PostgreSQL: a day, a month, plans, the counters on organizations, the cloud's events."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.exporter import Exporter
from servers.postgres import PostgresServer
from servers.process import wait_for

CANARY = "canary-77aa"
UTC = "(now() AT TIME ZONE 'utc')"
RUNS, DAY_RUNS = "supercheck_plan_runs_total", "supercheck_organization_day_runs"
FAST = {"ANALYTICS_READ_SECONDS": "0.2"}


def organization(site: PostgresServer, number: int, slug: str, plan: str = "NULL", used: str = "0, 0, 0") -> str:
    """An organization with a project of the same id, which is returned."""
    id_ = f"00000000-0000-0000-0000-{number:012d}"
    site.run(
        "INSERT INTO organization (id, name, slug, subscription_plan, playwright_minutes_used, k6_vu_minutes_used, "
        f"ai_credits_used) VALUES ('{id_}', '{CANARY}', '{slug}', {plan}, {used})"
    )
    site.run(f"INSERT INTO projects (id, organization_id) VALUES ('{id_}', '{id_}')")
    return id_


def ran(site: PostgresServer, project: str, status: str, ago: str, number: int = 1, ms: int = 30_000) -> None:
    """Runs of a project that ended so long ago."""
    site.run(
        "INSERT INTO runs (project_id, status, completed_at, duration_ms, error_details) "
        f"SELECT '{project}', '{status}', {UTC} - interval '{ago}', {ms}, '{CANARY}' FROM generate_series(1, {number})"
    )


@pytest.fixture
def site(postgres: PostgresServer) -> PostgresServer:
    postgres.run("TRUNCATE runs, usage_events, projects, organization CASCADE")
    return postgres


@pytest.fixture
def exporter(site: PostgresServer) -> Iterator[Exporter]:
    with Exporter(site.exporter_env() | FAST) as process:
        yield process


def test_a_day_by_organization_and_a_month_of_activity(site: PostgresServer) -> None:
    busy = organization(site, 1, "busy", "'pro'", "120, 30, 7")
    calm = organization(site, 2, "calm", "'plus'", "5, 0, 0")
    ran(site, busy, "passed", "2 hours", 30)
    ran(site, busy, "failed", "20 hours", 6)
    ran(site, busy, "passed", "26 hours", 500)  # of yesterday
    ran(site, calm, "passed", "12 days", 3)
    ran(site, calm, "error", "40 days", 3)  # before the month
    ran(site, busy, "running", "1 hours")  # a phantom: it ended and says that it runs
    ran(site, busy, "strange", "1 hours")
    with Exporter(site.exporter_env() | FAST) as exporter:
        samples = exporter.wait_value(30, DAY_RUNS, organization="busy", status="passed", timeout=60)
    assert samples.value(DAY_RUNS, organization="busy", plan="pro", status="failed") == 6
    assert samples.value(DAY_RUNS, organization="busy", status="other") == 1
    assert samples.value(DAY_RUNS, organization="busy", status="running") is None
    assert samples.value(DAY_RUNS, organization="calm", plan="plus", status="passed") == 0
    assert samples.value("supercheck_organization_day_run_seconds", organization="busy") == 37 * 30
    assert samples.value("supercheck_organization_playwright_used_seconds", organization="busy") == 7200
    assert samples.value("supercheck_organization_k6_used_vu_seconds", organization="busy") == 1800
    assert samples.value("supercheck_organization_ai_credits_used", organization="busy") == 7
    active = "supercheck_active_organizations"
    assert [samples.value(active, plan=plan, span="day") for plan in ("pro", "plus")] == [1, 0]
    assert [samples.value(active, plan=plan, span="month") for plan in ("pro", "plus")] == [1, 1]
    assert samples.values("supercheck_plan_organizations", "plan") == {"pro": 1, "plus": 1}
    # what was before the start is no increase
    assert samples.value(RUNS, plan="pro", status="passed") == 0
    assert samples.value("supercheck_plan_usage_units_total", plan="pro") is None
    assert CANARY not in samples.text + exporter.log()


def test_totals_rise_with_the_runs_that_end_after_the_start(site: PostgresServer, exporter: Exporter) -> None:
    one = organization(site, 1, "one")
    exporter.wait_value(0, RUNS, plan="none", status="passed", timeout=60)
    ran(site, one, "passed", "10 seconds", 2, ms=90_000)
    ran(site, one, "failed", "10 seconds", 1, ms=10_000)
    samples = exporter.wait_value(190, "supercheck_plan_run_seconds_total", plan="none", timeout=60)
    assert samples.values(RUNS, "status") == {"passed": 2, "failed": 1, "error": 0, "blocked": 0}
    assert samples.value(DAY_RUNS, organization="one", plan="none", status="passed") == 2


def test_only_the_top_organizations_have_series_and_nothing_is_lost(site: PostgresServer) -> None:
    for number in range(1, 6):
        plan = "'pro'" if number < 4 else "'plus'"
        ran(site, organization(site, number, f"o{number}", plan, f"{number}, 0, 1"), "passed", "3 hours", number)
    env = site.exporter_env() | FAST | {"ANALYTICS_TOP_ORGANIZATIONS": "2"}
    with Exporter(env) as exporter:
        samples = exporter.wait_value(5, DAY_RUNS, organization="o5", status="passed", timeout=60)
    assert samples.values(DAY_RUNS, "organization", status="passed") == {"o5": 5, "o4": 4, "other": 6}
    assert samples.value(DAY_RUNS, organization="other", plan="pro", status="passed") == 6
    assert samples.value("supercheck_organization_ai_credits_used", organization="other", plan="pro") == 3


def test_in_the_cloud_usage_events_are_counted(site: PostgresServer) -> None:
    one = organization(site, 1, "one", "'pro'")
    event = (
        "INSERT INTO usage_events (organization_id, event_type, units, created_at) "
        f"VALUES ('{one}', '{{}}', {{}}, {UTC} - interval '{{}}')"
    )
    units = "supercheck_plan_usage_units_total"
    site.run(event.format("ai_usage", 40, "1 hour"))  # before the start
    cloud = {"SELF_HOSTED": "false", "POLAR_ACCESS_TOKEN": CANARY}
    with Exporter(site.exporter_env() | FAST | cloud) as exporter:
        exporter.wait_value(0, RUNS, plan="pro", status="passed", timeout=60)
        site.run(event.format("monitor_execution", 1.5, "10 seconds"))
        site.run(event.format("ai_usage", 3, "10 seconds"))
        samples = exporter.wait_value(3, units, plan="pro", type="ai_usage", timeout=60)
    assert samples.values(units, "type") == {"ai_usage": 3, "monitor_execution": 1.5}


def test_a_role_of_before_is_told_what_to_grant(site: PostgresServer) -> None:
    site.run("REVOKE SELECT (duration_ms) ON runs FROM supercheck_exporter")
    try:
        with Exporter(site.exporter_env() | FAST) as exporter:
            wait_for(
                lambda: "grant it as exporters/sql/role.sql" in exporter.log(), 30, "the log says what is to be granted"
            )
            samples = exporter.scrape("analytics")
        assert samples.value("supercheck_scrape_collector_success", collector="analytics") == 0
    finally:
        site.run("GRANT SELECT (duration_ms) ON runs TO supercheck_exporter")

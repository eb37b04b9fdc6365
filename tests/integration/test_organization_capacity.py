"""Organizations against their limits, on a real Redis and a real PostgreSQL."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator

import pytest
from servers.exporter import Exporter, Samples
from servers.postgres import PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer

CANARY = "canary-5e1d"
ACME, IDLE, BIG = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
PROJECT = {organization: str(uuid.UUID(int=100 + at)) for at, organization in enumerate((ACME, IDLE, BIG))}
UTC = "(now() AT TIME ZONE 'utc')"
CLOUD = {"POLAR_ACCESS_TOKEN": f"{CANARY}-token"}


def scraped(exporter: Exporter, organization: str, queued: float | None, running: float | None) -> Samples:
    """The scrape that shows these counters of an organization, and all else that was read in the background."""

    def shows() -> Samples | None:
        samples = exporter.scrape("organization_capacity")
        found = [
            samples.value(f"supercheck_organization_{name}_jobs", organization=organization)
            for name in ("queued", "running")
        ]
        whole = samples.value("supercheck_scrape_collector_success", collector="organization_capacity") == 1
        return samples if whole and found == [queued, running] else None

    return wait_for(shows, 60.0, f"{organization} holds {running} and has {queued} parked")  # type: ignore[return-value]


def park(redis: RedisServer, organization: str, runs: int, age: float = 60.0) -> list[str]:
    """Park runs as the app does, the payload with its secrets beside them."""
    client, since = redis.client(), (time.time() - age) * 1000
    ids = [str(uuid.uuid4()) for _ in range(runs)]
    for run in ids:
        client.set(f"capacity:job:{run}", json.dumps({"secrets": CANARY}))
        client.set(f"capacity:org:{run}", organization)
    client.zadd(f"capacity:queued:{organization}", dict.fromkeys(ids, since))
    return ids


@pytest.fixture(scope="module")
def site(postgres: PostgresServer) -> PostgresServer:
    """Three organizations of two plans."""
    postgres.run("INSERT INTO plan_limits (plan, running_capacity, queued_capacity) VALUES ('pro', 10, 100), "
                 "('unlimited', 999, 9999), ('plus', 5, 50)")  # fmt: skip
    for organization, slug, plan in ((ACME, "acme", "pro"), (IDLE, "idle", "plus"), (BIG, "big", "enterprise")):
        postgres.run(
            "INSERT INTO organization (id, name, slug, subscription_plan, subscription_status) "
            f"VALUES ('{organization}', '{CANARY}', '{slug}', '{plan}', 'active')"
        )
        postgres.run(f"INSERT INTO projects (id, organization_id) VALUES ('{PROJECT[organization]}', '{organization}')")
    return postgres


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def runs(postgres: PostgresServer, organization: str, status: str, number: int = 1, **columns: str) -> None:
    """Rows of runs; the columns are SQL."""
    names = "".join(f", {name}" for name in columns)
    values = "".join(f", {value}" for value in columns.values())
    postgres.run(
        f"INSERT INTO runs (project_id, status{names}) SELECT '{PROJECT[organization]}', '{status}'{values} "
        f"FROM generate_series(1, {number})"
    )


@pytest.fixture(autouse=True)
def no_runs(site: PostgresServer) -> None:
    site.run("DELETE FROM runs")


def test_an_organization_at_its_limit_is_named(site: PostgresServer, redis: RedisServer) -> None:
    park(redis, ACME, 100, age=90)
    redis.client().set(f"capacity:running:{ACME}", 10)
    redis.client().set(f"capacity:running:{BIG}", 4)
    env = redis.exporter_env() | site.exporter_env() | CLOUD
    with Exporter(env) as exporter:
        samples = scraped(exporter, "acme", 100, 10)
        text = samples.text
        assert samples.value("supercheck_organization_queued_limit_jobs", organization="acme", plan="pro") == 100
        assert samples.value("supercheck_organization_running_limit_jobs", organization="acme", plan="pro") == 10
        # no such row in plan_limits: the configured tier
        assert samples.value("supercheck_organization_running_limit_jobs", organization="big", plan="enterprise") == 20
        assert samples.value("supercheck_organizations_at_queue_limit") == 1
        assert samples.value("supercheck_organizations") == 3
        age = samples.value("supercheck_organization_oldest_queued_age_seconds", organization="acme")
        assert age is not None
        assert 90 <= age < 600
        assert (
            exporter.scrape("organization_capacity").value(
                "supercheck_scrape_collector_success", collector="organization_capacity"
            )
            == 1
        )
        assert CANARY not in text + exporter.log() + exporter.page("/")


def test_self_hosted_every_organization_has_the_limits_of_the_settings(
    site: PostgresServer, redis: RedisServer
) -> None:
    park(redis, ACME, 3)
    env = redis.exporter_env() | site.exporter_env() | CLOUD | {"SELF_HOSTED": "true", "RUNNING_CAPACITY": "1"}
    with Exporter(env) as exporter:
        samples = scraped(exporter, "acme", 3, 0)
        assert samples.value("supercheck_organization_running_limit_jobs", organization="acme") == 1
        assert samples.value("supercheck_organization_queued_limit_jobs", organization="acme") == 50


def test_the_counter_in_redis_beside_the_rows(site: PostgresServer, redis: RedisServer) -> None:
    """Drift: three slots by Redis, five rows that run, and two phantoms that do not count."""
    redis.client().set(f"capacity:running:{ACME}", 3)
    runs(site, ACME, "running", 5)
    runs(site, ACME, "running", 2, completed_at=f"{UTC} - interval '1 minute'")
    with Exporter(redis.exporter_env() | site.exporter_env()) as exporter:
        samples = scraped(exporter, "acme", 0, 3)
        assert samples.value("supercheck_organization_running_runs", organization="acme") == 5
        assert samples.value("supercheck_runs", status="running") == 5
        assert samples.value("supercheck_phantom_runs", kind="running_completed") == 2


def test_a_queued_row_that_is_parked_nowhere_is_a_phantom(site: PostgresServer, redis: RedisServer) -> None:
    (parked,) = park(redis, ACME, 1)
    runs(site, ACME, "queued", id=f"'{parked}'::uuid", created_at=f"{UTC} - interval '1 hour'")
    runs(site, ACME, "queued", 3, created_at=f"{UTC} - interval '1 hour'")
    runs(site, ACME, "queued", 4, created_at=f"{UTC} - interval '25 hours'")  # not of this day
    runs(site, ACME, "queued", 5)  # perhaps on its way to Redis
    with Exporter(redis.exporter_env() | site.exporter_env()) as exporter:
        samples = scraped(exporter, "acme", 1, 0)
        assert samples.value("supercheck_phantom_runs", kind="queued_unparked") == 3
        assert samples.value("supercheck_phantom_runs", kind="running_completed") == 0
        assert samples.value("supercheck_runs", status="queued") == 13


def test_finished_runs_are_counted_once_and_only_those_since_the_start(
    site: PostgresServer, redis: RedisServer
) -> None:
    runs(site, ACME, "passed", 7, completed_at=f"{UTC} - interval '1 hour'")
    name = "supercheck_runs_finished_total"
    with Exporter(redis.exporter_env() | site.exporter_env()) as exporter:
        exporter.wait_value(0, name, status="passed")
        for status, count in (("error", 1), ("unheard-of", 1), ("passed", 2)):  # the last one is waited for
            runs(site, ACME, status, count, completed_at=UTC)
        samples = exporter.wait_value(2, name, timeout=30, status="passed")
        assert samples.values(name, "status") == {"passed": 2, "failed": 0, "error": 1, "blocked": 0, "other": 1}
        assert exporter.scrape("organization_capacity").values(name, "status")["passed"] == 2


def test_the_wait_for_admission_is_from_parked_to_added(redis: RedisServer) -> None:
    """A promoted run leaves the parked ones and is added to a queue under its id."""
    (run,) = park(redis, ACME, 1, age=20)
    with Exporter(redis.exporter_env() | {"BULLMQ_QUEUES": "playwright-global"}) as exporter:
        exporter.wait_follows()
        scraped(exporter, ACME, 1, 0)
        client = redis.client()
        client.zrem(f"capacity:queued:{ACME}", run)
        client.xadd("bull:playwright-global:events", {"event": "added", "jobId": run, "name": run})
        client.xadd("bull:playwright-global:events", {"event": "added", "jobId": str(uuid.uuid4()), "name": "x"})
        samples = exporter.wait_value(1, "supercheck_admission_wait_seconds_count")
        waits = samples.histogram("supercheck_admission_wait_seconds")
    assert waits is not None
    assert waits.buckets[10] == 0
    assert 20 <= waits.total < 600


def test_a_tenant_that_monopolizes_is_seen_beside_the_one_that_waits(site: PostgresServer, redis: RedisServer) -> None:
    redis.client().set(f"capacity:running:{BIG}", 19)
    redis.client().set(f"capacity:running:{ACME}", 1)
    park(redis, ACME, 2, age=400)
    with Exporter(redis.exporter_env() | site.exporter_env() | CLOUD) as exporter:
        samples = scraped(exporter, "acme", 2, 1)
    held = samples.values("supercheck_organization_running_jobs", "organization")
    assert held["big"] / sum(held.values()) > 0.8
    ages = samples.values("supercheck_organization_oldest_queued_age_seconds", "organization")
    assert ages["acme"] > 300
    assert ages["big"] == 0


def test_ten_thousand_organizations_are_few_series(site: PostgresServer, redis: RedisServer) -> None:
    """The fullest are shown, the rest is summed, and the total is of all of them."""
    number = 10_000
    client = redis.client()
    with client.pipeline(transaction=False) as pipe:
        for at in range(number):
            pipe.set(f"capacity:running:00000000-0000-0000-0001-{at:012d}", 1)
            pipe.zadd(f"capacity:queued:00000000-0000-0000-0001-{at:012d}", {f"run-{at}": 1_700_000_000_000})
        pipe.execute()
    park(redis, ACME, 100)
    env = redis.exporter_env() | site.exporter_env() | CLOUD | {"CAPACITY_TOP_ORGANIZATIONS": "5"}
    with Exporter(env) as exporter:
        samples = scraped(exporter, "acme", 100, 0)
        parked = samples.values("supercheck_organization_queued_jobs", "organization")
        assert len(parked) == 6
        assert sum(parked.values()) == number + 100
        assert parked["other"] == number - 4
        assert samples.value("supercheck_organization_queued_limit_jobs", organization="other") is None
        assert samples.value("supercheck_organizations_at_queue_limit") == 1
        assert len(samples) < 100


def test_redis_alone_knows_the_counters_and_no_limits(redis: RedisServer) -> None:
    redis.client().set(f"capacity:running:{ACME}", 2)
    with Exporter(redis.exporter_env()) as exporter:
        samples = scraped(exporter, ACME, 0, 2)
        assert samples.value("supercheck_organization_running_jobs", organization=ACME, plan="unknown") == 2
        for name in ("running_limit_jobs", "queued_limit_jobs", "running_runs"):
            assert samples.value(f"supercheck_organization_{name}", organization=ACME) is None
        assert samples.value("supercheck_organizations") is None
        assert samples.value("supercheck_organizations_at_queue_limit") == 0  # nothing is parked at all


def test_a_frozen_database_costs_its_own_half(redis: RedisServer) -> None:
    redis.client().set(f"capacity:running:{ACME}", 2)
    with PostgresServer(statements=False) as server:
        env = (
            redis.exporter_env()
            | server.exporter_env()
            | {"DATABASE_TIMEOUT_SECONDS": "2", "DATABASE_READ_SECONDS": "1"}
        )
        with Exporter(env) as exporter:
            scraped(exporter, ACME, 0, 2)
            server.freeze()
            samples = exporter.wait_value(
                0, "supercheck_scrape_collector_success", timeout=30, collector="organization_capacity"
            )
            server.thaw()
    assert samples.value("supercheck_organization_running_jobs", organization=ACME) == 2
    assert samples.value("supercheck_runs", status="running") is None
    assert samples.value("supercheck_organization_running_runs", organization=ACME) is None


@pytest.mark.promise("privacy")
def test_the_parked_payload_is_never_read(site: PostgresServer, redis: RedisServer) -> None:
    """Not by a command of any kind: whoever watches Redis's commands sees no such key."""
    park(redis, ACME, 3)
    client = redis.client()
    client.config_resetstat()
    with client.monitor() as monitor, Exporter(redis.exporter_env() | site.exporter_env()) as exporter:
        scraped(exporter, "acme", 3, 0)
        client.set("the-end", 1)
        seen = []
        for command in monitor.listen():
            if "the-end" in command["command"]:
                break
            seen.append(command["command"])
        assert CANARY not in exporter.page("/metrics") + exporter.log()
    assert any("capacity:queued:" in text for text in seen)
    assert not [text for text in seen if "capacity:job" in text or "capacity:org" in text]

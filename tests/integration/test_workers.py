"""The `workers` collector: heartbeats, who serves what, slots, and how many workers are wanted."""

from __future__ import annotations

import pytest
from servers.bullmq import BullMQ
from servers.exporter import Exporter, Samples
from servers.heartbeats import KEY_PREFIX, beat
from servers.redis import Client, RedisServer
from servers.truth import now

SERVING = "supercheck_workers_serving"
DESIRED = "supercheck_workers_desired"
WORKERS = "supercheck_workers"


@pytest.fixture
def client(redis_server: RedisServer) -> Client:
    """The file's Redis, emptied."""
    redis_server.client().flushdb()
    return redis_server.client()


def scrape_when(server: RedisServer, value: float | None, name: str, **labels: str) -> Samples:
    """Start an exporter on what stands in Redis, and scrape it once a series has this value.

    What it asks for may change with every scrape: that it does not in a true site is in tests/unit/test_scaling.py.
    """
    with Exporter(server.exporter_env() | {"WORKERS_STEADY_SECONDS": "0"}) as exporter:
        return exporter.wait_value(value, name, 60.0, **labels)


def test_workers_by_location(redis_server: RedisServer, client: Client) -> None:
    beat(client, "host-a-1")
    beat(client, "host-b-1")
    beat(client, "host-c-17", "eu-west")
    samples = scrape_when(redis_server, 2, WORKERS, location="local")
    assert samples.values(WORKERS, by="location") == {"local": 2, "eu-west": 1}


def test_a_location_with_queues_and_no_worker_has_none(redis_server: RedisServer, client: Client) -> None:
    beat(client, "host-a-1", "eu-west")
    samples = scrape_when(redis_server, 1, WORKERS, location="eu-west")
    assert samples.value(WORKERS, location="local") == 0


def test_serving_is_what_the_heartbeats_list(redis_server: RedisServer, client: Client) -> None:
    """A new worker's first heartbeat lists only playwright-global."""
    beat(client, "host-a-1")
    beat(client, "host-b-1", queues=["playwright-global"])
    samples = scrape_when(redis_server, 2, SERVING, queue="playwright-global")
    assert samples.value(SERVING, queue="k6-global") == 1
    assert samples.value(SERVING, queue="k6-local") == 1
    assert samples.value("supercheck_queue_slots", queue="playwright-global") == 2
    assert samples.value("supercheck_queue_slots", queue="monitor-local") == 1


def test_without_heartbeats_nothing_serves(redis_server: RedisServer, client: Client) -> None:
    samples = scrape_when(redis_server, 0, SERVING, queue="playwright-global")
    assert samples.value("supercheck_queue_slots", queue="playwright-global") == 0
    assert samples.value(WORKERS, location="local") == 0


def test_slots_follow_the_concurrency_setting(redis_server: RedisServer, client: Client) -> None:
    beat(client, "host-a-1")
    env = redis_server.exporter_env() | {"QUEUE_CONCURRENCY": "playwright-global=3"}
    with Exporter(env) as exporter:
        samples = exporter.wait_value(3, "supercheck_queue_slots", queue="playwright-global")
    assert samples.value("supercheck_queue_slots", queue="k6-global") == 1


def test_moments_of_a_worker(redis_server: RedisServer, client: Client) -> None:
    last = now(client) - 12
    beat(client, "host-a-1", started=last - 3600, last=last)
    samples = scrape_when(redis_server, 1, WORKERS, location="local")
    labels = {"worker": "host-a-1", "location": "local"}
    found = {
        name: samples.value(f"supercheck_worker_{name}_timestamp_seconds", **labels)
        for name in ("last_heartbeat", "start")
    }
    assert found == {
        "last_heartbeat": pytest.approx(last, abs=1e-3), "start": pytest.approx(last - 3600, abs=1e-3),
    }  # fmt: skip


def test_a_worker_whose_heartbeat_expired_is_gone(redis_server: RedisServer, client: Client) -> None:
    beat(client, "host-a-1")
    beat(client, "host-b-1")
    with Exporter(redis_server.exporter_env()) as exporter:
        exporter.wait_value(2, WORKERS, location="local")
        client.pexpire(KEY_PREFIX + "host-a-1", 1)
        samples = exporter.wait_value(1, WORKERS, location="local")
        assert samples.labels("supercheck_worker_last_heartbeat_timestamp_seconds") == [
            {"worker": "host-b-1", "location": "local"}
        ]
        assert samples.value(SERVING, queue="k6-global") == 1


def test_the_app_s_queues_are_served_by_connections(redis_server: RedisServer, client: Client, bullmq: BullMQ) -> None:
    """The app sends no heartbeat; its workers are found in CLIENT LIST, and each runs five jobs at once."""
    workers = [bullmq.queue("monitor-scheduler").worker(concurrency=5) for _ in range(2)]
    # a heartbeat that names the queue changes nothing: only the app serves it
    beat(client, "host-a-1", queues=["monitor-scheduler"])
    samples = scrape_when(redis_server, 2, SERVING, queue="monitor-scheduler")
    assert samples.value("supercheck_queue_slots", queue="monitor-scheduler") == 10
    assert samples.value(SERVING, queue="job-scheduler") == 0
    for worker in workers:
        worker.stop()


# -- how many workers are wanted: under 10 waiting jobs the fewest, over 50 the most, else what there is ----


@pytest.mark.parametrize(
    ("backlog", "wanted"), [(0, 1), (9, 1), (10, 3), (50, 3), (51, 10)], ids=lambda value: str(value)
)
def test_workers_wanted_by_backlog(
    redis_server: RedisServer, client: Client, bullmq_newest: BullMQ, backlog: int, wanted: int
) -> None:
    for number in range(3):
        beat(client, f"host-{number}-1")
    queue = bullmq_newest.queue("playwright-global")
    if backlog:
        queue.add_many(backlog)
    scrape_when(redis_server, wanted, DESIRED, location="local")


def test_workers_wanted_never_below_the_busy_ones(
    redis_server: RedisServer, client: Client, bullmq_newest: BullMQ
) -> None:
    for number in range(4):
        beat(client, f"host-{number}-1")
    queue = bullmq_newest.queue("k6-local")
    queue.add_many(3)
    worker = queue.worker("hang", concurrency=3)
    worker.wait("hanging", 3)
    scrape_when(redis_server, 3, DESIRED, location="local")
    worker.stop(force=True)


def test_old_jobs_want_more_workers(redis_server: RedisServer, client: Client, bullmq_newest: BullMQ) -> None:
    """Between the bounds the number is held, unless the oldest ready job is over 5 minutes."""
    for number in range(2):
        beat(client, f"host-{number}-1")
    queue = bullmq_newest.queue("monitor-local")
    queue.add_many(20, priority=10, timestamp=int((now(client) - 301) * 1000))
    client.delete(queue.base + "events")
    scrape_when(redis_server, 3, DESIRED, location="local")


def test_the_busiest_queue_of_a_location_decides(
    redis_server: RedisServer, client: Client, bullmq_newest: BullMQ
) -> None:
    beat(client, "host-a-1")
    beat(client, "host-b-1", "eu-west")
    bullmq_newest.queue("k6-eu-west").add_many(51)
    samples = scrape_when(redis_server, 10, DESIRED, location="eu-west")
    assert samples.value(DESIRED, location="local") == 1


def test_the_bounds_are_settings(redis_server: RedisServer, client: Client, bullmq_newest: BullMQ) -> None:
    beat(client, "host-a-1")
    bullmq_newest.queue("playwright-global").add_many(6)
    env = redis_server.exporter_env() | {"WORKERS_SCALE_UP_ABOVE": "5", "WORKERS_MAX": "4"}
    env["WORKERS_SCALE_DOWN_BELOW"] = "2"
    with Exporter(env) as exporter:
        exporter.wait_value(4, DESIRED, location="local")


@pytest.mark.promise("unknown is absent")
def test_workers_wanted_is_absent_while_the_age_is_unknown(
    redis_server: RedisServer, client: Client, bullmq_newest: BullMQ
) -> None:
    """An autoscaler that reads missing as 0 would scale in."""
    beat(client, "host-a-1")
    queue = bullmq_newest.queue("playwright-global")
    for job in queue.add_many(20):
        client.delete(queue.base + job)
    client.delete(queue.base + "events")
    samples = scrape_when(redis_server, 20, "supercheck_queue_backlog_jobs", queue=queue.name)
    assert samples.value("supercheck_queue_oldest_ready_job_age_seconds", queue=queue.name) is None
    assert samples.value(DESIRED, location="local") is None


# -- malformed heartbeats --------------------------------------------------------------------------

MALFORMED: dict[str, bytes] = {
    "no JSON": b"{location: local",
    "empty": b"",
    "not UTF-8": b'{"location": "\xff\xfe", "queues": ["k6-global"]}',
    "a list": b'["local", "playwright-global"]',
    "a number": b"60",
    "null": b"null",
    "queues is text": b'{"location": "local", "queues": "playwright-global"}',
    "location is a number": b'{"location": 7, "queues": ["playwright-global"]}',
    "1 MB": b'{"location": "local", "queues": ["playwright-global"], "pad": "' + b"x" * 2**20 + b'"}',
    "deeply nested": b"[" * 100_000,
}


@pytest.mark.promise("awkward input")
@pytest.mark.parametrize("payload", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_heartbeat_costs_itself_only(redis_server: RedisServer, client: Client, payload: bytes) -> None:
    beat(client, "healthy-1")
    client.set(KEY_PREFIX + "broken-2", payload, ex=60)
    samples = scrape_when(redis_server, 1, WORKERS, location="local")
    assert samples.value("supercheck_scrape_collector_success", collector="workers") == 1
    assert samples.values(SERVING, by="queue")["playwright-global"] == 1


@pytest.mark.promise("awkward input")
def test_a_heartbeat_of_another_type_costs_itself_only(redis_server: RedisServer, client: Client) -> None:
    beat(client, "healthy-1")
    client.hset(KEY_PREFIX + "broken-2", "location", "local")
    samples = scrape_when(redis_server, 1, WORKERS, location="local")
    assert samples.value("supercheck_scrape_collector_success", collector="workers") == 1


def test_a_heartbeat_with_unreadable_moments_is_a_worker(redis_server: RedisServer, client: Client) -> None:
    client.set(
        KEY_PREFIX + "odd-1",
        '{"location": "local", "queues": ["k6-global", 5, null], "startedAt": 12, "lastHeartbeat": "soon"}',
    )
    samples = scrape_when(redis_server, 1, WORKERS, location="local")
    assert samples.value(SERVING, queue="k6-global") == 1
    assert samples.labels("supercheck_worker_last_heartbeat_timestamp_seconds") == []

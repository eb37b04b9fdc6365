"""The `queues` collector on real BullMQ: counts, ages, pauses, limits, schedules."""

from __future__ import annotations

import pytest
from servers.bullmq import BullMQ, Queue
from servers.exporter import Exporter, Samples
from servers.process import wait_for
from servers.redis import RedisServer
from servers.truth import ages_between, now

HOUR_MS = 3_600_000
STATES = {"waiting", "prioritized", "delayed", "active", "paused", "waiting_children", "completed", "failed"}


def states(samples: Samples, queue: Queue) -> dict[str, float]:
    """The states of a queue that hold any job."""
    found = samples.values("supercheck_queue_jobs", by="state", queue=queue.name)
    return {state: count for state, count in found.items() if count}


def check_oldest_ready(exporter: Exporter, server: RedisServer, queue: Queue, since: float) -> None:
    """Check the oldest ready job's age on a fresh scrape against when it became ready (Unix seconds)."""
    with ages_between(server.client()) as truth:
        age = exporter.scrape("queues").value("supercheck_queue_oldest_ready_job_age_seconds", queue=queue.name)
    truth.check_age(age, since)


def old_exporter(server: RedisServer, queue: Queue) -> Exporter:
    """An exporter that starts after the events of the queue were trimmed away: only the hashes can tell."""
    server.client().delete(queue.base + "events")
    return Exporter(server.exporter_env() | {"BULLMQ_QUEUES": queue.name})


# -- counts ----------------------------------------------------------------------------------------


def test_an_untouched_queue_reads_zero(exporter: Exporter, queue_name: str) -> None:
    samples = exporter.scrape("queues")
    counts = samples.values("supercheck_queue_jobs", by="state", queue=queue_name)
    assert counts == dict.fromkeys(STATES, 0.0)
    for name in ("backlog_jobs", "oldest_ready_job_age_seconds", "oldest_active_job_age_seconds", "paused"):
        assert samples.value(f"supercheck_queue_{name}", queue=queue_name) == 0.0


@pytest.mark.promise("both bullmq majors")
def test_jobs_by_state(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(2, attempts=1)
    failing = queue.worker("fail")
    queue.wait_finished(failed=2)
    failing.stop()
    queue.add_many(5)
    succeeding = queue.worker()
    queue.wait_finished(completed=5, failed=2)
    succeeding.stop()
    queue.add_many(3)
    hanging = queue.worker("hang", concurrency=3)
    hanging.wait("hanging", 3)
    hanging.stop(force=True)
    queue.add_many(7)
    queue.add_many(4, priority=10)
    queue.add_many(6, delay=HOUR_MS)
    samples = exporter.scrape("queues")
    assert states(samples, queue) == {
        "failed": 2, "completed": 5, "active": 3, "waiting": 7, "prioritized": 4, "delayed": 6,
    }  # fmt: skip
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 7 + 4


def test_a_parent_waits_for_its_children(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    parent, child = bullmq.queue(queue_name), bullmq.queue(f"{queue_name}-child")
    bullmq.flow(parent, child)
    samples = exporter.scrape("queues")
    assert states(samples, parent) == {"waiting_children": 1}
    assert samples.value("supercheck_queue_backlog_jobs", queue=parent.name) == 0


def test_completed_is_what_is_retained(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(20, removeOnComplete=5)
    worker = queue.worker()
    worker.wait("completed", 20)
    worker.stop()
    assert states(exporter.scrape("queues"), queue) == {"completed": 5}


def test_a_drained_queue_reads_zero(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(3)
    queue.add(priority=1)
    assert exporter.scrape("queues").value("supercheck_queue_backlog_jobs", queue=queue.name) == 4
    queue.drain()
    samples = exporter.scrape("queues")
    assert states(samples, queue) == {}
    assert samples.value("supercheck_queue_oldest_ready_job_age_seconds", queue=queue.name) == 0
    queue.add()
    check_oldest_ready(exporter, redis_server, queue, now(redis_server.client()))


def test_a_new_queue_is_discovered(exporter: Exporter, bullmq_newest: BullMQ) -> None:
    queue = bullmq_newest.queue("nobody-configured-this")
    queue.add_many(2)
    samples = exporter.wait_value(2, "supercheck_queue_backlog_jobs", 30.0, queue=queue.name)
    assert states(samples, queue) == {"waiting": 2}


def test_capacity_and_run_budget_are_settings(redis_server: RedisServer) -> None:
    env = redis_server.exporter_env() | {
        "BULLMQ_QUEUES": "k6-global,playwright-global",
        "MAX_QUEUE_DEPTH": "2500",
        "QUEUE_CAPACITY": "k6-global=70",
        "QUEUE_RUN_BUDGETS": "k6-global=60",
    }
    with Exporter(env) as exporter:
        samples = exporter.scrape("queues")
    capacity = samples.values("supercheck_queue_capacity_jobs", by="queue")
    budget = samples.values("supercheck_queue_run_budget_seconds", by="queue")
    assert (capacity["k6-global"], capacity["playwright-global"]) == (70, 2500)
    assert (budget["k6-global"], budget["playwright-global"]) == (60, 4800)


def test_the_default_capacity_is_supercheck_s(exporter: Exporter, queue_name: str) -> None:
    assert exporter.scrape("queues").value("supercheck_queue_capacity_jobs", queue=queue_name) == 10_000


# -- pauses ----------------------------------------------------------------------------------------


@pytest.mark.promise("both bullmq majors")
def test_a_paused_queue_keeps_its_backlog(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    """BullMQ 5 renames `wait` to `paused`, BullMQ 6 keeps it: 50 jobs are 50 jobs in both."""
    queue = bullmq.queue(queue_name)
    queue.add_many(30)
    queue.pause()
    queue.add_many(20)
    samples = exporter.scrape("queues")
    counts = states(samples, queue)
    assert counts.get("waiting", 0) + counts.get("paused", 0) == 50
    assert counts.get("paused", 0) == (50 if bullmq.major == 5 else 0)
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 50
    assert samples.value("supercheck_queue_paused", queue=queue.name) == 1


def test_a_resumed_queue_is_no_longer_paused(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(3)
    queue.pause()
    assert exporter.scrape("queues").value("supercheck_queue_paused", queue=queue.name) == 1
    queue.resume()
    samples = exporter.scrape("queues")
    assert samples.value("supercheck_queue_paused", queue=queue.name) == 0
    assert states(samples, queue) == {"waiting": 3}


def test_the_oldest_job_of_a_paused_queue(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    since = queue.add()["timestamp"] / 1000
    queue.pause()
    queue.add()
    check_oldest_ready(exporter, redis_server, queue, since)


# -- the oldest ready job --------------------------------------------------------------------------


def make_older_than_tolerance(server: RedisServer, since: float) -> None:
    """Wait until what happened at `since` can be told from what happens now."""
    wait_for(lambda: now(server.client()) > since + 0.6, 60, "0.6 s have passed")


def test_the_oldest_job_is_the_first_come(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    since = queue.add()["timestamp"] / 1000
    make_older_than_tolerance(redis_server, since)
    queue.add_many(3)
    check_oldest_ready(exporter, redis_server, queue, since)


def test_a_lifo_job_does_not_hide_the_oldest(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """A LIFO add goes to the end from which workers take: the oldest job is at the other end."""
    queue = bullmq.queue(queue_name)
    since = queue.add()["timestamp"] / 1000
    make_older_than_tolerance(redis_server, since)
    queue.add(lifo=True)
    check_oldest_ready(exporter, redis_server, queue, since)


def test_the_oldest_job_may_have_the_lowest_priority(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    since = queue.add(priority=10)["timestamp"] / 1000
    make_older_than_tolerance(redis_server, since)
    for priority in (1, 2, 3):
        queue.add(priority=priority)
    queue.add()
    check_oldest_ready(exporter, redis_server, queue, since)


def test_the_oldest_of_many_priorities_after_a_cold_start(
    redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Supercheck's two levels (1 and 10), the older jobs in the lower one, and no event left to tell."""
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    queue.add(priority=1, timestamp=moment - 60_000)
    queue.add(priority=10, timestamp=moment - HOUR_MS)
    with old_exporter(redis_server, queue) as exporter:
        check_oldest_ready(exporter, redis_server, queue, (moment - HOUR_MS) / 1000)


def test_the_oldest_of_five_priorities_is_found_after_a_cold_start(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    """One new level is met with each further scrape at least; the oldest job is in the middle one."""
    queue = bullmq_newest.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    for level in (1, 2, 3, 5, 8):
        queue.add(priority=level, timestamp=moment - (HOUR_MS if level == 3 else 60_000))
    name = "supercheck_queue_oldest_ready_job_age_seconds"
    with old_exporter(redis_server, queue) as exporter:
        ages = [exporter.scrape("queues").value(name, queue=queue.name) for _ in range(5)]
        check_oldest_ready(exporter, redis_server, queue, (moment - HOUR_MS) / 1000)
    assert all(age is None or age < 3700 for age in ages)


def test_the_oldest_of_twelve_priorities(
    exporter: Exporter, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    since = queue.add(priority=7)["timestamp"] / 1000
    make_older_than_tolerance(redis_server, since)
    for level in (*range(1, 7), *range(8, 13)):
        queue.add(priority=level)
    check_oldest_ready(exporter, redis_server, queue, since)


def test_the_oldest_job_after_a_cold_start(redis_server: RedisServer, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    queue.add(timestamp=moment - HOUR_MS)
    queue.add(timestamp=moment - 1000)
    with old_exporter(redis_server, queue) as exporter:
        check_oldest_ready(exporter, redis_server, queue, (moment - HOUR_MS) / 1000)


def test_an_overdue_delayed_job_is_backlog(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Workers move delayed jobs; without a worker an overdue one waits like any other."""
    queue = bullmq.queue(queue_name)
    job = queue.add(delay=50)
    queue.add(delay=HOUR_MS)
    due = (job["timestamp"] + 50) / 1000
    wait_for(lambda: now(redis_server.client()) > due + 0.01, 60, "the job is due")
    samples = exporter.scrape("queues")
    assert samples.value("supercheck_queue_overdue_delayed_jobs", queue=queue.name) == 1
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 1
    assert states(samples, queue) == {"delayed": 2}
    check_oldest_ready(exporter, redis_server, queue, due)


def test_a_job_that_was_delayed_for_an_hour_waits_from_when_it_was_ready(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    queue.add_many(2, delay=HOUR_MS + 20, timestamp=moment - HOUR_MS)
    worker = queue.worker("hang", concurrency=1)
    worker.wait("hanging", 1)
    wait_for(lambda: queue.call("getWaitingCount") == 1, 60, "the second job was moved to wait")
    check_oldest_ready(exporter, redis_server, queue, (moment + 20) / 1000)
    with old_exporter(redis_server, queue) as cold:
        check_oldest_ready(cold, redis_server, queue, (moment + 20) / 1000)
    worker.stop(force=True)


def test_a_job_promoted_early_does_not_fake_its_delay(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    moment = now(redis_server.client())
    job = queue.add(delay=HOUR_MS, timestamp=int(moment * 1000) - HOUR_MS // 2)
    queue.promote(job["id"])
    check_oldest_ready(exporter, redis_server, queue, now(redis_server.client()))


def test_a_job_promoted_early_is_never_negative_after_a_cold_start(
    redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Its hash says it is ready in an hour: an under-estimate, clamped at 0."""
    queue = bullmq.queue(queue_name)
    queue.promote(queue.add(delay=HOUR_MS)["id"])
    with old_exporter(redis_server, queue) as exporter:
        samples = exporter.scrape("queues")
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 1
    assert samples.value("supercheck_queue_oldest_ready_job_age_seconds", queue=queue.name) == 0


def fail_once_and_promote(server: RedisServer, queue: Queue, timestamp: int) -> float:
    """A job of long ago fails its first attempt and is ready for its second now; return when (Unix seconds)."""
    backoff = {"type": "fixed", "delay": HOUR_MS}
    job = queue.add(attempts=2, backoff=backoff, timestamp=timestamp)
    worker = queue.worker("fail")
    worker.wait("failed", 1)
    worker.stop()
    queue.promote(job["id"])
    return now(server.client())


def test_a_retry_waits_from_when_it_was_ready_again(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    since = fail_once_and_promote(redis_server, queue, moment - HOUR_MS)
    name = "supercheck_queue_oldest_ready_job_age_seconds"
    # only the events know it, and the exporter reads them a moment after they happen
    wait_for(lambda: exporter.scrape("queues").value(name, queue=queue.name) is not None, 60, "the age is known")
    check_oldest_ready(exporter, redis_server, queue, since)


@pytest.mark.promise("unknown is absent")
def test_a_retry_after_a_cold_start_has_no_known_age(
    redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Only the events stream knows when a later attempt became ready: absent, not an hour."""
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    fail_once_and_promote(redis_server, queue, moment - HOUR_MS)
    with old_exporter(redis_server, queue) as exporter:
        samples = exporter.scrape("queues")
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 1
    assert samples.value("supercheck_queue_oldest_ready_job_age_seconds", queue=queue.name) is None


@pytest.mark.promise("unknown is absent")
def test_a_waiting_job_whose_hash_expired_has_no_known_age(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    """Supercheck's own cleanup puts a TTL on the hashes of waiting jobs."""
    queue = bullmq_newest.queue(queue_name)
    job = queue.add()
    redis_server.client().delete(queue.base + job["id"])
    with old_exporter(redis_server, queue) as exporter:
        samples = exporter.scrape("queues")
    assert samples.value("supercheck_scrape_collector_success", collector="queues") == 1
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 1
    assert samples.value("supercheck_queue_oldest_ready_job_age_seconds", queue=queue.name) is None


# -- running jobs ----------------------------------------------------------------------------------


def test_the_oldest_active_job_started_first(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    first = queue.add()["id"]
    worker = queue.worker("hang", concurrency=3)
    worker.wait("hanging", 1)
    since = queue.job(first)["processedOn"] / 1000
    make_older_than_tolerance(redis_server, since)
    queue.add_many(2)
    worker.wait("hanging", 3)
    for each in (exporter, old_exporter(redis_server, queue).start()):
        with ages_between(redis_server.client()) as truth:
            samples = each.scrape("queues")
        age = samples.value("supercheck_queue_oldest_active_job_age_seconds", queue=queue.name)
        truth.check_age(age, since)
        if each is not exporter:
            each.stop()
    worker.stop(force=True)


def test_a_second_attempt_runs_from_its_own_start(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    fail_once_and_promote(redis_server, queue, moment - HOUR_MS)
    worker = queue.worker("hang")
    worker.wait("hanging", 1)
    started = now(redis_server.client())
    with ages_between(redis_server.client()) as truth:
        samples = exporter.scrape("queues")
    age = samples.value("supercheck_queue_oldest_active_job_age_seconds", queue=queue.name)
    truth.check_age(age, started)
    worker.stop(force=True)


def test_a_job_whose_worker_died_is_stalled_once_its_lock_is_gone(
    redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """A healthy job is in BullMQ's `stalled` set too: only the missing lock tells them apart."""
    queue = bullmq.queue(queue_name)
    queue.add_many(2)
    dead = queue.worker("hang", lockDuration=1500, skipStalledCheck=True)
    dead.wait("hanging", 1)
    healthy = queue.worker("hang", lockDuration=600_000, skipStalledCheck=True)
    healthy.wait("hanging", 1)
    dead.stop(force=True)
    # its first check marks both active jobs; the next, which would take the dead one back, is far away
    marking = queue.worker("hang", stalledInterval=600_000)
    client = redis_server.client()
    wait_for(lambda: client.scard(queue.base + "stalled") == 2, 60, "both jobs are marked")
    env = redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}
    wait_for(lambda: len(client.keys(queue.base + "*:lock")) == 1, 60, "the dead worker's lock ran out")
    with Exporter(env) as exporter:
        exporter.wait_value(1, "supercheck_queue_stalled_jobs", queue=queue.name)
    for worker in (healthy, marking):
        worker.stop(force=True)


def test_healthy_jobs_in_the_stalled_set_are_not_stalled(
    redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(2)
    worker = queue.worker("hang", concurrency=2, lockDuration=600_000, skipStalledCheck=True)
    worker.wait("hanging", 2)
    marking = queue.worker("hang", stalledInterval=600_000)
    client = redis_server.client()
    wait_for(lambda: client.scard(queue.base + "stalled") == 2, 60, "both jobs are marked")
    with Exporter(redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}) as exporter:
        exporter.wait_value(0, "supercheck_queue_stalled_jobs", queue=queue.name)
    for each in (worker, marking):
        each.stop(force=True)


# -- limits and consumers --------------------------------------------------------------------------


def test_a_global_rate_limit_that_is_used_up(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    name = "supercheck_queue_rate_limited"
    assert exporter.scrape("queues").value(name, queue=queue.name) is None, "no limit is known"
    queue.set_global_rate_limit(1, HOUR_MS)
    assert exporter.scrape("queues").value(name, queue=queue.name) == 0
    queue.add_many(3)
    worker = queue.worker()
    worker.wait("completed", 1)
    assert exporter.wait_value(1, name, queue=queue.name).value(name, queue=queue.name) == 1
    worker.stop(force=True)


def test_a_global_concurrency_holds_the_rest_back(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.set_global_concurrency(2)
    queue.add_many(5)
    worker = queue.worker("hang", concurrency=5)
    worker.wait("hanging", 2)
    samples = exporter.scrape("queues")
    assert states(samples, queue) == {"active": 2, "waiting": 3}
    assert samples.value("supercheck_queue_rate_limited", queue=queue.name) is None
    worker.stop(force=True)


def test_a_worker_s_own_rate_limit_is_known_from_a_setting(
    redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(3)
    worker = queue.worker(limiter={"max": 2, "duration": HOUR_MS})
    worker.wait("completed", 2)
    env = redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}
    name = "supercheck_queue_rate_limited"
    with Exporter(env | {"QUEUE_RATE_LIMITS": f"{queue.name}=2"}) as told, Exporter(env) as untold:
        told.wait_value(1, name, queue=queue.name)
        assert untold.scrape("queues").value(name, queue=queue.name) is None
    worker.stop(force=True)


def test_consumers_are_workers_and_not_listeners(redis_server: RedisServer, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    workers = [queue.worker(), queue.worker(), queue.worker(name="worker-1")]
    bullmq.call("listen", queue=queue.name)
    with Exporter(redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}) as exporter:
        exporter.wait_value(3, "supercheck_queue_consumers", queue=queue.name)
    for worker in workers:
        worker.stop()


# -- schedules -------------------------------------------------------------------------------------


def test_a_schedule_that_is_on_time(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.schedule("yearly", {"pattern": "0 3 1 1 *", "tz": "UTC"})
    queue.schedule("rarely", {"pattern": "0 3 29 2 *", "tz": "UTC"})
    samples = exporter.scrape("queues")
    assert samples.value("supercheck_queue_schedules", queue=queue.name) == 2
    assert samples.value("supercheck_queue_schedule_lateness_seconds", queue=queue.name) == 0
    assert samples.value("supercheck_queue_schedule_key_ttl_seconds", queue=queue.name) is None


def test_a_schedule_that_nobody_runs_is_late(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.schedule("often", {"every": 200})
    [(_, next_ms)] = redis_server.client().zrange(queue.base + "repeat", 0, 0, withscores=True)
    due = next_ms / 1000
    wait_for(lambda: now(redis_server.client()) > due + 0.6, 60, "the schedule is late")
    with ages_between(redis_server.client()) as truth:
        samples = exporter.scrape("queues")
    truth.check_age(samples.value("supercheck_queue_schedule_lateness_seconds", queue=queue.name), due)


def test_a_schedule_key_that_will_expire(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Supercheck's own cleanup gives the key 7 days; when they are over, every schedule is gone."""
    queue = bullmq.queue(queue_name)
    queue.schedule("hourly", {"every": HOUR_MS})
    expires = now(redis_server.client()) + 604_800
    redis_server.client().expire(queue.base + "repeat", 604_800)
    with ages_between(redis_server.client()) as truth:
        left = exporter.scrape("queues").value("supercheck_queue_schedule_key_ttl_seconds", queue=queue.name)
    assert left is not None
    truth.check_age(-left, expires)


def test_schedules_that_vanished_read_zero(
    exporter: Exporter, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    queue.schedule("hourly", {"every": HOUR_MS})
    assert exporter.scrape("queues").value("supercheck_queue_schedules", queue=queue.name) == 1
    redis_server.client().pexpire(queue.base + "repeat", 1)
    exporter.wait_value(0, "supercheck_queue_schedules", queue=queue.name)


@pytest.mark.parametrize("missing", ["meta", "events", "id"])
def test_a_queue_that_lost_a_key_still_counts(
    exporter: Exporter, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str, missing: str
) -> None:
    """`id` and `events` get a TTL from Supercheck's cleanup."""
    queue = bullmq_newest.queue(queue_name)
    queue.add_many(2)
    redis_server.client().delete(queue.base + missing)
    assert states(exporter.scrape("queues"), queue) == {"waiting": 2}

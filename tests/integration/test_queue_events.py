"""The `queue_events` collector on real BullMQ: totals, waits and runs from the events stream."""

from __future__ import annotations

import pytest
from servers.bullmq import BullMQ, Queue
from servers.exporter import Exporter, Histogram, Samples
from servers.process import wait_for
from servers.proxy import RedisProxy
from servers.redis import RedisServer
from servers.truth import attempts, now

HOUR_MS = 3_600_000
LOST = "supercheck_queue_events_lost_total"
TOTALS = ("added_jobs", "jobs_completed", "jobs_failed", "job_retries", "jobs_stalled", "events_lost")


def totals(samples: Samples, queue: Queue) -> dict[str, float | None]:
    """Every counter of a queue that is not 0."""
    found = {name: samples.value(f"supercheck_queue_{name}_total", queue=queue.name) for name in TOTALS}
    return {name: value for name, value in found.items() if value != 0}


def wait_total(exporter: Exporter, queue: Queue, name: str, value: float) -> Samples:
    """Wait until a counter has this value."""
    return exporter.wait_value(value, f"supercheck_queue_{name}_total", queue=queue.name)


def check_histogram(found: Histogram | None, expected: list[float]) -> None:
    """Fail unless a histogram holds exactly these values, bucket by bucket."""
    assert found is not None
    assert found.count == len(expected)
    assert found.total == pytest.approx(sum(expected), abs=1e-6)
    for edge, count in found.buckets.items():
        assert count == sum(value <= edge for value in expected), f"bucket {edge}"


def check_times(samples: Samples, server: RedisServer, queue: Queue) -> None:
    """Fail unless waits and runs are those that the stream itself tells of."""
    truth = attempts(server.client(), queue)
    check_histogram(samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name), truth.waits)
    for outcome, runs in truth.runs.items():
        found = samples.histogram("supercheck_queue_job_run_seconds", queue=queue.name, outcome=outcome)
        check_histogram(found, runs)


# -- counting and timing ---------------------------------------------------------------------------


def test_an_untouched_queue_counts_zero(exporter: Exporter, queue_name: str) -> None:
    samples = exporter.scrape()
    for name in TOTALS:
        assert samples.value(f"supercheck_queue_{name}_total", queue=queue_name) == 0
    for outcome in ("completed", "failed", "retried"):
        found = samples.histogram("supercheck_queue_job_run_seconds", queue=queue_name, outcome=outcome)
        check_histogram(found, [])
    for name in ("last_started", "last_finished"):
        assert samples.value(f"supercheck_queue_{name}_timestamp_seconds", queue=queue_name) is None


@pytest.mark.promise("both bullmq majors")
@pytest.mark.promise("exact totals")
def test_2000_jobs_that_are_removed_at_once_are_counted_and_timed(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Under removeOnComplete nothing of a job is left but its events."""
    queue = bullmq.queue(queue_name)
    worker = queue.worker(concurrency=50)
    for _ in range(4):
        queue.add_many(500, removeOnComplete=True)
    worker.wait("completed", 2000)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 2000)
    assert totals(samples, queue) == {"added_jobs": 2000, "jobs_completed": 2000}
    assert samples.value("supercheck_queue_jobs", queue=queue.name, state="completed") == 0
    check_times(samples, redis_server, queue)


def test_last_started_and_finished(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(3)
    worker = queue.worker()
    queue.wait_finished(completed=3)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 3)
    truth = attempts(redis_server.client(), queue)
    for name, value in (("started", truth.last_started), ("finished", truth.last_finished)):
        found = samples.value(f"supercheck_queue_last_{name}_timestamp_seconds", queue=queue.name)
        assert found == pytest.approx(value, abs=1e-3)


def test_a_job_that_fails_three_times_failed_once(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """With Supercheck's three attempts and a backoff, BullMQ reports `failed` for the last one only."""
    queue = bullmq.queue(queue_name)
    queue.add(attempts=3, backoff={"type": "exponential", "delay": 20})
    worker = queue.worker("fail")
    queue.wait_finished(failed=1)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_failed", 1)
    assert totals(samples, queue) == {"added_jobs": 1, "jobs_failed": 1, "job_retries": 2}
    check_times(samples, redis_server, queue)


def test_a_retry_without_backoff_is_a_retry(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add(attempts=2)
    worker = queue.worker("fail-times", times=1)
    queue.wait_finished(completed=1)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 1)
    assert totals(samples, queue) == {"added_jobs": 1, "jobs_completed": 1, "job_retries": 1}
    check_times(samples, redis_server, queue)


def test_backoff_is_not_queue_wait(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """A job of an hour ago whose second attempt comes after a backoff has waited milliseconds twice."""
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    job = queue.add(attempts=2, backoff={"type": "fixed", "delay": HOUR_MS}, timestamp=moment - HOUR_MS, priority=10)
    worker = queue.worker("fail-times", times=1)
    worker.wait("failed", 1)
    queue.promote(job["id"])
    queue.wait_finished(completed=1)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 1)
    check_times(samples, redis_server, queue)
    waits = samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name)
    assert waits is not None
    assert (waits.count, waits.buckets[60.0]) == (2, 2)


def test_a_delay_is_not_queue_wait(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    """Delayed for an hour and then due, or promoted early: neither fakes an hour's wait."""
    queue = bullmq.queue(queue_name)
    moment = int(now(redis_server.client()) * 1000)
    queue.add(delay=HOUR_MS + 10, timestamp=moment - HOUR_MS)
    queue.promote(queue.add(delay=HOUR_MS, timestamp=moment - HOUR_MS // 2)["id"])
    worker = queue.worker()
    queue.wait_finished(completed=2)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 2)
    assert totals(samples, queue) == {"added_jobs": 2, "jobs_completed": 2}
    waits = samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name)
    assert waits is not None
    assert waits.count == waits.buckets[60.0] >= 1


@pytest.mark.promise("both bullmq majors")
def test_a_pause_is_queue_wait(exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add()
    queue.pause()
    queue.add()
    paused_at = now(redis_server.client())
    wait_for(lambda: now(redis_server.client()) > paused_at + 0.3, 60, "the pause lasts")
    queue.resume()
    worker = queue.worker()
    queue.wait_finished(completed=2)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 2)
    check_times(samples, redis_server, queue)
    waits = samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name)
    assert waits is not None
    assert waits.total >= 0.6


def test_priorities_are_timed(exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_bulk([{"name": "job", "data": {}, "opts": {"priority": level}} for level in (10, 1, 10, 5)])
    worker = queue.worker()
    queue.wait_finished(completed=4)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 4)
    check_times(samples, redis_server, queue)


def test_a_duplicate_is_not_added(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    """BullMQ's own `id` counter moves on for a job id that exists already."""
    queue = bullmq.queue(queue_name)
    for _ in range(3):
        queue.add(jobId="the-same")
    queue.add(jobId="another")
    samples = wait_total(exporter, queue, "added_jobs", 2)
    assert totals(samples, queue) == {"added_jobs": 2}


def test_a_failed_test_is_a_completed_job(exporter: Exporter, bullmq: BullMQ, queue_name: str) -> None:
    queue = bullmq.queue(queue_name)
    queue.add(removeOnComplete=True)
    worker = queue.worker(value={"success": False, "error": "expect(page).toHaveTitle failed"})
    worker.wait("completed", 1)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 1)
    assert totals(samples, queue) == {"added_jobs": 1, "jobs_completed": 1}


def test_a_manual_retry_waits_anew(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    job = queue.add()
    failing = queue.worker("fail")
    queue.wait_finished(failed=1)
    failing.stop()
    queue.retry(job["id"])
    succeeding = queue.worker()
    queue.wait_finished(completed=1)
    succeeding.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 1)
    assert totals(samples, queue) == {"added_jobs": 1, "jobs_completed": 1, "jobs_failed": 1}
    check_times(samples, redis_server, queue)


@pytest.mark.promise("both bullmq majors")
def test_a_stalled_job_is_counted_and_its_next_attempt_timed(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add()
    dead = queue.worker("hang", lockDuration=300, skipStalledCheck=True)
    dead.wait("hanging", 1)
    dead.stop(force=True)
    alive = queue.worker(stalledInterval=150)
    queue.wait_finished(completed=1)
    alive.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 1)
    assert totals(samples, queue) == {"added_jobs": 1, "jobs_completed": 1, "jobs_stalled": 1}
    waits = samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name)
    runs = samples.histogram("supercheck_queue_job_run_seconds", queue=queue.name, outcome="completed")
    truth = attempts(redis_server.client(), queue)
    check_histogram(waits, truth.waits)
    check_histogram(runs, truth.runs["completed"])


def test_job_ids_with_colons_are_paired(
    exporter: Exporter, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    """Supercheck's monitor jobs are called `<monitor>:<group>:<location>`."""
    queue = bullmq_newest.queue(queue_name)
    queue.add_bulk([{"name": "job", "data": {}, "opts": {"jobId": f"a:{n}:local"}} for n in range(3)])
    worker = queue.worker("sleep", ms=20)
    queue.wait_finished(completed=3)
    worker.stop()
    check_times(wait_total(exporter, queue, "jobs_completed", 3), redis_server, queue)


def test_removed_and_drained_jobs_leave_the_totals_alone(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.call("remove", queue.add()["id"])
    queue.add_many(3)
    queue.drain()
    queue.add()
    worker = queue.worker()
    queue.wait_finished(completed=1)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 1)
    assert totals(samples, queue) == {"added_jobs": 5, "jobs_completed": 1}
    check_times(samples, redis_server, queue)


# -- the exporter restarts -------------------------------------------------------------------------


@pytest.mark.promise("restart in the middle")
def test_an_exporter_restart_in_the_middle(redis_server: RedisServer, bullmq: BullMQ, queue_name: str) -> None:
    """What began before the start is timed in full; what ended before it is not counted again."""
    queue = bullmq.queue(queue_name)
    env = redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}
    with Exporter(env) as first:
        first.wait_follows()
        queue.add_many(3)
        worker = queue.worker()
        queue.wait_finished(completed=3)
        worker.stop()
        wait_total(first, queue, "jobs_completed", 3)
    queue.add_many(2)
    hanging = queue.worker("hang", concurrency=1)
    hanging.wait("hanging", 1)
    with Exporter(env) as second:
        second.wait_value(0, "supercheck_queue_jobs_completed_total", queue=queue.name)
        second.wait_follows()
        hanging.release()
        hanging.wait("hanging", 1)
        wait_for(lambda: hanging.state()["completed"] == 1, 60, "the first job completed")
        hanging.release()
        hanging.wait("completed", 2)
        samples = wait_total(second, queue, "jobs_completed", 2)
        assert totals(samples, queue) == {"jobs_completed": 2}
        truth = attempts(redis_server.client(), queue)
        runs = samples.histogram("supercheck_queue_job_run_seconds", queue=queue.name, outcome="completed")
        check_histogram(runs, truth.runs["completed"][-2:])
        waits = samples.histogram("supercheck_queue_job_wait_seconds", queue=queue.name)
        check_histogram(waits, truth.waits[-1:])
    hanging.stop()


@pytest.mark.promise("restart in the middle")
def test_the_last_finish_before_the_start_is_known(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    """QueueNotProcessing must not fire because the exporter was restarted."""
    queue = bullmq_newest.queue(queue_name)
    queue.add()
    worker = queue.worker()
    queue.wait_finished(completed=1)
    worker.stop()
    truth = attempts(redis_server.client(), queue)
    with Exporter(redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}) as exporter:
        exporter.wait_follows()
        found = exporter.scrape().value("supercheck_queue_last_finished_timestamp_seconds", queue=queue.name)
    assert found == pytest.approx(truth.last_finished, abs=1e-3)


# -- the stream is lost ----------------------------------------------------------------------------


def entries_added(server: RedisServer, queue: Queue) -> int:
    """Entries ever added to the stream (Redis 7's `entries-added`)."""
    return int(server.client().xinfo_stream(queue.base + "events")["entries-added"])


def test_entries_trimmed_before_they_were_read_are_counted(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    client, key = redis_server.client(), queue.base + "events"
    with Exporter(redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}) as exporter:
        exporter.wait_follows()
        queue.add_many(10)
        wait_total(exporter, queue, "added_jobs", 10)
        before = entries_added(redis_server, queue)
        exporter.freeze()
        queue.add()  # answers the read that waits on the connection, if there is one
        queue.add_many(300)
        client.xtrim(key, maxlen=50, approximate=False)
        came = entries_added(redis_server, queue) - before
        exporter.thaw()
        added = 0.0

        def each_is_counted_or_lost() -> bool:
            """A job is two entries, `added` and `waiting`; the loss may show before the rest of the stream does."""
            nonlocal added
            samples = exporter.scrape("queue_events")
            added = samples.value("supercheck_queue_added_jobs_total", queue=queue.name) or 0
            return samples.value(LOST, queue=queue.name) == came - 2 * (added - 10) >= 500

        wait_for(each_is_counted_or_lost, 60, "each entry is either counted or lost")
        queue.add_many(5)
        samples = wait_total(exporter, queue, "added_jobs", added + 5)
        assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 10 + 301 + 5


def test_trimming_what_was_read_loses_nothing(
    exporter: Exporter, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    queue.add_many(10)
    wait_total(exporter, queue, "added_jobs", 10)
    redis_server.client().xtrim(queue.base + "events", maxlen=0, approximate=False)
    queue.add_many(10)
    samples = wait_total(exporter, queue, "added_jobs", 20)
    assert totals(samples, queue) == {"added_jobs": 20}


@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_a_stream_that_vanishes_is_followed_again(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str, how: str
) -> None:
    """Supercheck's cleanup gives the key a TTL; the new stream's ids may start anywhere."""
    queue = bullmq.queue(queue_name)
    queue.add_many(10)
    wait_total(exporter, queue, "added_jobs", 10)
    client, key = redis_server.client(), queue.base + "events"
    if how == "deleted":
        client.delete(key)
    else:
        client.pexpire(key, 1)
        wait_for(lambda: not client.exists(key), 60, "the stream expired")
    worker = queue.worker()
    queue.wait_finished(completed=10)
    worker.stop()
    samples = wait_total(exporter, queue, "jobs_completed", 10)
    assert samples.value(LOST, queue=queue.name) == 0


def test_an_obliterated_queue_starts_anew(
    exporter: Exporter, redis_server: RedisServer, bullmq: BullMQ, queue_name: str
) -> None:
    queue = bullmq.queue(queue_name)
    queue.add_many(4)
    wait_total(exporter, queue, "added_jobs", 4)
    queue.obliterate()
    queue.add_many(2)
    samples = wait_total(exporter, queue, "added_jobs", 6)
    assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 2


def test_a_stream_deleted_while_unread_is_a_loss(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    with RedisProxy(redis_server.port) as proxy:
        env = redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name, "REDIS_PORT": str(proxy.port)}
        with Exporter(env) as exporter:
            exporter.wait_follows()
            queue.add_many(10)
            wait_total(exporter, queue, "added_jobs", 10)
            proxy.cut()
            queue.add_many(10)
            redis_server.client().delete(queue.base + "events")
            queue.add_many(3)
            proxy.restore()
            samples = wait_total(exporter, queue, "added_jobs", 13)
            name = "supercheck_queue_events_lost_total"
            wait_for(lambda: exporter.scrape("queue_events").value(name, queue=queue.name), 60, "a loss")
            assert samples.value("supercheck_queue_backlog_jobs", queue=queue.name) == 23


def test_a_stream_deleted_while_the_exporter_was_stopped_is_a_loss(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    with Exporter(redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}) as exporter:
        exporter.wait_follows()
        queue.add_many(10)
        wait_total(exporter, queue, "added_jobs", 10)
        exporter.freeze()
        queue.add()  # answers the read that waits on the connection, if there is one
        queue.add_many(10)
        redis_server.client().delete(queue.base + "events")
        queue.add_many(3)
        stopped_at = now(redis_server.client())
        wait_for(lambda: now(redis_server.client()) > stopped_at + 5, 60, "it is stopped for 5 s")
        exporter.thaw()
        wait_for(lambda: exporter.scrape("queue_events").value(LOST, queue=queue.name), 60, "a loss shows")
        name = "supercheck_queue_added_jobs_total"
        # the 3 of the new stream, and the one job that may have been read
        wait_for(
            lambda: exporter.scrape("queue_events").value(name, queue=queue.name) in (13, 14), 60, "they are counted"
        )


def test_a_wait_is_counted_though_a_scrape_saw_the_job_gone_first(
    redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    """The scrape reads the keys, the follower the events a moment later: neither may spoil the other."""
    queue = bullmq_newest.queue(queue_name)
    client = redis_server.client()
    client.acl_setuser("follower", enabled=True, nopass=True, keys=["*"], commands=["+@all"])
    env = redis_server.exporter_env() | {"BULLMQ_QUEUES": queue.name}
    env |= {"REDIS_USERNAME": "follower", "REDIS_PASSWORD": "any"}
    with Exporter(env) as exporter:
        exporter.wait_follows()
        queue.add()
        wait_total(exporter, queue, "added_jobs", 1)
        client.acl_setuser("follower", commands=["-xread"])
        worker = queue.worker()
        queue.wait_finished(completed=1)
        worker.stop()
        for _ in range(3):
            assert exporter.scrape("queues").value("supercheck_queue_backlog_jobs", queue=queue.name) == 0
        client.acl_setuser("follower", commands=["+xread"])
        samples = wait_total(exporter, queue, "jobs_completed", 1)
        check_times(samples, redis_server, queue)


def test_entries_of_another_make_are_ignored(
    exporter: Exporter, redis_server: RedisServer, bullmq_newest: BullMQ, queue_name: str
) -> None:
    queue = bullmq_newest.queue(queue_name)
    client, key = redis_server.client(), queue.base + "events"
    client.xadd(key, {"unrelated": "field"})
    client.xadd(key, {"event": "no-such-event", "jobId": "1"})
    client.xadd(key, {"event": "completed"})
    client.xadd(key, {"jobId": "1", "event": "active", b"\xff\xfe": b"\xff"})
    queue.add()
    samples = wait_total(exporter, queue, "added_jobs", 1)
    assert samples.value("supercheck_scrape_collector_success", collector="queue_events") == 1

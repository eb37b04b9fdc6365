"""Records the golden files' input: real BullMQ on a real Redis, one awkward thing in each queue.

    PYTHONPATH=tests:exporters .venv/bin/python -m golden.record

Needed again only where the exporter asks for something new. Afterwards ``make golden``, and review the difference.
"""

from __future__ import annotations

import re
import time

from golden.tape import CLUSTER, SINGLE, Tape, after, before, collectors, site_on
from servers.bullmq import NEWEST_5, BullMQ
from servers.heartbeats import beat
from servers.process import wait_for
from servers.redis import LOOPBACK, RedisServer
from servers.redis_cluster import RedisCluster

HOUR_MS = 3_600_000
ODD = 'say "hi" \\ größe\nsecond line'
SETTINGS = {
    "QUEUE_CAPACITY": "playwright-global=500",
    "QUEUE_RUN_BUDGETS": "k6-global=900",
    "QUEUE_RATE_LIMITS": "email-template-render=1",
}


def wait_until(moment: float) -> None:
    """Wait for a moment of the clock."""
    wait_for(lambda: time.time() >= moment, 30.0, "the moment has come")


def scenario(server: RedisServer, bullmq: BullMQ) -> None:
    """Make every state, age and outcome that the metrics know."""
    client = server.client()
    moment_ms = int(time.time() * 1000)

    tests = bullmq.queue("playwright-global")  # completed and removed, two running, three waiting
    tests.add_many(4, removeOnComplete=True)
    quick = tests.worker("sleep", ms=60)
    quick.wait("completed", 4)
    quick.stop()
    busy = tests.worker("hang", concurrency=2)
    tests.add_many(2)
    busy.wait("hanging", 2)
    tests.add_many(3)

    load_tests = bullmq.queue("k6-global")  # paused, as BullMQ 5 does it
    load_tests.add_many(2, timestamp=moment_ms - 1000)
    load_tests.pause()

    retried = bullmq.queue("k6-local")  # three attempts, the last one fails; another succeeds at its second
    retried.add(attempts=3, backoff={"type": "fixed", "delay": 30})
    failing = retried.worker("fail")
    retried.wait_finished(failed=1)
    failing.stop()
    retried.add(attempts=2)
    second = retried.worker("fail-times", times=1)
    retried.wait_finished(failed=1, completed=1)
    second.stop()

    monitors = bullmq.queue("monitor-local")  # Supercheck's two priorities, the older job in the lower one
    monitors.add(priority=10)
    monitors.add(priority=1)

    schedules = bullmq.queue("job-scheduler")  # schedules whose key will expire, and the app's consumer
    schedules.schedule("nightly", {"pattern": "0 3 * * *"})
    client.pexpire("bull:job-scheduler:repeat", 7 * 24 * HOUR_MS)
    schedules.worker()

    late = bullmq.queue("k6-job-scheduler")  # a schedule that nobody runs
    late.schedule("every", {"every": 1000})

    stalled = bullmq.queue("monitor-scheduler")  # a job whose worker went silent
    stalled.add()
    dead = stalled.worker("hang", lockDuration=300, stalledInterval=100)
    dead.wait("hanging", 1)
    wait_for(lambda: client.scard("bull:monitor-scheduler:stalled"), 10.0, "the stalled check has marked the job")
    dead.stop(force=True)
    wait_for(lambda: not client.exists("bull:monitor-scheduler:1:lock"), 10.0, "its lock is gone")

    mails = bullmq.queue("email-template-render")  # the worker's own limit of one mail a minute is reached
    mails.add_many(3)
    limited = mails.worker(limiter={"max": 1, "duration": 60_000})
    limited.wait("completed", 1)

    cleanup = bullmq.queue("data-lifecycle-cleanup")  # delayed: overdue, and in an hour
    cleanup.add(delay=50)
    cleanup.add(delay=HOUR_MS)

    odd = bullmq.queue(ODD)  # discovered; a parent that waits for its child
    bullmq.flow(odd, bullmq.queue("k6-eu-central"))

    beat(client, "worker-a-17", started=moment_ms / 1000 - 3600, last=moment_ms / 1000 - 5)
    beat(client, "worker-b-1", "eu-central", started=moment_ms / 1000 - 60, last=moment_ms / 1000 - 25)
    client.set("supercheck:worker-heartbeat:broken-1", "no JSON")
    wait_until(moment_ms / 1000 + 2.5)


MACHINE = (
    b"executable", b"config_file", b"os:", b"arch_bits", b"gcc_version", b"process_id", b"run_id", b"tcp_port",
    b"redis_git", b"redis_build_id", b"multiplexing_api", b"monotonic_clock", b"total_system_memory",
)  # fmt: skip
"""What INFO tells of the machine that recorded it, and nobody reads."""


def _shorten_info(tape: Tape) -> None:
    for answer in tape.answers.values():
        for index, text in enumerate(answer):
            if isinstance(text, bytes) and text.startswith(b"# Server"):
                answer[index] = b"\r\n".join(line for line in text.splitlines() if not line.startswith(MACHINE))


def record_single() -> Tape:
    """Every collector that Redis feeds, on one server, as most sites have it."""
    tape = Tape()
    with RedisServer("--maxmemory", "256mb", "--maxmemory-policy", "noeviction") as server:
        tape.env = {"REDIS_HOST": "redis"} | SETTINGS
        site = site_on(tape, server.exporter_env() | SETTINGS, record=True)
        bullmq = BullMQ(NEWEST_5, server.bullmq_connection()).start()
        try:
            tape.versions = {"redis": str(server.client().info("server")["redis_version"]), "bullmq": bullmq.version}
            before(site)
            scenario(server, bullmq)
            tape.now = time.time()
            after(site)
            for collector in collectors(site).values():
                list(collector.collect())
                collector.stop()
        finally:
            bullmq.stop()
            site.redis.close()
    _shorten_info(tape)
    return tape


def record_cluster() -> Tape:
    """What the redis collector says of three masters and three replicas."""
    tape = Tape()
    with RedisCluster() as cluster:
        env = cluster.exporter_env()
        site = site_on(tape, env, record=True)
        tape.versions = {"redis": str(cluster.nodes[0].client().info("server")["redis_version"])}
        tape.now = time.time()
        collector = collectors(site)["redis"]
        list(collector.collect())
        collector.stop()
        site.redis.close()
        ports = {node.port: 7001 + index for index, node in enumerate(cluster.nodes)}
        buses = {node.bus_port: 17001 + index for index, node in enumerate(cluster.nodes)}
    _shorten_info(tape)
    tape.save(CLUSTER)
    text = CLUSTER.read_text()
    for old, new in (ports | buses).items():
        text = re.sub(rf"\b{old}\b", str(new), text)
    CLUSTER.write_text(text)
    tape = Tape.read(CLUSTER)
    tape.env = {"REDIS_HOST": LOOPBACK, "REDIS_PORT": str(ports[int(env["REDIS_PORT"])]), "REDIS_CLUSTER": "true"}
    return tape


def main() -> None:
    """Record and save both."""
    for path, record in ((SINGLE, record_single), (CLUSTER, record_cluster)):
        tape = record()
        tape.save(path)
        print(f"{path.name}: {sum(map(len, tape.answers.values()))} answers")


if __name__ == "__main__":
    main()

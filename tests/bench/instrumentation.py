"""What the preloaded traces cost a BullMQ worker: jobs of 50 ms, with and without, in turn."""

from __future__ import annotations

import statistics
from collections.abc import Mapping

from servers.bullmq import OLDEST, BullMQ
from servers.otlp import OtlpSink
from servers.process import wait_for
from servers.redis import RedisServer
from servers.traced_site import SiteProcess, preload

PAIRS = 10
JOBS = 40
JOB_MILLISECONDS = 50
QUEUE = "playwright-global"


def overhead() -> float:
    """The median of with over without, of the time from the first start to the last finish."""
    ratios = []
    with RedisServer() as redis, OtlpSink() as sink:
        traced = preload(sink.url, "supercheck-worker")
        for _ in range(PAIRS):
            without = _seconds(redis, {})
            ratios.append(_seconds(redis, traced) / without)
        # the last second of each is lost with its worker
        assert len(sink.named(f"Worker.run {QUEUE}")) >= PAIRS * JOBS / 4, "nothing was traced"
    return statistics.median(ratios)


def _seconds(redis: RedisServer, env: Mapping[str, str]) -> float:
    """Seconds from the first start to the last finish of the jobs."""
    client = redis.client()
    client.flushall()
    with SiteProcess("worker", redis, env, jobMilliseconds=JOB_MILLISECONDS):
        with BullMQ(OLDEST, redis.bullmq_connection()) as producer:
            for number in range(JOBS):
                producer.call(
                    "add", queue=QUEUE, name="run", data={"runId": number}, options={"jobId": f"run-{number}"}
                )
        wait_for(lambda: client.zcard(f"bull:{QUEUE}:completed") == JOBS, 120, "the jobs are done")
    times = [client.hmget(f"bull:{QUEUE}:run-{number}", "processedOn", "finishedOn") for number in range(JOBS)]
    began, ended = min(int(first) for first, _ in times), max(int(last) for _, last in times)
    return (ended - began) / 1000

"""``make bench``: what a scrape costs, as ratios against a floor measured in the same run.

The floor is the same reads by a bare redis-py pipeline. Absolute figures depend on the machine, ratios
hardly. Exits 1 when a bound of the issue is broken, so that a person sees it; no test calls this.
"""

from __future__ import annotations

import gc
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from servers.exporter import Exporter
from servers.process import wait_for
from servers.redis import RedisServer
from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq import state as qs
from supercheck_exporter.collectors import TABLE, missing
from supercheck_exporter.config import load
from supercheck_exporter.core import Runner
from supercheck_exporter.http import App
from supercheck_exporter.site import Site

from bench import edge as bench_edge
from bench import instrumentation
from bench import logs as bench_logs
from bench import spans as bench_spans
from bench import storage as bench_storage
from bench.database import LARGE, SMALL, WatchedSite
from bench.fill import usec, waiting_jobs

ROUNDS = 60
broken: list[str] = []


def report(what: str, value: float, unit: str, bound: float | None = None) -> None:
    """Print one row, and remember it when it is over its bound."""
    over = bound is not None and value > bound
    limit = "" if bound is None else f"   (at most {bound:g}{', BROKEN' if over else ''})"
    print(f"  {what:<58} {value:>10.2f} {unit}{limit}", flush=True)
    if over:
        broken.append(what)


def alternately(*calls: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    """Median seconds of each call, run in turn so that a slow moment of the machine hits all alike."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    gc.collect()
    for _ in range(rounds):
        for taken, call in zip(times, calls, strict=True):
            began = time.perf_counter()
            call()
            taken.append(time.perf_counter() - began)
    return [statistics.median(taken) for taken in times]


class Watched:
    """A site and its collectors on one Redis, without the HTTP server."""

    def __init__(self, server: RedisServer, queues: list[str]) -> None:
        self.server = server
        self.queues = queues
        self.settings = load(server.exporter_env() | {"BULLMQ_QUEUES": ",".join(queues)})
        self.site = Site(self.settings)
        self.runner = self.collectors()
        self.runner.start()
        self.app = App(self.settings, self.runner)
        wait_for(lambda: not self.app.not_ready(), 60, "the first look at the queues")

    def collectors(self) -> Runner:
        """A runner of every collector whose source is set, its followers not started."""
        chosen = [make for name, (_, make) in TABLE.items() if not missing(name, self.settings)]
        return Runner([make(self.site) for make in chosen])

    def floor(self) -> None:
        """The first round trip's reads of every queue, by a bare pipeline, answers unread."""
        pipe = self.site.redis.client("127.0.0.1", self.server.port, "floor").pipeline(transaction=False)
        now_ms = time.time() * 1000
        for queue in self.queues:
            for _, command in qs.first_reads(keys.queue_base("bull", queue), now_ms, ()):
                pipe.execute_command(*command)
        pipe.execute(raise_on_error=False)

    def collect(self) -> None:
        """One run of the queues collector."""
        [run] = self.runner.scrape(["queues"])
        assert run.success, run.error

    def scrape(self) -> bytes:
        """A whole page of every collector."""
        return self.app.metrics([], 10)

    def stop(self) -> None:
        self.runner.stop()
        self.site.redis.close()


def waiting() -> None:
    """A scrape of 10 queues must not depend on how many jobs wait in them."""
    print("10 queues, 1 k and 1 M waiting jobs")
    queues = [f"bench-{number}" for number in range(10)]
    with RedisServer() as small, RedisServer() as large:
        now_ms = int(time.time() * 1000)
        waiting_jobs(small.client(), queues, 1_000, now_ms)
        waiting_jobs(large.client(), queues, 1_000_000, now_ms)
        one, million = Watched(small, queues), Watched(large, queues)
        try:
            # the follower and the walkers of both sites would share the processor with what is measured
            for watched in (one, million):
                watched.runner.stop()
                watched.runner = watched.collectors()
                watched.app = App(watched.settings, watched.runner)
            few, many, floor = alternately(one.collect, million.collect, million.floor)
            report("collecting, 1 k jobs", few * 1000, "ms")
            report("collecting, 1 M jobs", many * 1000, "ms")
            report("collecting, 1 M jobs / 1 k jobs", many / few, "x", 1.3)
            report("floor: the same reads by a bare pipeline", floor * 1000, "ms")
            report("collecting / floor", many / floor, "x", 3)
            commands, spent = usec(large.client())
            for _ in range(20):
                million.collect()
            more, longer = usec(large.client())
            report("commands a scrape", (more - commands) / 20, "", 400)
            report("Redis's own time a scrape (INFO commandstats)", (longer - spent) / 20, "us", 400)
        finally:
            one.stop()
            million.stop()


def many_queues() -> None:
    """A page of 500 queues: how long, and which part of it is rendering."""
    print("500 queues")
    queues = [f"bench-{number}" for number in range(500)]
    with RedisServer() as server:
        watched = Watched(server, queues)
        try:
            whole, collecting = alternately(watched.scrape, lambda: watched.runner.scrape(), rounds=7)
            report("samples", watched.scrape().count(b"\n"), "lines")
            report("the whole page", whole * 1000, "ms", 600)
            report("of it collecting", collecting * 1000, "ms")
            report("of it rendering", (whole - collecting) * 1000, "ms")
        finally:
            watched.stop()


def memory() -> None:
    """Resident memory of the real process with 500 queues and 100 k jobs in flight."""
    print("500 queues, 100 k jobs in flight, the real process")
    queues = [f"bench-{number}" for number in range(500)]
    with RedisServer() as server, Exporter(server.exporter_env() | {"BULLMQ_QUEUES": ",".join(queues)}) as exporter:
        exporter.wait_value(0, "supercheck_queue_added_jobs_total", queue="bench-0")
        pipe = server.client().pipeline(transaction=False)
        for number in range(100_000):
            fields = {"event": "waiting", "jobId": f"{number:08x}-0000-4000-8000-000000000000"}
            pipe.xadd(f"bull:bench-{number % 500}:events", fields)
            if number % 5000 == 4999:
                pipe.execute()
        marker = {"event": "added", "jobId": "last", "name": "x"}
        server.client().xadd("bull:bench-0:events", marker)
        exporter.wait_value(1, "supercheck_queue_added_jobs_total", queue="bench-0")
        for _ in range(3):
            exporter.scrape()
        status = Path(f"/proc/{exporter.pid}/status").read_text().split("VmRSS:")[1].split()[0]
        report("resident memory", int(status) / 1024, "MiB", 100)


def follower() -> None:
    """The follower against a stream at 10 k jobs (40 k entries) a second, trimmed as BullMQ trims it."""
    print("events at 40 k entries a second for 20 s, stream kept at 10 k entries")
    with RedisServer() as server, Exporter(server.exporter_env() | {"BULLMQ_QUEUES": "bench"}) as exporter:
        exporter.wait_value(0, "supercheck_queue_added_jobs_total", queue="bench")
        began, used = time.monotonic(), _cpu(exporter.pid)
        code = Path(__file__).with_name("flood.py")
        flood = subprocess.run(
            [sys.executable, code, str(server.port), "20", "10000"], check=True, capture_output=True, text=True
        )
        jobs = int(flood.stdout)
        seconds = time.monotonic() - began
        cpu = _cpu(exporter.pid) - used
        samples = exporter.wait_value(jobs, "supercheck_queue_added_jobs_total", queue="bench", timeout=30)
        lost = samples.value("supercheck_queue_events_lost_total", queue="bench")
        report("jobs a second", jobs / seconds, "")
        report("entries lost", -1 if lost is None else lost, "", 0)
        report("the exporter's share of one processor", 100 * cpu / seconds, "%")


def database() -> None:
    """A whole site: milliseconds, statements as the servers count them, and that its rows do not matter."""
    print(f"a whole site, small ({SMALL}) and large ({LARGE})")
    with WatchedSite(SMALL) as small, WatchedSite(LARGE) as large:
        few, lots, floor = alternately(small.scrape, large.scrape, large.logins)
        report("scraping PgBouncer, PostgreSQL and Redis, small", few * 1000, "ms", 60)
        report("the same, large", lots * 1000, "ms", 60)
        report("large / small", lots / few, "x", 1.5)
        report("floor: three logins one after the other", floor * 1000, "ms")
        for name in large.runner.names:
            few, lots = alternately(partial(small.scrape, name), partial(large.scrape, name), rounds=15)
            report(f"  {name} alone, large (small: {few * 1000:.1f})", lots * 1000, "ms")
        scrape = large.counted(large.scrape, 10)
        report("statements of PostgreSQL a scrape", scrape["statements"], "")
        report("statements of PgBouncer's console a scrape", scrape["console"], "")
        report("both", scrape["statements"] + scrape["console"], "", 14)
        report("sessions of PostgreSQL a scrape", scrape["sessions"], "")
        minute = 0.0
        for reader, every in large.readers():
            reader.stopping.clear()
            began = time.perf_counter()
            found = large.counted(reader.attempt)
            assert not reader.error, reader.error
            took, asked = time.perf_counter() - began, found["statements"]
            report(f"  in the background: {reader.name}, each {every:g} s ({asked:.0f} statements)", took * 1000, "ms")
            minute += asked * 60 / every
        report("statements in the background, a minute", minute, "")
        every = scrape["statements"] + scrape["console"] + minute / 4
        report("all together, for each scrape of 15 s", every, "")


def traces() -> None:
    """What the preloaded instrumentation costs a worker."""
    print("A BullMQ worker with and without traces, jobs of 50 ms, median of 10 pairs in turn")
    report("with over without", instrumentation.overhead(), "x", 1.05)


def storage() -> None:
    """Listing a million objects in constant memory."""
    print("a bucket of 1 M objects beside seven empty ones, the real process")
    listed = bench_storage.listing(1_000_000)
    report("resident memory grows by", listed.grown, "MiB", 30)
    report("the empty buckets are known after", listed.small, "s")
    report("the whole listing", listed.whole, "s")
    report("the exporter's processor time for it", listed.processor, "s")
    report("requests for each page of 1,000", listed.requests, "x", 1.5)
    report("requests at once", listed.at_once, "")


def edge() -> None:
    """What the edge spares the object store, and how much sooner a report is there."""
    found = bench_edge.mix()
    print(f"the edge: {found.requests} requests for reports, a read of the store takes {found.pause * 1000:g} ms more")
    report("reads of the object store / requests", found.reads / found.requests, "x", 0.1)
    report("a report from the cache (median)", found.hit * 1000, "ms")
    report("a report that is fetched (median)", found.miss * 1000, "ms")
    report("from the cache / fetched", found.hit / found.miss, "x", 0.5)
    report("the same report without an edge (median)", found.direct * 1000, "ms")


def logs() -> None:
    """What both collectors make of many log lines."""
    for outage in (False, True):
        found = bench_logs.under_pressure(outage=outage)
        away = ", Loki away all the while" if outage else ""
        print(f"log lines: {bench_logs.LINES_A_SECOND} a second for a minute, both collectors on one processor{away}")
        report("lines written", found.written, "")
        report("lines lost", found.lost, "", 0)
        report("lines stored twice", found.twice, "", 0)
        report("the log collector's memory at the highest", found.reader_mib, "MiB", 224)
        report("the other's", found.storer_mib, "MiB", 512)
        report("the log collector's processor time", found.reader_cpu, "s")
        report("the other's", found.storer_cpu, "s")
        report("the last line is stored after", found.behind, "s")


def spans() -> None:
    """What the collector makes of many spans, on one processor."""
    for what, found in {
        "kept by a quarter": bench_spans.drive(),
        "all kept, the stores away for the whole minute": bench_spans.drive(away=True, TRACES_KEEP_PERCENT="100"),
    }.items():
        print(f"spans: {bench_spans.RATE} a second for a minute, the collector on one processor; {what}")
        report("spans sent", found.sent, "")
        report("refused", found.refused, "", 0)
        report("lost", found.lost, "", 0)
        report("of the processor", found.core, "x", 1)
        report("memory at the highest", found.peak, "MiB", 512)
    found = bench_spans.drive(rate=10 * bench_spans.RATE, seconds=20, COLLECTOR_MEMORY_MIB="100")
    print("spans: more than it can take, with 100 MiB")
    report("spans sent", found.sent, "")
    report("refused, and sent again by a real sender", found.refused, "")
    report("lost of what it took", found.lost, "", 0)
    report("memory at the highest", found.peak, "MiB", 256)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    chosen = sys.argv[1:] or [
        "waiting",
        "many_queues",
        "memory",
        "follower",
        "database",
        "traces",
        "storage",
        "edge",
        "logs",
        "spans",
    ]
    for name in chosen:
        globals()[name]()
    if broken:
        sys.exit("broken bounds: " + ", ".join(broken))

"""A Supercheck-like site on real Redis and real BullMQ, and the faults that make each queue and worker alert fire.

Each fault has a queue or a location of its own, so that all can be made at once. Times are those of the shipped rules
divided by shorten.DIVISOR: a "3-minute" job runs 9 seconds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import redis
from e2e.shorten import DIVISOR
from servers.bullmq import OLDEST, BullMQ, Queue, Worker
from servers.heartbeats import KEY_PREFIX, beat
from servers.redis import RedisServer

BEAT_SECONDS = 2.0
CANARY = "canary-3e7d"  # the site's secrets: in jobs' names, data, results and errors, and as Redis' password
HOUR_MILLISECONDS = 3_600_000

CALM = "calm"  # the healthy part of the site: one worker, a 3-minute test, one job behind it
SERVED = [
    CALM, "depth", "full", "waiting", "stopped", "stuck", "failing", "vanish", "vanish-soon", "gone",
    "late", "stalled", "paused", "paused-silenced", "lost",
]  # fmt: skip
UNSERVED = "unserved"
LOCATIONS = {"slow": 1, "fewer": 2, "none-a": 0, "none-b": 0}  # code: workers at the start
QUEUES = [*SERVED, UNSERVED, *(f"k6-{code}" for code in LOCATIONS)]


class Heartbeats(threading.Thread):
    """Writes heartbeats as workers do, until told to stop; a frozen Redis makes it late, as it does them."""

    def __init__(self, server: RedisServer) -> None:
        super().__init__(daemon=True)
        self._client = server.connect()
        self._workers: dict[str, tuple[str, Sequence[str]]] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, worker: str, location: str, queues: Sequence[str]) -> None:
        """A worker starts."""
        with self._lock:
            self._workers[worker] = (location, queues)
            self._beat(worker)

    def lose(self, worker: str) -> None:
        """A worker dies, and the 60 seconds of its last heartbeat run out."""
        with self._lock:
            del self._workers[worker]
            self._client.expire(KEY_PREFIX + worker, 0)

    def run(self) -> None:
        """Beat for every worker, again and again."""
        while not self._stopped.wait(BEAT_SECONDS):
            with self._lock:
                for worker in self._workers:
                    try:
                        self._beat(worker)
                    except redis.RedisError:  # frozen: the next beat may arrive
                        break

    def _beat(self, worker: str) -> None:
        location, queues = self._workers[worker]
        beat(self._client, worker, location, queues=queues, started=time.time(), last=time.time())

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self.is_alive():
            self.join()
        self._client.close()


class Site:
    """The queues, their workers and what is done to them."""

    def __init__(self, server: RedisServer) -> None:
        self.redis = server
        self.bullmq = BullMQ(OLDEST, server.bullmq_connection())
        self.heartbeats = Heartbeats(server)
        self.queues: dict[str, Queue] = {}
        self._stuck: Worker | None = None
        self._failing: Worker | None = None

    def start(self) -> None:
        """All queues and heartbeats of a healthy site, before any fault."""
        self.bullmq.start()
        for name in QUEUES:
            options = {"streams": {"events": {"maxLen": 10}}} if name == "lost" else {}
            self.queues[name] = self.bullmq.queue(name, **options)
        self.heartbeats.add("main-1", "local", SERVED)
        for code, count in LOCATIONS.items():
            for number in range(1, count + 1):
                self.heartbeats.add(f"{code}-{number}", code, [f"k6-{code}"])
        self.heartbeats.start()
        self.queues["gone"].schedule("hourly", {"every": HOUR_MILLISECONDS})

    def settings(self) -> dict[str, str]:
        """What the exporter must know of it."""
        return self.redis.exporter_env() | {
            "BULLMQ_QUEUES": ",".join(QUEUES),
            "QUEUE_CAPACITY": "depth=100,full=100",
            "QUEUE_RUN_BUDGETS": f"stuck={100 / DIVISOR}",
        }

    def break_everything(self) -> None:
        """Every fault that can be made at once; two need what Prometheus remembers (see below)."""
        queue = self.queues
        queue[CALM].worker("sleep", ms=180_000 // DIVISOR)
        queue[CALM].add_many(2)
        queue["depth"].worker("sleep", ms=3000)  # starts often enough not to count as standing still
        queue["depth"].add_many(95)
        queue["full"].add_many(110)
        queue["waiting"].worker("sleep", ms=500)
        queue["waiting"].add_many(1500)
        queue["stopped"].add_many(3, {"secret": CANARY}, CANARY)
        self._stuck = queue["stuck"].worker("hang")
        queue["stuck"].add()
        self._failing = queue["failing"].worker("fail", message=CANARY, limiter={"max": 3, "duration": 1000})
        queue["failing"].add_many(200, {"secret": CANARY}, CANARY, attempts=1)
        for name, minutes in (("vanish", 60), ("vanish-soon", 10)):
            queue[name].schedule("hourly", {"every": HOUR_MILLISECONDS})
            self.redis.client().expire(f"bull:{name}:repeat", minutes * 60)
        queue["late"].schedule("often", {"every": 1000})
        for name in ("late", "paused", "paused-silenced"):
            queue[name].pause()
        for name in ("paused", "paused-silenced", UNSERVED):
            queue[name].add_many(5)
        crashed = queue["stalled"].worker("hang", lockDuration=1000)
        queue["stalled"].add()
        crashed.wait("hanging", 1)
        crashed.stop(force=True)
        queue["stalled"].worker("succeed", lockDuration=1000, stalledInterval=500)
        queue["lost"].add_many(2000, delay=HOUR_MILLISECONDS)  # one transaction: trimmed before anybody can read
        for code in ("slow", "fewer"):
            queue[f"k6-{code}"].worker("sleep", ms=1000)
            queue[f"k6-{code}"].add_many(600)

    def lose_schedules(self) -> None:
        """The key that holds the schedules expires (supercheck.md, fact 13)."""
        self.redis.client().pexpire("bull:gone:repeat", 1)

    def lose_a_worker(self) -> None:
        """One of two workers of a location dies."""
        self.heartbeats.lose("fewer-2")

    def mend_everything(self) -> None:
        """What a person on call would do."""
        queue = self.queues
        self.heartbeats.add("main-2", "local", [UNSERVED, *SERVED])
        for code in LOCATIONS:
            for number in (1, 2):
                self.heartbeats.add(f"{code}-{number}", code, [f"k6-{code}"])
        for name in ("depth", "waiting", "full", "stopped", UNSERVED, "paused", "paused-silenced"):
            queue[name].worker("succeed", concurrency=20)
        for code in ("slow", "fewer"):
            queue[f"k6-{code}"].worker("succeed", concurrency=20)
        assert self._stuck is not None
        assert self._failing is not None
        self._stuck.release()
        self._failing.stop()
        queue["failing"].worker("succeed", value=CANARY, concurrency=50)
        queue["failing"].add_many(3000)
        for name in ("vanish", "vanish-soon"):
            self.redis.client().persist(f"bull:{name}:repeat")
        queue["gone"].schedule("hourly", {"every": HOUR_MILLISECONDS})
        for name in ("late", "paused", "paused-silenced"):
            queue[name].resume()
        queue["late"].worker("succeed")

    def stop(self) -> None:
        """End everything but Redis."""
        self.heartbeats.stop()
        self.bullmq.stop()

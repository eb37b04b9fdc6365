"""How full each queue is and how long its jobs have waited and run, read from BullMQ's keys.

Source: the keys of bullmq.md, by O(1) and O(log n) reads in at most three round trips a node; what is
O(n) (CLIENT LIST, the ``stalled`` set) is read in the background. Never a job's data, result or error.

    supercheck_queue_jobs{queue="k6-global",state="waiting"} 12.0
    supercheck_queue_oldest_ready_job_age_seconds{queue="k6-global"} 431.2
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq import state as qs
from supercheck_exporter.bullmq.clients import Clients
from supercheck_exporter.bullmq.journal import Journals
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.bullmq.loads import Load, Loads
from supercheck_exporter.bullmq.oldest_job import OldestJobs
from supercheck_exporter.bullmq.stalled import StalledJobs
from supercheck_exporter.core import Collector, Sample, SourceError, gauge

log = logging.getLogger(__name__)

JOBS = gauge(
    "supercheck_queue_jobs",
    "Jobs of the queue by state; completed and failed are what is retained, not throughput.",
    "queue",
    "state",
)
BACKLOG = gauge(
    "supercheck_queue_backlog_jobs",
    "Jobs that are ready and not started: waiting, prioritized, paused and overdue delayed ones.",
    "queue",
)
CAPACITY = gauge("supercheck_queue_capacity_jobs", "Jobs the queue may hold (setting).", "queue")
RUN_BUDGET = gauge(
    "supercheck_queue_run_budget_seconds", "Longest run of a job that is still normal (setting).", "queue"
)
OLDEST_READY = gauge(
    "supercheck_queue_oldest_ready_job_age_seconds",
    "Seconds since the job that has waited longest became ready; 0 when none waits, absent when unknown.",
    "queue",
)
OLDEST_ACTIVE = gauge(
    "supercheck_queue_oldest_active_job_age_seconds",
    "Seconds since the job that runs longest was started; 0 when none runs, absent when unknown.",
    "queue",
)
OVERDUE = gauge("supercheck_queue_overdue_delayed_jobs", "Delayed jobs whose time has come.", "queue")
PAUSED = gauge("supercheck_queue_paused", "Whether the queue is paused (1) or not (0).", "queue")
RATE_LIMITED = gauge(
    "supercheck_queue_rate_limited",
    "Whether the rate limit's window is full (1) or not (0); only where the limit is known.",
    "queue",
)
CONSUMERS = gauge(
    "supercheck_queue_consumers",
    "Workers connected to the queue, by their connections' names; absent where CLIENT LIST is forbidden.",
    "queue",
)
STALLED = gauge(
    "supercheck_queue_stalled_jobs",
    "Active jobs whose lock is gone: their worker went silent, and no other has taken them back yet.",
    "queue",
)
SCHEDULES = gauge("supercheck_queue_schedules", "Repeatable jobs (schedules) of the queue.", "queue")
LATENESS = gauge(
    "supercheck_queue_schedule_lateness_seconds",
    "How late the most overdue schedule is, in seconds; 0 when none is.",
    "queue",
)
SCHEDULE_TTL = gauge(
    "supercheck_queue_schedule_key_ttl_seconds",
    "Seconds until Redis deletes every schedule of the queue; only while their key has a time to live.",
    "queue",
)
SCAN_SUCCESS = gauge(
    "supercheck_keyspace_scan_last_success_timestamp_seconds",
    "Unix time at which the queues' names were last looked up.",
)
DROPPED = gauge("supercheck_queues_dropped", "Queues without series because there are more than BULLMQ_MAX_QUEUES.")


class QueuesCollector(Collector):
    """Reads every known queue afresh on each scrape."""

    name = "queues"
    descs = (
        JOBS, BACKLOG, CAPACITY, RUN_BUDGET, OLDEST_READY, OLDEST_ACTIVE, OVERDUE, PAUSED, RATE_LIMITED,
        CONSUMERS, STALLED, SCHEDULES, LATENESS, SCHEDULE_TTL, SCAN_SUCCESS, DROPPED,
    )  # fmt: skip

    def __init__(
        self, keyspace: Keyspace, clients: Clients, stalled: StalledJobs, journals: Journals, loads: Loads
    ) -> None:
        self._keyspace = keyspace
        self._clients = clients
        self._stalled = stalled
        self._loads = loads
        self._oldest = OldestJobs(keyspace.source, journals)
        self._source = keyspace.source
        self._settings = keyspace.source.settings
        self._levels: dict[str, set[int]] = {}
        self._foreign: set[str] = set()

    def start(self) -> None:
        """Start the background reads."""
        for follower in (self._keyspace, self._clients, self._stalled):
            follower.start()

    def stop(self) -> None:
        """Stop the background reads."""
        for follower in (self._keyspace, self._clients, self._stalled):
            follower.stop()

    def collect(self) -> Iterator[Sample]:
        """Read all queues in three round trips and yield their samples."""
        now_ms = self._source.now() * 1000
        dropped = self._keyspace.dropped  # before the queues, which are replaced first
        states = self._look(now_ms)
        ages = self._oldest.find(states, now_ms, self._met)
        consumers, stalled = self._clients.counts(), self._stalled.counts()
        loads = {}
        for state in states:
            name = state.queue
            ready = _age(ages[name].ready, now_ms) if state.backlog else 0.0
            active = _age(ages[name].active, now_ms) if state.longest_active is not None else 0.0
            loads[name] = Load(state.backlog, state.counts["active"], ready)
            yield from self._samples(state, now_ms)
            if ready is not None:
                yield OLDEST_READY(ready, keys.label(name))
            if active is not None:
                yield OLDEST_ACTIVE(active, keys.label(name))
            if consumers is not None and name in consumers:
                yield CONSUMERS(consumers[name], keys.label(name))
            if name in stalled:
                yield STALLED(stalled[name], keys.label(name))
        self._loads.put(loads)
        yield DROPPED(dropped)
        if self._keyspace.last_success:
            yield SCAN_SUCCESS(self._keyspace.last_success)

    # -- reading -----------------------------------------------------------------------------------

    def _base(self, queue: str) -> bytes:
        return keys.queue_base(self._settings.bullmq_prefix, queue)

    def _look(self, now_ms: float) -> list[qs.QueueState]:
        """Round trip 1."""
        queues = self._keyspace.queues
        plans = {q: qs.first_reads(self._base(q), now_ms, self._levels.get(q, ())) for q in queues}
        answers = iter(self._source.read([command for plan in plans.values() for _, command in plan]))
        states = []
        for queue, plan in plans.items():
            replies = [next(answers) for _ in plan]
            try:
                state = qs.parse(queue, plan, replies, now_ms)
            except ResponseError as error:
                self._refused(queue, error)
                continue
            self._levels[queue] = set(sorted(state.levels)[: qs.MAX_LEVELS])
            self._foreign.discard(queue)
            states.append(state)
        self._levels = {queue: self._levels[queue] for queue in queues if queue in self._levels}
        return states

    def _refused(self, queue: str, error: ResponseError) -> None:
        """Keys of another type are not BullMQ's: leave that queue out. Any other refusal fails us."""
        if "WRONGTYPE" not in str(error):
            raise SourceError(f"Redis at {self._source.where} refuses a read of {queue!r} ({error})") from error
        if queue not in self._foreign:
            log.warning("queue %r left out: its keys are not BullMQ's (%s)", queue, error)
            self._foreign.add(queue)

    def _met(self, queue: str, level: int) -> None:
        self._levels[queue].add(level)

    # -- samples -----------------------------------------------------------------------------------

    def _samples(self, state: qs.QueueState, now_ms: float) -> Iterator[Sample]:
        queue = keys.label(state.queue)
        for name, count in state.counts.items():
            yield JOBS(count, queue, name)
        yield BACKLOG(state.backlog, queue)
        yield CAPACITY(self._settings.capacity(state.queue), queue)
        yield RUN_BUDGET(self._settings.run_budget(state.queue), queue)
        yield OVERDUE(state.overdue, queue)
        yield PAUSED(float(state.paused), queue)
        yield SCHEDULES(state.schedules, queue)
        if state.next_schedule is not None:
            yield LATENESS(_age(state.next_schedule, now_ms) or 0.0, queue)
        if state.schedule_ttl_ms >= 0:
            yield SCHEDULE_TTL(state.schedule_ttl_ms / 1000, queue)
        limit = self._settings.queue_rate_limits.get(state.queue, state.rate_limit)
        if limit is not None:
            yield RATE_LIMITED(float(state.rate_used >= limit and state.rate_ttl_ms > 0), queue)


def _age(since_ms: float | None, now_ms: float) -> float | None:
    """Seconds, never negative: another host's clock may be ahead."""
    return None if since_ms is None else max(0.0, now_ms - since_ms) / 1000

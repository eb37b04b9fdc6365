"""Since when a queue's oldest ready job waits, and its oldest running job runs.

Candidates are the ends of the lists, the head of each priority level, the overdue head of ``delayed``,
and the job that the events show waiting for longest (where LIFO and FIFO mix, the oldest is at neither
end). The events know when an attempt became ready; a job's own hash knows it only of a first attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq import state as qs
from supercheck_exporter.bullmq.journal import Journals
from supercheck_exporter.sources.redis import Command, RedisSource


@dataclass
class Ages:
    """Milliseconds of Redis's clock since when the oldest job waits or runs; None where unknown."""

    ready: float | None = None
    active: float | None = None

    def ready_since(self, ms: float | None) -> None:
        """Take another ready job into account."""
        if ms is not None:
            self.ready = ms if self.ready is None else min(self.ready, ms)


class _Read(NamedTuple):
    queue: str
    kind: Literal["ready", "running", "level"]
    job: bytes
    command: Command


class OldestJobs:
    """Finds the ages of all queues in two round trips, fewer where the events know the answer."""

    def __init__(self, source: RedisSource, journals: Journals) -> None:
        self._read = source.read
        self._prefix = source.settings.bullmq_prefix
        self._journals = journals

    def find(self, states: Iterable[qs.QueueState], now_ms: float, met: Callable[[str, int], None]) -> dict[str, Ages]:
        """Ages by queue; ``met`` is told of each priority level that is found on the way."""
        ages: dict[str, Ages] = {}
        reads: list[_Read] = []
        for state in states:
            ages[state.queue] = Ages(ready=state.overdue_since)
            self._journals.forget_gone(state.queue, now_ms)
            reads += self._first(state, ages[state.queue], now_ms)
        heads: list[_Read] = []
        for read, answer in self._answers(reads):
            if read.kind != "level":
                self._learn(ages[read.queue], read, answer, now_ms)
            elif answer:
                job, score = answer
                level = keys.level(score)
                if level is not None:
                    met(read.queue, level)
                heads += self._waiting(ages[read.queue], read.queue, job)
        for read, answer in self._answers(heads):
            self._learn(ages[read.queue], read, answer, now_ms)
        return ages

    def _answers(self, reads: list[_Read]) -> Iterable[tuple[_Read, Any]]:
        answers = self._read([read.command for read in reads])
        return ((r, a) for r, a in zip(reads, answers, strict=True) if not isinstance(a, ResponseError))

    def _first(self, state: qs.QueueState, ages: Ages, now_ms: float) -> list[_Read]:
        queue, base = state.queue, keys.queue_base(self._prefix, state.queue)
        reads: list[_Read] = []
        running = state.longest_active
        if running is not None:
            ages.active = self._journals.active_since(queue, running)
            if ages.active is None:
                reads.append(_Read(queue, "running", running, qs.job_read(base, running)))
        for job in state.ends:
            reads += self._waiting(ages, queue, job)
        if state.backlog == state.overdue:
            self._journals.not_waiting(queue, None, now_ms)
        longest = self._journals.longest_waiting(queue)
        if longest is not None and longest not in state.ends:
            reads.append(_Read(queue, "ready", longest, qs.job_read(base, longest)))
        if state.new_levels:
            reads.append(_Read(queue, "level", b"", qs.beyond(base, max(state.new_levels))))
        return reads

    def _waiting(self, ages: Ages, queue: str, job: bytes) -> list[_Read]:
        """Of a job that Redis shows waiting: take the events' word, or ask its hash."""
        since = self._journals.waiting_since(queue, job)
        ages.ready_since(since)
        if since is not None:
            return []
        return [_Read(queue, "ready", job, qs.job_read(keys.queue_base(self._prefix, queue), job))]

    def _learn(self, ages: Ages, read: _Read, answer: Any, now_ms: float) -> None:
        times = qs.parse_job(answer)
        if read.kind == "running":
            ages.active = times.started
            return
        since = self._journals.waiting_since(read.queue, read.job)
        if since is None:
            ages.ready_since(times.first_ready)
        elif times.exists and not times.finished and (times.started is None or times.started < since):
            ages.ready_since(since)
        else:
            self._journals.not_waiting(read.queue, read.job, now_ms)

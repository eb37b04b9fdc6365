"""What the events of a queue add up to: who waits, who runs, totals and times; pure, no connection.

An attempt's wait is the id of its ``active`` minus that of its ``waiting``, its run the id of
``completed``, ``failed``, ``delayed`` or ``waiting`` minus that of ``active``: one clock, per attempt,
right under ``removeOnComplete: true``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from supercheck_exporter.bullmq.events import Entry
from supercheck_exporter.distribution import Distribution

T = TypeVar("T")

MAX_TRACKED_JOBS = 200_000
"""Jobs of one queue whose last event is remembered; the oldest is forgotten first."""

SETTLE_MS = 5000
"""Redis's keys are ahead of the events that were read: what they show counts this much later."""

CLOCK_MS = 1000
"""More than our estimate of Redis's clock is off."""

# An edge at every target and threshold: 5 s (the seed's target), 300 s and 900 s (waiting too long).
WAIT_EDGES = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600)
# 180 s is Supercheck's usual test, 900 and 1800 s its own alerting, 4200 s k6's lock, 4800 s the sweeper.
RUN_EDGES = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180, 300, 600, 900, 1800, 3600, 4200, 4800)
OUTCOMES = ("completed", "failed", "retried")


class Journal:
    """What the events of one queue add up to; pure, in milliseconds of Redis's clock."""

    def __init__(self) -> None:
        self.waiting: dict[bytes, int] = {}
        """Waiting jobs and since when, longest first."""
        self.active: dict[bytes, int] = {}
        """Running jobs and since when, longest first."""
        self.totals = dict.fromkeys(("added", "completed", "failed", "retried", "stalled", "lost"), 0)
        self.wait = Distribution(WAIT_EDGES)
        self.run = {outcome: Distribution(RUN_EDGES) for outcome in OUTCOMES}
        self.started_ms = 0
        self.finished_ms = 0
        self._moved_back: tuple[bytes, float] | None = None
        """A job that went from ``active`` to ``waiting`` by the last event, and how long it ran in seconds."""
        self._gone: tuple[bytes | None, float, float] | None = None
        """What Redis showed: this job, ready since then, waits no longer (no job: none does); and when."""

    def backfill(self, entries: Iterable[Entry]) -> None:
        """Learn who waits and runs, and when something last happened, from before we came.

        What these entries would count was counted, or missed, by whoever watched before.
        """
        past = Journal()
        past.apply(entries)
        self.waiting, self.active, self._moved_back = past.waiting, past.active, past._moved_back
        self.started_ms, self.finished_ms = past.started_ms, past.finished_ms

    def apply(self, entries: Iterable[Entry]) -> None:
        """Take entries in the order of the stream."""
        waiting, active, totals = self.waiting, self.active, self.totals
        for ms, event, job in entries:
            if self._moved_back is not None:
                self._settle(event, job)
            if event == b"waiting":
                since = active.pop(job, None)
                if since is not None:
                    self._moved_back = (job, (ms - since) / 1000)
                waiting[job] = ms
            elif event == b"active":
                since = waiting.pop(job, None)
                if since is not None:
                    self.wait.observe((ms - since) / 1000)
                active[job] = ms
                self.started_ms = ms
            elif event in (b"completed", b"failed"):
                outcome = event.decode()
                self._ended(job, ms, outcome)
                waiting.pop(job, None)
                totals[outcome] += 1
                self.finished_ms = ms
            elif event == b"delayed":
                self._ended(job, ms, "retried")
                waiting.pop(job, None)
            elif event == b"added":
                totals["added"] += 1
            elif event == b"stalled":
                totals["stalled"] += 1
                active.pop(job, None)
            elif event in (b"removed", b"waiting-children"):
                waiting.pop(job, None)
                active.pop(job, None)
        for jobs in (waiting, active):
            while len(jobs) > MAX_TRACKED_JOBS:
                del jobs[next(iter(jobs))]

    def not_waiting(self, job: bytes | None, now_ms: float) -> None:
        """Note that Redis shows this job, or (None) every job, to wait no longer.

        Draining and cleaning name no job in their events. A job that was started a moment ago looks the
        same and its event is on its way, so nothing is forgotten before ``forget_gone`` comes later.
        """
        if self._gone is None:
            since = 0 if job is None else self.waiting.get(job, 0)
            self._gone = (job, since, now_ms)

    def forget_gone(self, now_ms: float) -> None:
        """Forget the waiting jobs of which no event has told, long enough after Redis showed them gone."""
        if self._gone is None or now_ms - self._gone[2] < SETTLE_MS:
            return
        (job, ready, seen), self._gone = self._gone, None
        if job is not None:
            if self.waiting.get(job) == ready:
                del self.waiting[job]
            return
        _forget(self.waiting, seen - CLOCK_MS)

    def missed(self, entries: int, before_ms: float) -> None:
        """Some entries from before ``before_ms`` were lost: no pair across the hole can be trusted."""
        self.totals["lost"] += entries
        _forget(self.waiting, before_ms)
        _forget(self.active, before_ms)
        self._moved_back = None

    def _settle(self, event: bytes, job: bytes) -> None:
        """Say what moved a job back: a retry without backoff, or the stalled check.

        The stalled check writes ``waiting`` and then ``stalled``, with nothing between them.
        """
        moved, self._moved_back = self._moved_back, None
        if moved is not None and (event, job) != (b"stalled", moved[0]):
            self.run["retried"].observe(moved[1])
            self.totals["retried"] += 1

    def _ended(self, job: bytes, ms: int, outcome: str) -> None:
        since = self.active.pop(job, None)
        if since is None:
            return
        self.run[outcome].observe((ms - since) / 1000)
        if outcome == "retried":
            self.totals["retried"] += 1


def _forget(jobs: dict[bytes, int], before_ms: float) -> None:
    """Forget the jobs since before a moment; the longest ones stand first."""
    while jobs:
        job, since = next(iter(jobs.items()))
        if since >= before_ms:
            break
        del jobs[job]


class Journals:
    """The journals of all queues: written by the follower's thread, read by scrapes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._journals: dict[str, Journal] = {}

    def _of(self, queue: str) -> Journal:
        if queue not in self._journals:
            self._journals[queue] = Journal()
        return self._journals[queue]

    def _known(self, queue: str) -> Journal:
        """For those who only look: a queue that is not followed leaves nothing behind."""
        return self._journals.get(queue) or Journal()

    def backfill(self, queue: str, entries: Sequence[Entry]) -> None:
        """See events.Sink."""
        with self._lock:
            self._of(queue).backfill(entries)

    def apply(self, queue: str, entries: Iterable[Entry]) -> None:
        """See events.Sink."""
        with self._lock:
            self._of(queue).apply(entries)

    def lost(self, queue: str, entries: int, before_ms: float) -> None:
        """See events.Sink."""
        with self._lock:
            self._of(queue).missed(entries, before_ms)

    def forget(self, queue: str) -> None:
        """See events.Sink."""
        with self._lock:
            self._journals.pop(queue, None)

    def waiting_since(self, queue: str, job: bytes) -> int | None:
        """When the job last became ready, in ms, or None where no event told."""
        with self._lock:
            return self._known(queue).waiting.get(job)

    def active_since(self, queue: str, job: bytes) -> int | None:
        """When the job's attempt began, in ms, or None where no event told."""
        with self._lock:
            return self._known(queue).active.get(job)

    def longest_waiting(self, queue: str) -> bytes | None:
        """The job that has been ready for longest by the events, or None."""
        with self._lock:
            return next(iter(self._known(queue).waiting), None)

    def not_waiting(self, queue: str, job: bytes | None, now_ms: float) -> None:
        """See Journal."""
        with self._lock:
            self._known(queue).not_waiting(job, now_ms)

    def forget_gone(self, queue: str, now_ms: float) -> None:
        """See Journal."""
        with self._lock:
            self._known(queue).forget_gone(now_ms)

    def read(self, queues: Iterable[str], view: Callable[[str, Journal], Iterable[T]]) -> list[T]:
        """What ``view`` makes of each queue's journal, while nothing is written."""
        with self._lock:
            return [item for queue in queues for item in view(queue, self._of(queue))]

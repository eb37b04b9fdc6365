"""What is true of a queue, computed from Redis itself and never from the exporter."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from servers.bullmq import Queue
from servers.redis import Client

TOLERANCE_SECONDS = 0.25
"""BullMQ stamps a job by Node's clock, and an instant before Redis's clock stamps its event."""


def now(client: Client) -> float:
    """Redis's clock in Unix seconds."""
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


class Between:
    """The time of Redis's clock before and after whatever ran inside `ages_between`."""

    before = 0.0
    after = 0.0

    def check_age(self, age: float | None, since: float) -> None:
        """Fail unless `age` is the age, at some instant inside, of what happened at `since` (Unix seconds)."""
        least, most = self.before - since - TOLERANCE_SECONDS, self.after - since + TOLERANCE_SECONDS
        assert age is not None, f"the age is absent; true is {least:.3f} to {most:.3f} s"
        assert least <= age <= most, f"the age is {age:.3f} s; true is {least:.3f} to {most:.3f} s"


@contextmanager
def ages_between(client: Client) -> Iterator[Between]:
    """Note Redis's clock around a scrape, to check the ages on it afterwards."""
    times = Between()
    times.before = now(client)
    yield times
    times.after = now(client)


@dataclass
class Attempts:
    """Every attempt that the events stream tells of, in seconds, and when the last ones began and ended."""

    waits: list[float] = field(default_factory=list)
    runs: dict[str, list[float]] = field(default_factory=lambda: {"completed": [], "failed": [], "retried": []})
    last_started: float = 0.0
    last_finished: float = 0.0


def attempts(client: Client, queue: Queue) -> Attempts:
    """Pair the entries of the whole stream, job by job: ready -> started -> ended."""
    result = Attempts()
    ready = dict[str, int]()
    started = dict[str, int]()
    for entry_id, fields in client.xrange(queue.base + "events"):
        at = int(entry_id.split("-")[0])
        event, job = fields["event"], fields.get("jobId", "")
        if event == "stalled":  # follows the `waiting` that took the job back: no outcome of an attempt
            result.runs["retried"].pop()
            continue
        if event in ("completed", "failed", "delayed", "waiting") and job in started:
            outcome = event if event in ("completed", "failed") else "retried"
            result.runs[outcome].append((at - started.pop(job)) / 1000)
        if event in ("completed", "failed"):
            result.last_finished = at / 1000
        if event == "waiting":
            ready[job] = at
        if event == "active":
            started[job] = at
            result.last_started = at / 1000
            if job in ready:
                result.waits.append((at - ready.pop(job)) / 1000)
    return result

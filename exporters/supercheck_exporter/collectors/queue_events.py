"""What happened in the queues: totals, waits and runs, from BullMQ's ``events`` streams.

Source: ``<prefix>:<queue>:events``, followed in the background (bullmq/events.py) and added up by
bullmq/journal.py.

    supercheck_queue_jobs_completed_total{queue="k6-global"} 2000.0
    supercheck_queue_job_wait_seconds_bucket{le="5.0",queue="k6-global"} 1987.0
"""

from __future__ import annotations

from functools import partial

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.events import EventTail
from supercheck_exporter.bullmq.journal import RUN_EDGES, WAIT_EDGES, Journal, Journals
from supercheck_exporter.core import Collector, Sample, counter, gauge, histogram

MAX_AGE_SECONDS = 60.0
ADDED = counter(
    "supercheck_queue_added_jobs_total",
    "Jobs added to the queue, from its events, since the exporter started.",
    "queue",
)
COMPLETED = counter(
    "supercheck_queue_jobs_completed_total",
    "Jobs completed; a failed test is a completed job too.",
    "queue",
)
FAILED = counter(
    "supercheck_queue_jobs_failed_total",
    "Jobs that failed after their last attempt: infrastructure, not a test's verdict.",
    "queue",
)
RETRIES = counter("supercheck_queue_job_retries_total", "Attempts that ended in another attempt.", "queue")
STALLED = counter(
    "supercheck_queue_jobs_stalled_total", "Jobs that were taken back from a worker that went silent.", "queue"
)
STARTED_AT = gauge(
    "supercheck_queue_last_started_timestamp_seconds",
    "Unix time of the last start of a job; absent while none has been seen.",
    "queue",
)
FINISHED_AT = gauge(
    "supercheck_queue_last_finished_timestamp_seconds",
    "Unix time of the last completion or final failure; absent while none has been seen.",
    "queue",
)
LOST = counter(
    "supercheck_queue_events_lost_total",
    "Entries of the events stream that were trimmed or deleted before they were read (a deleted stream "
    "counts as one); absent where Redis is older than 7 and can't tell.",
    "queue",
)
WAIT = histogram(
    "supercheck_queue_job_wait_seconds",
    "Seconds an attempt waited, from ready to started.",
    WAIT_EDGES,
    "queue",
)
RUN = histogram(
    "supercheck_queue_job_run_seconds",
    "Seconds an attempt ran, by how it ended.",
    RUN_EDGES,
    "queue",
    "outcome",
)
LAST_READ = gauge(
    "supercheck_queue_events_last_success_timestamp_seconds",
    "Unix time at which the events streams were last read.",
)


def _samples(name: str, journal: Journal, *, loss_known: bool) -> list[Sample]:
    queue, totals = keys.label(name), journal.totals
    samples = [
        ADDED(totals["added"], queue),
        COMPLETED(totals["completed"], queue),
        FAILED(totals["failed"], queue),
        RETRIES(totals["retried"], queue),
        STALLED(totals["stalled"], queue),
        WAIT(journal.wait.value(), queue),
        *(RUN(run.value(), queue, outcome) for outcome, run in journal.run.items()),
    ]
    if loss_known:
        samples.append(LOST(totals["lost"], queue))
    if journal.started_ms:
        samples.append(STARTED_AT(journal.started_ms / 1000, queue))
    if journal.finished_ms:
        samples.append(FINISHED_AT(journal.finished_ms / 1000, queue))
    return samples


class QueueEventsCollector(Collector):
    """Exports what the follower has added up; fails when the streams could not be read for a minute."""

    name = "queue_events"
    descs = (
        ADDED, COMPLETED, FAILED, RETRIES, STALLED, STARTED_AT, FINISHED_AT, LOST, WAIT, RUN, LAST_READ,
    )  # fmt: skip

    def __init__(self, tail: EventTail, journals: Journals) -> None:
        self._tail = tail
        self._journals = journals

    def start(self) -> None:
        """Start the follower."""
        self._tail.start()

    def stop(self) -> None:
        """Stop the follower."""
        self._tail.stop()

    def collect(self) -> list[Sample]:
        """Snapshot every followed queue."""
        self._tail.require_fresh(MAX_AGE_SECONDS, "The events streams")
        view = partial(_samples, loss_known=self._tail.counts_entries)
        samples = self._journals.read(self._tail.queues, view)
        return [*samples, LAST_READ(self._tail.last_success)]

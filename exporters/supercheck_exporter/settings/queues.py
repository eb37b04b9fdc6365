"""Which queues there are, and what is normal in them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from supercheck_exporter.settings.fields import Count, Group, Positive, pairs, setting

QUEUES = (
    "playwright-global",
    "k6-global",
    "k6-local",
    "monitor-local",
    "job-scheduler",
    "k6-job-scheduler",
    "monitor-scheduler",
    "email-template-render",
    "data-lifecycle-cleanup",
)
"""Supercheck's queues on a fresh install (supercheck.md 1.1); seeded, so an untouched queue reads 0."""


def _queue_names(text: object) -> object:
    if not isinstance(text, str):
        return text
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if any(":" in name for name in names):
        raise ValueError("BullMQ allows no colon in the name of a queue")
    return names


PerQueue = Annotated[dict[str, Positive], BeforeValidator(pairs)]
QueueNames = Annotated[tuple[str, ...], BeforeValidator(_queue_names)]

_QUEUE_NUMBERS = "queue=number pairs with numbers over 0, separated by commas"


class QueueSettings(Group):
    """Which queues there are, and what is normal in them."""

    bullmq_prefix: str = setting("bull", "the prefix given to BullMQ", "BullMQ key prefix.")
    bullmq_queues: QueueNames = setting(
        QUEUES, "queue names without a colon, separated by commas", "Queues that exist before use."
    )
    bullmq_max_queues: Count = setting(1000, "a whole number over 0", "At most this many queues get series.")
    max_queue_depth: Positive = setting(10000, "a number over 0", "Jobs that a queue may hold (Supercheck's name).")
    queue_capacity: PerQueue = setting({}, _QUEUE_NUMBERS, "Capacity of single queues, in jobs.")
    queue_run_budget_seconds: Positive = setting(4800, "seconds over 0", "Longest run of a job that is still normal.")
    queue_run_budgets: PerQueue = setting({}, _QUEUE_NUMBERS, "Run budget of single queues, in seconds.")
    queue_rate_limits: PerQueue = setting(
        {}, _QUEUE_NUMBERS, "Jobs a window that workers' own limiters allow; Redis does not know it."
    )
    queue_concurrency: PerQueue = setting({}, _QUEUE_NUMBERS, "Jobs that one consumer of a queue runs at once.")

    def capacity(self, queue: str) -> float:
        """Jobs that the queue may hold."""
        return self.queue_capacity.get(queue, self.max_queue_depth)

    def run_budget(self, queue: str) -> float:
        """Longest normal run of a job of the queue, in seconds."""
        return self.queue_run_budgets.get(queue, self.queue_run_budget_seconds)

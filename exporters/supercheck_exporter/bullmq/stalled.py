"""Counts stalled jobs in the background: members of ``stalled`` whose ``:lock`` is gone.

The set is a mark set: at each check it holds every active job, healthy ones too, so it can be as large
as a queue's concurrency and is walked in steps.
"""

from __future__ import annotations

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.followers import Follower
from supercheck_exporter.sources.redis import Command

PAUSE_SECONDS = 15.0
MAX_AGE_SECONDS = 60.0
STEP = 500
MAX_MEMBERS = 5000


class StalledJobs(Follower):
    """Stalled jobs a queue; a queue is absent while its number is unknown."""

    name = "stalled"

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__()
        self._keyspace = keyspace
        self._counts: dict[str, int] = {}

    def step(self) -> float:
        """Look at every queue once."""
        self._keyspace.require_first_walk()
        source, queues = self._keyspace.source, self._keyspace.queues
        bases = {queue: keys.queue_base(source.settings.bullmq_prefix, queue) for queue in queues}
        sizes = source.read([("SCARD", base + b"stalled") for base in bases.values()])
        counts: dict[str, int] = {}
        for (queue, base), size in zip(bases.items(), sizes, strict=True):
            if not isinstance(size, int):
                continue
            if size == 0:
                counts[queue] = 0
            elif size <= MAX_MEMBERS:
                counts[queue] = self._without_lock(base)
        self._counts = counts
        return PAUSE_SECONDS

    def _without_lock(self, base: bytes) -> int:
        source = self._keyspace.source
        cursor, gone = b"0", 0
        while not self.stopping.is_set():
            [answer] = source.read([("SSCAN", base + b"stalled", cursor, "COUNT", STEP)])
            if isinstance(answer, Exception):
                raise answer
            cursor, members = answer
            # a member whose job was removed by hand is in the set still: only an existing job counts
            reads: list[Command] = [("EXISTS", base + job + end) for job in members for end in (b":lock", b"")]
            flags = source.read(reads)
            gone += sum(not lock and bool(job) for lock, job in zip(flags[::2], flags[1::2], strict=True))
            if cursor == b"0":
                break
        return gone

    def counts(self) -> dict[str, int]:
        """Stalled jobs by queue; empty while they could not be read for too long."""
        return self._counts if self.is_fresh(MAX_AGE_SECONDS) else {}

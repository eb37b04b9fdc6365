"""Counts each queue's consumers from CLIENT LIST, in the background: it is O(clients)."""

from __future__ import annotations

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.followers import Follower

PAUSE_SECONDS = 10.0
MAX_AGE_SECONDS = 60.0


class Clients(Follower):
    """Consumers a queue; None while unknown: never read, forbidden, or too old."""

    name = "clients"

    def __init__(self, keyspace: Keyspace) -> None:
        super().__init__()
        self._keyspace = keyspace
        self._counts: dict[str, int] | None = None

    def step(self) -> float:
        """Ask every master once: a worker's connections are on the node that holds its queue."""
        self._keyspace.require_first_walk()
        source = self._keyspace.source
        prefix, queues = source.settings.bullmq_prefix, self._keyspace.queues
        if not all("!" <= char <= "~" for char in prefix):  # Redis takes no such name for a connection
            self._counts = None
            return PAUSE_SECONDS * 6
        counts = dict.fromkeys(queues, 0)
        try:
            for node in source.masters("clients"):
                answer = source.call(node, "CLIENT LIST")
                text = answer if isinstance(answer, bytes) else str(answer).encode()
                for queue, count in keys.consumers(prefix, text, queues).items():
                    # a client of a cluster has connections of that name on other nodes too, as it looks around
                    if source.master_of(keys.queue_base(prefix, queue) + b"wait", "clients").name == node.name:
                        counts[queue] += count
        except ResponseError:  # `check` says so; here it is a missing series
            self._counts = None
            return PAUSE_SECONDS * 6
        self._counts = counts
        return PAUSE_SECONDS

    def counts(self) -> dict[str, int] | None:
        """Consumers by queue, or None where CLIENT LIST is forbidden or could not be read for too long."""
        return self._counts if self.is_fresh(MAX_AGE_SECONDS) else None

"""The watched site: its settings and the connections and background readers that collectors share."""

from __future__ import annotations

from functools import cached_property

from supercheck_exporter.bullmq.clients import Clients
from supercheck_exporter.bullmq.events import EventTail
from supercheck_exporter.bullmq.journal import Journals
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.bullmq.loads import Loads
from supercheck_exporter.bullmq.stalled import StalledJobs
from supercheck_exporter.config import Settings
from supercheck_exporter.sources.redis import RedisSource


class Site:
    """Each part is made when a collector first asks for it; nothing connects before that."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.journals = Journals()
        self.loads = Loads()

    @cached_property
    def redis(self) -> RedisSource:
        """Redis, where REDIS_HOST is set."""
        return RedisSource(self.settings)

    @cached_property
    def keyspace(self) -> Keyspace:
        """Which queues and heartbeats exist."""
        return Keyspace(self.redis)

    @cached_property
    def clients(self) -> Clients:
        """How many consumers each queue has."""
        return Clients(self.keyspace)

    @cached_property
    def stalled(self) -> StalledJobs:
        """How many jobs of each queue are stalled."""
        return StalledJobs(self.keyspace)

    @cached_property
    def tail(self) -> EventTail:
        """What happens in the queues."""
        return EventTail(self.keyspace, self.journals)

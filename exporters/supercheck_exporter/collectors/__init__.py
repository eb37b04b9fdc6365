"""One file a thing measured; this is the table of them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supercheck_exporter.collectors.queue_events import QueueEventsCollector
from supercheck_exporter.collectors.queues import QueuesCollector
from supercheck_exporter.collectors.redis import RedisCollector
from supercheck_exporter.collectors.workers import WorkersCollector
from supercheck_exporter.core import Collector
from supercheck_exporter.site import Site

TABLE: Mapping[str, tuple[type[Collector], Callable[[Site], Collector]]] = {
    "queues": (
        QueuesCollector,
        lambda site: QueuesCollector(site.keyspace, site.clients, site.stalled, site.journals, site.loads),
    ),
    "queue_events": (QueueEventsCollector, lambda site: QueueEventsCollector(site.tail, site.journals)),
    "workers": (WorkersCollector, lambda site: WorkersCollector(site.keyspace, site.clients, site.loads)),
    "redis": (RedisCollector, lambda site: RedisCollector(site.redis)),
}
"""Name -> the class (its descriptors are the catalogue) and how it is made for a site."""

"""Whether each Redis server answers, and since when it runs.

Source: PING and ``INFO server`` on every node. A server that is down is a 0 here, not silence; what
else Redis tells about itself comes with the database issue.

    supercheck_redis_node_up{node="redis:6379",role="master"} 1.0
"""

from __future__ import annotations

from collections.abc import Iterator

from redis.exceptions import ResponseError

from supercheck_exporter.core import Collector, Sample, SourceError, gauge
from supercheck_exporter.sources.redis import Node, RedisSource

UP = gauge("supercheck_redis_node_up", "Whether the Redis server answers (1) or not (0).", "node", "role")
STARTED = gauge(
    "supercheck_redis_start_timestamp_seconds",
    "Unix time at which the Redis server started; absent where INFO is forbidden.",
    "node",
    "role",
)

START_SLACK_SECONDS = 2


class RedisCollector(Collector):
    """Asks every node; the nodes last known are asked while the cluster itself can't be."""

    name = "redis"
    descs = (UP, STARTED)

    def __init__(self, source: RedisSource) -> None:
        self._source = source
        self._known: list[Node] = []
        self._started_at: dict[str, float] = {}

    def collect(self) -> Iterator[Sample]:
        """Ping every node."""
        try:
            self._source.refresh()
            self._known = self._source.nodes("redis")
        except SourceError as problem:
            if not self._known:
                where = self._source.where
                self.problems = {where: str(problem)}
                yield UP(0, where, "unknown" if self._source.cluster else "master")
                return
        problems = {}
        for node in self._known:
            try:
                started = self._started(node)
            except SourceError as problem:
                problems[node.name] = str(problem)
                yield UP(0, node.name, node.role)
                continue
            yield UP(1, node.name, node.role)
            if started is not None:
                yield STARTED(started, node.name, node.role)
        self.problems = problems

    def _started(self, node: Node) -> float | None:
        self._source.call(node, "PING")
        try:
            info = self._source.call(node, "INFO", "server")
        except ResponseError:
            return None
        for line in info.splitlines():
            if line.startswith(b"uptime_in_seconds:"):
                began = round(self._source.now()) - float(line.partition(b":")[2])
                # the uptime is in whole seconds: without this the moment would move to and fro by one
                if abs(began - self._started_at.get(node.name, 0)) > START_SLACK_SECONDS:
                    self._started_at[node.name] = began
                return self._started_at[node.name]
        return None

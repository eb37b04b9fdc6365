"""A Redis that is a cache of reports and nothing else: hits, misses, memory, evictions.

Source: INFO of the Redis that REPORT_CACHE_REDIS_URL names. Its counters are of the whole server, so the Redis of the
queues is refused, whatever name or database it is reached by: its `run_id` tells.

    supercheck_report_cache_requests_total 12000.0
    supercheck_report_cache_hits_total 11400.0
"""

from __future__ import annotations

from collections.abc import Iterator

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from supercheck_exporter.core import Collector, Sample, SourceError, counter, gauge
from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.redis import RedisSource
from supercheck_exporter.sources.redis_topology import parse_info

SETTING = "REPORT_CACHE_REDIS_URL"

REQUESTS = counter("supercheck_report_cache_requests_total", "Lookups in the report cache, found or not.")
HITS = counter("supercheck_report_cache_hits_total", "Lookups in the report cache that found their report.")
BYTES = gauge("supercheck_report_cache_bytes", "Memory that the report cache has allocated.")
EVICTIONS = counter(
    "supercheck_report_cache_evictions_total", "Reports that the cache gave up early because its memory was full."
)


class ReportCacheCollector(Collector):
    """One INFO a scrape."""

    name = "report_cache"
    descs = (REQUESTS, HITS, BYTES, EVICTIONS)

    def __init__(self, settings: Settings, queues: RedisSource | None) -> None:
        url, timeout = settings.report_cache_redis_url, settings.redis_timeout_seconds
        self._client = redis.Redis.from_url(
            url.get_secret_value() if url else "",
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            protocol=2,
            client_name="supercheck-exporter",
            retry=Retry(NoBackoff(), 0),
        )
        self._client.response_callbacks.clear()
        self._queues = queues
        self._apart = ""
        """The run_id of a cache that was seen to be another server than the queues'."""

    def stop(self) -> None:
        """Close the connection."""
        self._client.close()

    def collect(self) -> Iterator[Sample]:
        """Ask the cache; raise where it is down, or is no cache."""
        info = parse_info(self._info())
        self._refuse_the_queues(info.get("run_id", ""))
        try:
            hits, misses = int(info["keyspace_hits"]), int(info["keyspace_misses"])
            used, evicted = int(info["used_memory"]), int(info["evicted_keys"])
        except (KeyError, ValueError) as error:
            raise SourceError(f"{SETTING} names a server whose INFO lacks {error}: is it a Redis?") from error
        yield REQUESTS(hits + misses)
        yield HITS(hits)
        yield BYTES(used)
        yield EVICTIONS(evicted)

    def _info(self) -> bytes:
        try:
            answer: object = self._client.execute_command("INFO")  # type: ignore[no-untyped-call]
        except AuthenticationError as error:
            raise SourceError(f"the Redis of {SETTING} refuses the login: check user and password in it") from error
        except ResponseError as error:
            raise SourceError(f"the Redis of {SETTING} refuses INFO ({str(error)[:80]}): allow it +info") from error
        except (RedisTimeoutError, TimeoutError) as error:
            raise SourceError(f"the Redis of {SETTING} does not answer within REDIS_TIMEOUT_SECONDS") from error
        except (RedisError, OSError) as error:
            raise SourceError(
                f"the Redis of {SETTING} can't be reached: check host and port, and that it runs"
            ) from error
        return answer if isinstance(answer, bytes) else str(answer).encode()

    def _refuse_the_queues(self, run_id: str) -> None:
        """Raise SourceError unless this is another server than those of the queues.

        Asked once for each life of the cache. Where the queues' Redis does not answer either, it can't be told yet.
        """
        if self._queues is None or run_id == self._apart:
            return
        for node in self._queues.nodes("report-cache"):
            answer = self._queues.call(node, "INFO", "server")
            if parse_info(answer).get("run_id") == run_id:
                raise SourceError(
                    f"{SETTING} names the Redis of the queues: its hit counters are of everything in it. Give "
                    f"reports a Redis of their own, or unset {SETTING}"
                )
        self._apart = run_id

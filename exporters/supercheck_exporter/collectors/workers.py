"""Who works: workers' heartbeats, the slots they offer, and how many the backlog asks for.

Source: ``supercheck:worker-heartbeat:<host>-<pid>`` (JSON, EX 60, written every 30 s) for the queues
that workers serve; CLIENT LIST for those that the app serves, which sends no heartbeat. A heartbeat
outlives its worker by up to 60 seconds. Where a database is set, its locations are listed as well (monitoring.py).

    supercheck_workers{location="local"} 2.0
    supercheck_workers_serving{queue="playwright-global"} 2.0
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.clients import Clients
from supercheck_exporter.bullmq.keyspace import HEARTBEAT_PREFIX, Keyspace
from supercheck_exporter.bullmq.loads import Load, Loads
from supercheck_exporter.core import Collector, Sample, SourceError, gauge
from supercheck_exporter.monitoring import MonitorReader
from supercheck_exporter.scaling import Policy, Scaler
from supercheck_exporter.settings import Settings

log = logging.getLogger(__name__)

MAX_AGE_SECONDS = 120.0
MAX_HEARTBEAT_BYTES = 65_536
"""More than any true heartbeat; what is longer is read no further and left out."""

MAX_LOCATION = 63
"""Longest location code that Supercheck's database takes."""

APP_QUEUES = {
    "job-scheduler": 5, "k6-job-scheduler": 5, "monitor-scheduler": 5,
    "email-template-render": 5, "data-lifecycle-cleanup": 1,
}  # fmt: skip
"""Queues that the app serves, and the jobs one replica runs at once (supercheck.md 1.4)."""

LOCATION_PREFIXES = ("k6-", "monitor-")

WORKERS = gauge("supercheck_workers", "Workers of a location with a live heartbeat.", "location")
AT_LOCATION = gauge(
    "supercheck_location_workers",
    "Workers with a live heartbeat, of the location or serving one of its queues k6-<location> and monitor-<location>.",
    "location",
)
SERVING = gauge(
    "supercheck_workers_serving",
    "Workers that serve the queue: by heartbeats, or by connections for the queues that the app serves.",
    "queue",
)
SLOTS = gauge("supercheck_queue_slots", "Jobs of the queue that can run at once: serving x concurrency.", "queue")
HEARTBEAT = gauge(
    "supercheck_worker_last_heartbeat_timestamp_seconds",
    "Unix time of the worker's last heartbeat, by its clock.",
    "worker",
    "location",
)
STARTED = gauge(
    "supercheck_worker_start_timestamp_seconds", "Unix time at which the worker started.", "worker", "location"
)
DESIRED = gauge(
    "supercheck_workers_desired",
    "Workers that the backlog asks for at this location, changed once in 5 minutes at most (setting); absent while an "
    "input is unknown.",
    "location",
)


@dataclass(frozen=True)
class Heartbeat:
    """One worker as it describes itself; times are Unix seconds, None where unreadable."""

    worker: str
    location: str
    queues: frozenset[str]
    last: float | None
    started: float | None


def parse_heartbeat(key: bytes, text: bytes) -> Heartbeat | None:
    """Read a heartbeat, or None where it is not one."""
    try:
        facts = json.loads(text)
        location, queues = facts.get("location") or "local", facts.get("queues") or []
        if not isinstance(location, str) or len(location) > MAX_LOCATION or not isinstance(queues, list):
            return None
    except (ValueError, AttributeError, RecursionError):
        return None
    worker = key.removeprefix(HEARTBEAT_PREFIX).decode("utf-8", "backslashreplace")
    names = frozenset(queue for queue in queues if isinstance(queue, str))
    return Heartbeat(
        worker, keys.label(location), names, _unix(facts.get("lastHeartbeat")), _unix(facts.get("startedAt"))
    )


def _unix(text: object) -> float | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.timestamp() if moment is not None and moment.tzinfo else None


def locations_of(queues: Iterable[str]) -> set[str]:
    """Location codes that queue names show: ``k6-<code>`` and ``monitor-<code>``, the schedulers aside."""
    codes = set()
    for queue in queues:
        for prefix in LOCATION_PREFIXES:
            code = keys.label(queue.removeprefix(prefix))
            if code and queue.startswith(prefix) and not queue.endswith("-scheduler") and code != "global":
                codes.add(code)
    return codes


class WorkersCollector(Collector):
    """Reads the known heartbeats afresh on each scrape, in one round trip."""

    name = "workers"
    descs = (WORKERS, AT_LOCATION, SERVING, SLOTS, HEARTBEAT, STARTED, DESIRED)

    def __init__(
        self, keyspace: Keyspace, clients: Clients, loads: Loads, monitors: MonitorReader | None = None
    ) -> None:
        self._keyspace = keyspace
        self._clients = clients
        self._loads = loads
        self._monitors = monitors
        self._settings = keyspace.source.settings
        self._scaler = Scaler(policy(self._settings))
        self._malformed: set[bytes] = set()

    def start(self) -> None:
        """Start the background reads."""
        self._keyspace.start()
        self._clients.start()

    def stop(self) -> None:
        """Stop the background reads."""
        self._keyspace.stop()
        self._clients.stop()

    def collect(self) -> Iterator[Sample]:
        """Read the heartbeats and yield workers, what they serve, and how many are wanted."""
        self._keyspace.require_fresh(MAX_AGE_SECONDS, "The keys of the heartbeats")
        beats = self._heartbeats()
        workers = Counter(beat.location for beat in beats)
        queues = self._keyspace.queues
        places = {location: workers[location] for location in sorted(locations_of(queues) | set(workers))}
        for location, count in places.items():
            yield WORKERS(count, location)
        for location, count in self._at_locations(beats, places).items():
            yield AT_LOCATION(count, location)
        for beat in beats:
            if beat.last is not None:
                yield HEARTBEAT(beat.last, beat.worker, beat.location)
            if beat.started is not None:
                yield STARTED(beat.started, beat.worker, beat.location)
        for queue, serving in self._serving(beats, queues).items():
            yield SERVING(serving, keys.label(queue))
            yield SLOTS(serving * self._concurrency(queue), keys.label(queue))
        loads, now = self._loads.fresh(MAX_AGE_SECONDS), time.monotonic()
        for location, count in places.items():
            wanted = self._desired(location, count, loads, now)
            if wanted is not None:
                yield DESIRED(wanted, location)

    def _heartbeats(self) -> list[Heartbeat]:
        source = self._keyspace.source
        # none known: ask for the bare prefix, so that a Redis that is gone does not read as "no workers"
        names = self._keyspace.heartbeats or (HEARTBEAT_PREFIX,)
        texts = source.read([("GETRANGE", key, 0, MAX_HEARTBEAT_BYTES - 1) for key in names])
        beats, malformed = [], set()
        for key, text in zip(names, texts, strict=True):
            if text == b"":  # expired since the keys were looked up: that worker is gone
                continue
            if isinstance(text, ResponseError) and "WRONGTYPE" not in str(text):  # no worker is less for it
                raise SourceError(f"Redis at {source.where} refuses to read a heartbeat ({text})")
            beat = parse_heartbeat(key, text) if isinstance(text, bytes) else None
            if beat is None:
                malformed.add(key)
            else:
                beats.append(beat)
        for key in malformed - self._malformed:
            log.warning("heartbeat %r left out: it is not the JSON that Supercheck writes", key)
        self._malformed = malformed
        return beats

    def _at_locations(self, beats: list[Heartbeat], places: Iterable[str]) -> dict[str, int]:
        """Workers by location; also of the locations that only the database names, while that is read."""
        counts = dict.fromkeys(places, 0)
        reader = self._monitors
        if reader is not None and reader.facts is not None and reader.is_fresh(MAX_AGE_SECONDS):
            counts |= dict.fromkeys(set(map(keys.label, reader.facts.locations)) - counts.keys(), 0)
        for beat in beats:
            for location in (locations_of(beat.queues) | {beat.location}) & counts.keys():
                counts[location] += 1
        return counts

    def _serving(self, beats: list[Heartbeat], queues: Iterable[str]) -> dict[str, int]:
        """Consumers by queue; a queue of the app is absent while CLIENT LIST is unknown."""
        counts = Counter(queue for beat in beats for queue in beat.queues)
        connected = self._clients.counts()
        serving = {}
        for queue in queues:
            if queue not in APP_QUEUES:
                serving[queue] = counts[queue]
            elif connected is not None:
                serving[queue] = connected.get(queue, 0)
        return serving

    def _concurrency(self, queue: str) -> float:
        return self._settings.queue_concurrency.get(queue, APP_QUEUES.get(queue, 1))

    def _desired(self, location: str, current: int, loads: dict[str, Load], now: float) -> int | None:
        """The most that any queue of the location wants; None as soon as one of them is unknown."""
        names = ("playwright-global", "k6-global", f"k6-{location}", f"monitor-{location}")
        known = [loads.get(name) for name in names if name in self._keyspace.queues]
        return self._scaler.ask(location, known, current, now)


def policy(settings: Settings) -> Policy:
    """The settings as the scaler takes them."""
    return Policy(
        least=settings.workers_min,
        most=settings.workers_max,
        down_below=settings.workers_scale_down_below,
        up_above=settings.workers_scale_up_above,
        too_long_seconds=settings.thresholds["queue_oldest_ready_warning_seconds"],
        steady_seconds=settings.workers_steady_seconds,
    )

"""Worker heartbeats as Supercheck 1.3.5 writes them (worker/src/common/heartbeat/heartbeat.service.ts)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from servers.redis import Client

KEY_PREFIX = "supercheck:worker-heartbeat:"
TTL_SECONDS = 60


def queues_of(location: str) -> list[str]:
    """What a worker of a location other than `local` serves."""
    return ["playwright-global", "k6-global", f"k6-{location}", f"monitor-{location}"]


def iso(unix: float) -> str:
    """Unix seconds as JavaScript's toISOString gives them (milliseconds, UTC)."""
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def beat(
    client: Client,
    worker: str,
    location: str = "local",
    *,
    queues: Sequence[str] | None = None,
    started: float = 0.0,
    last: float = 0.0,
) -> None:
    """Write one heartbeat. `worker` is `<hostname>-<pid>`; moments are Unix seconds."""
    hostname, pid = worker.rsplit("-", 1)
    payload = {
        "location": location,
        "hostname": hostname,
        "startedAt": iso(started),
        "lastHeartbeat": iso(last),
        "queues": queues_of(location) if queues is None else list(queues),
        "pid": int(pid),
    }
    client.set(KEY_PREFIX + worker, json.dumps(payload), ex=TTL_SECONDS)

"""The part of ``check`` that tries Redis."""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.core import SourceError, describe_error
from supercheck_exporter.settings import Settings
from supercheck_exporter.sources.redis import Command, RedisSource

NEEDED: tuple[Command, ...] = (
    ("LLEN", "{q}wait"), ("LINDEX", "{q}wait", 0), ("ZCARD", "{q}delayed"), ("ZCOUNT", "{q}delayed", 0, 1),
    ("ZRANGE", "{q}delayed", 0, 0), ("ZRANGEBYSCORE", "{q}prioritized", 0, 1, "LIMIT", 0, 1),
    ("HMGET", "{q}meta", "paused"), ("GET", "{q}limiter"), ("PTTL", "{q}repeat"), ("TYPE", "{q}meta"),
    ("EXISTS", "{q}0:lock"), ("SCARD", "{q}stalled"), ("SSCAN", "{q}stalled", 0),
    ("XREAD", "COUNT", 1, "STREAMS", "{q}events", "$"), ("XREVRANGE", "{q}events", "+", "-", "COUNT", 1),
    ("GETRANGE", "supercheck:worker-heartbeat:0", 0, 1), ("ZCOUNT", "supercheck:apikey:ratelimit:0", 0, 1),
    ("GET", "supercheck:login:lockout:attempts:0"),
)  # fmt: skip
"""Every read without which a collector fails; also the list for a Redis ACL."""

NODE_NEEDED: tuple[Command, ...] = (("PING",), ("TIME",), ("SCAN", 0, "COUNT", 1))

OPTIONAL: Mapping[Command, str] = {
    ("CLIENT LIST",): "supercheck_queue_consumers, and supercheck_workers_serving of the app's queues",
    ("INFO", "server"): "supercheck_redis_start_timestamp_seconds",
    ("XINFO STREAM", "{q}events"): "supercheck_queue_events_lost_total",
}
"""Reads that each cost some series only, and which."""


def check_redis(settings: Settings, problems: list[str], notes: list[str]) -> None:
    """Try REDIS_HOST, where it is set, and every command that the collectors need."""
    if settings.redis_host is None:
        return
    source = RedisSource(settings)
    try:
        _check_redis(source, problems, notes)
    except (SourceError, ResponseError) as error:
        problems.append(f"{describe_error(error)}.")
    finally:
        source.close()


def _check_redis(source: RedisSource, problems: list[str], notes: list[str]) -> None:
    settings = source.settings
    base = keys.queue_base(settings.bullmq_prefix, settings.bullmq_queues[0] if settings.bullmq_queues else "x")
    refused = []
    for command, answer in zip(NEEDED, source.read([_fill(c, base) for c in NEEDED]), strict=True):
        if isinstance(answer, ResponseError) and "NOPERM" in str(answer).upper() + type(answer).__name__.upper():
            refused.append(str(command[0]))
    for node in source.masters("check"):
        for command in NODE_NEEDED:
            if _refused(source, node, command):
                refused.append(str(command[0]))
        for command, cost in OPTIONAL.items():
            if _refused(source, node, _fill(command, base)):
                notes.append(f"{command[0]!s} is forbidden to this user: without it there is no {cost}.")
    if refused:
        allow = " ".join(f"+{name.lower()}" for name in dict.fromkeys(refused))
        user = settings.redis_username or "default"
        problems.append(
            f"The Redis user {user} may not run {', '.join(refused)}: allow it by ACL SETUSER {user} {allow}."
        )
    if _cluster_enabled(source) and not source.cluster:
        problems.append(f"Redis at {source.where} is a node of a cluster: set REDIS_CLUSTER=true.")
    elif not refused:
        keyspace = Keyspace(source)
        keyspace.step()
        found = keyspace.seen
        notes.append(f"{len(found)} queues found under the prefix {settings.bullmq_prefix!r}.")
        if not found:
            notes.append("If jobs have run here before, BULLMQ_PREFIX is wrong.")


def _fill(command: Command, base: bytes) -> Command:
    return tuple(
        base + part[3:].encode() if isinstance(part, str) and part.startswith("{q}") else part for part in command
    )


def _refused(source: RedisSource, node: object, command: Command) -> bool:
    try:
        source.call(node, *command)  # type: ignore[arg-type]  # a Node of the source
    except ResponseError as error:
        return "no such key" not in str(error).lower()
    return False


def _cluster_enabled(source: RedisSource) -> bool:
    try:
        info = source.call(source.nodes("check")[0], "INFO", "cluster")
    except ResponseError:
        return source.cluster
    return b"cluster_enabled:1" in info

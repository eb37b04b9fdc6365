"""Redis in the stories of history.py: a cluster of six nodes; in trouble, a master dies and its replica takes over."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

NODES = tuple(f"redis-node-{n}:6379" for n in range(1, 7))
SHARE = 5461.0
FAILOVER_SECONDS = 30.0  # longer than a real one, so that a scrape sees it
LIMIT_BYTES = 200e6


def redis_series(in_trouble: bool, now: float, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def fails(t: float) -> bool:
        return in_trouble and t > -trouble

    def taken_over(t: float) -> bool:
        return in_trouble and t > FAILOVER_SECONDS - trouble

    def degraded(t: float) -> bool:
        return fails(t) and not taken_over(t)

    def wave(base: float, swing: float, n: int) -> Value:
        return lambda t: base + swing * math.sin(t / 900 + n)

    def counted(rate: float) -> Value:
        return lambda t: math.floor(rate * (t + span))

    for n, node in enumerate(NODES):
        dies, inherits, master = n == 0, n == 3, n < 3
        values: dict[str, Value] = {
            "start_timestamp_seconds": lambda t: now - 20 * 86400,
            "keys": wave(900 + 150 * (n % 3), 120, n % 3),
            "memory_used_bytes": wave(60e6 + 12e6 * (n % 3), 9e6, n % 3),
            "memory_limit_bytes": lambda t: LIMIT_BYTES,
            "clients": wave(60 if master else 8, 3, n),
            "client_limit": lambda t: 10000.0,
            "evicted_keys_total": lambda t: 0.0,
            "keyspace_hits_total": counted(90.0 if master else 1.0),
            "keyspace_misses_total": counted(60.0 if master else 1.0),
            "commands_total": counted(400.0 + 80 * n if master else 40.0),
            "persistence_enabled": lambda t: 1.0,
            "eviction_policy_safe": lambda t: 1.0,
        }
        for role in ("master", "replica"):

            def has(t: float, role: str = role, inherits: bool = inherits, master: bool = master) -> bool:
                return role == ("master" if master or (inherits and taken_over(t)) else "replica")

            labels = {"node": node, "role": role}
            yield "supercheck_redis_node_up", labels, _when(has, lambda t, dies=dies: 0.0 if dies and fails(t) else 1.0)  # type: ignore[misc]
            for name, value in values.items():

                def lives(t: float, has: Callable[[float], bool] = has, dies: bool = dies) -> bool:
                    return has(t) and not (dies and fails(t))

                yield f"supercheck_redis_{name}", labels, _when(lives, value)
        if not master:
            lag = wave(4000 + 900 * n, 2000, n)
            follows: Callable[[float], bool] = lambda t, inherits=inherits: not (inherits and fails(t))  # type: ignore[misc]  # noqa: E731
            yield "supercheck_redis_replication_lag_bytes", {"node": node, "role": "replica"}, _when(follows, lag)

    yield "supercheck_redis_cluster_ok", {}, lambda t: 0.0 if degraded(t) else 1.0
    for state, well, ill in (
        ("assigned", 16384.0, 16384.0),
        ("ok", 16384.0, 16384.0 - SHARE),
        ("pfail", 0.0, 0.0),
        ("fail", 0.0, SHARE),
        ("unassigned", 0.0, 0.0),
    ):
        yield (
            "supercheck_redis_cluster_slots",
            {"state": state},
            lambda t, well=well, ill=ill: ill if degraded(t) else well,  # type: ignore[misc]
        )
    yield "supercheck_redis_cluster_masters", {}, lambda t: 2.0 if degraded(t) else 3.0
    yield "supercheck_redis_cluster_replicas", {}, lambda t: 2.0 if taken_over(t) else 3.0
    yield "supercheck_redis_cluster_masters_without_replica", {}, lambda t: 1.0 if taken_over(t) else 0.0
    yield "supercheck_redis_cluster_failovers_total", {}, lambda t: 1.0 if taken_over(t) else 0.0
    for n in range(4):
        owns: Callable[[float], bool] = lambda t, n=n: n in (1, 2) or taken_over(t) == (n == 3)  # type: ignore[misc]  # noqa: E731
        yield "supercheck_redis_cluster_slots_owned", {"node": NODES[n]}, _when(owns, lambda t: SHARE)


def _when(there: Callable[[float], bool], value: Value) -> Value:
    return lambda t: value(t) if there(t) else None

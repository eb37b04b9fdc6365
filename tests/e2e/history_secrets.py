"""Vault, stored secrets and the execution namespace in the stories of history.py; in trouble, a node is sealed.

Then a standby is down as well, an old secret was found, and pods find no room.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

DAY = 86400.0
MOUNTS = {"secret": (34, 61 * DAY, 0), "team/kv": (7, 88 * DAY, 3)}
QUOTAS = {
    "pods": (10, 0.3),
    "count/jobs.batch": (10, 0.6),
    "requests.cpu": (4, 0.25),
    "requests.memory": (8 * 2**30, 0.2),
}


def secrets_series(in_trouble: bool, now: float, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def flat(value: float) -> Value:
        return lambda _t: value

    for n, node in enumerate(("vault-1", "vault-2", "vault-3")):
        labels = {"node": node}

        def down(t: float, n: int = n) -> bool:
            return n == 2 and since(t) > 300

        def sealed(t: float, n: int = n) -> bool:
            return n == 0 and since(t) > 0

        def told(value: Callable[[float], float | None], down: Callable[[float], bool] = down) -> Value:
            return lambda t: None if down(t) else value(t)

        yield "supercheck_vault_up", labels, lambda t, d=down: float(not d(t))  # type: ignore[misc]
        yield "supercheck_vault_sealed", labels, told(lambda t, s=sealed: float(s(t)))  # type: ignore[misc]
        yield "supercheck_vault_initialized", labels, told(flat(1))
        standby = {0: lambda t: None if since(t) else 0.0, 1: lambda t: float(not since(t)), 2: flat(1)}[n]
        yield "supercheck_vault_standby", labels, told(standby)
        expiry = now + (40 + 9 * n) * DAY
        yield "supercheck_vault_certificate_expiry_timestamp_seconds", labels, told(flat(expiry))
    yield "supercheck_vault_audit_devices", {}, lambda t: 2.0 if since(t) < 600 else 1.0
    yield "supercheck_vault_token_ttl_seconds", {}, lambda t: 32 * DAY - (t + span) % 3000
    yield "supercheck_vault_token_lifetime_seconds", {}, flat(32 * DAY)
    for mount, (number, age, found) in MOUNTS.items():
        by = {"mount": mount}
        yield "supercheck_vault_secrets", by, lambda t, n=number: n + (t > -4000)  # type: ignore[misc]
        late = 4 * DAY if found else 0.0
        yield "supercheck_vault_secret_age_seconds", by, lambda t, a=age, x=late: a + t + x * (since(t) > 60)  # type: ignore[misc]
        overdue = float(found)
        yield "supercheck_vault_secrets_overdue_rotation", by, lambda t, o=overdue: o * (since(t) > 60)  # type: ignore[misc]
        yield "supercheck_vault_secrets_last_success_timestamp_seconds", by, lambda t: now + t - t % 3600
    for kind, (number, age) in {"secret": (41, 130), "variable": (6, 210), "file": (3, 40)}.items():
        yield "supercheck_secrets_stored", {"kind": kind}, lambda t, n=number: n + (t > -2000)  # type: ignore[misc]
        yield "supercheck_secrets_oldest_age_seconds", {"kind": kind}, lambda t, a=age: a * DAY + t  # type: ignore[misc]
    yield from _execution(since)


def _execution(since: Callable[[float], float]) -> Iterator[Told]:
    def running(t: float) -> float:
        return 2.0 if since(t) else max(0.0, round(2 + 2 * math.sin(t / 700)))

    phases: dict[str, Value] = {
        "Pending": lambda t: min(8.0, since(t) // 120),
        "Running": running,
        "Succeeded": lambda t: max(0.0, round(4 + 2 * math.sin(t / 900))),
        "Failed": lambda t: 1.0 if since(t) > 700 else 0.0,
        "Unknown": lambda _t: 0.0,
    }
    for phase, value in phases.items():
        yield "supercheck_execution_pods", {"phase": phase}, value
    yield "supercheck_execution_oldest_pending_age_seconds", {}, lambda t: max(0.0, since(t) - 120)
    for resource, (limit, share) in QUOTAS.items():
        by = {"resource": resource}
        yield "supercheck_execution_quota_limit", by, lambda _t, n=limit: float(n)  # type: ignore[misc]
        yield (
            "supercheck_execution_quota_used",
            by,
            lambda t, n=limit, s=share: n * min(1.0, s + since(t) / 1800 + 0.1 * math.sin(t / 700)),  # type: ignore[misc]
        )

"""Backups in the stories of history.py: three months of them; in trouble, the job has stood for more than a day."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

DAY, HOUR = 86400.0, 3600.0
INCREMENT_AT = -2400.0  # an incremental backup is taken while we look
READ_BACK_SECONDS = 300.0
FULL_BYTES, INCREMENT_BYTES = 1.8e9, 9e7


def backup_series(in_trouble: bool, now: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `trouble`: how long ago the trouble began."""
    full = now - (26 * HOUR + trouble / 2 if in_trouble else 9 * HOUR)

    def increment(t: float) -> float:
        if in_trouble:
            return now - 7 * HOUR - trouble / 2
        return now + (INCREMENT_AT if t >= INCREMENT_AT else INCREMENT_AT - 6 * HOUR)

    def reads_back(t: float) -> float:
        if in_trouble:
            return float(t > -trouble)
        return float(INCREMENT_AT <= t < INCREMENT_AT + READ_BACK_SECONDS)

    for kind, kept, newest, size in (
        ("full", 90.0, lambda t: full, FULL_BYTES),
        ("incremental", 362.0, increment, INCREMENT_BYTES),
    ):
        labels = {"database": "supercheck", "type": kind}
        values: dict[str, Value] = {
            "last_success_timestamp_seconds": newest,
            "last_size_bytes": lambda t, newest=newest, size=size: size * (1 + (newest(t) // HOUR % 7) / 40),  # type: ignore[misc]
            "median_size_bytes": lambda t, size=size: size * 1.02,  # type: ignore[misc]
            "last_verified_timestamp_seconds": lambda t, newest=newest, kind=kind: (  # type: ignore[misc]
                newest(t) - 6 * HOUR if kind == "incremental" and reads_back(t) else newest(t)
            ),
            "verification_failures": lambda t, kind=kind: reads_back(t) if kind == "incremental" else 0.0,  # type: ignore[misc]
            "retained": lambda t, kept=kept: kept,  # type: ignore[misc]
            "oldest_timestamp_seconds": lambda t: now - 89.6 * DAY,
            "encrypted": lambda t: 1.0,
            "past_retention": lambda t: 0.0,
        }
        for name, value in values.items():
            yield f"supercheck_backup_{name}", labels, value
    tested = {"database": "supercheck"}
    yield "supercheck_backup_last_restore_test_timestamp_seconds", tested, lambda t: now - 12 * DAY
    yield "supercheck_backup_last_restore_test_success", tested, lambda t: 1.0

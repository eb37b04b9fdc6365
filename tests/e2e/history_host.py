"""The host in the stories of history.py; in trouble, a disk fills within hours and memory runs out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

GIGABYTE = 1e9
DISKS = {"/": ("/dev/sda1", 80, 0.46), "/var/lib": ("/dev/sdb1", 500, 0.31), "/boot": ("/dev/sda2", 1, 0.62)}
"""Mount point -> device, gigabytes, free share."""

CORES = 4
MODES = {"user": 0.3, "system": 0.08, "iowait": 0.03, "steal": 0.005, "softirq": 0.01, "nice": 0.0, "irq": 0.0}


def host_series(in_trouble: bool, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""
    target = {"instance": "node-exporter:9100", "job": "node"}

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    for mountpoint, (device, gigabytes, free) in DISKS.items():
        by = {"instance": target["instance"], "device": device, "mountpoint": mountpoint}
        lost = 1e-5 if mountpoint == "/var/lib" else 0.0

        def share(t: float, free: float = free, lost: float = lost) -> float:
            return max(0.0, free - lost * since(t))

        size = gigabytes * GIGABYTE
        yield "disk:supercheck_disk_free:ratio", by, share
        yield "disk:supercheck_disk_free_bytes:max", by, lambda t, s=share, n=size: s(t) * n  # type: ignore[misc]
        if lost:
            slow = 1e-7
            yield (
                "disk:supercheck_disk_full_seconds:predict6h",
                by,
                lambda t, s=share, lost=lost, slow=slow: s(t) / (lost if since(t) > 300 else slow),  # type: ignore[misc]
            )
    for cpu in range(CORES):
        for mode, part in MODES.items():
            yield (
                "node_cpu_seconds_total",
                {**target, "cpu": str(cpu), "mode": mode},
                lambda t, p=part: p * (t + span) + (0.4 * since(t) if p == 0.3 else 0),  # type: ignore[misc]
            )
        idle = 1 - sum(MODES.values())
        yield (
            "node_cpu_seconds_total",
            {**target, "cpu": str(cpu), "mode": "idle"},
            lambda t, i=idle: i * (t + span) - 0.4 * since(t),  # type: ignore[misc]
        )
    for name, factor in (("node_load1", 1.2), ("node_load5", 1.0), ("node_load15", 0.9)):
        yield name, target, lambda t, f=factor: f * (1.6 + 0.4 * math.sin(t / 500)) + since(t) / 200  # type: ignore[misc]
    yield "node_memory_MemTotal_bytes", target, lambda _t: 16 * GIGABYTE
    yield (
        "node_memory_MemAvailable_bytes",
        target,
        lambda t: GIGABYTE * max(0.6, 9 + 0.5 * math.sin(t / 700) - since(t) / 100),
    )
    yield "node_vmstat_pswpin", target, lambda t: 40 * since(t)
    yield "node_vmstat_oom_kill", target, lambda t: float(since(t) > 600) + float(since(t) > 900)
    disk = {**target, "device": "sda"}
    yield "node_disk_read_bytes_total", disk, lambda t: 2e6 * (t + span) + 3e7 * since(t)
    yield "node_disk_written_bytes_total", disk, lambda t: 5e6 * (t + span)
    yield "node_disk_io_time_seconds_total", disk, lambda t: 0.12 * (t + span) + 0.7 * since(t)

"""A real node_exporter with the shipped options, scraped by a real Prometheus with the shipped job and rules."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.dashboard_queries import EVERYTHING, load, queries
from e2e.shorten import shorten_folder
from servers.monitoring import Alert, Prometheus
from servers.node_exporter import NodeExporter, shipped_options
from servers.process import wait_for
from supercheck_exporter.render import OPTIONAL_TARGETS, render

DIVISOR = 400  # of the durations of the rules: nothing here is about them
SECONDS = 60.0
EVERY_DISK = {
    "THRESHOLD_DISK_FLOOR_FREE_RATIO": "0.998",
    "THRESHOLD_DISK_FILLING_CRITICAL_FREE_RATIO": "0.999",
    "THRESHOLD_DISK_FILLING_WARNING_FREE_RATIO": "1",
    "THRESHOLD_DISK_FLOOR_FREE_BYTES": str(10**16),
}
"""With these a disk is nearly full unless nothing is on it."""

IN_MEMORY_OR_FIXED = re.compile(r"(dev)?tmpfs|ramfs|overlay|aufs|squashfs|erofs|iso9660|autofs|nsfs|fuse\..+")


@pytest.fixture(scope="module")
def node() -> Iterator[NodeExporter]:
    with NodeExporter() as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(node: NodeExporter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("rendered")
    server = Prometheus(folder / "prometheus/prometheus.yml")
    nobody = dict.fromkeys(("EXPORTER_TARGETS", "ALERTMANAGER_TARGET"), "127.0.0.1:1")
    targets = dict.fromkeys(OPTIONAL_TARGETS, "") | nobody | {"PROMETHEUS_TARGET": server.address}
    render(folder, EVERY_DISK | targets | {"NODE_TARGET": node.target})
    shorten_folder(folder, DIVISOR)
    with server:
        yield server


def disks() -> dict[str, float]:
    """Mount point -> free share of what can fill on this machine, as the kernel tells it, without node_exporter."""
    option = "--collector.filesystem.mount-points-exclude="
    (excluded,) = (text.removeprefix(option) for text in shipped_options() if text.startswith(option))
    found = {}
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        device, mountpoint, fstype, options = line.split()[:4]
        if IN_MEMORY_OR_FIXED.fullmatch(fstype) or re.match(excluded, mountpoint) or "ro" in options.split(","):
            continue
        if device.startswith("/") and Path(mountpoint).is_dir():
            size = os.statvfs(mountpoint)
            found[mountpoint] = size.f_bavail / size.f_blocks
    return found


def test_disk_filling_is_about_the_disks_of_this_machine_and_about_nothing_else(prometheus: Prometheus) -> None:
    """But for disks below folders that only root may enter: a user without rights learns nothing of them."""

    def right_ones() -> tuple[list[Alert], dict[str, float]] | None:
        alerts = prometheus.firing(alertname="DiskFilling", severity="critical")
        closed = {dict(labels)["mountpoint"] for labels in prometheus.query("node_filesystem_device_error == 1")}
        wanted = {mountpoint: free for mountpoint, free in disks().items() if free < 0.99 and mountpoint not in closed}
        return (alerts, wanted) if {alert.labels["mountpoint"] for alert in alerts} == set(wanted) else None

    wait_for(lambda: prometheus.query("node_filesystem_device_error"), SECONDS, "node_exporter is scraped")
    found = wait_for(right_ones, SECONDS, f"DiskFilling fires for the disks among {sorted(disks())}")
    assert found is not None
    alerts, free = found
    for alert in alerts:
        labels = alert.labels
        assert labels["node"] == f"{labels['instance']} {labels['mountpoint']}"
        told = float(alert.annotations["value"].removesuffix("% free")) / 100
        assert told == pytest.approx(free[labels["mountpoint"]], abs=0.1)  # others write meanwhile


def test_every_query_of_the_dashboard_finds_its_series(prometheus: Prometheus) -> None:
    """But for alerts, and for a time that only a disk has that fills."""
    values = EVERYTHING | {"__range": "30s", "__rate_interval": "10s"}
    asked = [query for query in queries(load("supercheck-host"), values) if "ALERTS" not in query.expr]
    wanted = [query for query in asked if "predict6h" not in query.expr]
    assert len(asked) - len(wanted) == 2
    if not disks():
        wanted = [query for query in wanted if "supercheck_disk" not in query.expr]
    missing = list(wanted)

    def filled() -> bool:
        missing[:] = [query for query in missing if not prometheus.query(query.expr)]
        return not missing

    try:
        wait_for(filled, SECONDS, "every query returns data")
    except AssertionError:
        pytest.fail("without data: " + "; ".join(f"{query.panel} [{query.ref}]" for query in missing))

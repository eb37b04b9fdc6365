"""The host: which disk is full and when, what processor and memory have left, what was killed for want of memory."""

from . import links, shared
from .host_detail import disks_section, work_section
from .layout import Section, shelf
from .levels import Thresholds
from .panels import Doc, one
from .sdk import models
from .spec import Spec

_BLIND = "node_exporter is not scraped"
BUSY = 'avg by (instance) (1 - rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))'
MEMORY = "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
CORES = 'count by (instance) (node_cpu_seconds_total{mode="idle"})'


def _sections(limits: Thresholds) -> list[Section]:
    alerts = shared.alerts_table("Alerts about the host", 'component="host"')
    return [
        Section("What runs out?", [shelf(4, *_strip(limits)), shelf(6, alerts)]),
        disks_section(limits),
        work_section(),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "Least free disk",
            Doc(
                "Free share of the disk with the least; what lives in memory or can't be written does not count.",
                "above 20 %.",
                "the table of disks names it, and says whether it fills.",
            ),
            "min(disk:supercheck_disk_free:ratio)",
            unit="percentunit",
            decimals=0,
            levels=limits.below(warning="disk_filling_critical_free_ratio", critical="disk_floor_free_ratio"),
            no_data=_BLIND,
            runbooks=["DiskFilling"],
            loud=True,
        ),
        one(
            "First full in",
            Doc(
                "When the first disk is full, if it goes on as in the last 6 hours.",
                "weeks, or no time at all.",
                "find what grows: Docker's images and logs, Prometheus, backups.",
            ),
            "min(disk:supercheck_disk_full_seconds:predict6h)",
            unit="s",
            levels=limits.below(warning="disk_filling_warning_seconds", critical="disk_filling_critical_seconds"),
            no_data="no disk fills",
            runbooks=["DiskFilling"],
        ),
        one(
            "Processor busy",
            Doc(
                "Share of the processors' time that was not idle, waiting for disks included.",
                "below 80 %; browsers of tests fill it for minutes.",
                "find who works: `docker stats`. Tests beside each other need more processors, or fewer slots.",
            ),
            f"max({BUSY})",
            unit="percentunit",
            decimals=0,
            no_data=_BLIND,
        ),
        one(
            "Memory in use",
            Doc(
                "Share of the memory that nobody could get without swapping; caches count as free.",
                "below 85 %.",
                "the kernel kills something at 100 %: see 'Killed' and `docker stats`.",
            ),
            f"max({MEMORY})",
            unit="percentunit",
            decimals=0,
            no_data=_BLIND,
        ),
        one(
            "Killed since it booted",
            Doc(
                "Processes that the kernel killed for want of memory, the host's or a container's own, since the boot.",
                "0; it never falls.",
                "`dmesg -T | grep -i oom` names the process; raise its container's limit, or give the host more.",
            ),
            "sum(max by (instance) (node_vmstat_oom_kill))",
            unit="short",
            decimals=0,
            no_data=_BLIND,
        ),
        one(
            "Load a processor",
            Doc(
                "Processes that run or wait for a processor or a disk, the mean of 5 minutes, over the processors.",
                "below 1.",
                "with a busy processor: too much work. With an idle one: a slow disk.",
            ),
            f"max(max by (instance) (node_load5) / {CORES})",
            unit="short",
            decimals=1,
            no_data=_BLIND,
        ),
    ]


SPEC = Spec(
    uid=links.HOST,
    title="Supercheck / Host",
    description="Which disk is full, and when? What have processor and memory left? What was killed?",
    sections=_sections,
    alert_matchers='component="host"',
    span="6h",
)

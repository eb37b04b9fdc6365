"""The host, the details: each disk, the processor, memory, and how busy the disks are."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, WARNING
from .layout import Section, shelf
from .levels import ORANGE, PLAIN, Levels, Thresholds
from .panels import Doc, Line, lines
from .sdk import models
from .tables import Label, Value, rows

_BLIND = "node_exporter is not scraped"
_RATE = "[$__rate_interval]"
_BY = "instance, mountpoint"
_DEVICES = 'device!~"(loop|ram|zram|sr|fd|dm-).*"'


def disks_section(limits: Thresholds) -> Section:
    """Return the section about what each disk has left."""
    return Section("Which disk?", [shelf(8, _disks(limits), _free(limits), widths=(13, 11))])


def work_section() -> Section:
    """Return the section about processor, memory and the work of the disks."""
    return Section(
        "What is it busy with?",
        [shelf(8, _processor(), _load(), _memory()), shelf(8, _swap(), _bytes(), _waits())],
    )


def _disks(limits: Thresholds) -> models.Panel:
    free = f"min by ({_BY}) (disk:supercheck_disk_free:ratio)"
    full = f"min by ({_BY}) (disk:supercheck_disk_full_seconds:predict6h)"
    return rows(
        "Disks, the one with the least free first",
        Doc(
            "Every mounted file system that can fill. 'Full in' is made of the last 6 hours; empty: it does not fill.",
            "20 % free, and weeks until it is full.",
            "see what grows there (`du -xh --max-depth 2 <mount> | sort -h | tail`).",
        ),
        [Label("instance", "Host", width=150), Label("mountpoint", "Mounted at")],
        [
            Value(
                "Free",
                free,
                "percentunit",
                limits.below(warning="disk_filling_critical_free_ratio", critical="disk_floor_free_ratio"),
                decimals=1,
            ),
            Value("Free bytes", f"min by ({_BY}) (disk:supercheck_disk_free_bytes:max)", "bytes"),
            Value(
                "Full in",
                full,
                "s",
                limits.below(warning="disk_filling_warning_seconds", critical="disk_filling_critical_seconds"),
                absent="does not fill",
            ),
        ],
        no_data=_BLIND,
        sort_by="Free",
        descending=False,
        runbooks=["DiskFilling"],
    )


def _free(limits: Thresholds) -> models.Panel:
    return lines(
        "Free share of each disk",
        Doc(
            "Free share of every disk that can fill. DiskFilling asks for the trend as well, above the floor.",
            "flat, or a saw.",
            "a line that falls: how steep says when it is full.",
        ),
        [
            Line(
                f"bottomk({promql.TOP}, min by ({_BY}) (disk:supercheck_disk_free:ratio))",
                "{{instance}} {{mountpoint}}",
            )
        ],
        unit="percentunit",
        soft_max=1,
        levels=Levels(PLAIN, ((limits["disk_filling_critical_free_ratio"], ORANGE),)),
        no_data=_BLIND,
        runbooks=["DiskFilling"],
    )


def _processor() -> models.Panel:
    def share(modes: str) -> str:
        return f'avg(sum by (instance, cpu) (rate(node_cpu_seconds_total{{mode=~"{modes}"}}{_RATE})))'

    return lines(
        "Processor",
        Doc(
            "Share of the processors' time by what it went into; the mean of all processors.",
            "user, while tests run.",
            "waiting: the disk is slow. Stolen: the machine beneath is overbooked.",
        ),
        [
            Line(share("user|nice"), "user", IN),
            Line(share("system|irq|softirq"), "system", OUT),
            Line(share("iowait"), "waiting for disks", WARNING),
            Line(share("steal"), "stolen", SLOW),
        ],
        unit="percentunit",
        stacked=True,
        soft_max=1,
        no_data=_BLIND,
    )


def _load() -> models.Panel:
    return lines(
        "Load and processors",
        Doc(
            "Processes that run or wait, the mean of 1 and of 15 minutes, beside the number of processors.",
            "below the processors.",
            "above for long: tests wait for each other, and their timeouts run.",
        ),
        [
            Line("max(node_load1)", "1 minute", IN),
            Line("max(node_load15)", "15 minutes", OUT),
            Line('max(count by (instance) (node_cpu_seconds_total{mode="idle"}))', "processors", LIMIT, dashed=True),
        ],
        unit="short",
        no_data=_BLIND,
    )


def _memory() -> models.Panel:
    return lines(
        "Memory",
        Doc(
            "What is in use and what could be had, beside all of it. Caches are given back, so they count as free.",
            "in use well below all.",
            "a steady rise: `docker stats` names the container.",
        ),
        [
            Line("max(node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)", "in use", IN),
            Line("min(node_memory_MemAvailable_bytes)", "to be had", OUT),
            Line("max(node_memory_MemTotal_bytes)", "all", LIMIT, dashed=True),
        ],
        unit="bytes",
        no_data=_BLIND,
    )


def _swap() -> models.Panel:
    return lines(
        "Swapping and kills",
        Doc(
            "Pages that were read back from swap, a second; and processes that the kernel killed, in each interval.",
            "0 of both.",
            "the host has too little memory, or a container has reached its limit.",
        ),
        [
            Line(f"sum(rate(node_vmstat_pswpin{_RATE}))", "pages from swap a second", SLOW),
            Line(f"sum(increase(node_vmstat_oom_kill{_RATE}))", "killed", WARNING),
        ],
        unit="short",
        no_data=_BLIND,
    )


def _bytes() -> models.Panel:
    return lines(
        "Read and written",
        Doc(
            "Bytes that the disks read and wrote, a second.",
            "what your disks do with ease.",
            "flat at the top: the provider limits it, and everything waits.",
        ),
        [
            Line(f"sum(rate(node_disk_read_bytes_total{{{_DEVICES}}}{_RATE}))", "read", IN),
            Line(f"sum(rate(node_disk_written_bytes_total{{{_DEVICES}}}{_RATE}))", "written", OUT),
        ],
        unit="Bps",
        no_data=_BLIND,
    )


def _waits() -> models.Panel:
    return lines(
        "Busy disks",
        Doc(
            "Share of the time in which a disk had work, the busiest.",
            "below 80 %; for a disk that does several things at once 100 % may still be well.",
            "together with 'waiting for disks': it is too slow for what is asked of it.",
        ),
        [Line(f"topk(5, max by (device) (rate(node_disk_io_time_seconds_total{{{_DEVICES}}}{_RATE})))", "{{device}}")],
        unit="percentunit",
        soft_max=1,
        no_data=_BLIND,
    )

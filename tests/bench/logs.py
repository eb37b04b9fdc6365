"""5,000 log lines a second for a minute through both collectors on one processor; and the same while Loki is away."""

from __future__ import annotations

import json
import os
import random
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from servers.collector import Collector
from servers.docker_logs import Container
from servers.log_collector import LogCollector
from servers.otlp import OtlpSink
from servers.process import Server, require_program, wait_for

LINES_A_SECOND, SECONDS, TICKS_A_SECOND = 5000, 60, 10
PROCESSOR = 1
AWAY = 503
# as compose sets them: GOMEMLIMIT, and what the memory limiter keeps
READER = {"GOMEMLIMIT": "120MiB", "COLLECTOR_MEMORY_MIB": "120"}
STORER = {"GOMEMLIMIT": "400MiB", "COLLECTOR_MEMORY_MIB": "400"}
NUMBER = re.compile(rb"line-(\d+)\.")


@dataclass(frozen=True)
class Pressure:
    """What came of it: numbers of lines, MiB at the highest, seconds."""

    written: int
    lost: int
    twice: int
    reader_mib: float
    storer_mib: float
    reader_cpu: float
    storer_cpu: float
    behind: float
    """From the last line written to the last one stored, or from Loki's return."""


class NumberSink(OtlpSink):
    """Keeps the numbers of lines alone: a minute of them is 300,000."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    def keep(self, path: str, body: bytes) -> None:
        """Each line says its number once."""
        del path
        self.numbers += map(int, NUMBER.findall(body))


class PinnedCollector(Collector):
    """On one processor, which it shares with the other."""

    def command(self) -> list[str | Path]:
        """By taskset, so that every thread is."""
        return [require_program("taskset"), "-c", str(PROCESSOR), *super().command()]


class PinnedLogCollector(LogCollector):
    """Likewise."""

    def command(self) -> list[str | Path]:
        """By taskset, so that every thread is."""
        return [require_program("taskset"), "-c", str(PROCESSOR), *super().command()]


def line(number: int, chance: random.Random) -> list[str]:
    """What a site logs: mostly pino's lines, some plain ones, a few errors with a stack."""
    kind = chance.random()
    if kind < 0.15:
        return [f"[JobScheduler] line-{number}. next run of 3 jobs at 2026-11-24T12:00:00.000Z"]
    said: dict[str, object] = {
        "level": "info",
        "time": "2026-11-24T12:00:00.000Z",
        "env": "production",
        "service": "supercheck-app",
        "module": "queue-client",
        "organizationId": f"org-{number % 50}",
        "runId": f"{number:08d}-0000-4000-8000-000000000000",
        "trace_id": f"{number:032x}",
        "span_id": f"{number + 1:016x}",
        "msg": f"line-{number}. run added to the queue playwright-global after {chance.randrange(1000)} ms",
    }
    if kind > 0.98:
        said |= {"level": "error", "err": {"type": "Error", "stack": "Error: x" + "\n    at f (/app/a.js:1:2)" * 12}}
    return [json.dumps(said)]


def usage(server: Server) -> tuple[float, float]:
    """MiB at the highest, and seconds of processor time."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    fields = Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    assert peak
    return int(peak[1]) / 1024, ticks / os.sysconf("SC_CLK_TCK")


def under_pressure(*, outage: bool, seconds: int = SECONDS) -> Pressure:
    """Write for so long; with ``outage``, Loki answers nothing but 503 all the while."""
    chance = random.Random(5)
    a_tick = LINES_A_SECOND // TICKS_A_SECOND
    with tempfile.TemporaryDirectory() as folder:
        containers = [Container(Path(folder), f"supercheck-app-{number}") for number in range(5)]
        with (
            NumberSink() as loki,
            PinnedCollector(loki=f"{loki.url}/otlp", **STORER) as storer,
            PinnedLogCollector(Path(folder), storer.endpoint, **READER) as reader,
        ):
            loki.status = AWAY if outage else 200
            began, number = time.monotonic(), 0
            for tick in range(seconds * TICKS_A_SECOND):
                container = containers[tick % len(containers)]
                numbers = range(number, number + a_tick)
                container.write(*(text for n in numbers for text in line(n, chance)))
                number += a_tick
                if tick % (TICKS_A_SECOND * 5) == 0:
                    containers[tick // 50 % len(containers)].rotate()
                time.sleep(max(0.0, began + (tick + 1) / TICKS_A_SECOND - time.monotonic()))
            loki.status, ended = 200, time.monotonic()
            wait_for(lambda: len(set(loki.numbers)) >= number, 300, f"{number} lines arrived")
            behind = time.monotonic() - ended
            (reader_mib, reader_cpu), (storer_mib, storer_cpu) = usage(reader), usage(storer)
            stored = len(set(loki.numbers))
            twice = len(loki.numbers) - stored
    return Pressure(number, number - stored, twice, reader_mib, storer_mib, reader_cpu, storer_cpu, behind)

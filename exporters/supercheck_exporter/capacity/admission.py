"""How long runs are parked before BullMQ gets them.

A promoted run leaves the parked ones and is added to a queue under the same id: the time between the two
is its wait for admission. A run that is parked and promoted between two looks at Redis is not seen.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from supercheck_exporter.bullmq.events import Entry, Sink
from supercheck_exporter.core import HistogramValue
from supercheck_exporter.distribution import Distribution

# an edge at 5 s (the seed's target), 300 s and 900 s (waiting too long)
EDGES = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600)
MAX_RUNS = 100_000
GRACE_SECONDS = 60.0
"""A run that is parked no longer is remembered for so long: its event may come after the look."""


class Admissions:
    """Parked runs by id; written by two followers, read by scrapes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[bytes, tuple[float, float]] = {}
        """Run id -> (parked since, Unix ms; last seen, seconds of a clock that nobody sets)."""
        self._waits = Distribution(EDGES)

    def park(self, parked: Mapping[bytes, float], now: float) -> None:
        """Take what is parked at the moment: run id -> since when, Unix ms."""
        with self._lock:
            for run, since in parked.items():
                self._runs[run] = (since, now)
            gone = [run for run, (_, seen) in self._runs.items() if now - seen > GRACE_SECONDS]
            for run in gone:
                del self._runs[run]
            while len(self._runs) > MAX_RUNS:
                del self._runs[next(iter(self._runs))]

    def apply(self, entries: Iterable[Entry]) -> None:
        """Take events of a queue: what is added there and was parked is admitted."""
        if not self._runs:
            return
        with self._lock:
            for ms, event, job in entries:
                if event == b"added" and job in self._runs:
                    since, _ = self._runs.pop(job)
                    self._waits.observe(max(0.0, (ms - since) / 1000))

    def holds(self, run: bytes) -> bool:
        """Whether the run is parked, or was a moment ago."""
        with self._lock:
            return run in self._runs

    def value(self) -> HistogramValue:
        """The waits so far, in seconds."""
        with self._lock:
            return self._waits.value()


class AdmissionSink:
    """Between the events and their first taker: hands everything on, and shows ``apply`` to the admissions."""

    def __init__(self, sink: Sink, admissions: Admissions) -> None:
        self._sink = sink
        self._admissions = admissions
        self.backfill = sink.backfill
        self.lost = sink.lost
        self.forget = sink.forget

    def apply(self, queue: str, entries: Iterable[Entry]) -> None:
        """See events.Sink."""
        known: Sequence[Entry] = entries if isinstance(entries, list) else list(entries)
        self._sink.apply(queue, known)
        self._admissions.apply(known)

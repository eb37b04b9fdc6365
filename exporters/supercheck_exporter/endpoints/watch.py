"""What the probes of one endpoint have found since the exporter started; pure, no connection."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from supercheck_exporter.core import HistogramValue
from supercheck_exporter.distribution import Distribution
from supercheck_exporter.endpoints.asking import OUTCOMES, Endpoint, Finding, Outcome
from supercheck_exporter.probing.prober import Result, Target

# 0.2 s is the target of the seed for the API's p95; the last ones are the longest deadlines
EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60)


@dataclass(frozen=True)
class View:
    """One look at what is known. ``last`` is None before the first probe is over."""

    last: Finding | None
    certificate_expires: float | None
    probes: dict[Outcome, int]
    seconds: HistogramValue


class EndpointWatch(Target[Finding]):
    """Probes at a steady pace."""

    def __init__(self, name: str, endpoint: Endpoint, interval: float, timeout: float) -> None:
        self.name = name
        self._endpoint = endpoint
        self._interval = interval
        self._timeout = timeout
        self._lock = threading.Lock()
        self._last: Finding | None = None
        self._certificate_expires: float | None = None
        self._probes = dict.fromkeys(OUTCOMES, 0)
        self._seconds = Distribution(EDGES)

    def due(self, last: float | None, now: float) -> float:
        """An interval after the last start."""
        return now if last is None else last + self._interval

    def deadline(self, now: float) -> float:
        """The same for each probe."""
        return self._timeout

    def probe(self, seconds: float) -> Finding:
        """Ask the endpoint."""
        return self._endpoint.ask(seconds)

    def record(self, result: Result[Finding]) -> None:
        """Count the probe, and keep the certificate's end: a probe that fails does not see it."""
        finding = result.answer or Finding("failed", result.problem)
        with self._lock:
            self._last = finding
            self._certificate_expires = finding.certificate_expires or self._certificate_expires
            self._probes[finding.outcome] += 1
            self._seconds.observe(result.ended - result.began)

    def view(self) -> View:
        """What is known now."""
        with self._lock:
            return View(self._last, self._certificate_expires, dict(self._probes), self._seconds.value())

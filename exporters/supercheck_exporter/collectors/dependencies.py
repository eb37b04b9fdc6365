"""What Supercheck depends on outside: whether each answers, and the circuit breaker that probes of our own drive.

Source: probes in the background (breakers/); a scrape only reads what they found. http.py answers /breakers from here.

    supercheck_circuit_breaker_state{dependency="smtp",state="open"} 1.0
    supercheck_dependency_up{dependency="smtp"} 0.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supercheck_exporter.breakers.breaker import STATES
from supercheck_exporter.breakers.watch import EDGES, DependencyWatch, View
from supercheck_exporter.core import Collector, Sample, counter, gauge, histogram
from supercheck_exporter.probing.prober import Prober

MAX_AGE_SECONDS = 60.0
STATE = gauge(
    "supercheck_circuit_breaker_state",
    "Which state the breaker is in: 1 for that one, 0 for the other two; absent before the first probe is over.",
    "dependency",
    "state",
)
TRANSITIONS = counter(
    "supercheck_circuit_breaker_transitions_total",
    "Changes of the breaker's state since the exporter started; each counts, however short the state was.",
    "dependency",
    "from",
    "to",
)
REJECTED = counter(
    "supercheck_circuit_breaker_rejected_total",
    "Questions at /breakers/<dependency> that were answered with open or half-open: calls that were held back.",
    "dependency",
)
STATE_SECONDS = counter(
    "supercheck_circuit_breaker_state_seconds_total",
    "Seconds that the breaker has been in the state since the exporter started.",
    "dependency",
    "state",
)
UP = gauge(
    "supercheck_dependency_up",
    "Whether the last probe was answered (1) or failed (0); absent before the first. While it is open there is none.",
    "dependency",
)
SECONDS = histogram(
    "supercheck_dependency_probe_seconds",
    "Seconds that probes took which were answered; failures are not in it, as they take no time or all of it.",
    EDGES,
    "dependency",
)
CERTIFICATE = gauge(
    "supercheck_dependency_certificate_expiry_timestamp_seconds",
    "Unix time at which the certificate that was seen last ends; absent without TLS, and before one was seen.",
    "dependency",
)


class DependenciesCollector(Collector):
    """Reads what the prober's targets have found."""

    name = "dependencies"
    descs = (STATE, TRANSITIONS, REJECTED, STATE_SECONDS, UP, SECONDS, CERTIFICATE)

    def __init__(self, watches: Sequence[DependencyWatch], prober: Prober) -> None:
        self.watches = {watch.name: watch for watch in watches}
        self._prober = prober

    @property
    def problems(self) -> Mapping[str, str]:  # type: ignore[override]  # read once a page
        """What is wrong with each dependency."""
        views = [watch.view() for watch in self.watches.values()]
        return {f"Dependency {view.name}": view.problem for view in views if view.problem}

    def start(self) -> None:
        """Start probing."""
        self._prober.start()

    def stop(self) -> None:
        """Stop it."""
        self._prober.stop()

    def collect(self) -> Iterator[Sample]:
        """What the probes found. Raises SourceError where they are not made any more."""
        self._prober.require_fresh(MAX_AGE_SECONDS, "dependencies")
        for watch in self.watches.values():
            yield from samples(watch.view())


def as_json(view: View) -> dict[str, Any]:
    """What /breakers says of one; ``up`` is null before the first probe is over."""
    return {
        "dependency": view.name,
        "state": view.state,
        "state_age_seconds": round(view.state_age, 3),
        "retry_after_seconds": view.retry_after,
        "up": view.up,
    }


def samples(view: View) -> Iterator[Sample]:
    """The series of one dependency."""
    name = view.name
    for (before, after), number in view.transitions.items():
        yield TRANSITIONS(number, name, before, after)
    for state, seconds in view.state_seconds.items():
        yield STATE_SECONDS(seconds, name, state)
    yield REJECTED(view.rejected, name)
    yield SECONDS(view.seconds, name)
    if view.certificate_expires is not None:
        yield CERTIFICATE(view.certificate_expires, name)
    if view.up is None:
        return
    yield UP(float(view.up), name)
    for state in STATES:
        yield STATE(float(state == view.state), name, state)

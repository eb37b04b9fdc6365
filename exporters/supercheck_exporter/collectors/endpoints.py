"""Whether the app, the workers and other endpoints answer, how fast, and when their certificates end.

Source: probes in the background (endpoints/), every 15 s by default; a scrape only reads what they found.

    supercheck_endpoint_up{endpoint="app"} 1.0
    supercheck_endpoint_probes_total{endpoint="worker",outcome="degraded"} 4.0
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from supercheck_exporter.core import Collector, Sample, counter, gauge, histogram
from supercheck_exporter.endpoints.watch import EDGES, EndpointWatch
from supercheck_exporter.probing.prober import Prober

MAX_AGE_SECONDS = 60.0
UP = gauge(
    "supercheck_endpoint_up",
    "Whether the last probe was answered as it should (1, also when degraded) or failed (0); absent before the first.",
    "endpoint",
)
DEGRADED = gauge(
    "supercheck_endpoint_degraded",
    "Whether it answers and says that a part of it is not well (1) or not (0); absent before the first probe.",
    "endpoint",
)
SECONDS = histogram(
    "supercheck_endpoint_seconds",
    "Seconds that each probe took, whatever its outcome; one that was given up counts with its deadline.",
    EDGES,
    "endpoint",
)
PROBES = counter(
    "supercheck_endpoint_probes_total", "Probes by outcome since the exporter started.", "endpoint", "outcome"
)
CERTIFICATE = gauge(
    "supercheck_endpoint_certificate_expiry_timestamp_seconds",
    "Unix time at which the certificate that was seen last ends; absent without TLS, and before one was seen.",
    "endpoint",
)
REPLICAS = gauge(
    "supercheck_endpoint_replicas",
    "Addresses of the workers' name, by whether each calls itself ready; absent while unknown.",
    "endpoint",
    "state",
)
CHECK_UP = gauge(
    "supercheck_endpoint_check_up",
    "Whether the endpoint calls that on which it stands well (1) or not (0); absent while it says nothing.",
    "endpoint",
    "dependency",
)


class EndpointsCollector(Collector):
    """Reads what the prober's targets have found."""

    name = "endpoints"
    descs = (UP, DEGRADED, SECONDS, PROBES, CERTIFICATE, REPLICAS, CHECK_UP)

    def __init__(self, watches: Sequence[EndpointWatch], prober: Prober) -> None:
        self._watches = watches
        self._prober = prober

    @property
    def problems(self) -> Mapping[str, str]:  # type: ignore[override]  # read once a page
        """What is wrong with each endpoint."""
        lasts = {watch.name: watch.view().last for watch in self._watches}
        return {f"Endpoint {name}": last.problem for name, last in lasts.items() if last and last.problem}

    def start(self) -> None:
        """Start probing."""
        self._prober.start()

    def stop(self) -> None:
        """Stop it."""
        self._prober.stop()

    def collect(self) -> Iterator[Sample]:
        """What the probes found. Raises SourceError where they are not made any more."""
        self._prober.require_fresh(MAX_AGE_SECONDS, "endpoints")
        for watch in self._watches:
            yield from samples(watch)


def samples(watch: EndpointWatch) -> Iterator[Sample]:
    """The series of one endpoint."""
    name, view = watch.name, watch.view()
    for outcome, number in view.probes.items():
        yield PROBES(number, name, outcome)
    yield SECONDS(view.seconds, name)
    if view.certificate_expires is not None:
        yield CERTIFICATE(view.certificate_expires, name)
    if view.last is None:
        return
    yield UP(float(view.last.outcome != "failed"), name)
    yield DEGRADED(float(view.last.outcome == "degraded"), name)
    for check, well in view.last.checks.items():
        yield CHECK_UP(float(well), name, check)
    if view.last.replicas is not None:
        for state, number in zip(("ready", "not_ready"), view.last.replicas, strict=True):
            yield REPLICAS(number, name, state)

"""Whether the CDN serves sample files, how fast, how old they are, and whether from its cache.

Source: a probe of each address of CDN_PROBE_URLS in the background (edge/cdn_probes.py). Never a ratio: a probe warms
the cache that it asks.

    supercheck_cdn_probe_up{target="logo"} 1.0
    supercheck_cdn_object_age_seconds{target="logo"} 3600.0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from supercheck_exporter.core import Collector, Sample, SourceError, gauge, histogram
from supercheck_exporter.edge.cdn_probes import EDGES, CdnProbe

UP = gauge(
    "supercheck_cdn_probe_up",
    "Whether the CDN answers a probe of the file in time and with a status below 400 (1) or not (0).",
    "target",
)
SECONDS = histogram(
    "supercheck_cdn_probe_seconds",
    "Seconds from connecting to the last byte (of the first megabyte) of probes that were answered, by the word of the "
    "nearest cache.",
    EDGES,
    "target",
    "cache",
)
AGE = gauge(
    "supercheck_cdn_object_age_seconds",
    "Seconds that the file has been in a cache, as the last answer says; absent where it does not say.",
    "target",
)


class CdnCollector(Collector):
    """Shows what the probes have found."""

    name = "cdn"
    descs = (UP, SECONDS, AGE)

    def __init__(self, probes: Sequence[CdnProbe]) -> None:
        self._probes = probes

    def start(self) -> None:
        """Start the probes."""
        for probe in self._probes:
            probe.start()

    def stop(self) -> None:
        """Stop them; all are told before the first is waited for."""
        for probe in self._probes:
            probe.stopping.set()
        for probe in self._probes:
            probe.stop()

    def collect(self) -> list[Sample]:
        """What is known of each target; probes that do not come to an end are a failure, with what the others found."""
        samples: list[Sample] = []
        problems, late = {}, []
        for probe in self._probes:
            if probe.is_late():
                late.append(probe.target)
                continue
            with probe.lock:
                if probe.seen.problem:
                    problems[f"CDN file {probe.target}"] = probe.seen.problem
                samples += _of_target(probe)
        self.problems = problems
        if late:
            raise SourceError(f"no probe of {', '.join(late)} has come to an end for long", samples)
        return samples


def _of_target(probe: CdnProbe) -> Iterator[Sample]:
    seen = probe.seen
    if seen.up is None:  # the first probe is on its way
        return
    yield UP(float(seen.up), probe.target)
    if seen.age is not None:
        yield AGE(seen.age, probe.target)
    for verdict in seen.counts:
        yield SECONDS(seen.histogram(verdict), probe.target, verdict)

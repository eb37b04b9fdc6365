"""What the site's edge did: requests by tier, cache verdict and status; how long files took; whose each 429 was.

Source: the edge's access log (edge/access_log.py), of which each line is counted once. Ratios are made of these alone:
hit counters of a Redis are of the whole server, and a probe warms what it asks for.

    supercheck_edge_requests_total{cache="hit",tier="authenticated",code="200"} 1234.0
    supercheck_edge_file_seconds_count{kind="report",cache="hit"} 1200.0
"""

from __future__ import annotations

from collections.abc import Iterator

from supercheck_exporter.core import Collector, Sample, counter, histogram
from supercheck_exporter.edge.access_log import AccessLog
from supercheck_exporter.edge.tally import EDGES

MAX_AGE_SECONDS = 60.0

REQUESTS = counter(
    "supercheck_edge_requests_total",
    "Requests that the edge answered, by its cache's verdict (none: not asked), who sent them, and status.",
    "cache",
    "tier",
    "code",
)
FILES = histogram(
    "supercheck_edge_file_seconds",
    "Seconds from a request for a file to the last byte of the answer, the app's word on its sender included, of "
    "those that were given out (200, 206, 304); kind is report or static.",
    EDGES,
    "kind",
    "cache",
)
REFUSED = counter(
    "supercheck_edge_refused_requests_total",
    "Requests that were answered 429, by whose that is: tier (the edge's limit), app (a limit of the app), capacity "
    "(the organization may run no more).",
    "tier",
    "kind",
)
SKIPPED = counter("supercheck_edge_log_skipped_lines_total", "Lines of the access log that are no request of an edge.")


class EdgeCollector(Collector):
    """Shows what the follower has counted."""

    name = "edge"
    descs = (REQUESTS, FILES, REFUSED, SKIPPED)

    def __init__(self, log: AccessLog) -> None:
        self._log = log

    def start(self) -> None:
        """Start to follow the log."""
        self._log.start()

    def stop(self) -> None:
        """Stop it."""
        self._log.stop()

    def collect(self) -> Iterator[Sample]:
        """Every count; raise where the log can't be read."""
        self._log.require_fresh(MAX_AGE_SECONDS, "The edge's access log")
        tally = self._log.tally
        with tally.lock:
            for (verdict, tier, code), requests in tally.requests.items():
                yield REQUESTS(requests, verdict, tier, code)
            for (kind, verdict), durations in tally.files.items():
                yield FILES(durations.value(), kind, verdict)
            for (tier, whose), requests in tally.refused.items():
                yield REFUSED(requests, tier, whose)
            yield SKIPPED(tally.skipped)

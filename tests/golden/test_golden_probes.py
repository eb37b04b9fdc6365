"""The pages of what is probed, after probes whose outcomes are given here, compared with the reviewed text."""

from __future__ import annotations

import pytest
from golden.test_golden import FOLDER, UPDATE
from prometheus_client.parser import text_string_to_metric_families
from supercheck_exporter.breakers.watch import Found
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.config import load
from supercheck_exporter.core import Collector, Run
from supercheck_exporter.endpoints.asking import Finding
from supercheck_exporter.exposition import Renderer
from supercheck_exporter.probing.prober import Result
from supercheck_exporter.site import Site

CERTIFICATE_ENDS = 1_800_000_000.0
ENV = {
    "SUPERCHECK_APP_URL": "https://app.example",
    "SUPERCHECK_WORKER_URL": "http://worker:8000",
    "ENDPOINTS": "not-yet=https://status.example",
}
FINDINGS: dict[str, list[tuple[float, Finding | None]]] = {
    "app": [
        (0.2, Finding("ok", "", CERTIFICATE_ENDS, {"database": True, "redis": True, "s3": True})),
        (0.21, Finding("degraded", "s3", CERTIFICATE_ENDS, {"database": True, "redis": True, "s3": False})),
    ],
    "worker": [
        (0.004, Finding("ok", replicas=(2, 0))),
        (5.0, None),
        (3.0, Finding("degraded", "one", replicas=(1, 1))),
    ],
}


def endpoints() -> Collector:
    site = Site(load(ENV))
    for watch in site.endpoints:
        for seconds, finding in FINDINGS.get(watch.name, ()):
            watch.record(Result(0.0, seconds, finding))
    site.endpoint_prober.require_fresh = lambda *_: None  # type: ignore[method-assign]
    return TABLE["endpoints"][1](site)


def dependencies() -> Collector:
    """One that is well, one that is open again after a probe in half-open, one that was not probed yet."""
    site = Site(load({"SMTP_HOST": "mail.example", "DEPENDENCIES": "slack,thing=https://thing.example"}))
    now = [0.0]
    site.clock = lambda: now[0]
    watches = {watch.name: watch for watch in site.dependencies}
    for at in (10.0, 25.0):
        watches["smtp"].record(Result(at, at + 0.25, Found(CERTIFICATE_ENDS)))
    for at in (10.0, 12.0, 14.0, 16.0, 18.0, 48.0):
        watches["slack"].record(Result(at, at + 0.5, None, "it refuses"))
    now[0] = 60.0
    watches["slack"].answer()
    site.dependency_prober.require_fresh = lambda *_: None  # type: ignore[method-assign]
    return TABLE["dependencies"][1](site)


MADE = {"endpoints": endpoints, "dependencies": dependencies}


@pytest.mark.parametrize("name", MADE)
def test_the_page_is_the_one_that_was_reviewed(name: str) -> None:
    page = Renderer().render([Run(name, True, 0.0, 0.0, tuple(MADE[name]().collect()))])
    path = FOLDER / f"{name}.prom"
    if UPDATE:
        path.write_text(page)
    assert page == path.read_text()


@pytest.mark.parametrize("name", MADE)
def test_every_metric_of_a_collector_is_on_its_page(name: str) -> None:
    families = text_string_to_metric_families((FOLDER / f"{name}.prom").read_text())
    found = {sample.name for family in families for sample in family.samples}
    declared = {f"{desc.name}_count" if desc.kind == "histogram" else desc.name for desc in TABLE[name][0].descs}
    assert declared <= found

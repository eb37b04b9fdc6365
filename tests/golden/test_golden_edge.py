"""The edge's page on lines that a real nginx wrote, compared with the text that was reviewed."""

from __future__ import annotations

from golden.test_golden import FOLDER, UPDATE, collect
from prometheus_client.parser import text_string_to_metric_families
from supercheck_exporter.collectors.edge import EdgeCollector
from supercheck_exporter.edge.access_log import AccessLog

LINES = FOLDER / "edge_access.log"
"""Of Debian's nginx 1.22 with compose/edge/nginx.conf.template, in front of tests/servers/fake_app.py."""


def page() -> str:
    log = AccessLog(LINES.with_name("not-there"))
    log.attempt()  # it is not there yet, so that what comes is read from its beginning
    log._path = LINES
    log.attempt()
    collector = EdgeCollector(log)
    return collect(collector, 0.0)


def test_the_page_is_the_one_that_was_reviewed() -> None:
    path = FOLDER / "edge.prom"
    if UPDATE:
        path.write_text(page())
    assert page() == path.read_text()


def test_every_metric_of_the_collector_is_on_its_page() -> None:
    families = text_string_to_metric_families((FOLDER / "edge.prom").read_text())
    found = {sample.name for family in families for sample in family.samples}
    assert {f"{desc.name}_count" if desc.kind == "histogram" else desc.name for desc in EdgeCollector.descs} <= found

"""Each collector's page on recorded answers of a real Redis, compared with the text that was reviewed.

``make golden`` rewrites the ``.prom`` files; ``record.py`` records new answers.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from golden.tape import CLUSTER, FED_BY_REDIS, SINGLE, Tape, after, before, collectors, site_on
from prometheus_client.parser import text_string_to_metric_families
from servers.process import require_program
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.core import Collector, Run
from supercheck_exporter.exposition import Renderer

FOLDER = Path(__file__).parent
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


PAGES = {name: name for name in FED_BY_REDIS} | {"redis_cluster": "redis"}
"""Each golden file made here and the collector that it shows; the last one is of a cluster."""

WITHOUT = {"analytics", "cdn", "monitors", "organization_capacity", "rate_limits", "report_cache"}
"""Collectors that have no golden file yet; one that gets its file must go from here."""


def collect(collector: Collector, now: float) -> str:
    """A collector's page; its run takes no time here."""
    try:
        return Renderer().render([Run(collector.name, True, 0.0, now, tuple(collector.collect()))])
    finally:
        collector.stop()


@pytest.fixture(scope="module")
def page_of() -> Iterator[Callable[[str], str]]:
    """Give a page. The collectors of a site look one after the other, as when they were recorded."""
    single, cluster = Tape.read(SINGLE), Tape.read(CLUSTER)
    site = site_on(single, single.env, record=False)
    before(site)
    after(site)
    waiting = collectors(site)
    pages: dict[str, str] = {}

    def of(name: str) -> str:
        if name == "redis_cluster" and name not in pages:
            apart = collectors(site_on(cluster, cluster.env, record=False))["redis"]
            pages[name] = collect(apart, cluster.now)
        while name not in pages:
            following = next(iter(waiting))
            pages[following] = collect(waiting.pop(following), single.now)
        return pages[name]

    yield of
    for collector in waiting.values():
        collector.stop()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_one_that_was_reviewed(page_of: Callable[[str], str], name: str) -> None:
    path = FOLDER / f"{name}.prom"
    if UPDATE:
        path.write_text(page_of(name))
    assert page_of(name) == path.read_text()


@pytest.mark.promise("valid exposition")
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.prom")), ids=lambda path: path.stem)
def test_promtool_has_nothing_to_say(path: Path) -> None:
    promtool = require_program("promtool")
    page = path.read_bytes()
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("name", FED_BY_REDIS)
def test_every_metric_of_a_collector_is_on_its_pages(name: str) -> None:
    texts = [(FOLDER / f"{page}.prom").read_text() for page, collector in PAGES.items() if collector == name]
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    found = {sample.name for family in families for sample in family.samples}
    declared = {f"{desc.name}_count" if desc.kind == "histogram" else desc.name for desc in TABLE[name][0].descs}
    assert declared <= found


def test_there_is_a_golden_file_for_each_collector() -> None:
    files = {path.stem for path in FOLDER.glob("*.prom")}
    assert set(PAGES) <= files
    assert set(TABLE) - files == WITHOUT & set(TABLE)


@pytest.mark.parametrize("path", [SINGLE, CLUSTER], ids=lambda path: path.stem)
def test_the_answers_are_of_a_real_server(path: Path) -> None:
    versions = Tape.read(path).versions
    assert versions["redis"].startswith("7.")
    assert versions.get("bullmq", "5.").startswith("5.")

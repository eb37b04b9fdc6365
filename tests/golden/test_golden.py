"""Each collector's page on recorded answers of a real Redis, compared with the text that was reviewed.

``make golden`` rewrites the ``.prom`` files; ``record.py`` records new answers.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.process import require_program
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.core import Run
from supercheck_exporter.exposition import Renderer

from golden.tape import Tape, after, before, collectors, site_on

FOLDER = Path(__file__).parent
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"



@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The page of each collector; a run takes no time here."""
    tape = Tape.read()
    site = site_on(tape, tape.env, record=False)
    before(site)
    after(site)
    return {
        name: Renderer().render([Run(name, True, 0.0, tape.now, tuple(collector.collect()))])
        for name, collector in collectors(site, dict(TABLE)).items()
    }


@pytest.mark.parametrize("name", TABLE)
def test_the_page_is_the_one_that_was_reviewed(pages: dict[str, str], name: str) -> None:
    path = FOLDER / f"{name}.prom"
    if UPDATE:
        path.write_text(pages[name])
    assert pages[name] == path.read_text()


@pytest.mark.parametrize("name", TABLE)
def test_promtool_has_nothing_to_say(name: str) -> None:
    promtool = require_program("promtool")
    page = (FOLDER / f"{name}.prom").read_bytes()
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("name", TABLE)
def test_every_metric_of_the_collector_is_on_its_page(name: str) -> None:
    families = text_string_to_metric_families((FOLDER / f"{name}.prom").read_text())
    found = {sample.name for family in families for sample in family.samples}
    declared = {f"{desc.name}_count" if desc.kind == "histogram" else desc.name for desc in TABLE[name][0].descs}
    assert declared <= found


def test_there_is_a_golden_file_for_each_collector_and_no_other() -> None:
    assert {path.stem for path in FOLDER.glob("*.prom")} == set(TABLE)


def test_the_answers_are_of_a_real_server() -> None:
    versions = Tape.read().versions
    assert versions["redis"].startswith("7.")
    assert versions["bullmq"].startswith("5.")

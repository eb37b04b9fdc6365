"""The pages of the object store's collectors on recorded answers, compared with the reviewed text."""

from __future__ import annotations

import json

import pytest
from golden.tape_s3 import PATH, collectors
from golden.test_golden import FOLDER, UPDATE
from prometheus_client.parser import text_string_to_metric_families
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.core import Run
from supercheck_exporter.exposition import Renderer

NAMES = ("s3", "s3_lifecycle")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_is_the_one_that_was_reviewed(name: str) -> None:
    path = FOLDER / f"{name}.prom"
    made = Renderer().render([Run(name, True, 0.0, 0.0, tuple(collectors()[name].collect()))])
    if UPDATE:
        path.write_text(made)
    assert made == path.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_of_a_collector_is_on_its_page(name: str) -> None:
    families = text_string_to_metric_families((FOLDER / f"{name}.prom").read_text())
    found = {sample.name for family in families for sample in family.samples}
    declared = {f"{desc.name}_count" if desc.kind == "histogram" else desc.name for desc in TABLE[name][0].descs}
    assert declared <= found


def test_the_answers_hold_no_address_and_no_key() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert json.loads(text)["versions"]["versitygw"] == "1.8.0"
    assert "127.0.0.1" not in text
    assert "secret" not in text

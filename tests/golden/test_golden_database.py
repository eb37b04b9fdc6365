"""The pages of the database's collectors on recorded answers of real servers, compared with the reviewed text."""

from __future__ import annotations

import json
import types

import pytest
from golden.tape_database import FED_BY_DATABASE, PATH, SECONDS_BETWEEN, Player, collector, recorded
from golden.test_golden import FOLDER, UPDATE
from prometheus_client.parser import text_string_to_metric_families
from supercheck_exporter.collectors import TABLE, postgres_statements
from supercheck_exporter.core import Run
from supercheck_exporter.exposition import Renderer


def page(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A collector's page; of the statements, the page of the second reading."""
    clock = iter([0.0, SECONDS_BETWEEN])
    monkeypatch.setattr(postgres_statements, "time", types.SimpleNamespace(monotonic=lambda: next(clock)))
    made = collector(name, Player(recorded()[name]))
    if name == "postgres_statements":
        list(made.collect())
    return Renderer().render([Run(name, True, 0.0, 0.0, tuple(made.collect()))])


@pytest.mark.parametrize("name", FED_BY_DATABASE)
def test_the_page_is_the_one_that_was_reviewed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = FOLDER / f"{name}.prom"
    made = page(name, monkeypatch)
    if UPDATE:
        path.write_text(made)
    assert made == path.read_text()


@pytest.mark.parametrize("name", FED_BY_DATABASE)
def test_every_metric_of_a_collector_is_on_its_page(name: str) -> None:
    families = text_string_to_metric_families((FOLDER / f"{name}.prom").read_text())
    found = {sample.name for family in families for sample in family.samples}
    declared = {f"{desc.name}_count" if desc.kind == "histogram" else desc.name for desc in TABLE[name][0].descs}
    assert declared <= found


def test_the_answers_are_of_real_servers_and_hold_no_address() -> None:
    text = PATH.read_text(encoding="utf-8")
    versions = json.loads(text)["versions"]
    assert versions["postgres"].startswith("15.")
    assert versions["pgbouncer"].startswith("PgBouncer 1.18")
    assert "127.0.0.1" not in text
    assert "secret-word" not in text, "a password of the servers"

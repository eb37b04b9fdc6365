"""The page of the backups collector on recorded answers of a real S3 server, compared with the reviewed text."""

from __future__ import annotations

import types

import pytest
from golden.tape_backups import NOW, PATH, Player, reader_on, recorded
from golden.test_golden import FOLDER, UPDATE
from prometheus_client.parser import text_string_to_metric_families
from supercheck_exporter.backups import reader
from supercheck_exporter.collectors.backups import BackupsCollector, samples
from supercheck_exporter.core import Run
from supercheck_exporter.exposition import Renderer

GOLDEN = FOLDER / "backups.prom"


@pytest.fixture(autouse=True)
def _moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was recorded is not from the future, whatever this machine's clock says."""
    monkeypatch.setattr(reader, "time", types.SimpleNamespace(time=lambda: NOW))


def page() -> str:
    """The page of one look, as of a fixed moment."""
    found = tuple(samples(reader_on(Player(recorded())).look(), NOW, retention_days=90))
    return Renderer().render([Run("backups", True, 0.0, NOW, found)])


def test_the_page_is_the_one_that_was_reviewed() -> None:
    if UPDATE:
        GOLDEN.write_text(page())
    assert page() == GOLDEN.read_text()


def test_every_metric_of_the_collector_is_on_its_page() -> None:
    families = text_string_to_metric_families(GOLDEN.read_text())
    assert {desc.name for desc in BackupsCollector.descs} <= {sample.name for f in families for sample in f.samples}


def test_the_answers_hold_no_address() -> None:
    assert "127.0.0.1" not in PATH.read_text(encoding="utf-8")

"""The edge's log in numbers: exact counts of a known mix, and a log that is put aside, cut, late or foreign."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.exporter import Exporter, Samples, run_cli
from servers.fake_app import FakeApp
from servers.nginx import Edge
from servers.process import wait_for

REPORTS, VIEWS = 12, 30
REQUESTS = "supercheck_edge_requests_total"
LINE = json.dumps({"tier": "public", "status": 200, "cache": "HIT", "kind": "report", "seconds": 0.01}) + "\n"


def hits(exporter: Exporter, number: int) -> Samples:
    """The page once so many requests were counted as hits."""
    return exporter.wait_value(number, REQUESTS, 30, cache="hit", tier="public", code="200")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where a log may be."""
    return tmp_path / "access.log"


@pytest.fixture
def exporter(log: Path) -> Iterator[Exporter]:
    """An exporter that follows it, and an old line that is not counted."""
    log.write_text(LINE)
    with Exporter({"EDGE_ACCESS_LOG": str(log)}) as process:
        process.wait_value(0, REQUESTS, cache="none", tier="public", code="429")
        yield process


def test_a_known_mix_is_counted_exactly_and_most_of_it_never_reaches_the_store(tmp_path: Path) -> None:
    with FakeApp() as app, Edge(app.port, {"EDGE_AUTHENTICATED_PER_MINUTE": "100000"}) as edge:
        edge.get("/api/public")
        edge.wait_lines(1)
        with Exporter({"EDGE_ACCESS_LOG": str(edge.access_log)}) as exporter:
            exporter.wait_value(0, REQUESTS, cache="none", tier="public", code="429")
            paths = [app.report("one") + "index.html" for _ in range(REPORTS)]
            readers = [app.sign_in("one") for _ in range(3)]
            stranger = app.sign_in("two")
            views = paths * VIEWS
            random.Random(6).shuffle(views)
            for number, path in enumerate(views):
                assert edge.get(path, readers[number % 3]).status_code == 200
            refused = [edge.get(path, stranger).status_code for path in paths]
            # sent last and so written last: once it is counted, everything is
            edge.get("/api/jobs/run", readers[0])
            refused_requests = "supercheck_edge_refused_requests_total"
            samples = exporter.wait_value(1, refused_requests, 30, tier="authenticated", kind="capacity")
    assert refused == [403] * REPORTS
    total = REPORTS * VIEWS
    assert sum(app.reads.values()) == REPORTS, "each report was read once"
    assert 0.1 * total >= REPORTS, "nine of ten requests are spared, and more"

    def count(cache: str, code: str, tier: str = "authenticated") -> float | None:
        return samples.value(REQUESTS, cache=cache, code=code, tier=tier)

    assert (count("hit", "200"), count("miss", "200")) == (total - REPORTS, REPORTS)
    assert (count("none", "403"), count("none", "429"), count("none", "200", "public")) == (REPORTS, 1, 0)
    times = {
        cache: samples.histogram("supercheck_edge_file_seconds", kind="report", cache=cache)
        for cache in ("hit", "miss")
    }
    assert {cache: histogram.count for cache, histogram in times.items() if histogram} == {
        "hit": total - REPORTS, "miss": REPORTS,
    }  # fmt: skip
    assert samples.value("supercheck_edge_log_skipped_lines_total") == 0


def test_lines_of_before_and_half_lines_are_not_counted(log: Path, exporter: Exporter) -> None:
    half = len(LINE) // 2
    with log.open("a") as file:
        file.write(LINE + LINE[:half])
        file.flush()
        hits(exporter, 1)
        file.write(LINE[half:] + LINE)
    hits(exporter, 3)


def test_a_log_that_is_put_aside_loses_no_line(log: Path, exporter: Exporter) -> None:
    with log.open("a") as old:
        old.write(LINE)
        old.flush()
        log.rename(log.with_suffix(".1"))
        log.write_text(LINE)
        hits(exporter, 2)
        old.write(LINE)  # a process of nginx that has not changed over yet
    hits(exporter, 3)


def test_a_log_that_is_cut_to_nothing_goes_on(log: Path, exporter: Exporter) -> None:
    with log.open("a") as file:
        file.write(LINE * 3)
    hits(exporter, 3)
    log.write_text(LINE)
    hits(exporter, 4)


def test_a_log_that_vanishes_and_comes_back_is_read_from_its_beginning(log: Path, exporter: Exporter) -> None:
    log.unlink()
    log.with_name("new").write_text(LINE * 2)
    log.with_name("new").rename(log)
    hits(exporter, 2)


def test_a_log_that_is_not_there_yet_is_a_failure_and_then_counted_whole(log: Path) -> None:
    with Exporter({"EDGE_ACCESS_LOG": str(log)}) as process:
        samples = process.wait_value(0, "supercheck_scrape_collector_success", collector="edge")
        assert samples.value(REQUESTS, cache="hit") is None
        wait_for(lambda: "which is not there: start the edge" in process.page("/"), 30, "the status page says why")
        log.write_text(LINE * 2)
        hits(process, 2)


def test_lines_of_something_else_are_told(log: Path, exporter: Exporter) -> None:
    with log.open("ab") as file:
        file.write(b'127.0.0.1 - - "GET /secret-word HTTP/1.1" 200\n' + b"x" * 200_000 + b"\n" + LINE.encode())
    samples = hits(exporter, 1)
    # one foreign line, and one that is longer than any of ours
    assert samples.value("supercheck_edge_log_skipped_lines_total") == 2
    assert "secret-word" not in exporter.log() + exporter.page("/metrics")


def test_check_says_what_is_wrong_with_the_log(log: Path) -> None:
    said = run_cli("check", settings={"EDGE_ACCESS_LOG": str(log)})
    assert (said.returncode, "which is not there: start the edge, or mount its log." in said.stdout) == (2, True)
    log.write_text("")
    assert run_cli("check", settings={"EDGE_ACCESS_LOG": str(log)}).returncode == 0

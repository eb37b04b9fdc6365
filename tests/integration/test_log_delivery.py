"""No log line is lost: rotation, restarts, a crash and an outage of what comes after, with the real collectors.

What holds: each line is stored once, through rotation and ordered restarts of either collector. Through a crash each is
stored, some twice; only a text line that waits for its next ones (a second at most) may go with the process. A reader
that is stopped while its queue is full gives up the hundred lines of each file that it is about to queue.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.collector import Collector
from servers.docker_logs import Container
from servers.log_collector import LogCollector
from servers.otlp import OtlpSink
from servers.process import wait_for

AWAY = 503
SECONDS = 60


class Lines:
    """Numbered lines of JSON, and what was stored of them."""

    def __init__(self, container: Container, loki: OtlpSink) -> None:
        self.container = container
        self.loki = loki
        self.written = 0

    def write(self, count: int) -> None:
        """The next lines."""
        numbers = range(self.written, self.written + count)
        self.container.write(*(json.dumps({"level": "info", "msg": f"n{number}."}) for number in numbers))
        self.written += count

    def stored(self) -> Counter[int]:
        """How often each was stored, by its number."""
        texts = [line.text for line in list(self.loki.lines)]
        return Counter(int(json.loads(text)["msg"][1:-1]) for text in texts if text.startswith("{"))

    def arrived(self) -> Counter[int]:
        """The same when all are there."""
        wait_for(lambda: len(self.stored()) >= self.written, SECONDS, f"{self.written} lines arrived")
        return self.stored()

    def once(self) -> dict[int, int]:
        """What is expected."""
        return dict.fromkeys(range(self.written), 1)


@pytest.fixture
def loki() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture
def collector(loki: OtlpSink) -> Iterator[Collector]:
    with Collector(loki=f"{loki.url}/otlp") as server:
        yield server


@pytest.fixture
def lines(tmp_path: Path, loki: OtlpSink) -> Lines:
    return Lines(Container(tmp_path, "supercheck-app-1"), loki)


@pytest.fixture
def reader(tmp_path: Path, collector: Collector, lines: Lines) -> Iterator[LogCollector]:
    del lines  # its folder
    with LogCollector(tmp_path, collector.endpoint) as server:
        yield server


@pytest.mark.promise("no log line is lost")
def test_rotation_and_restarts(lines: Lines, reader: LogCollector, collector: Collector) -> None:
    for _ in range(4):
        lines.write(700)
        lines.arrived()
        lines.write(300)  # not waited for: it is read from the file that was moved
        lines.container.rotate()
    lines.write(200)
    reader.terminate()
    lines.write(200)
    lines.container.rotate()  # nobody reads meanwhile
    lines.write(200)
    reader.start()
    lines.write(200)
    collector.terminate()
    lines.write(200)
    collector.start()
    assert lines.arrived() == lines.once()


@pytest.mark.promise("no log line is lost")
def test_an_outage_of_loki_under_load_and_a_restart_meanwhile(
    lines: Lines, reader: LogCollector, collector: Collector, loki: OtlpSink
) -> None:
    lines.write(500)
    lines.arrived()
    loki.status = AWAY
    asked = loki.requests
    for number in range(20):
        lines.write(500)
        if number == 10:
            wait_for(lambda: loki.requests > asked, SECONDS, "Loki was asked and refused")
            collector.terminate()
            collector.start()
            reader.terminate()
            reader.start()
    assert len(lines.stored()) == 500
    loki.status = 200
    assert lines.arrived() == lines.once()
    wait_for(lambda: collector.own("otelcol_exporter_queue_size") == 0, SECONDS, "nothing waits")


@pytest.mark.promise("no log line is lost")
def test_a_crash_of_either_loses_nothing(lines: Lines, reader: LogCollector, collector: Collector) -> None:
    for victim in (reader, collector, reader, collector):
        lines.write(2000)
        # in the middle of it
        wait_for(lambda: len(lines.stored()) > lines.written - 2000, SECONDS, "some arrived")
        victim.kill()
        lines.write(200)
        victim.start()
    assert lines.arrived().keys() == lines.once().keys()


@pytest.mark.promise("no log line is lost")
def test_a_full_queue_waits_in_docker_s_files(tmp_path: Path, lines: Lines, collector: Collector) -> None:
    """Nothing is dropped where there is no room: the files are read later."""
    collector.terminate()
    with LogCollector(tmp_path, collector.endpoint, COLLECTOR_QUEUE_BYTES="600000") as reader:
        lines.write(8000)
        wait_for(lambda: reader.own("otelcol_exporter_queue_size") > 500_000, SECONDS, "the queue is full")
        collector.start()
        assert lines.arrived() == lines.once()


def test_a_text_line_that_waits_for_more_is_stored_at_an_ordered_end(
    tmp_path: Path, lines: Lines, collector: Collector, loki: OtlpSink
) -> None:
    with LogCollector(tmp_path, collector.endpoint, LOGS_STACK_WAIT="1h") as reader:
        lines.write(1)
        lines.container.write("Error: held", "    at a (/b.js:1:1)")
        lines.arrived()
        reader.terminate()
        reader.start()
        wait_for(
            lambda: any(line.text == "Error: held\n    at a (/b.js:1:1)" for line in list(loki.lines)), SECONDS, "it"
        )
    assert Counter(line.text.startswith("Error") for line in loki.lines)[True] == 1

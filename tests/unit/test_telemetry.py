"""The exporter's own log lines."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from supercheck_exporter import telemetry
from supercheck_exporter.telemetry import start_logging


@pytest.fixture(autouse=True)
def _the_log_as_it_was() -> Iterator[None]:
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = list(root.handlers), root.level
    levels = {
        name: logging.getLogger(name).level
        for name in ("redis", "urllib3", "botocore", "boto3", "s3transfer", "markdown_it", "opentelemetry")
    }
    yield
    threading.excepthook = hook
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_a_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info")
    logging.getLogger("supercheck_exporter.core").warning("queue %r\nis full", 'a"b')
    [line] = lines(capsys)
    moment = datetime.fromisoformat(line.pop("timestamp"))
    assert moment.utcoffset() == UTC.utcoffset(None)
    assert line == {
        "level": "WARN",
        "service": "supercheck-exporter",
        "logger": "supercheck_exporter.core",
        "message": "queue 'a\"b'\nis full",
    }


def test_an_exception_is_a_field_of_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info")
    try:
        raise KeyError("lost")
    except KeyError:
        logging.getLogger("x").exception("failed")
    [line] = lines(capsys)
    assert line["message"] == "failed"
    assert "KeyError: 'lost'" in line["stack"]


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)])
def test_levels(capsys: pytest.CaptureFixture[str], level: str, shown: int) -> None:
    start_logging(level)
    log = logging.getLogger("x")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        log.log(number, "text")
    assert len(lines(capsys)) == shown


def test_client_libraries_tell_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    """They log addresses and answers on their way."""
    start_logging("debug")
    for name in ("redis", "redis.connection", "urllib3.connectionpool", "botocore.auth", "markdown_it.rules_block"):
        logging.getLogger(name).debug("chatter")
    logging.getLogger("redis").warning("trouble")
    assert [line["message"] for line in lines(capsys)] == ["trouble"]


def test_a_second_start_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info")
    start_logging("info")
    logging.getLogger("x").info("once")
    assert len(lines(capsys)) == 1


def test_a_thread_that_ends_on_a_defect_is_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging("info")
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError as defect:
        args = threading.ExceptHookArgs((type(defect), defect, defect.__traceback__, threading.current_thread()))
    assert threading.excepthook is telemetry._log_end_of_thread
    threading.excepthook(args)
    [line] = lines(capsys)
    assert (line["level"], line["message"]) == ("FATAL", "thread MainThread ended on a defect")
    assert "ZeroDivisionError" in line["stack"]


def test_a_library_that_repeats_itself_is_counted() -> None:
    now = 0.0
    repeats = telemetry.Repeats(lambda: now)

    def written(text: str, name: str = "opentelemetry.sdk") -> logging.LogRecord | None:
        record = logging.LogRecord(name, logging.WARNING, "", 0, text, (), None)
        return record if repeats.filter(record) else None

    assert written("no answer after 1.5 s")
    assert not written("no answer after 2 s")
    assert not written("no answer after 30 s")
    assert written("another thing")
    # ours are counted where they are made
    assert written("same", "supercheck_exporter.core")
    assert written("same", "supercheck_exporter.core")
    now = telemetry.REMIND_SECONDS
    again = written("no answer after 9 s")
    assert again
    assert again.repeated == 2  # type: ignore[attr-defined]


def test_a_span_is_nothing_while_traces_are_off() -> None:
    with telemetry.span("anything", collector="queues") as failed:
        failed("unheard")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("could not be read for 12 s: x", "could not be read for 345 s: x", True),
        ("port 6379 refused", "port 6380 refused", True),
        ("refused", "frozen", False),
    ],
)
def test_failures_that_differ_in_numbers_only_are_the_same(one: str, other: str, same: bool) -> None:
    assert (telemetry.same_but_for_numbers(one) == telemetry.same_but_for_numbers(other)) == same

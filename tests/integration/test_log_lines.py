"""Docker's log files through both real collectors: what is stored of each kind of line, and under whose name.

Every line is written before the collectors start, so that they meet all at once what a site meets one by one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from integration.secret_shapes import LEFT, TEXTS, Shape
from servers.collector import Collector
from servers.docker_logs import PIECE_BYTES, Container
from servers.log_collector import LogCollector
from servers.otlp import LogLine, OtlpSink
from servers.process import wait_for
from servers.redis import RedisServer
from servers.traced_site import SiteProcess, preload

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FIELDS = {
    *("stream", "container_id", "module", "organization_id", "user_id", "project_id", "run_id", "job_id"),
    *("exception_type", "stack_fingerprint", "stack"),
}
NODE_STACK = "TypeError: no way\n    at run (/app/lib/a.js:10:5)\n    at async main (/app/b.js:2:1)"
PYTHON_STACK = 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in run\n    go()\nKeyError: 7'
BRACKETS = "settings {\n  name: 'x',\n}\n\nend"

# text of a plain line, and its level
WORDS = {
    "2026-11-24 12:00:00.000 UTC [7] LOG:  words-1 checkpoint starting": "INFO",
    "2026-11-24 12:00:00.000 UTC [7] FATAL:  words-2 no pg_hba.conf entry": "FATAL",
    "1:M 24 Nov 2026 12:00:00.000 # words-3 Memory overcommit must be enabled": "WARN",
    "1:M 24 Nov 2026 12:00:00.000 * words-4 Ready to accept connections": "INFO",
    'ts=2026-11-24T12:00:00Z caller=x.go:1 level=warn msg="words-5"': "WARN",
    "2026/11/24 12:00:00 [crit] 7#7: *1 words-6 open() failed": "FATAL",
    "\x1b[32m[Nest] 1  - \x1b[39m11/24/2026, 12:00:00 PM \x1b[31m  ERROR\x1b[39m words-7": "ERROR",
    "[Instrumentation] words-8 no error found": "",
    "INFORMATION words-9 is no level": "",
}
# a level in JSON, and the level
LEVELS = {
    "info": "INFO", "WARN": "WARN", "warning": "WARN", "ERROR": "ERROR", "CRITICAL": "FATAL", "fatal": "FATAL",
    "trace": "TRACE", "debug": "DEBUG", 10: "TRACE", 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL",
    "loud": "", 35: "", 1.5: "",
}  # fmt: skip
# the tag that Docker wrote, and service and container; "" is the beginning of its id
TAGS = {
    "supercheck-app-1": ("supercheck-app", "supercheck-app-1"),
    "supercheck-observability-redis-cluster-12": ("redis-cluster", "supercheck-observability-redis-cluster-12"),
    "supercheck-exporter/supercheck-observability-exporter-1": (
        "supercheck-exporter",
        "supercheck-observability-exporter-1",
    ),
    "lonely": ("lonely", "lonely"),
    "registry/team/image:1/lonely": ("unnamed", ""),
    "": ("unnamed", ""),
}


class Written:
    """What the containers wrote, and afterwards what was stored of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = Container(folder, "supercheck-app-1")
        self.containers: dict[str, Container] = {"app": self.app}
        self.stored: list[LogLine] = []

    def container(self, name: str, tag: str = "", **labels: str) -> Container:
        self.containers[name] = Container(self.folder, tag, **labels)
        return self.containers[name]

    def only(self, part: str) -> LogLine:
        """The one stored line that has this in its text."""
        (line,) = [line for line in self.stored if part in line.text]
        return line

    def of(self, name: str) -> list[LogLine]:
        """The lines of one container."""
        own = self.containers[name].id[:12]
        return [line for line in self.stored if line.attributes["container_id"] == own]


def exporter_line() -> str:
    """A failure as the exporter logs it."""
    program = (
        "import logging; from supercheck_exporter import telemetry as t; t.start_logging('info')\n"
        "try: 1/0\n"
        "except ZeroDivisionError: logging.getLogger('sums').exception('exporter-1', extra={'collector': 'x'})\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env).stderr


def pino_line() -> str:
    """A line of the traced site, within a request."""
    with (
        OtlpSink() as traces,
        RedisServer() as redis,
        SiteProcess("app", redis, preload(traces.url, "supercheck-app")) as app,
    ):
        app.get("/api/run")
        wait_for(lambda: any("trace_id" in line for line in app.lines()), 60, "a line within a request")
        return next(line for line in app.log().splitlines() if line.startswith("{") and "trace_id" in line)


def write_json(app: Container) -> None:
    """Lines of JSON, whole and not."""
    for level, _ in LEVELS.items():
        app.write(json.dumps({"level": level, "msg": f"level-{level}."}))
    app.write(json.dumps({"msg": "fields-1", "organizationId": "org-1", "userId": 7, "runId": "run-1", "jobId": None}))
    app.write(json.dumps({"msg": "fields-2", "organizationId": {"deep": ["x"] * 500}, "module": "m" * 5000}))
    app.write(json.dumps({"msg": "fields-3"} | {f"key{n}": {"a": n} for n in range(300)}))
    app.write(json.dumps({"msg": "trace-1", "trace_id": TRACE, "span_id": SPAN, "trace_flags": "01"}))
    app.write(json.dumps({"msg": "trace-2", "trace_id": "none"}), json.dumps({"msg": "trace-3", "trace_id": 7}))
    app.write(json.dumps({"msg": "trace-4", "trace_id": TRACE, "span_id": "short"}))
    drift = {"level": "warn", "service": "supercheck-app", "module": "queue-client", "organizationId": "org-7"}
    app.write(
        json.dumps(drift | {"redis": 3, "actual": 1, "drift": 2, "msg": "Capacity drift detected, auto-correcting"})
    )
    app.write(json.dumps({"msg": "service-1", "service": "supercheck-worker"}))
    app.write(
        json.dumps({"msg": "service-2", "service": {"name": "x"}}), json.dumps({"msg": "service-3", "service": "a b"})
    )
    app.write('{"msg":"broken-1","level":"error"', "{broken-2}", '{"msg":"broken-3"} and more', "[1, 2] broken-4")
    app.write(json.dumps({"msg": "skew-1", "time": "2031-01-01T00:00:00Z"}), at=NOON)
    app.write(json.dumps({"msg": "skew-2", "time": "1999-01-01T00:00:00Z"}), at=NOON)
    app.write(json.dumps({"msg": "stack-1", "level": "error", "err": {"type": "AbortError", "stack": NODE_STACK}}))
    app.write(json.dumps({"msg": "stack-2", "level": "warn", "err": {"stack": NODE_STACK.replace("10:5", "77:1")}}))
    app.write(
        json.dumps({"msg": "stack-3", "stack": "Error: x\n    at y (/z.js:1:1)" + "\n    at y (/z.js:1:1)" * 3000})
    )
    app.write(json.dumps({"msg": "stack-4", "err": "a text", "error": {"stack": None}}))


def write_odd(written: Written) -> None:
    """Lines of every other kind."""
    stacks = written.container("stacks", "supercheck-worker-1")
    stacks.write("before the stack", *NODE_STACK.split("\n"), json.dumps({"msg": "json after it"}))
    stacks.write("other stream 1", "  and more 1", stream="stderr")
    stacks.write(*PYTHON_STACK.split("\n"), "after the stack", *BRACKETS.split("\n"))
    long = written.container("long", "supercheck-worker-2")
    long.write(json.dumps({"level": "error", "service": "whole", "msg": "long-1", "fill": "x" * 1_000_000}))
    long.write("long-2 " + "y" * 3_000_000, "long-3 after it")
    pieces = written.container("pieces", "supercheck-worker-3")
    one, two = "pieces-1 " + "a" * (PIECE_BYTES * 2), "pieces-2 " + "b" * (PIECE_BYTES * 2)
    for start in range(0, len(one), PIECE_BYTES):  # two streams at once: their pieces mix
        last = start + PIECE_BYTES >= len(one)
        pieces.write_piece(one[start : start + PIECE_BYTES], last, "stdout")
        pieces.write_piece(two[start : start + PIECE_BYTES], last, "stderr")
    pieces.write("pieces-3 exactly" + "c" * (PIECE_BYTES - 17))
    odd = written.container("odd", "supercheck-worker-4")
    odd.write(b"odd-1 \xff\xfe\x00\x01\x1b", "odd-2 \N{SNOWMAN} \r", "", "", "odd-3 after two empty ones")
    odd.write_raw(b"odd-4 no record of Docker's\n\x00\x00\x00\x00\n" + b"odd-5 \xff\xfe bytes\n" + b'{"log":"odd-6 cut')
    odd.write_raw(b'\n{"other":"odd-7"}\n')
    for number, tag in enumerate(TAGS):
        written.container(tag, tag).write(f"tag-{number}.")
    written.container("label", "", **{"com.docker.compose.service": "postgres"}).write("label-1")
    for text in WORDS:
        written.app.write(text)


def write_own(written: Written) -> None:
    """What must not be sent: the collectors' own lines, by name, and without one."""
    for tag in ("supercheck-observability-otel-collector-1", "log-collector", "otel-collector/abc"):
        written.container(f"own {tag}", tag).write("own-1", json.dumps({"level": "error", "msg": "own-2"}))
    own = {"level": "error", "msg": "own-3", "resource": {"service.name": "otelcol-contrib"}}
    written.container("own nameless").write(json.dumps(own))


# the last plain line of each container: it is held for a moment, whether more of it comes
LAST = ("after the stack", "end", "long-3", "pieces-3", "odd-3", "odd-7", "label-1", *WORDS, f"left| {LEFT[-1]}")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("containers")
    written = Written(folder)
    written.app.write(exporter_line().strip(), pino_line())
    write_json(written.app)
    write_odd(written)
    write_own(written)
    by_host = written.container("by host", "renamed")
    by_host.write("own-4")
    secrets = written.container("secrets", "secrets")
    for shape in TEXTS:
        secrets.write(f"{shape.name}| {shape.value}".replace("\n", "\n "))
    for text in LEFT:
        secrets.write(f"left| {text}")
    marks = [*LAST, *(f"tag-{number}." for number in range(len(TAGS)))]
    with (
        OtlpSink() as loki,
        Collector(loki=f"{loki.url}/otlp") as collector,
        LogCollector(folder, collector.endpoint, HOSTNAME=by_host.id[:12]),
    ):

        def missing(*wanted: str) -> list[str]:
            texts = [line.text for line in list(loki.lines)]
            return [mark for mark in wanted if not any(mark in text for text in texts)]

        wait_for(lambda: not missing(*marks), 60, "the last lines of all containers arrived")
        # what is left out was read before this
        written.container("late").write("the very last")
        wait_for(lambda: not missing("the very last"), 60, "the last line arrived")
        written.stored = list(loki.lines)
    return written


@pytest.mark.promise("each log line is found by its trace")
def test_a_line_of_the_exporter(written: Written) -> None:
    line = written.only("exporter-1")
    assert line.resource == {"service.name": "supercheck-exporter", "level": "ERROR", "container": "supercheck-app-1"}
    assert (line.level, line.number) == ("ERROR", 17)
    assert line.attributes["module"] == "sums"
    assert line.attributes["exception_type"] == "ZeroDivisionError"
    assert line.attributes["stack"].startswith("Traceback (most recent call last):")
    assert json.loads(line.text)["collector"] == "x"


@pytest.mark.promise("each log line is found by its trace")
def test_a_line_of_pino_within_a_request(written: Written) -> None:
    line = next(line for line in written.of("app") if "trace_id" in line.text and "trace-" not in line.text)
    said = json.loads(line.text)
    assert (line.trace, line.span) == (said["trace_id"], said["span_id"])
    assert line.resource["service.name"] == said["service"] == "supercheck-app"


def test_levels(written: Written) -> None:
    for level, want in LEVELS.items():
        line = written.only(f'"level-{level}."')
        assert (line.resource.get("level", ""), line.level if want else "") == (want, want), level
    for text, want in WORDS.items():
        assert written.only(text).resource.get("level", "") == want, text


def test_fields_have_one_name_each_and_are_short(written: Written) -> None:
    line = written.only("fields-1")
    found = {name: value for name, value in line.attributes.items() if name not in {"stream", "container_id"}}
    assert found == {"organization_id": "org-1", "user_id": "7", "run_id": "run-1"}
    assert all(len(value) <= 256 for value in written.only("fields-2").attributes.values())
    assert set(written.only("fields-3").attributes) == {"stream", "container_id"}
    assert len(json.loads(written.only("fields-3").text)) == 301
    for line in written.stored:
        assert set(line.attributes) <= FIELDS
        assert set(line.resource) <= {"service.name", "level", "container"}
        assert sum(map(len, line.attributes.values())) < 16_000  # Loki takes 64 KiB


def test_what_the_alert_about_drift_asks_for(written: Written) -> None:
    line = written.only("Capacity drift detected")
    labels = line.resource["service.name"], line.resource["level"], line.attributes["organization_id"]
    assert labels == ("supercheck-app", "WARN", "org-7")


def test_traces(written: Written) -> None:
    assert (written.only("trace-1").trace, written.only("trace-1").span) == (TRACE, SPAN)
    assert [written.only(f"trace-{number}").trace for number in (2, 3, 4)] == ["", "", ""]


def test_the_line_says_whose_it_is_else_the_container(written: Written) -> None:
    services = [written.only(f"service-{number}").resource["service.name"] for number in (1, 2, 3)]
    assert services == ["supercheck-worker", "supercheck-app", "supercheck-app"]
    for tag, (service, container) in TAGS.items():
        (line,) = written.of(tag)
        assert (line.resource["service.name"], line.resource["container"]) == (
            service,
            container or written.containers[tag].id[:12],
        )
    assert written.only("label-1").resource["service.name"] == "postgres"


def test_broken_json_is_a_text(written: Written) -> None:
    texts = ('{"msg":"broken-1","level":"error"', "{broken-2}", '{"msg":"broken-3"} and more', "[1, 2] broken-4")
    for number, text in enumerate(texts, start=1):
        line = written.only(f"broken-{number}")
        assert line.text == text
        assert line.resource["service.name"] == "supercheck-app"


def test_the_time_is_docker_s_whatever_the_line_says(written: Written) -> None:
    wanted = int(NOON.timestamp()) * 10**9
    assert [written.only(f"skew-{number}").time for number in (1, 2)] == [wanted, wanted]
    oldest = (NOON - timedelta(days=1)).timestamp() * 1e9
    assert [
        line for line in written.stored if line.time < oldest and "odd-" not in line.text and "\0" not in line.text
    ] == []


def test_stacks_in_json(written: Written) -> None:
    one, two, three, four = (written.only(f"stack-{number}").attributes for number in (1, 2, 3, 4))
    assert (one["exception_type"], one["stack"]) == ("AbortError", NODE_STACK)
    assert two["exception_type"] == "TypeError"
    assert len(three["stack"]) == 8192
    assert len(json.loads(written.only("stack-3").text)["stack"]) > 50_000
    assert "stack" not in four


def test_the_same_stack_has_one_fingerprint(written: Written) -> None:
    """Whatever its numbers and its message are, and whether it came as JSON or as lines."""
    text = written.only("TypeError: no way\n").attributes
    assert text["stack_fingerprint"] == written.only("stack-2").attributes["stack_fingerprint"]
    others = [
        written.only(part).attributes["stack_fingerprint"] for part in ("stack-1", "stack-3", "KeyError", "exporter-1")
    ]
    assert len({text["stack_fingerprint"], *others}) == 5


def test_stacks_of_many_lines_are_one(written: Written) -> None:
    lines = [line.text for line in written.of("stacks")]
    assert sorted(lines) == sorted(
        [
            "before the stack",
            NODE_STACK,
            '{"msg": "json after it"}',
            "other stream 1\n  and more 1",
            PYTHON_STACK,
            "after the stack",
            "settings {\n  name: 'x',\n}\n",
            "end",
        ]
    )
    levels = {line.text: line.resource.get("level") for line in written.of("stacks")}
    assert (levels[NODE_STACK], levels[PYTHON_STACK], levels["end"]) == ("ERROR", "ERROR", None)


def test_long_lines_are_whole_up_to_1_mib_and_complete_above(written: Written) -> None:
    line = written.only("long-1")
    assert len(json.loads(line.text)["fill"]) == 1_000_000
    assert (line.resource["service.name"], line.resource["level"]) == ("whole", "ERROR")
    parts = [line for line in written.of("long") if "y" * 100 in line.text]
    first, *more = sorted(parts, key=lambda line: line.time)
    assert first.text.startswith("long-2 yyy")
    assert "".join(line.text for line in (first, *more)) == "long-2 " + "y" * 3_000_000
    assert len(more) == 2
    assert written.only("long-3").text == "long-3 after it"


def test_pieces_of_docker_are_joined_for_each_stream(written: Written) -> None:
    assert written.only("pieces-1").text == "pieces-1 " + "a" * (PIECE_BYTES * 2)
    assert written.only("pieces-2").text == "pieces-2 " + "b" * (PIECE_BYTES * 2)
    assert len(written.of("pieces")) == 3


def test_what_is_no_text_is_kept_as_far_as_it_is_one(written: Written) -> None:
    assert written.only("odd-1").text == "odd-1 \ufffd\ufffd\x00\x01\x1b"
    assert written.only("odd-2").text == "odd-2 \N{SNOWMAN} \n\n"
    assert written.only("odd-3").text == "odd-3 after two empty ones"
    for number in (4, 5, 6, 7):
        assert written.only(f"odd-{number}").resource["container"] == written.containers["odd"].id[:12]


def test_the_collectors_own_lines_are_left_out(written: Written) -> None:
    """A line about a line that could not be sent would never end."""
    assert [line for line in written.stored if "own-" in line.text] == []


@pytest.mark.promise("nothing secret in a log line")
@pytest.mark.parametrize("shape", TEXTS, ids=lambda shape: shape.name)
def test_nothing_secret_is_stored(written: Written, shape: Shape) -> None:
    (line,) = [line for line in written.of("secrets") if line.text.startswith(f"{shape.name}| ")]
    assert [secret for secret in shape.secrets if secret in repr(line)] == []
    assert shape.keeps in line.text


@pytest.mark.parametrize("text", LEFT)
def test_what_says_something_is_left(written: Written, text: str) -> None:
    assert written.only(f"left| {text}")

"""The command line: exit codes, help, addresses, and one error a line."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

import pytest
from supercheck_exporter import __version__, cli
from supercheck_exporter.catalogue import catalogue, markdown
from supercheck_exporter.check import NO_SOURCE
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.settings import Settings

CANARY = "canary-91d0"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test without any setting of the exporter."""
    ours = {name.upper() for name in Settings.model_fields}
    for name in list(os.environ):
        if name.removesuffix("_FILE") in ours or name.startswith(("THRESHOLD_", "ALERT_")):
            monkeypatch.delenv(name)


def settings(monkeypatch: pytest.MonkeyPatch, **env: str) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)


def exits(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit status, standard output and standard error."""
    try:
        status = cli.main(arguments)
    except SystemExit as end:
        status = int(str(end.code))
    out, err = capsys.readouterr()
    return status, out, err


# -- help ------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = exits(capsys, "--help")
    assert (status, err) == (0, "")
    for command in ("serve", "check", "metrics", "render"):
        assert command in out


def test_help_of_serve_names_every_collector(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = exits(capsys, "serve", "--help")
    assert status == 0
    assert "--listen HOST:PORT" in out
    for name in TABLE:
        assert name in out


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits(capsys, "--version")[:2] == (0, f"{__version__}\n")


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["serve", "--no-such-option"], ["check", "more"]])
def test_a_mistake_on_the_command_line(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    status, out, err = exits(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("usage: supercheck-exporter")


def test_a_collector_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = exits(capsys, "serve", "--collector", "wrong")
    assert status == 2
    for name in TABLE:
        assert name in err


# -- --listen --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9820", ("127.0.0.1", 9820)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9820", ("::1", 9820)),
        ("[::]:9820", ("::", 9820)),
        ("exporter.example.com:1", ("exporter.example.com", 1)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address(monkeypatch: pytest.MonkeyPatch, text: str, address: tuple[str, int]) -> None:
    settings(monkeypatch, REDIS_HOST="redis")
    found: list[object] = []
    monkeypatch.setattr(cli, "serve", lambda *args: found.append(args[2]))
    monkeypatch.setattr(cli, "start_logging", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert cli.main(["serve", "--listen", text]) == 0
    assert found == [address]


@pytest.mark.parametrize(
    "text", ["9820", ":9820", "host", "host:", "host:port", "127.0.0.1:65536", "127.0.0.1:-1", "", "a:1:", "host:²"]
)
def test_no_address(capsys: pytest.CaptureFixture[str], text: str) -> None:
    status, _, err = exits(capsys, "serve", "--listen", text)
    assert status == 2
    assert f"{text!r} is not HOST:PORT, for example 127.0.0.1:9820" in err


def test_an_address_that_is_taken(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    settings(monkeypatch, REDIS_HOST="127.0.0.1")
    monkeypatch.setattr(cli, "start_logging", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = exits(capsys, "serve", "--listen", f"127.0.0.1:{port}")
    assert (status, err) == (1, f"error: --listen 127.0.0.1:{port} can't be had: Address already in use\n")


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["serve", "check"])
def test_without_a_source(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, err = exits(capsys, command)
    assert status == 2
    assert err == f"error: {NO_SOURCE}\n"
    assert "ok" not in out


@pytest.mark.parametrize(
    ("name", "needs"), [("postgres", "EXPORTER_DATABASE_URL"), ("pgbouncer", "PGBOUNCER_URL"), ("queues", "REDIS_HOST")]
)
def test_a_collector_whose_source_is_not_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, needs: str
) -> None:
    settings(monkeypatch, **({"DATABASE_URL": "postgres://db/x"} if name == "queues" else {"REDIS_HOST": "redis"}))
    status, _, err = exits(capsys, "serve", "--collector", name)
    assert (status, err) == (2, f"error: --collector {name} needs {needs}.\n")


def test_only_what_is_set_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, ...]] = []
    monkeypatch.setattr(cli, "start_logging", lambda _: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(cli, "serve", lambda _settings, runner, *_: served.append(runner.names))
    settings(monkeypatch, DATABASE_URL="postgres://db/x")
    assert cli.main(["serve"]) == 0
    assert {"postgres", "postgres_statements"} <= set(served[0])
    assert not {"queues", "redis", "pgbouncer"} & set(served[0])


@pytest.mark.promise("settings are checked")
@pytest.mark.parametrize("command", ["serve", "check"])
def test_every_bad_setting_is_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    settings(monkeypatch, REDIS_PORT="x", LOG_LEVEL="loud", THRESHOLD_WRONG="1", REDIS_PASSWORD=CANARY)
    status, out, err = exits(capsys, command)
    assert status == 2
    lines = err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)
    assert CANARY not in out + err


def test_check_says_why_a_source_can_t_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(monkeypatch, REDIS_HOST="127.0.0.1", REDIS_PORT="1", REDIS_PASSWORD=CANARY)
    status, out, err = exits(capsys, "check")
    assert status == 2
    [line] = err.splitlines()
    assert line.startswith("error: Redis at 127.0.0.1:1 cannot be read (")
    assert line.endswith("check REDIS_HOST, REDIS_PORT and that it runs.")
    assert CANARY not in out + err


# -- the catalogue ---------------------------------------------------------------------------------


def test_the_catalogue_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = exits(capsys, "metrics")
    assert (status, out) == (0, markdown())
    lines = out.splitlines()
    assert lines[:2] == ["| metric | type | labels | collector | meaning |", "|---|---|---|---|---|"]
    assert len(lines) == 2 + len(catalogue())
    assert all(line.count("|") == 6 for line in lines)


def test_the_catalogue_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = exits(capsys, "metrics", "--json")
    assert status == 0
    entries = {entry["name"]: entry for entry in json.loads(out)}
    assert set(entries) == {entry.name for entry in catalogue()}
    jobs = entries["supercheck_queue_jobs"]
    assert (jobs["collector"], jobs["type"], jobs["labels"]) == ("queues", "gauge", ["queue", "state"])


def test_names_follow_the_rules() -> None:
    entries = catalogue()
    assert len({entry.name for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.name.startswith("supercheck_")
        assert entry.name.endswith("_total") == (entry.type == "counter")
        assert entry.help.endswith(".")
        assert "|" not in entry.help
        assert "\n" not in entry.help
        if "timestamp" in entry.name:
            assert entry.name.endswith("_timestamp_seconds")


def test_every_collector_lists_what_it_declares() -> None:
    """A descriptor that is missing from `descs` would be missing from the manual."""
    for collector, _ in TABLE.values():
        module = sys.modules[collector.__module__]
        declared = {value for value in vars(module).values() if type(value).__name__ == "Desc"}
        assert declared == set(collector.descs)
        assert collector.name in TABLE

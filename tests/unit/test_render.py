"""What `supercheck-exporter render` writes: complete, replaced whole, and refused whole on a bad setting."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
import yaml
from supercheck_exporter.config import ConfigError
from supercheck_exporter.render import OPTIONAL_TARGETS, TARGETS, add_arguments, fill, main_render, render, without_jobs


def tree(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def jobs_of(folder: Path) -> dict[str, list[str]]:
    """Targets by scrape job."""
    config = yaml.safe_load((folder / "prometheus/prometheus.yml").read_text())
    return {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}


def run(folder: Path, env: dict[str, str]) -> int:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return main_render(parser.parse_args(["--out", str(folder)]), env)


def test_it_writes_what_both_programs_read(tmp_path: Path) -> None:
    report = render(tmp_path, {})
    files = tree(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in report.written) == sorted(files)
    config = yaml.safe_load(files["prometheus/prometheus.yml"])
    assert jobs_of(tmp_path) == {
        "supercheck-exporter": ["exporter:9820"],
        "prometheus": ["prometheus:9090"],
        "alertmanager": ["alertmanager:9093"],
        "otel-collector": ["otel-collector:8888"],
        "log-collector": ["log-collector:8888"],
        "spans": ["otel-collector:8889"],
        "loki": ["loki:3100"],
        "tempo": ["tempo:3200"],
        "jaeger": ["jaeger:8888"],
        "grafana": ["grafana:3000"],
        "node": ["node-exporter:9100"],
    }
    assert config["rule_files"] == ["rules/*.yaml"]
    assert {"prometheus/rules/alerts-queue.yaml", "prometheus/rules/recording-queue.yaml"} <= set(files)
    assert {"alertmanager/alertmanager.yml", "alertmanager/templates/slack.tmpl"} <= set(files)
    # nothing of Loki's is among the rules that Prometheus would refuse to start with
    assert [name for name in files if "logs" in name] == ["loki/rules/fake/logs.yaml"]
    assert not any("${" in text for text in files.values())


def test_settings_reach_the_files(tmp_path: Path) -> None:
    env = {
        "EXPORTER_TARGETS": "a:9820, [::1]:9821",
        "PROMETHEUS_TARGET": "127.0.0.1:1",
        "ALERTMANAGER_TARGET": "127.0.0.1:2",
        "PUBLIC_URL": "https://ops.example.com/x/",
        "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO": "0.7",
    }
    render(tmp_path, env)
    files = tree(tmp_path)
    config = yaml.safe_load(files["prometheus/prometheus.yml"])
    assert config["scrape_configs"][0]["static_configs"][0]["targets"] == ["a:9820", "[::1]:9821"]
    assert config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] == ["127.0.0.1:2"]
    rules = files["prometheus/rules/alerts-queue.yaml"]
    assert "queue:supercheck_queue_depth:ratio > 0.7" in rules
    assert '"https://ops.example.com/x/runbooks/QueueDepthHigh"' in rules
    assert '"https://ops.example.com/x/runbooks/ErrorLogBurst"' in files["loki/rules/fake/logs.yaml"]


@pytest.mark.parametrize("gone", OPTIONAL_TARGETS)
def test_an_empty_target_leaves_its_job_out_and_no_other(tmp_path: Path, gone: str) -> None:
    render(tmp_path, {})
    before = jobs_of(tmp_path)
    render(tmp_path, {gone: " "})
    after = jobs_of(tmp_path)
    assert after.items() <= before.items()
    assert [before[name] for name in before.keys() - after.keys()] == [[OPTIONAL_TARGETS[gone]]]


def test_what_has_to_be_watched_is_watched_whatever_is_set(tmp_path: Path) -> None:
    render(tmp_path, dict.fromkeys(TARGETS, ""))
    assert jobs_of(tmp_path) == {
        "supercheck-exporter": ["exporter:9820"],
        "prometheus": ["prometheus:9090"],
        "alertmanager": ["alertmanager:9093"],
    }


def test_a_job_is_left_out_with_all_that_is_its_own() -> None:
    text = "a: 1\nscrape_configs:\n  - job_name: x\n    y: ${A}\n\n  - job_name: z\n    y: [${B}, ${C}]\n    z: 1\n"
    assert without_jobs(text, {"A"}) == "a: 1\nscrape_configs:\n  - job_name: z\n    y: [${B}, ${C}]\n    z: 1\n"
    assert without_jobs(text, {"C"}) == "a: 1\nscrape_configs:\n  - job_name: x\n    y: ${A}\n"
    assert without_jobs(text, set()) == text


def test_a_second_time_replaces_and_removes_what_is_gone(tmp_path: Path) -> None:
    render(tmp_path, {})
    before = tree(tmp_path)
    former = [tmp_path / "prometheus/rules/alerts-former.yaml", tmp_path / "loki/rules/fake/former.yaml"]
    for old in former:
        old.write_text("groups: []\n")
    own = tmp_path / "alertmanager/templates/own.txt"
    own.write_text("a person's own file\n")
    (tmp_path / "prometheus/prometheus.yml").write_text("half a")
    render(tmp_path, {})
    assert not any(old.exists() for old in former)
    own.unlink()
    assert tree(tmp_path) == before


def test_the_files_are_readable_by_the_programs_own_users(tmp_path: Path) -> None:
    report = render(tmp_path, {})
    assert {path.stat().st_mode & 0o777 for path in report.written} == {0o644}


def test_bad_settings_are_all_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = {
        "EXPORTER_TARGETS": "exporter",
        "ALERTMANAGER_TARGET": "alertmanager:99999",
        "PUBLIC_URL": "ops.example.com",
        "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO": "80",
        "ALERTMANAGER_VERSION": "newest",
    }
    with pytest.raises(ConfigError) as caught:
        render(tmp_path / "out", env)
    for name in env:
        assert any(name in problem for problem in caught.value.problems), name
    assert not (tmp_path / "out").exists()
    assert run(tmp_path / "out", env) == 2
    assert capsys.readouterr().err.count("error: ") == len(caught.value.problems)


def test_settings_that_render_does_not_use_do_not_stop_it(tmp_path: Path) -> None:
    render(tmp_path, {"REDIS_PORT": "many", "REDIS_PASSWORD_FILE": "/nonexistent"})


def test_an_incomplete_channel_warns_and_the_start_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, {"ALERT_SLACK_CHANNEL": "#on-call"}) == 0
    said = capsys.readouterr()
    assert "warning: slack is left out: ALERT_SLACK_WEBHOOK_URL_FILE is not set" in said.err
    assert "warning: nobody is paged" in said.err
    assert "critical alerts go to nobody" in said.out
    assert (tmp_path / "alertmanager/alertmanager.yml").exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(tmp_path / "file", {}) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_failed_write_leaves_the_former_file_and_no_scrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    render(tmp_path, {})
    before = tree(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fchmod", full)
    with pytest.raises(OSError, match="No space left"):
        render(tmp_path, {"PUBLIC_URL": "http://other:1"})
    assert tree(tmp_path) == before


def test_a_placeholder_without_a_value_is_an_error() -> None:
    assert fill("a ${B} $C ${{ d }}", {"B": "1"}) == "a 1 $C ${{ d }}"
    with pytest.raises(KeyError, match="UNKNOWN"):
        fill("${UNKNOWN}", {})

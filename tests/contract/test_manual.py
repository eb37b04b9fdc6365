"""exporters/README.md: its tables are made from the program, and what it tells people to paste is right."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract import manual
from contract.feature_list import ROOT
from contract.rule_files import metrics_of
from servers.exporter import Exporter
from servers.process import require_program
from servers.redis import RedisServer
from supercheck_exporter.catalogue import catalogue
from supercheck_exporter.channels import SETTINGS as CHANNELS
from supercheck_exporter.check import check
from supercheck_exporter.cli import main
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.render import TARGETS
from supercheck_exporter.settings import Settings
from supercheck_exporter.thresholds import THRESHOLDS

TEXT = manual.MANUAL.read_text(encoding="utf-8")
HOW = "run: make manual"


def blocks(language: str) -> list[str]:
    """The texts of the manual's code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.promise("manual is current")
def test_made_parts_are_what_the_program_says() -> None:
    assert manual.renewed(TEXT) == TEXT, HOW
    rules = manual.RULES.read_text(encoding="utf-8")
    assert manual.renewed(rules, manual.RULES_PARTS) == rules, HOW


@pytest.mark.promise("manual is current")
def test_the_table_of_metrics_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    assert capsys.readouterr().out in TEXT, HOW


def test_a_part_that_is_not_marked_once_is_refused() -> None:
    with pytest.raises(ValueError, match="'metrics' is not marked"):
        manual.renewed(TEXT.replace("<!-- end: metrics -->", ""))
    with pytest.raises(ValueError, match="'settings' is not marked"):
        manual.renewed(TEXT + "<!-- made: settings -->\n")


def test_a_change_of_the_program_is_seen_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "README.md"
    changed.write_text(TEXT.replace("| gauge | queue, state |", "| gauge | queue |"), encoding="utf-8")
    monkeypatch.setattr(manual, "MANUAL", changed)
    assert manual.main([]) == 1
    assert "make manual" in capsys.readouterr().err
    assert manual.main(["--write"]) == 0
    assert changed.read_text(encoding="utf-8") == TEXT
    assert manual.main([]) == 0


def test_every_setting_that_the_manual_names_exists() -> None:
    known = {name.upper() for name in Settings.model_fields} | {"ALERTMANAGER_VERSION"}
    known |= {f"{name}_FILE" for name in known}
    known |= {threshold.variable for threshold in THRESHOLDS} | set(CHANNELS) | set(TARGETS)
    compose = (ROOT / "compose/compose.yaml").read_text(encoding="utf-8")
    known |= set(re.findall(r"\$\{([A-Z_]+):-", compose))
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=[^`]*)?`", TEXT))
    assert named - known == set()
    assert set(TARGETS) | {"ALERTMANAGER_VERSION"} <= named


def test_every_collector_and_command_is_in_the_manual() -> None:
    for name in TABLE:
        assert f"`{name}`" in TEXT
    for command in ("serve", "check", "metrics", "render", "lifecycle plan", "lifecycle apply"):
        assert f"supercheck-exporter {command}" in TEXT


def test_the_keda_recipe_holds_still_when_the_value_is_missing() -> None:
    (recipe,) = [parsed for text in blocks("yaml") if (parsed := yaml.safe_load(text)).get("kind") == "ScaledObject"]
    spec = recipe["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "prometheus"
    # "true" is KEDA's default, and takes a missing value for 0: it would scale in
    assert trigger["metadata"]["ignoreNullValues"] == "false"
    assert metrics_of(trigger["metadata"]["query"]) == {"supercheck_workers_desired"}
    # one worker for each that is wanted
    assert (trigger["metricType"], trigger["metadata"]["threshold"]) == ("AverageValue", "1")
    assert spec["fallback"]["behavior"] == "currentReplicas"
    assert {"replicas", "failureThreshold"} <= spec["fallback"].keys()
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert spec["minReplicaCount"] == defaults["workers_min"]
    assert spec["maxReplicaCount"] == defaults["workers_max"]


def hcl(text: str) -> dict[str, Any]:
    """The blocks and values of a simple HCL text: a block is {"kind name": {...}}."""
    root: dict[str, Any] = {}
    open_blocks = [root]
    for line in filter(None, map(str.strip, text.splitlines())):
        if line == "}":
            open_blocks.pop()
        elif match := re.fullmatch(r'(\w+)(?: "([\w-]+)")? \{', line):
            inner: dict[str, Any] = {}
            open_blocks[-1][" ".join(filter(None, match.groups()))] = inner
            open_blocks.append(inner)
        else:
            name, value = line.split("=", 1)
            open_blocks[-1][name.strip()] = json.loads(value)
    assert open_blocks == [root], "a block is not closed"
    return root


def test_the_nomad_recipe_holds_still_when_the_value_is_missing() -> None:
    (text,) = [block for block in blocks("hcl") if block.startswith("scaling")]
    scaling = hcl(text)["scaling"]
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert (scaling["enabled"], scaling["min"], scaling["max"]) == (
        True, defaults["workers_min"], defaults["workers_max"],
    )  # fmt: skip
    policy = scaling["policy"]
    assert policy["on_check_error"] == "fail"
    (check_,) = [value for key, value in policy.items() if key.startswith("check ")]
    assert check_["source"] == "prometheus"
    assert metrics_of(check_["query"]) == {"supercheck_workers_desired"}
    assert "strategy pass-through" in check_


def test_the_query_that_spares_every_test(tmp_path: Path) -> None:
    """More at once; fewer only while nothing runs, else as many as there are; nothing where the number is unknown."""
    (query,) = [line for text in blocks("promql") for line in text.splitlines() if "workers_desired" in line]
    cases = []
    for name, wanted, there, active, answer in (
        ("more", 5, 3, 2, 5), ("fewer, and a test runs", 2, 3, 1, 3),
        ("fewer", 2, 3, 0, 2), ("unknown", None, 3, 0, None),
    ):  # fmt: skip
        series = {
            'supercheck_workers_desired{location="local"}': wanted,
            'supercheck_workers{location="local"}': there,
            'supercheck_queue_jobs{queue="playwright-global",state="active"}': active,
            'supercheck_queue_jobs{queue="job-scheduler",state="active"}': 1,
        }
        cases.append(
            {
                "name": name,
                "input_series": [
                    {"series": one, "values": str(value)} for one, value in series.items() if value is not None
                ],
                "promql_expr_test": [
                    {
                        "expr": f"max({query})",
                        "eval_time": "0m",
                        "exp_samples": [] if answer is None else [{"labels": "{}", "value": answer}],
                    }
                ],
            }
        )
    (tmp_path / "query.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": cases}))
    command = [str(require_program("promtool")), "test", "rules", str(tmp_path / "query.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_of_the_manual_read_metrics_that_exist() -> None:
    names = {entry.name + end for entry in catalogue() for end in ("", "_bucket", "_sum", "_count")}
    found = [line for text in blocks("promql") for line in text.splitlines() if line.strip()]
    assert found
    for line in found:
        assert metrics_of(line), line
        assert metrics_of(line) <= names, line


@pytest.mark.promise("read only")
def test_the_redis_user_of_the_manual_is_enough() -> None:
    (line,) = [line for text in blocks("text") for line in text.splitlines() if line.startswith("ACL SETUSER")]
    with RedisServer() as server:
        server.client().execute_command(*line.replace(">PASSWORD", ">its-word").split())
        env = server.exporter_env() | {"REDIS_USERNAME": "supercheck-exporter", "REDIS_PASSWORD": "its-word"}
        problems, notes = check(env)
        with Exporter(env) as exporter:
            samples = exporter.wait_value(0, "supercheck_queue_added_jobs_total", queue="k6-global")
            samples = exporter.wait_value(0, "supercheck_queue_consumers", queue="k6-global")
        refused = server.client().acl_log()
    assert problems == []
    assert not [note for note in notes if "forbidden" in note]
    running = samples.values("supercheck_scrape_collector_success", by="collector")
    assert running == dict.fromkeys(
        ("queues", "queue_events", "workers", "redis", "organization_capacity", "rate_limits"), 1.0
    )
    # left out on purpose: it would show the server's passwords
    assert {entry["object"] for entry in refused} == {"config|get"}

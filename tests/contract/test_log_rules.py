"""The alerts on logs: in Grafana's grammar of LogQL, complete, and meant as promtool's tests say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.log_rules import (
    LOG_ALERTS,
    LOG_RULES,
    LOG_TESTS,
    as_prometheus_rules,
    finds_nothing,
    log_unit_tests,
    to_promql,
)
from contract.query_grammars import problems
from contract.rule_files import RULES, Rule
from contract.test_alert_rules import ANNOTATIONS, promtools
from supercheck_exporter import alertmanager
from supercheck_exporter.rules import DEFAULT_PUBLIC_URL

TESTS = log_unit_tests()
by_id = pytest.mark.parametrize("rule", LOG_ALERTS, ids=lambda rule: rule.id)


def test_every_query_is_logql() -> None:
    assert problems("logql", [rule.data["expr"] for rule in LOG_ALERTS]) == [None] * len(LOG_ALERTS)


def kept_labels(rule: Rule) -> set[str]:
    """The labels that survive the rule's aggregations."""
    return {name for labels in re.findall(r"by \(([^)]*)\)", rule.data["expr"]) for name in re.split(r",\s*", labels)}


@by_id
def test_labels_and_annotations(rule: Rule) -> None:
    assert rule.severity in {"critical", "warning", "info"}
    assert rule.data["labels"]["component"] == Path(rule.file).stem
    assert (kept_labels(rule) | rule.data["labels"].keys()) & set(alertmanager.SUBJECT), (
        "which subject's critical silences it?"
    )
    annotations: dict[str, str] = rule.data["annotations"]
    assert set(annotations) == ANNOTATIONS
    assert annotations["runbook_url"] == f"{DEFAULT_PUBLIC_URL}/runbooks/{rule.alert}"
    assert annotations["dashboard_url"] == f"{DEFAULT_PUBLIC_URL}/d/supercheck-traces-and-logs"
    assert not re.search(r"[0-9{]", annotations["summary"]), "a summary has no numbers and no labels"
    assert annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")


@by_id
def test_each_label_that_a_text_names_survives_the_aggregation(rule: Rule) -> None:
    texts = str(rule.data["labels"]) + str(rule.data["annotations"])
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= kept_labels(rule)


@by_id
def test_each_label_and_level_that_a_query_names_is_stored(rule: Rule) -> None:
    assert finds_nothing(rule.data["expr"]) == set()


def test_a_label_or_level_that_nothing_has_is_seen() -> None:
    assert finds_nothing('sum by (pod) (rate({service_name="a", level=~"ERROR|error", host!=""} [5m]))') == {
        "pod",
        "error",
        "host",
    }


@by_id
@pytest.mark.parametrize("kind", ["firing", "quiet", "missing data"])
def test_cases(rule: Rule, kind: str) -> None:
    tests = [test for test in TESTS if test["name"].startswith(f"{rule.alert} {rule.severity}: {kind}")]
    assert tests
    for test in tests:
        moments = [m["exp_alerts"] for m in test["alert_rule_test"] if m["alertname"] == rule.alert]
        assert moments
        assert any(moments) == (kind == "firing"), test["name"]


def test_every_test_belongs_to_an_alert() -> None:
    assert {test["name"].split(":")[0] for test in TESTS} == {f"{rule.alert} {rule.severity}" for rule in LOG_ALERTS}


@pytest.mark.promise("each alert unit tested")
@pytest.mark.parametrize("path", LOG_TESTS, ids=lambda path: path.stem)
def test_promtool_unit_tests(path: Path, tmp_path: Path) -> None:
    for rules in LOG_RULES:
        (tmp_path / rules.name).write_text(as_prometheus_rules(rules.read_text()))
    (tmp_path / f"test-{path.name}").write_text(path.read_text())
    for program in promtools():
        done = subprocess.run(
            [program, "test", "rules", f"test-{path.name}"], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, f"{program}\n{done.stdout}\n{done.stderr}"


def test_a_wrong_rule_is_seen(tmp_path: Path) -> None:
    text = as_prometheus_rules((RULES / "loki/logs.yaml").read_text())
    (tmp_path / "logs.yaml").write_text(text.replace("3 *", "30 *"))
    tests: dict[str, Any] = yaml.safe_load((RULES / "tests/loki/logs.yaml").read_text())
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(tests))
    done = subprocess.run(
        [promtools()[0], "test", "rules", "test.yaml"], capture_output=True, check=False, cwd=tmp_path
    )
    assert done.returncode != 0


def test_lines_become_series() -> None:
    assert to_promql('sum(count_over_time({a="b", c=~"d|e"} |= "x y" | f != "" [5m] offset 1d)) > 2') == (
        'sum(sum_over_time(log_lines{a="b", c=~"d|e",line=~".*x y.*",f!=""}[5m] offset 1d)) > 2'
    )


@pytest.mark.parametrize(
    "expr", ['count_over_time({a="b"} | json [5m])', 'rate({a="b"} |= "c" [5m])', 'sum({a="b"} | c="d")']
)
def test_what_is_not_known_is_not_translated(expr: str) -> None:
    with pytest.raises(ValueError, match=r"not translated|no stage"):
        to_promql(expr)

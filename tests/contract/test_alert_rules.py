"""The alert rules: rendered as checked in, valid, complete, and tested with promtool."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
from contract.dashboard_facts import DASHBOARDS
from contract.rule_files import (
    ALERTS,
    FOREIGN,
    RECORDS,
    RENDERED,
    RULES,
    UNIT_TESTS,
    Rule,
    metrics_of,
    rules,
    unit_tests,
)
from servers.monitoring import monitoring_program
from servers.process import require_program
from supercheck_exporter import alertmanager
from supercheck_exporter.catalogue import catalogue
from supercheck_exporter.rules import DEFAULT_PUBLIC_URL, differences, placeholders, render_rules, templates
from supercheck_exporter.thresholds import default_thresholds

SEVERITIES = {"critical", "warning", "info", "none"}
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url", "value", "threshold"}
TESTS = unit_tests()
by_id = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.id)


def promtools() -> list[Path]:
    """The distribution's promtool (2.42) and the one that belongs to the pinned Prometheus, where it was built."""
    return sorted({monitoring_program("promtool"), require_program("promtool")})


def promtool(*arguments: str | Path) -> None:
    for program in promtools():
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{program}\n{done.stdout}\n{done.stderr}"


def test_checked_in_files_are_what_the_templates_make() -> None:
    assert differences(render_rules(default_thresholds(), DEFAULT_PUBLIC_URL), RULES) == []


@pytest.mark.promise("thresholds one source")
def test_every_threshold_is_used() -> None:
    used = {name for _, text in templates().values() for name in placeholders(text)}
    assert used == {*default_thresholds(), "PUBLIC_URL"}


def test_promtool_accepts_every_file() -> None:
    promtool("check", "rules", *RENDERED)


@pytest.mark.promise("quiet for a day")
@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_promtool_unit_tests(path: Path) -> None:
    promtool("test", "rules", path)


def test_the_healthy_site_is_what_its_program_makes() -> None:
    made = runpy.run_path(str(RULES / "tests" / "healthy_site.py"))["render"]()
    assert made == (RULES / "tests" / "healthy_site.yaml").read_text()


@by_id
def test_labels_and_annotations(rule: Rule) -> None:
    assert rule.severity in SEVERITIES
    assert rule.data["labels"]["component"] == Path(rule.file).stem
    annotations: dict[str, str] = rule.data["annotations"]
    assert set(annotations) == ANNOTATIONS
    assert annotations["runbook_url"] == f"{DEFAULT_PUBLIC_URL}/runbooks/{rule.alert}"
    assert not re.search(r"[0-9{]", annotations["summary"]), "a summary has no numbers and no labels"
    assert annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")
    match = re.fullmatch(rf"{DEFAULT_PUBLIC_URL}/d/([\w-]+)(\?var-\w+=.*urlquery.*)?", annotations["dashboard_url"])
    assert match
    assert match[1] in DASHBOARDS


@by_id
def test_a_critical_alert_outlives_its_source_and_no_other_does(rule: Rule) -> None:
    assert rule.data.get("keep_firing_for") == ("10m" if rule.severity == "critical" else None)


def cases(rule: Rule, kind: str) -> list[dict[str, Any]]:
    """The promtool tests named "<alert> <severity>: <kind>..."."""
    return [test for test in TESTS if test["name"].startswith(f"{rule.alert} {rule.severity}: {kind}")]


def expected(test: dict[str, Any], rule: Rule) -> list[list[dict[str, Any]]]:
    """A list a moment: what is expected of this alert with this severity."""
    return [
        [alert for alert in moment["exp_alerts"] if alert["exp_labels"]["severity"] == rule.severity]
        for moment in test["alert_rule_test"]
        if moment["alertname"] == rule.alert
    ]


@pytest.mark.promise("each alert unit tested")
@by_id
def test_firing_cases(rule: Rule) -> None:
    tests = cases(rule, "firing")
    assert tests
    for test in tests:
        assert any(expected(test, rule)), test["name"]


@pytest.mark.promise("each alert unit tested")
@by_id
def test_quiet_cases(rule: Rule) -> None:
    if rule.alert == "Watchdog":  # fires always: that is what it is for
        return
    tests = cases(rule, "quiet")
    assert tests
    for test in tests:
        moments = expected(test, rule)
        assert moments, test["name"]
        assert test["input_series"], test["name"]
        assert moments[-1] == [], test["name"]


@pytest.mark.promise("each alert unit tested")
@by_id
def test_missing_data_cases(rule: Rule) -> None:
    """Nothing fires without data, except the alerts that are about its absence."""
    if rule.alert == "Watchdog":
        return
    tests = cases(rule, "missing data")
    assert tests
    for test in tests:
        moments = expected(test, rule)
        assert moments, test["name"]
        fires = any(moments)
        assert fires == ("absent(" in rule.data["expr"]), test["name"]


@pytest.mark.promise("no false all-clear")
@pytest.mark.parametrize("rule", [r for r in ALERTS if r.severity == "critical"], ids=lambda rule: rule.id)
def test_no_false_all_clear_cases(rule: Rule) -> None:
    tests = cases(rule, "keeps firing for 10 minutes when its source vanishes")
    assert tests
    for test in tests:
        assert any("stale" in series["values"] for series in test["input_series"])
        first, kept = expected(test, rule)[:2]
        assert first
        assert {str(alert["exp_labels"]) for alert in first} <= {str(alert["exp_labels"]) for alert in kept}


def test_every_promtool_test_belongs_to_an_alert() -> None:
    names = {rule.alert for rule in ALERTS}
    for test in TESTS:
        if test["file"] not in {"healthy_site.yaml", "recording.yaml"}:
            assert re.match(r"\w+", test["name"])[0] in names, test["name"]  # type: ignore[index]


def fired() -> list[dict[str, Any]]:
    moments = [moment for test in TESTS for moment in test.get("alert_rule_test", [])]
    return [alert | {"alertname": moment["alertname"]} for moment in moments for alert in moment["exp_alerts"]]


def test_no_text_has_a_hole() -> None:
    """A label that an aggregation dropped would leave one."""
    for alert in fired():
        for text in alert["exp_annotations"].values():
            assert not re.search(r"<no value>|<error|\{\{|  | [.,]|\(\)|=$", text), alert


def test_every_critical_and_warning_has_a_subject_for_inhibition() -> None:
    """Without one, a critical alert would silence every warning of its component that has none either."""
    for alert in fired():
        if alert["exp_labels"]["severity"] in {"critical", "warning"}:
            assert set(alert["exp_labels"]) & set(alertmanager.SUBJECT), alert


def test_alerts_that_a_failed_collector_silences_exist() -> None:
    warnings = {rule.alert for rule in ALERTS if rule.severity == "warning"}
    named = {alert for alerts in alertmanager.FED_BY.values() for alert in alerts}
    assert named <= warnings


@pytest.mark.parametrize("rule", RECORDS, ids=lambda rule: rule.id)
def test_recorded_names_are_level_metric_operations(rule: Rule) -> None:
    levels = "bucket|dependency|disk|kind|location|objective|operation|organization|pool|queue|service|site|table|tier"
    assert re.fullmatch(rf"({levels}):supercheck_[a-z0-9_]+:[a-z0-9_]+", rule.data["record"])


@pytest.mark.parametrize("rule", RECORDS, ids=lambda rule: rule.id)
def test_recorded_values_are_tested(rule: Rule) -> None:
    """A test expects its value, or an alert reads it and is tested itself."""
    checks = [check for test in TESTS for check in test.get("promql_expr_test", []) if check["exp_samples"]]
    tested = any(rule.data["record"] in check["expr"] for check in checks)
    read = any(rule.data["record"] in alert.data["expr"] for alert in ALERTS)
    assert tested or read


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.id)
def test_every_metric_is_exported_or_recorded(rule: Rule) -> None:
    known = FOREIGN | {str(record.data["record"]) for record in RECORDS}
    for entry in catalogue():
        ends = ("", "_bucket", "_count", "_sum") if entry.type == "histogram" else ("",)
        known |= {entry.name + end for end in ends}
    assert metrics_of(rule.data["expr"]) - known == set()
    constant = re.fullmatch(r"vector\([\d.]+\)\s*", rule.data["expr"])
    assert metrics_of(rule.data["expr"]) or rule.alert == "Watchdog" or constant


def test_a_wrong_metric_name_would_be_seen() -> None:
    assert metrics_of('max by (queue) (rate(a_total{b="c"}[5m] offset 1h)) / on (queue) d:e:f > bool 0.5 # g') == {
        "a_total",
        "d:e:f",
    }

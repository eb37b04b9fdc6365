"""features.yaml against the code: what it calls built is there and proved, what it defers is not there."""

from __future__ import annotations

import ast
import datetime
import json
import re
from functools import cache
from typing import Any

import pytest
from contract.dashboard_queries import expressions, metrics_in
from contract.feature_list import (
    BUILT,
    DEFERRED,
    FEATURES,
    PLAN,
    PROMISES,
    ROOT,
    all_of,
    marked,
    planned,
    proofs_in,
)
from contract.log_rules import LOG_ALERTS, log_unit_tests
from contract.rule_files import ALERTS, RECORDS, metrics_of, unit_tests
from supercheck_exporter.catalogue import catalogue
from supercheck_exporter.collectors import TABLE

SECTIONS = {*PLAN, "Foundation", "Delivery", "Dashboards"}
COMES_WITH = {"database", "storage", "dependencies", "tracing", "stack"}
NEEDED = {"name", "section", "title", "seed", "source"}
OF_BUILT = {
    *("collector", "part", "metrics", "recorded", "reads"),
    *("alerts", "no_alert", "dashboard", "no_dashboard", "proof"),
}
OF_DEFERRED = {"metrics", "alerts", "deferred"}
ENTRIES = {entry.name: entry for entry in catalogue()}
COLLECTORS = {"every": "(every)"} | {name: name for name in TABLE}
RULES = {rule.alert for rule in [*ALERTS, *LOG_ALERTS]}
RECORDED_FROM = {str(rule.data["record"]): metrics_of(rule.data["expr"]) for rule in RECORDS}
by_name = pytest.mark.parametrize("feature", BUILT, ids=lambda feature: feature["name"])


@cache
def shown(uid: str) -> frozenset[str]:
    """Every metric that a dashboard's queries read."""
    dashboard = json.loads((ROOT / "dashboards" / f"{uid}.json").read_text(encoding="utf-8"))
    return frozenset(name for _, expr in expressions(dashboard) for name in metrics_in(expr))


@cache
def alerts_by_file() -> dict[str, set[str]]:
    """The alerts that each file of alert-rules/tests tests."""
    found: dict[str, set[str]] = {}
    for test in [*unit_tests(), *log_unit_tests()]:
        moments = test.get("alert_rule_test", ())
        found.setdefault(test["file"], set()).update(moment["alertname"] for moment in moments)
    return found


def recorded_from(metrics: set[str]) -> set[str]:
    """The recorded metrics that are made from these, also by way of other recorded ones."""
    known = set(metrics)
    while True:
        more = {name for name, read in RECORDED_FROM.items() if read & known} - known
        if not more:
            return known - metrics
        known |= more


def series_of(metrics: list[str]) -> set[str]:
    """The names under which metrics are read, a histogram's three among them."""
    ends = ("_bucket", "_sum", "_count")
    return {*metrics, *(name + end for name in metrics if ENTRIES[name].type == "histogram" for end in ends)}


def about(feature: dict[str, Any]) -> set[str]:
    """Every metric under which a feature can be seen: its own, what is recorded from them, what it reads of others."""
    metrics = series_of(feature.get("metrics", []))
    return metrics | recorded_from(metrics) | set(feature.get("reads", ()))


# ---- the whole list


def test_names_are_unique() -> None:
    for entries in (FEATURES, PROMISES):
        names = [entry["name"] for entry in entries]
        assert sorted(names) == sorted(set(names))


def test_every_planned_name_is_in_exactly_one_feature() -> None:
    for kind in ("metrics", "alerts"):
        names = all_of(kind)
        assert sorted(names) == sorted(set(names)), kind
        assert set(planned(kind)) - set(names) == set(), kind


def test_every_planned_name_is_in_its_own_section() -> None:
    # a name that the plan puts elsewhere would be looked for in the wrong dashboard
    for kind in ("metrics", "alerts"):
        section_of = {name: section for section, names in PLAN.items() for name in names[kind]}
        for feature in FEATURES:
            sections = {section_of[name] for name in feature.get(kind, ()) if name in section_of}
            assert sections <= {feature["section"]}, feature["name"]


def test_every_metric_that_is_exported_is_in_one_built_feature() -> None:
    assert sorted(all_of("metrics", BUILT)) == sorted(ENTRIES)


def test_every_metric_that_is_recorded_is_in_one_built_feature() -> None:
    assert sorted(all_of("recorded")) == sorted(RECORDED_FROM)


def test_every_alert_of_the_rules_is_in_one_built_feature() -> None:
    assert sorted(all_of("alerts", BUILT)) == sorted(RULES)


def test_every_section_of_the_plan_has_a_feature() -> None:
    assert {feature["section"] for feature in FEATURES} == SECTIONS


# ---- names that the plan fixes


@pytest.mark.promise("names are fixed")
def test_metrics_have_the_type_and_labels_of_the_plan() -> None:
    for name, what in planned("metrics").items():
        if name in ENTRIES:
            ((kind, labels),) = what.items()
            entry = ENTRIES[name]
            assert entry.type == kind, name
            assert labels == "any" or sorted(entry.labels) == sorted(labels), name


@pytest.mark.promise("names are fixed")
def test_alerts_have_the_severities_of_the_plan() -> None:
    for name, severities in planned("alerts").items():
        found = sorted(rule.severity for rule in [*ALERTS, *LOG_ALERTS] if rule.alert == name)
        assert not found or severities == "any" or found == sorted(severities), name


# ---- what is built


@by_name
def test_a_built_feature_is_complete(feature: dict[str, Any]) -> None:
    assert NEEDED <= feature.keys() <= NEEDED | OF_BUILT
    assert all(str(feature[key]).strip() for key in feature)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", feature["name"])
    assert feature["section"] in SECTIONS
    assert feature["proof"]
    # a signal has a collector; what no collector does names the part that does it
    assert ("collector" in feature) == ("metrics" in feature) == ("part" not in feature)
    assert ("alerts" in feature) != ("no_alert" in feature)
    assert not {"dashboard", "no_dashboard"} <= feature.keys()
    assert {"dashboard", "no_dashboard"} & feature.keys() or not {"metrics", "reads"} & feature.keys()


@by_name
def test_its_metrics_are_those_of_its_collectors(feature: dict[str, Any]) -> None:
    names = feature.get("collector", [])
    collectors = {COLLECTORS[name] for name in ([names] if isinstance(names, str) else names)}
    assert {ENTRIES[name].collector for name in feature.get("metrics", ())} == collectors


@by_name
def test_its_part_exists(feature: dict[str, Any]) -> None:
    if "part" in feature:
        assert (ROOT / feature["part"]).exists()


@by_name
def test_its_dashboard_shows_it(feature: dict[str, Any]) -> None:
    wanted = about(feature)
    if "dashboard" in feature:
        assert wanted & shown(feature["dashboard"])
    elif "no_dashboard" in feature:
        assert not any(wanted & shown(path.stem) for path in (ROOT / "dashboards").glob("*.json")), "one does show it"


@by_name
def test_its_alerts_read_what_it_names(feature: dict[str, Any]) -> None:
    wanted = about(feature)
    for name in feature.get("alerts", ()):
        read = {metric for rule in ALERTS if rule.alert == name for metric in metrics_of(rule.data["expr"])}
        # the Watchdog reads nothing: it fires whatever happens
        assert not read or read & wanted, name


@by_name
def test_its_proofs_exist(feature: dict[str, Any]) -> None:
    for proof in feature["proof"]:
        path, _, test = proof.partition("::")
        file = ROOT / path
        assert file.is_file(), proof
        if file.suffix == ".py":
            assert test in proofs_in(file) if test else proofs_in(file), proof
        else:
            assert ROOT / "alert-rules/tests" in file.parents, proof


@by_name
def test_its_alerts_are_proved_by_promtool(feature: dict[str, Any]) -> None:
    folder = "alert-rules/tests/"
    files = [proof.removeprefix(folder) for proof in feature["proof"] if proof.startswith(folder)]
    assert set(feature.get("alerts", ())) <= {alert for file in files for alert in alerts_by_file()[file]}


# ---- what is deferred


@pytest.mark.parametrize("entry", DEFERRED, ids=lambda entry: entry["name"])
def test_a_deferral_says_when_and_why(entry: dict[str, Any]) -> None:
    if entry in FEATURES:
        assert NEEDED <= entry.keys() <= NEEDED | OF_DEFERRED
        assert entry["section"] in SECTIONS
    deferred = entry["deferred"]
    assert set(deferred) == {"since", "comes_with", "why"}
    assert isinstance(deferred["since"], datetime.date)
    assert deferred["comes_with"] in COMES_WITH
    assert len(deferred["why"]) > 15


@pytest.mark.parametrize("entry", DEFERRED, ids=lambda entry: entry["name"])
def test_what_is_deferred_is_not_there(entry: dict[str, Any]) -> None:
    assert not set(entry.get("metrics", ())) & set(ENTRIES), "a metric is exported: it is built"
    assert not set(entry.get("alerts", ())) & RULES, "a rule exists: it is built"
    assert entry["name"] not in marked(), "a test proves it: it is built"


@pytest.mark.parametrize(
    "there",
    [
        {"metrics": ["supercheck_queue_jobs"]},
        {"alerts": ["QueueDepthHigh"]},
        {"name": "names are fixed"},
    ],
    ids=lambda there: next(iter(there)),
)
def test_a_deferral_of_what_is_there_is_refused(there: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="it is built"):
        test_what_is_deferred_is_not_there({"name": "later"} | there)


# ---- promises


def test_the_end_to_end_run_expects_every_alert_about_queues_and_workers() -> None:
    tree = ast.parse((ROOT / "tests/e2e/test_pages.py").read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Page"]
    expected = {tuple(arg.value for arg in call.args[:2] if isinstance(arg, ast.Constant)) for call in calls}
    rules = {(rule.alert, rule.severity) for rule in ALERTS if rule.data["labels"]["component"] in ("queue", "worker")}
    assert rules <= expected


def test_every_mark_names_a_promise() -> None:
    assert set(marked()) <= {promise["name"] for promise in PROMISES}


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise["name"])
def test_a_promise_has_a_test(promise: dict[str, Any]) -> None:
    assert promise.keys() - {"deferred"} == {"name", "text"}
    assert promise["text"].endswith(".")
    if "deferred" not in promise:
        assert marked().get(promise["name"]), f'no test is marked @pytest.mark.promise("{promise["name"]}")'

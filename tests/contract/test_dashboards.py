"""The checked-in dashboards keep every rule, each rule refuses what breaks it, and the JSON is what is built."""

import copy
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.dashboard_facts import DASHBOARDS, ROOT, alerts, facts, recorded
from contract.dashboard_queries import EVERYTHING, Json, expressions, panels, queries, store_queries, substitute
from contract.dashboard_rules import RULES, broken_rules
from contract.dashboard_rules_panels import levels
from contract.log_rules import finds_nothing
from contract.query_grammars import Language, problems
from supercheck_exporter.thresholds import default_thresholds

from dashboards.src import build as builder
from dashboards.src import links

BROKEN = yaml.safe_load((Path(__file__).parent / "dashboards" / "broken.yaml").read_text("utf-8"))
EMPTY = yaml.safe_load((ROOT / "dashboards" / "empty.yaml").read_text("utf-8"))
FILES = builder.load()


def test_every_dashboard_is_checked_in() -> None:
    assert FILES.keys() == {f"{uid}.json" for uid in DASHBOARDS}


@pytest.mark.parametrize("name", FILES)
def test_keeps_every_rule(name: str) -> None:
    assert broken_rules(FILES[name], facts()) == {}
    assert name == f"{FILES[name]['uid']}.json"


def spoil(case: dict[str, Any]) -> Json:
    """Return the good dashboard with the one thing spoilt that the case names."""
    dashboard = copy.deepcopy(FILES[f"supercheck-{case['of']}.json"])
    part: Any = dashboard
    for kind, key, parts in (
        ("panel", "title", dashboard["panels"]),
        ("annotation", "name", dashboard["annotations"]["list"]),
        ("variable", "name", dashboard["templating"]["list"]),
    ):
        if kind in case:
            (part,) = [item for item in parts if item[key] == case[kind]]
    *way, last = case["at"]
    for step in way:
        part = part[step]
    before = copy.deepcopy(part[last])
    if "cut" in case:
        part[last] = part[last][: case["cut"]]
    elif "merge" in case:
        part[last] |= case["merge"]
    elif "replace" in case:
        part[last] = part[last].replace(*case["replace"])
    elif "to" in case:
        part[last] = case["to"]
    else:
        del part[last]
        return dashboard
    assert part[last] != before, "the case spoils nothing"
    return dashboard


@pytest.mark.promise("broken dashboards fail")
@pytest.mark.parametrize("case", BROKEN, ids=lambda case: f"{case['rule']}-{case['at'][-1]}")
def test_a_broken_dashboard_fails_its_own_rule_only(case: dict[str, Any]) -> None:
    assert broken_rules(spoil(case), facts()).keys() == {case["rule"]}


def test_every_rule_has_a_broken_dashboard() -> None:
    assert {case["rule"] for case in BROKEN} == RULES.keys()


def test_regenerated_json_has_no_difference() -> None:
    check = [sys.executable, "-m", "dashboards.src", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_drawn_threshold_is_one_of_a_rule() -> None:
    used = {name for rule in [*alerts(), *recorded()] for name in re.findall(r"\$\{(\w+)\}", str(rule["expr"]))}
    assert builder.drawn_thresholds() <= used


@pytest.mark.promise("thresholds one source")
def test_thresholds_are_drawn_from_the_table_of_the_rules() -> None:
    # a number that is typed into a panel would not move with the table
    moved = builder.build_all({name: value * 1.5 for name, value in default_thresholds().items()})
    for name, text in moved.items():
        for before, after in zip(panels(FILES[name]), panels(json.loads(text)), strict=True):
            for value, drawn in zip(levels(before), levels(after), strict=True):
                # 1 is "any at all", or a threshold of one second
                assert drawn == pytest.approx(value * 1.5) or drawn == value == 1, before["title"]


def test_alerts_link_to_the_dashboard_that_links_back() -> None:
    for alert in alerts():
        labels, annotations = alert["labels"], alert["annotations"]
        assert isinstance(labels, dict) and isinstance(annotations, dict)  # noqa: PT018
        found = re.search(r"/d/([\w-]+)", annotations["dashboard_url"])
        assert found
        of_component = links.OF_COMPONENT.get(labels["component"], links.OVERVIEW)
        assert found[1] == links.OF_ALERT.get(str(alert["alert"]), of_component), alert["alert"]
        assert f"/runbooks/{alert['alert']}" in str(FILES[f"{found[1]}.json"]), alert["alert"]


def test_variables_of_alert_links_exist() -> None:
    for alert in alerts():
        url = str(alert["annotations"]["dashboard_url"])  # type: ignore[index]
        found = re.search(r"/d/([\w-]+)", url)
        assert found
        declared = {variable["name"] for variable in FILES[f"{found[1]}.json"]["templating"]["list"]}
        assert set(re.findall(r"var-(\w+)=", url)) <= declared, alert["alert"]


def test_every_query_parses(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI") == "true":
            pytest.fail("promtool is required")
        pytest.skip("promtool is not installed")
    exprs = [substitute(expr) for board in FILES.values() for _, expr in expressions(board)]
    names = [{"record": f"query{index}", "expr": expr} for index, expr in enumerate(exprs)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": names}]}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_queries_of_loki_and_tempo_are_understood() -> None:
    found = [query for board in FILES.values() for query in store_queries(board)]
    assert {language for _, language, _ in found} == {"logql", "traceql"}
    languages: tuple[Language, ...] = ("logql", "traceql")
    for language in languages:
        asked = {where: query for where, written, query in found if written == language}
        wrong = problems(language, list(asked.values()))
        assert {where: problem for where, problem in zip(asked, wrong, strict=True) if problem} == {}
    assert {where: finds_nothing(query) for where, written, query in found if written == "logql"} == {
        where: set() for where, written, _ in found if written == "logql"
    }


@pytest.mark.parametrize("name", FILES)
def test_queries_leave_no_variable(name: str) -> None:
    found = queries(FILES[name])
    assert found
    assert not [query for query in found if "$queue" in query.expr or "$__" in query.expr]
    one = queries(FILES[name], EVERYTHING | {"queue": "k6-local"})
    assert len(one) == len(found)


def test_empty_list_names_panels_that_exist() -> None:
    for uid, entries in EMPTY.items():
        there = {(query.panel, query.ref) for query in queries(FILES[f"{uid}.json"])}
        for entry in entries:
            letters = set(entry["queries"])
            assert letters <= {ref for panel, ref in there if panel == entry["panel"]}, (uid, entry)
            assert len(entry["reason"]) > 15

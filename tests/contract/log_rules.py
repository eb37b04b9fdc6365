"""The rules that Loki evaluates, and the same in PromQL, so that promtool can test what they mean.

Only what is inside of a range aggregation is Loki's own; around it the two languages agree. So
`count_over_time({a="b"} |= "text" | c != "" [5m])` becomes
`sum_over_time(log_lines{a="b",line=~".*text.*",c!=""}[5m])`:
the tests give the number of lines a minute. What that proves is the arithmetic, the labels and the texts; that Loki
reads the queries as this module does is held by Grafana's grammar alone.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from contract.feature_list import ROOT
from contract.rule_files import RULES, Rule

LOG_RULES = sorted(RULES.glob("loki/*.yaml"))
LOG_TESTS = sorted(RULES.glob("tests/loki/*.yaml"))

_RANGE = re.compile(
    r"count_over_time\(\s*\{(?P<labels>[^}]*)\}(?P<pipeline>[^\[]*)\[(?P<range>\w+)\](?P<offset>\s+offset\s+\w+)?\s*\)"
)
_STAGE = re.compile(r'\|(?:=\s*"(?P<text>[\w ,-]*)"|\s*(?P<field>\w+)\s*(?P<test>!=|=)\s*"(?P<value>[^"]*)")\s*')


def log_alerts() -> list[Rule]:
    """Every alert that Loki evaluates."""
    return [
        Rule(path.relative_to(RULES).as_posix(), rule)
        for path in LOG_RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


LOG_ALERTS = log_alerts()


def stored_fields() -> set[str]:
    """The labels that Loki makes, and the fields that the log collector puts beside a line, as LogQL names them."""
    loki = yaml.safe_load((ROOT / "compose/loki/loki.yaml").read_text())
    labels = loki["limits_config"]["otlp_config"]["resource_attributes"]["attributes_config"][0]["attributes"]
    collector = (ROOT / "otel-collector/logs.yaml").read_text()
    kept = re.search(r"keep_keys\(log\.attributes, \[(.*?)\]\)", collector)
    assert kept
    return {label.replace(".", "_") for label in labels} | set(re.findall(r'"(\w+)"', kept[1])) | {"stack"}


def stored_levels() -> set[str]:
    """The words that the collector writes as a line's level."""
    collector = (ROOT / "otel-collector/config.yaml").read_text()
    return set(re.findall(r'set\(log\.attributes\["level"\], "(\w+)"\)', collector))


def finds_nothing(logql: str) -> set[str]:
    """The labels and levels that a query names and nothing has. Loki knows no wrong one: it finds nothing, for ever."""
    levels = {word for value in re.findall(r'\blevel=~?"([^"]*)"', logql) for word in value.split("|")}
    plain = re.sub(r'"[^"]*"', '""', logql)
    named = set(re.findall(r'(\w+)\s*(?:=~|!=|!~|=)\s*"', plain))
    named |= {name for labels in re.findall(r"(?:by|on) \(([^)]*)\)", plain) for name in re.split(r",\s*", labels)}
    return (named - stored_fields()) | (levels - stored_levels())


def log_unit_tests() -> list[dict[str, Any]]:
    """Every promtool test of them, with its file's name below alert-rules/tests."""
    return [
        test | {"file": path.relative_to(RULES / "tests").as_posix()}
        for path in LOG_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
    ]


def to_promql(expr: str) -> str:
    """A LogQL expression over `log_lines`; raises ValueError for what this module does not know."""
    translated = _RANGE.sub(_aggregation, expr)
    if "|" in re.sub(r'"[^"]*"', "", translated) or "count_over_time" in translated:
        raise ValueError(f"not translated: {translated}")
    return translated


def _aggregation(match: re.Match[str]) -> str:
    matchers = [match["labels"].strip()]
    pipeline, position = match["pipeline"].strip(), 0
    while position < len(pipeline):
        stage = _STAGE.match(pipeline, position)
        if stage is None:
            raise ValueError(f"no stage that is known here: {pipeline[position:]}")
        field, test, value = stage["field"], stage["test"], stage["value"]
        matchers.append(f'{field}{test}"{value}"' if field else f'line=~".*{stage["text"]}.*"')
        position = stage.end()
    return f"sum_over_time(log_lines{{{','.join(matchers)}}}[{match['range']}]{match['offset'] or ''})"


def as_prometheus_rules(text: str) -> str:
    """A file of Loki's rules as one of Prometheus."""
    rules = yaml.safe_load(text)
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["expr"] = to_promql(rule["expr"])
    return yaml.safe_dump(rules, sort_keys=False, width=1000)

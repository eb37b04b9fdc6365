"""The rendered rules and their promtool tests, as the contract tests read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).resolve().parents[2] / "alert-rules"
RENDERED = sorted([*RULES.glob("recording/*.yaml"), *RULES.glob("alerts/*.yaml")])
UNIT_TESTS = sorted(RULES.glob("tests/*.yaml"))

# metrics that Prometheus and Alertmanager export or make themselves
FOREIGN = {
    "traces_span_metrics_calls_total",
    "traces_span_metrics_duration_seconds_bucket",
    "traces_span_metrics_repeated_queries_total",
    "up",
    "scrape_duration_seconds",
    "prometheus_rule_evaluation_failures_total",
    "node_filesystem_avail_bytes",
    "node_filesystem_readonly",
    "node_filesystem_size_bytes",
    "prometheus_notifications_errors_total",
    "prometheus_notifications_alertmanagers_discovered",
    "alertmanager_notifications_failed_total",
    "alertmanager_notifications_total",
    # of the collectors, as a real one names them (tests/integration/test_pipeline_health.py)
    "otelcol_exporter_queue_size",
    "otelcol_exporter_queue_capacity",
    "otelcol_exporter_send_failed_spans",
    "otelcol_exporter_send_failed_log_records",
    "otelcol_exporter_enqueue_failed_spans",
    "otelcol_exporter_enqueue_failed_log_records",
    "otelcol_receiver_refused_spans",
    "otelcol_receiver_refused_log_records",
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early",
}
_KEYWORDS = {"and", "or", "unless", "offset", "bool", "on", "ignoring", "by", "without", "group_left", "group_right"}
_NOT_METRICS = (r"#[^\n]*", r'"[^"]*"', r"\{[^}]*\}", r"\[[^]]*\]", r"\b(?:by|without|on|ignoring)\s*\([^)]*\)")


@dataclass(frozen=True)
class Rule:
    """One rule as it is rendered; `file` is below alert-rules/."""

    file: str
    data: dict[str, Any]

    @property
    def alert(self) -> str:
        return str(self.data.get("alert", ""))

    @property
    def severity(self) -> str:
        return str(self.data["labels"]["severity"])

    @property
    def id(self) -> str:
        return f"{self.alert}-{self.severity}" if self.alert else str(self.data["record"])


def rules() -> list[Rule]:
    """Every rule of the rendered files."""
    return [
        Rule(path.relative_to(RULES).as_posix(), rule)
        for path in RENDERED
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = [rule for rule in rules() if rule.alert]
RECORDS = [rule for rule in rules() if not rule.alert]


def metrics_of(expr: str) -> set[str]:
    """The names of the metrics that a PromQL expression reads."""
    for pattern in _NOT_METRICS:
        expr = re.sub(pattern, " ", expr)
    names = re.findall(r"(?<![\w:.])([A-Za-z_:][\w:]*)\b(?!\s*\()", expr)
    # what an aggregation or function is followed by has gone with its parenthesis: `sum by (x) (...)`
    functions = {"sum", "max", "min", "count", "avg"}
    return {name for name in names if name not in _KEYWORDS | functions}


def unit_tests() -> list[dict[str, Any]]:
    """Every promtool test of every file, with its file's name."""
    found = []
    for path in UNIT_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            found.append(test | {"file": path.name})
    return found

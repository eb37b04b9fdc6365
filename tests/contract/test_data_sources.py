"""Grafana's data sources: where they are, and the links from metrics to traces to log lines and back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.compose_files import ROOT, SERVICES
from contract.query_grammars import problems
from servers.monitoring import monitoring_program

PATH = ROOT / "compose/grafana/provisioning/datasources/datasources.yaml"
# as Grafana reads it: $$ is a $, and nothing else is a variable
READ: list[dict[str, Any]] = yaml.safe_load(PATH.read_text(encoding="utf-8").replace("$$", "$"))["datasources"]
SOURCES = {source["uid"]: source for source in READ}
URLS = {
    "prometheus": "http://prometheus:9090",
    "alertmanager": "http://alertmanager:9093",
    "loki": "http://loki:3100",
    "tempo": "http://tempo:3200",
    "jaeger": "http://jaeger:16686",
}


def named(source: Any) -> Iterator[str]:
    """Every uid that a data source leads to."""
    if isinstance(source, dict):
        for key, value in source.items():
            if key in {"datasourceUid", "alertmanagerUid"}:
                yield value
            else:
                yield from named(value)
    if isinstance(source, list):
        for item in source:
            yield from named(item)


def test_a_data_source_is_a_service_of_the_bundle() -> None:
    assert {uid: source["url"] for uid, source in SOURCES.items()} == URLS
    for url in URLS.values():
        host = url.removeprefix("http://").partition(":")[0]
        assert set(SERVICES[host]["networks"]) & set(SERVICES["grafana"]["networks"]), host
    assert not any(source["editable"] for source in READ)
    config = yaml.safe_load((ROOT / "compose/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    assert SOURCES["prometheus"]["jsonData"]["timeInterval"] == config["global"]["scrape_interval"]


def test_no_dollar_is_taken_for_a_variable_of_the_environment() -> None:
    text = "\n".join(
        line.partition(" #")[0] for line in PATH.read_text(encoding="utf-8").splitlines() if line[0] != "#"
    )
    assert "$" not in text.replace("$$", "")


def test_each_leads_to_the_others() -> None:
    assert {uid: set(named(source["jsonData"])) for uid, source in SOURCES.items()} == {
        "prometheus": {"alertmanager", "tempo", "jaeger"},
        "alertmanager": set(),
        "loki": {"tempo", "jaeger"},
        "tempo": {"loki", "prometheus"},
        "jaeger": {"loki", "prometheus"},
    }


def test_a_trace_s_id_is_found_where_the_collector_puts_it() -> None:
    for target in SOURCES["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]:
        assert target["name"] == "trace_id"
    for field in SOURCES["loki"]["jsonData"]["derivedFields"]:
        assert (field["matcherType"], field["matcherRegex"], field["url"]) == ("label", "trace_id", "${__value.raw}")
    assert SOURCES["tempo"]["jsonData"]["serviceMap"] == {"datasourceUid": "prometheus"}


@pytest.mark.parametrize("uid", ["tempo", "jaeger"])
def test_a_span_leads_to_its_log_lines_and_to_its_metrics(uid: str, tmp_path: Path) -> None:
    data = SOURCES[uid]["jsonData"]
    assert data["nodeGraph"] == {"enabled": True}
    logs, metrics = data["tracesToLogsV2"], data["tracesToMetrics"]
    assert logs["customQuery"] is True
    assert logs["query"].endswith('} | trace_id = "${__trace.traceId}"')
    assert problems("logql", [logs["query"]]) == [None]
    if uid == "tempo":
        assert logs["query"].startswith("{${__tags}}")
        assert {"key": "service.name", "value": "service_name"} in logs["tags"]
    filled = [query["query"].replace("$__tags", 'service_name="a"') for query in metrics["queries"]]
    rules = [{"record": f"query{number}", "expr": query} for number, query in enumerate(filled)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        [monitoring_program("promtool"), "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

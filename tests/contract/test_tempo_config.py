"""Tempo's configuration against what its manifest knows, and what the others expect of it: Tempo is not here."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml
from contract.feature_list import ROOT
from contract.known_keys import defaults, expanded, unknown

TEXT = (ROOT / "compose/tempo/tempo.yaml").read_text()
KNOWN: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "tempo_keys.yaml").read_text())
SERVICE: dict[str, Any] = yaml.safe_load((ROOT / "compose/telemetry.yaml").read_text())["services"]["tempo"]
COLLECTOR = (ROOT / "otel-collector/config.yaml").read_text()


def test_every_key_is_known_to_tempo() -> None:
    assert unknown(expanded(TEXT, {}), KNOWN) == []


def test_what_is_wrong_is_seen() -> None:
    for name, value in (("ingester", {}), ("compactor", {"compaction": {}}), ("server", {"http_listen_port": "3200"})):
        config: Any = copy.deepcopy(expanded(TEXT, {}))
        config[name] = value
        assert len(unknown(config, KNOWN)) == 1, name


def test_settings_have_one_default_and_compose_passes_them_on() -> None:
    settings = defaults(TEXT)
    assert {name: values for name, values in settings.items() if len(values) > 1 or "" in values} == {}
    passed = SERVICE["environment"]
    for name in passed.keys() & settings.keys():
        (default,) = settings[name]
        assert passed[name] == f"${{{name}:-{default}}}"
    assert "-config.expand-env=true" in SERVICE["command"]


def test_traces_are_deleted_after_a_week_by_both_parts() -> None:
    for env, want in (({}, "168h"), ({"TEMPO_RETENTION": "24h"}, "24h")):
        config = expanded(TEXT, env)
        planned = config["backend_scheduler"]["provider"]["compaction"]["compaction"]
        assert planned["block_retention"] == config["backend_worker"]["compaction"]["block_retention"] == want


def test_everything_that_is_written_is_on_the_volume() -> None:
    paths = re.findall(r"(?:path|dir): (\S+)", TEXT)
    assert len(paths) == 6
    assert all(path.startswith("/var/tempo/") for path in paths)
    assert "tempo:/var/tempo" in SERVICE["volumes"]


def test_the_collector_sends_where_it_listens_and_its_graph_reaches_prometheus() -> None:
    config = expanded(TEXT, {})
    port = config["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    assert f"http://tempo:{port}}}" in COLLECTOR
    prometheus = yaml.safe_load((ROOT / "compose/compose.yaml").read_text())["services"]["prometheus"]
    assert "--web.enable-remote-write-receiver" in prometheus["command"]
    (target,) = config["metrics_generator"]["storage"]["remote_write"]
    assert target["url"] == "http://prometheus:9090/api/v1/write"

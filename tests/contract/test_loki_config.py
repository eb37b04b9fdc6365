"""Loki's configuration against what its reference knows: Loki itself is not here to refuse it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from contract.feature_list import ROOT
from contract.known_keys import defaults, expanded, unknown
from supercheck_exporter.render import LOKI_RULES

TEXT = (ROOT / "compose/loki/loki.yaml").read_text()
KNOWN: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "loki_keys.yaml").read_text())


def test_every_key_is_known_to_loki() -> None:
    assert unknown(expanded(TEXT, {}), KNOWN) == []


def test_what_is_wrong_is_seen() -> None:
    for path, value in (
        (("limits_config", "retention_time"), "1h"),
        (("limits_config", "retention_period"), "14d12h"),
        (("auth_enabled",), "no"),
        (("limits_config", "ingestion_rate_strategy"), "none"),
        (("schema_config",), []),
    ):
        config: Any = copy.deepcopy(expanded(TEXT, {}))
        inner = config
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        assert len(unknown(config, KNOWN)) == 1, path


def test_every_setting_has_a_default_and_one_name() -> None:
    settings = defaults(TEXT)
    assert all(name.startswith("LOKI_") for name in settings)
    assert {name: values for name, values in settings.items() if len(values) > 1 or "" in values} == {}


def test_settings_reach_it() -> None:
    config = expanded(TEXT, {"LOKI_RETENTION_PERIOD": "24h", "LOKI_DIRECTORY": "/data"})
    assert config["limits_config"]["retention_period"] == "24h"
    assert config["common"]["storage"]["filesystem"]["chunks_directory"] == "/data/chunks"


def test_lines_do_not_live_for_ever() -> None:
    config = expanded(TEXT, {})
    assert config["limits_config"]["retention_period"] == "336h"  # 14 days
    assert config["compactor"]["retention_enabled"]
    assert config["compactor"]["delete_request_store"]
    assert config["schema_config"]["configs"][0]["index"]["period"] == "24h"  # retention asks for a day


def test_the_schema_is_one_that_takes_structured_metadata() -> None:
    assert [(c["schema"], c["store"]) for c in expanded(TEXT, {})["schema_config"]["configs"]] == [("v13", "tsdb")]


def test_labels_are_few_and_bounded() -> None:
    resource = expanded(TEXT, {})["limits_config"]["otlp_config"]["resource_attributes"]
    assert resource["ignore_defaults"]
    labels = [c["attributes"] for c in resource["attributes_config"] if c["action"] == "index_label"]
    assert labels == [["service.name", "level", "container"]]


def test_its_ruler_reads_what_render_writes() -> None:
    directory = Path("/config") / LOKI_RULES
    assert expanded(TEXT, {})["ruler"]["storage"] == {"type": "local", "local": {"directory": str(directory.parent)}}


def test_nobody_is_told_of_its_use() -> None:
    assert not expanded(TEXT, {})["analytics"]["reporting_enabled"]

"""Loki's configuration against what its reference knows: Loki itself is not here to refuse it."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import yaml
from contract.feature_list import ROOT
from supercheck_exporter.render import LOKI_RULES

TEXT = (ROOT / "compose/loki/loki.yaml").read_text()
KNOWN: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "loki_keys.yaml").read_text())
SETTING = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*))?\}")
KINDS = {
    "boolean": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str) and value != "",
    "strings": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "duration": lambda value: re.fullmatch(r"\d+(ms|s|m|h)", str(value)) is not None,
    "bytes": lambda value: re.fullmatch(r"\d+(B|KB|MB|GB)?", str(value)) is not None,
}


def expanded(env: dict[str, str]) -> dict[str, Any]:
    """The file as Loki reads it with -config.expand-env=true."""
    read: dict[str, Any] = yaml.safe_load(SETTING.sub(lambda match: env.get(match[1], match[2] or ""), TEXT))
    return read


def unknown(found: Any, known: Any, path: str = "") -> list[str]:
    """Every place of a configuration that the reference does not have, or of another kind."""
    if isinstance(known, dict) and "one_of" in known:
        return [] if found in known["one_of"] else [f"{path}: {found!r}"]
    if isinstance(known, dict):
        if not isinstance(found, dict):
            return [f"{path}: {found!r}"]
        missing = [f"{path}.{name}" for name in found if name not in known]
        return missing + [
            text for name in found if name in known for text in unknown(found[name], known[name], f"{path}.{name}")
        ]
    if isinstance(known, list):
        return [text for number, item in enumerate(found) for text in unknown(item, known[0], f"{path}[{number}]")]
    return [] if KINDS[known](found) else [f"{path}: {found!r} is no {known}"]


def test_every_key_is_known_to_loki() -> None:
    assert unknown(expanded({}), KNOWN) == []


def test_what_is_wrong_is_seen() -> None:
    for path, value in (
        (("limits_config", "retention_time"), "1h"),
        (("limits_config", "retention_period"), "14d12h"),
        (("auth_enabled",), "no"),
        (("limits_config", "ingestion_rate_strategy"), "none"),
        (("schema_config",), []),
    ):
        config: Any = copy.deepcopy(expanded({}))
        inner = config
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        assert len(unknown(config, KNOWN)) == 1, path


def test_every_setting_has_a_default_and_one_name() -> None:
    settings = SETTING.findall(TEXT)
    assert TEXT.count("${") == len(settings)
    defaults: dict[str, set[str]] = {}
    for name, default in settings:
        assert name.startswith("LOKI_")
        defaults.setdefault(name, set()).add(default)
    assert {name: values for name, values in defaults.items() if len(values) > 1 or "" in values} == {}


def test_settings_reach_it() -> None:
    config = expanded({"LOKI_RETENTION_PERIOD": "24h", "LOKI_DIRECTORY": "/data"})
    assert config["limits_config"]["retention_period"] == "24h"
    assert config["common"]["storage"]["filesystem"]["chunks_directory"] == "/data/chunks"


def test_lines_do_not_live_for_ever() -> None:
    config = expanded({})
    assert config["limits_config"]["retention_period"] == "336h"  # 14 days
    assert config["compactor"]["retention_enabled"]
    assert config["compactor"]["delete_request_store"]
    assert config["schema_config"]["configs"][0]["index"]["period"] == "24h"  # retention asks for a day


def test_the_schema_is_one_that_takes_structured_metadata() -> None:
    assert [(c["schema"], c["store"]) for c in expanded({})["schema_config"]["configs"]] == [("v13", "tsdb")]


def test_labels_are_few_and_bounded() -> None:
    resource = expanded({})["limits_config"]["otlp_config"]["resource_attributes"]
    assert resource["ignore_defaults"]
    labels = [c["attributes"] for c in resource["attributes_config"] if c["action"] == "index_label"]
    assert labels == [["service.name", "level", "container"]]


def test_its_ruler_reads_what_render_writes() -> None:
    directory = Path("/config") / LOKI_RULES
    assert expanded({})["ruler"]["storage"] == {"type": "local", "local": {"directory": str(directory.parent)}}


def test_nobody_is_told_of_its_use() -> None:
    assert not expanded({})["analytics"]["reporting_enabled"]

"""logs.yaml, its manual and its place in compose say the same."""

from __future__ import annotations

import re

import yaml
from contract.compose_files import SERVICES
from contract.feature_list import ROOT

FOLDER = ROOT / "otel-collector"
TEXT = (FOLDER / "logs.yaml").read_text()
SETTING = re.compile(r"\$\{env:([A-Z_]+):-([^}]*)\}")
# the host's name is Docker's to set
SETTINGS = {name: default for name, default in SETTING.findall(TEXT) if name != "HOSTNAME"}


def test_the_manual_has_every_setting_with_its_default() -> None:
    manual = (FOLDER / "README.md").read_text()
    table = manual[manual.index("### Settings of the log collector") :].split("\n### ")[0]
    told: dict[str, str] = {}
    for row in re.findall(r"^\| (`[A-Z].*)$", table, re.M):
        names, defaults, *_ = re.split(r"(?<!\\)\| ", row)
        told |= zip(re.findall(r"`([^`]+)`", names), re.findall(r"`([^`]+)`", defaults), strict=True)
    assert {name: default.replace("\\|", "|") for name, default in told.items()} == SETTINGS


def test_one_default_a_setting() -> None:
    assert len({name for name, _ in SETTING.findall(TEXT)}) == len(set(SETTING.findall(TEXT)))


def test_compose_starts_it_as_the_tests_do() -> None:
    service = SERVICES["log-collector"]
    assert service["command"] == ["--config=/etc/otelcol/logs.yaml", "--feature-gates=stanza.synchronousLogEmitter"]
    assert set(service["environment"]) - {"GOMEMLIMIT"} <= set(SETTINGS)


def test_nothing_is_given_up() -> None:
    """Both wait as long as it takes: the receiver for room in the queue, the exporter for an answer."""
    config = yaml.safe_load(TEXT)
    assert config["receivers"]["file_log"]["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert config["exporters"]["otlp_http"]["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_the_override_names_supercheck_s_containers_and_changes_nothing_else() -> None:
    override = yaml.safe_load((FOLDER / "supercheck.logs.override.yaml").read_text())
    assert set(override) == {"services"}
    assert set(override["services"]) == {"app", "worker"}
    for service in override["services"].values():
        assert set(service) == {"logging"}
        assert service["logging"]["options"]["tag"] == "{{.Name}}"

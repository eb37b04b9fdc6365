"""What otel-collector's files say of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "otel-collector"
# a part's name in a configuration is not always made of its module's
MODULES = {
    "file_log": "filelogreceiver",
    "otlp_grpc": "otlpexporter",
    "otlp_http": "otlphttpexporter",
    "file_storage": "filestorage",
    "health_check": "healthcheckextension",
    "prometheus": "prometheus",  # in a wrapper of ours
}
KINDS = ("receivers", "processors", "connectors", "exporters", "extensions")


def load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return content


def module(kind: str, part: str) -> str:
    """The module of a part, for example processors and `batch/traces` are batchprocessor."""
    base = part.split("/")[0]
    return MODULES.get(base, base.replace("_", "") + kind.rstrip("s"))


def test_the_build_has_every_part_that_a_configuration_names() -> None:
    built = {entry["gomod"].split()[0].rsplit("/", 1)[1] for kind in KINDS for entry in load("builder.yaml")[kind]}
    files = [path.name for path in FOLDER.glob("*.yaml") if path.name != "builder.yaml"]
    assert "config.yaml" in files
    named = {module(kind, part) for name in files for kind in KINDS for part in load(name).get(kind, {})}
    assert named - built == set()


def test_every_part_of_the_configuration_is_used() -> None:
    content = load("config.yaml")
    pipelines = content["service"]["pipelines"].values()
    used = {
        part for pipeline in pipelines for kind in ("receivers", "processors", "exporters") for part in pipeline[kind]
    }
    used |= set(content["service"]["extensions"])
    assert {part for kind in KINDS for part in content[kind]} == used


def test_the_memory_limiter_comes_first() -> None:
    pipelines = load("config.yaml")["service"]["pipelines"].values()
    from_outside = [pipeline for pipeline in pipelines if "otlp" in pipeline["receivers"]]
    assert from_outside
    assert {pipeline["processors"][0] for pipeline in from_outside} == {"memory_limiter"}

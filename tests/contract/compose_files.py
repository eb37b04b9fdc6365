"""The compose files of what runs without a profile, as the contract tests read them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose/compose.yaml").read_text(encoding="utf-8"))
TELEMETRY: dict[str, Any] = yaml.safe_load((ROOT / "compose/telemetry.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"] | TELEMETRY["services"]


def mounts(service: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    """Target of each mount -> (source, whether it is read-only)."""
    # a source that is a setting has its default
    texts = [re.sub(r"^\$\{[A-Z_]+:-([^}]*)\}", r"\1", text) for text in service.get("volumes", [])]
    parts = [text.split(":") for text in texts]
    return {part[1]: (part[0], part[2:] == ["ro"]) for part in parts}

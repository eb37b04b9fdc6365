"""A configuration against a list of the keys that its program knows: for programs that are not here to refuse it.

A list is YAML in the configuration's shape: in place of a value stands its kind, or `{one_of: [...]}`; the one item of
a list is the kind of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

SETTING = re.compile(r"\$\{([A-Z0-9_]+)(?::-([^}]*))?\}")
_KINDS = {
    "boolean": lambda value: isinstance(value, bool),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "ratio": lambda value: isinstance(value, float) and 0 < value <= 1,
    "string": lambda value: isinstance(value, str) and value != "",
    "strings": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "duration": lambda value: re.fullmatch(r"\d+(ms|s|m|h)", str(value)) is not None,
    "bytes": lambda value: re.fullmatch(r"\d+(B|KB|MB|GB)?", str(value)) is not None,
}


def expanded(text: str, env: Mapping[str, str]) -> dict[str, Any]:
    """A file as its program reads it, with ${NAME:-default} from `env` or the default."""
    read: dict[str, Any] = yaml.safe_load(SETTING.sub(lambda match: env.get(match[1], match[2] or ""), text))
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
    return [] if _KINDS[known](found) else [f"{path}: {found!r} is no {known}"]


def defaults(text: str) -> dict[str, set[str]]:
    """Every setting of a file with the defaults that stand beside it."""
    found: dict[str, set[str]] = {}
    for name, default in SETTING.findall(text):
        found.setdefault(name, set()).add(default)
    return found

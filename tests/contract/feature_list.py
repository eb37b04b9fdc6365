"""features.yaml, the names that the plan fixes, and the promises that tests name, as the contract tests read them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
_LISTED: dict[str, Any] = yaml.safe_load((ROOT / "features.yaml").read_text(encoding="utf-8"))
FEATURES: list[dict[str, Any]] = _LISTED["features"]
PROMISES: list[dict[str, Any]] = _LISTED["promises"]
BUILT = [feature for feature in FEATURES if "deferred" not in feature]
DEFERRED = [entry for entry in [*FEATURES, *PROMISES] if "deferred" in entry]
PLAN: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(
    (Path(__file__).parent / "promised_names.yaml").read_text(encoding="utf-8")
)


def planned(kind: str) -> dict[str, Any]:
    """Every name of the plan, `metrics` with {type: labels} or `alerts` with severities."""
    return {name: what for section in PLAN.values() for name, what in section[kind].items()}


def all_of(key: str, features: list[dict[str, Any]] | None = None) -> list[str]:
    """What the features list under a key, one after the other, repeated as often as it stands there."""
    return [name for feature in (FEATURES if features is None else features) for name in feature.get(key, ())]


@cache
def proofs_in(path: Path) -> frozenset[str]:
    """The names of the test functions of a file, by its syntax: nothing is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


@cache
def marked() -> dict[str, list[str]]:
    """Where each promise is named by a test: {name: files}. A mark that names no text would be under "?"."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "node_modules" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.promise"):
                names = [a.value if isinstance(a, ast.Constant) else "?" for a in node.args] or ["?"]
                for name in names:
                    found.setdefault(str(name), []).append(path.relative_to(ROOT).as_posix())
    return found

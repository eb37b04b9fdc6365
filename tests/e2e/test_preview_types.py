"""The dashboards have the types of @grafana/schema, the preview's own code too; and both checks do find a fault."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from e2e.preview_stack import PREVIEW, ROOT
from servers.process import missing, require_program

Json = dict[str, Any]
OVERVIEW = ROOT / "dashboards" / "supercheck-overview.json"


def node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Node in the preview's folder."""
    if not (PREVIEW / "node_modules" / "typescript").is_dir():
        missing("the preview's packages: run compose/install.sh test")
    program = require_program("node")
    env = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run([program, *arguments], cwd=PREVIEW, env=env, capture_output=True, text=True, check=False)


def first(dashboard: Json, kind: str) -> Json:
    """Return the first panel of a type."""
    found: Json = next(panel for panel in dashboard["panels"] if panel["type"] == kind)
    return found


def defaults(dashboard: Json, kind: str) -> Json:
    """Return the field defaults of the first panel of a type."""
    found: Json = first(dashboard, kind)["fieldConfig"]["defaults"]
    return found


# Each spoils one thing; the word is what the message must say.
SPOILT: dict[str, tuple[str, Callable[[Json], object]]] = {
    "unknown option": ("graphMod", lambda d: first(d, "stat")["options"].update(graphMod="none")),
    "unknown word": ("aera", lambda d: first(d, "stat")["options"].update(graphMode="aera")),
    "unknown field option": ("lineWith", lambda d: defaults(d, "timeseries")["custom"].update(lineWith=1)),
    "text for a number": ("number", lambda d: defaults(d, "timeseries")["custom"].update(lineWidth="2")),
    "number for a unit": ("string", lambda d: defaults(d, "timeseries").update(unit=5)),
    "misspelt threshold": ("colour", lambda d: defaults(d, "stat")["thresholds"]["steps"].append({"colour": "red"})),
    "no title": ("title", lambda d: first(d, "stat").pop("title")),
    "unknown key of a query": ("legend", lambda d: first(d, "stat")["targets"][0].update(legend="x")),
    "unknown key at the top": ("refreshh", lambda d: d.update(refreshh="1m")),
    "unknown kind of variable": ("datasoure", lambda d: d["templating"]["list"][0].update(type="datasoure")),
    "unknown kind of panel": ("statt", lambda d: first(d, "text").update(type="statt")),
    "unknown key of a link": ("typ", lambda d: first(d, "timeseries")["links"].append({"typ": "link"})),
    "unknown key of an annotation": ("iconcolor", lambda d: d["annotations"]["list"][0].update(iconcolor="red")),
}


def test_the_dashboards_have_the_types_of_grafana_schema() -> None:
    said = node("check.mjs")
    count = len(list((ROOT / "dashboards").glob("*.json")))
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == f"{count} dashboards, 0 faults\n"


@pytest.fixture(scope="module")
def faults_of(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one run of the check says of each spoilt dashboard."""
    folder = tmp_path_factory.mktemp("spoilt")
    good = json.loads(OVERVIEW.read_text("utf-8"))
    files = {}
    for name, (_, spoil) in SPOILT.items():
        spoilt = copy.deepcopy(good)
        spoil(spoilt)
        files[name] = folder / f"{name.replace(' ', '-')}.json"
        files[name].write_text(json.dumps(spoilt, indent=1))
    said = node("check.mjs", *files.values())
    assert said.returncode == 1
    lines = said.stderr.split(str(folder))
    return {name: "".join(line for line in lines if line.startswith(f"/{file.name}:")) for name, file in files.items()}


@pytest.mark.parametrize("name", SPOILT)
def test_a_wrong_dashboard_is_refused(name: str, faults_of: dict[str, str]) -> None:
    assert SPOILT[name][0] in faults_of[name]


def test_the_preview_has_no_type_error() -> None:
    said = node("node_modules/typescript/bin/tsc", "--noEmit")
    assert (said.returncode, said.stdout) == (0, "")

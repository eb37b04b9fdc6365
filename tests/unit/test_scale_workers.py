"""compose/scale-workers.sh, with a `curl` and a `docker` that are made here: what it changes, and when it leaves it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "compose/scale-workers.sh"
CURL = """#!/bin/sh
case "$*" in
    *supercheck_workers_desired*) cat "$ANSWERS/wanted" ;;
    *supercheck_queue_jobs*) cat "$ANSWERS/active" ;;
esac
exit "${CURL_EXIT:-0}"
"""
DOCKER = """#!/bin/sh
if [ "$2" = ps ]; then cat "$ANSWERS/there"; else echo "$*" >>"$ANSWERS/done"; fi
"""


def answer(value: int | None) -> str:
    """Prometheus' answer to an instant query of one number, or of none."""
    result = [] if value is None else [{"metric": {}, "value": [1763995200.123, str(value)]}]
    data = {"resultType": "vector", "result": result}
    return json.dumps({"status": "success", "data": data}, separators=(",", ":"))


def scaled(folder: Path, wanted: int | None, there: int, active: int | None, **env: str) -> tuple[str, str]:
    """What it told docker to do, and what it said."""
    for name, text in (("curl", CURL), ("docker", DOCKER)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "wanted").write_text(answer(wanted))
    (folder / "active").write_text(answer(active))
    (folder / "there").write_text("".join(f"container{number}\n" for number in range(there)))
    (folder / "done").write_text("")
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["sh", SCRIPT],
        env={"PATH": path, "ANSWERS": str(folder), "PROMETHEUS": "http://prometheus:9090", **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return (folder / "done").read_text().strip(), run.stderr


UP = "compose up --detach --no-recreate --scale worker={0} worker"


@pytest.mark.parametrize(
    ("wanted", "there", "active", "done"),
    [
        (3, 1, 5, UP.format(3)),  # more, whatever runs
        (1, 3, 0, UP.format(1)),  # fewer, and nothing runs
        (1, 3, 1, ""),  # fewer, and a test would be lost
        (1, 3, None, ""),  # fewer, and it is unknown whether something runs
        (2, 2, 0, ""),
        (None, 2, 0, ""),  # unknown is not zero
        (10, 2, 0, UP.format(10)),
        (0, 1, 0, UP.format(0)),
    ],
)
def test_what_is_scaled(tmp_path: Path, wanted: int | None, there: int, active: int | None, done: str) -> None:
    found, said = scaled(tmp_path, wanted, there, active)
    assert found == done
    assert ("unknown: nothing is changed" in said) == (wanted is None)


def test_a_prometheus_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    found, said = scaled(tmp_path, None, 3, None, CURL_EXIT="7")
    assert found == ""
    assert "unknown: nothing is changed" in said

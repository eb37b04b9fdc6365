"""compose/backup/restore.sh with a docker that only notes what it is asked."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "compose/backup/restore.sh"
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$ASKED"
case "$*" in
    ps*worker*) ;;
    ps*) echo 0123456789ab ;;
    compose*restore*) exit "$RESTORE" ;;
esac
"""
CONTAINERS = ("supercheck-app-1", "supercheck-postgres-1")


def asked(folder: Path, *arguments: str, code: int = 0, **env: str) -> tuple[int, list[str]]:
    """The script's exit code, and what it asked of docker; the worker does not run."""
    docker = folder / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    path = {"PATH": f"{folder}:/usr/bin:/bin", "ASKED": str(folder / "asked"), "RESTORE": str(code)}
    done = subprocess.run([SCRIPT, *arguments], env=path | env, capture_output=True, text=True, check=False)
    return done.returncode, (folder / "asked").read_text().splitlines()


def test_supercheck_is_stopped_restored_and_started(tmp_path: Path) -> None:
    code, lines = asked(tmp_path, "--until", "2026-11-24T05:30:00Z")
    assert code == 0
    told = [line for line in lines if not line.startswith("ps ")]
    assert told[:2] == [f"stop {name}" for name in CONTAINERS]
    assert told[2].startswith(
        "run --rm --volume supercheck_postgres-data:/var/lib/postgresql --entrypoint sh postgres:18"
    )
    assert told[2].endswith("/var/lib/postgresql/18")
    assert told[3] == (
        "compose -f compose/compose.yaml --profile backup run --rm "
        "--volume supercheck_postgres-data:/var/lib/postgresql "
        "backup restore --into /var/lib/postgresql/18/docker --until 2026-11-24T05:30:00Z"
    )
    assert told[4:] == [f"start {name}" for name in reversed(CONTAINERS)]


@pytest.mark.parametrize("code", [1, 2])
def test_after_a_failure_what_ran_runs_again(tmp_path: Path, code: int) -> None:
    found, lines = asked(tmp_path, code=code)
    assert found == code
    assert lines[-2:] == [f"start {name}" for name in reversed(CONTAINERS)]


def test_other_names_are_taken(tmp_path: Path) -> None:
    _, lines = asked(
        tmp_path, SUPERCHECK_CONTAINERS="db", POSTGRES_VOLUME="v", POSTGRES_DATA="data", POSTGRES_IMAGE="p:15"
    )
    assert "stop db" in lines
    assert any(line.startswith("run --rm --volume v:/var/lib/postgresql --entrypoint sh p:15") for line in lines)
    assert any(line.endswith("restore --into /var/lib/postgresql/data") for line in lines)

"""A program `docker` that notes what it is asked and answers what a test has set; no daemon is behind it.

Answers are found by a pattern (of grep -E), the first that matches. Without one it ends well and says nothing, as
Docker does where there is nothing to list.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PROGRAM = """#!/bin/bash
# a shell, since a script asks dozens of questions
cd "$(dirname "$0")" && . ./answers.sh && cd "$OLDPWD" || exit 125
asked="$*"
printf '%s\\n' "$asked" >>"$folder/asked"
for index in "${!patterns[@]}"; do
    if [[ $asked =~ ${patterns[index]} ]]; then
        printf '%s' "${outputs[index]}"
        if [ -n "${commands[index]}" ]; then eval "exec ${commands[index]} \\"\\$@\\""; fi
        exit "${codes[index]}"
    fi
done
"""

# `docker run` and `docker compose stop` where a volume is a folder of this machine and a service one of its processes
ENGINE = """
import json, os, re, signal, subprocess, sys, time
state = json.load(open(sys.argv[1]))
asked = sys.argv[2:]
if asked[0] == "run":
    name, _, rights = asked[asked.index("--volume") + 1].partition(":/data:")
    program = asked.index("--entrypoint")
    arguments = [re.sub(r"/data(?![^ ;])", state["volumes"][name], text) for text in asked[program + 3 :]]
    sys.exit(subprocess.run([asked[program + 1], *arguments]).returncode)
for name in asked[asked.index("stop") + 1 :] or list(state["pids"]):
    pid = state["pids"].get(name)
    deadline = time.monotonic() + 60
    while pid and time.monotonic() < deadline:
        try:
            os.kill(pid, signal.SIGTERM)
            if open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0] == "Z":
                break  # ended; its parent has not asked yet
        except (ProcessLookupError, FileNotFoundError):
            break
        time.sleep(0.02)
"""


class FakeDocker:
    """Its folder goes first on PATH; `run` starts a script that finds it there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        program = folder / "docker"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        self._answers: list[tuple[str, str, int, list[str]]] = []
        self._write()
        self.answer("^version", "28.2.2\n")

    def answer(self, pattern: str, output: str = "", code: int = 0, command: list[str] | None = None) -> None:
        """What it says to questions like this; what is set later goes first. `command` is run with the arguments."""
        self._answers.insert(0, (pattern, output, code, command or []))
        self._write()

    def engine(self, volumes: Mapping[str, Path], pids: Mapping[str, int]) -> None:
        """From now on `run --volume NAME:/data` works on these folders, and `stop` ends these processes."""
        program, state = self.folder / "engine.py", self.folder / "engine.json"
        program.write_text(ENGINE)
        state.write_text(
            json.dumps({"volumes": {name: str(path) for name, path in volumes.items()}, "pids": dict(pids)})
        )
        for pattern in ("^run ", "^compose .* stop"):
            self.answer(pattern, command=[sys.executable, "-S", str(program), str(state)])

    def _write(self) -> None:
        lists = {
            "patterns": [pattern for pattern, _, _, _ in self._answers],
            "outputs": [output for _, output, _, _ in self._answers],
            "codes": [str(code) for _, _, code, _ in self._answers],
            "commands": [shlex.join(command) for _, _, _, command in self._answers],
        }
        lines = [f"folder={shlex.quote(str(self.folder))}"]
        lines += [f"{name}=({' '.join(map(shlex.quote, texts))})" for name, texts in lists.items()]
        (self.folder / "answers.sh").write_text("\n".join(lines) + "\n")

    def asked(self, pattern: str = "") -> list[str]:
        """The questions so far that match."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if re.search(pattern, line)]

    def run(
        self, script: Path, *arguments: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a script with this docker; waits until it ends."""
        path = f"{self.folder}:{os.environ.get('PATH', os.defpath)}"
        return subprocess.run(
            [str(script), *map(str, arguments)],
            env={"PATH": path, "HOME": str(self.folder), **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def checkout(root: Path, folder: Path) -> Path:
    """A copy of compose/operations and what it looks at, in which settings and secrets can be written."""
    for name in ("compose/operations", "compose/secrets"):
        for path in (root / name).rglob("*"):
            if path.is_file() and (path.suffix in {".sh", ".example"}):
                target = folder / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(path.read_bytes())
                target.chmod(path.stat().st_mode & 0o777)
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    return folder / "compose"

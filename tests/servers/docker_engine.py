"""Docker for the tests: the one that answers, else Debian's dockerd, started by hand and ended again.

Ours has a socket, a bridge and a data root of its own. The data root stays in ~/.cache, so that images are built once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

from compose.demo.programs import BUILT_TOOLS
from servers.process import ServerError, wait_for

CACHE = BUILT_TOOLS.parent
BRIDGE = "supercheck-e2e"
BRIDGE_ADDRESS = "172.31.240.1/24"
NETWORKS = "base=172.31.128.0/18,size=24"
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
START_SECONDS = 60.0
COMMAND_SECONDS = 900.0


class NoDocker(Exception):
    """Docker can't run on this machine; the text says why."""


class DockerEngine:
    """`with DockerEngine()` answers commands. Raises NoDocker where there is none and none can be started."""

    def __init__(self) -> None:
        self.env = dict(os.environ) | {"DOCKER_BUILDKIT": "0", "BUILDKIT_PROGRESS": "plain"}
        self._daemon: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self._lock: IO[str] | None = None
        self._forwarding = ""

    def __enter__(self) -> Self:
        if shutil.which("docker") is None:
            raise NoDocker("there is no docker (Debian: apt-get install docker.io)")
        if not self.answers():
            try:
                self._start()
            except BaseException:
                self.stop()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_ours(self) -> bool:
        """Whether it was started by us."""
        return self._daemon is not None

    def answers(self) -> bool:
        """Whether a daemon answers."""
        return self.run("version", "--format", "{{.Server.Version}}", check=False, timeout=30).returncode == 0

    def run(
        self, *words: str, check: bool = True, timeout: float = COMMAND_SECONDS, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`docker WORDS`; AssertionError with what it said when it fails and `check` is set."""
        return self.command(["docker", *words], check=check, timeout=timeout, text=text)

    def command(
        self,
        words: Sequence[str | Path],
        *,
        check: bool = True,
        timeout: float = COMMAND_SECONDS,
        text: str | None = None,
        cwd: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A program that talks to this daemon; `more` are variables for it."""
        done = subprocess.run(
            [str(word) for word in words], env=self.env | dict(more or {}), cwd=cwd, input=text or "",
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        said = " ".join(map(str, words))
        assert not check or done.returncode == 0, f"{said}\n{done.stdout[-4000:]}{done.stderr[-8000:]}"
        return done

    def inspect(self, *names: str) -> list[dict[str, Any]]:
        """Everything that Docker says about containers, images or networks."""
        found: list[dict[str, Any]] = json.loads(self.run("inspect", *names).stdout)
        return found

    def root_folder(self) -> str:
        """Where the daemon keeps its data."""
        return self.run("info", "--format", "{{.DockerRootDir}}").stdout.strip()

    def _start(self) -> None:
        if os.geteuid() != 0:
            raise NoDocker("no docker answers, and only root can start one")
        program = shutil.which("dockerd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
        if program is None:
            raise NoDocker("no docker answers, and there is no dockerd to start (Debian: apt-get install docker.io)")
        self._folder = Path(tempfile.mkdtemp(prefix="dockerd-"))
        CACHE.mkdir(parents=True, exist_ok=True)
        self._lock = (CACHE / "docker.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NoDocker(f"another run of these tests uses {CACHE / 'docker'}") from None
        self._bridge()
        # as on a machine that has just booted: Docker then turns forwarding on itself, and closes it for strangers
        self._forwarding = FORWARDING.read_text(encoding="ascii")
        FORWARDING.write_text("0", encoding="ascii")
        socket = f"unix://{self._folder}/docker.sock"
        with (self._folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(
                [
                    "setpriv", "--pdeathsig=TERM", "--", program, f"--host={socket}",
                    f"--data-root={CACHE / 'docker'}", f"--exec-root={self._folder}/exec",
                    f"--pidfile={self._folder}/pid", f"--bridge={BRIDGE}", f"--default-address-pool={NETWORKS}",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0,
            )  # fmt: skip
        self.env["DOCKER_HOST"] = socket

        def up() -> bool:
            if self._daemon is None or self._daemon.poll() is not None:
                raise NoDocker(f"dockerd ended at once: {self._said()}")
            return self.answers()

        try:
            wait_for(up, START_SECONDS, "dockerd answers")
        except AssertionError:
            raise NoDocker(f"dockerd does not answer: {self._said()}") from None

    def _said(self) -> str:
        assert self._folder is not None
        lines = (self._folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def _bridge(self) -> None:
        """A bridge of our own: Docker's usual one may belong to another daemon."""
        if Path(f"/sys/class/net/{BRIDGE}").exists():
            return
        for words in (["add", "name", BRIDGE, "type", "bridge"], ["set", BRIDGE, "up"]):
            done = subprocess.run(["ip", "link", *words], capture_output=True, text=True, check=False)
            if done.returncode:
                raise NoDocker(f"a network bridge can't be made: {done.stderr.strip()}")
        subprocess.run(["ip", "address", "add", BRIDGE_ADDRESS, "dev", BRIDGE], check=True)

    def stop(self) -> None:
        """End the daemon that we started (by its pid), and take its bridge away; another's is left alone."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGTERM)
            try:
                self._daemon.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self._daemon.kill()
                self._daemon.wait()
            self._daemon = None
            subprocess.run(["ip", "link", "delete", BRIDGE], check=False, capture_output=True)
        if self._forwarding:
            FORWARDING.write_text(self._forwarding, encoding="ascii")
            self._forwarding = ""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def compose_plugin(engine: DockerEngine) -> list[str]:
    """Docker's compose: its own plugin, else the one that `make tools` built. Raises NoDocker."""
    if engine.run("compose", "version", check=False).returncode == 0:
        return ["docker", "compose"]
    built = BUILT_TOOLS / "docker-compose"
    if not os.access(built, os.X_OK):
        raise NoDocker("docker has no compose plugin, and none was built (make tools)")
    return [str(built)]


def main() -> int:
    """Say whether Docker runs here: 0, or 3 with the reason on standard error."""
    try:
        with DockerEngine() as engine:
            compose_plugin(engine)
    except (NoDocker, ServerError) as error:
        print(error, file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

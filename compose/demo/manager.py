"""The process manager of the demo: supervisord in a temporary directory, spoken to over its unix socket."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

START_SECONDS = 15.0
STOP_SECONDS = 20.0
CHILD_STOP_SECONDS = 5
POLL_SECONDS = 0.1
# a unix socket's path has 107 characters at most; supervisord adds its name and a process id
LONGEST_DIRECTORY = 75


class DemoError(RuntimeError):
    """The demo cannot go on; the message says what to look at."""


@dataclass(frozen=True)
class Program:
    """One line of the process table. `stop_signal` KILL makes a stop look like a crash.

    Values of `env` may hold supervisord's own expansions, such as %(process_num)d.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    copies: int = 1
    stop_signal: str = "TERM"


def dies_with_parent(command: Sequence[str], number: str) -> list[str]:
    """The command, ended by the kernel when its parent is gone, however the parent went."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", number, "--", *command] if setpriv else list(command)


def _escape(text: str) -> str:
    # supervisord expands %(...)s in its configuration
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\"'\"'") + "'"


def configuration(directory: Path, programs: Sequence[Program]) -> str:
    """The text of supervisord.conf. Nothing starts by itself: the demo starts each part in its turn."""
    lines = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        "umask=077",
        f"directory={directory}",
        f"logfile={directory}/logs/supervisord.log",
        f"pidfile={directory}/supervisord.pid",
        f"childlogdir={directory}/logs",
        "[unix_http_server]",
        f"file={directory}/supervisor.sock",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for place, program in enumerate(programs, 1):
        command = " ".join(_quoted(word) for word in dies_with_parent(program.command, "KILL"))
        lines += [
            f"[program:{program.name}]",
            f"command={_escape(command)}",
            f"directory={directory}",
            f"priority={place}",  # the end comes in reverse order: Redis goes last
            "autostart=false",
            "autorestart=true",
            "startsecs=0",
            f"numprocs={program.copies}",
            "process_name=%(program_name)s" + ("-%(process_num)d" if program.copies > 1 else ""),
            "numprocs_start=1",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={CHILD_STOP_SECONDS}",
            "stopasgroup=true",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={directory}/logs/{program.name}"
            + ("-%(process_num)d" if program.copies > 1 else "")
            + ".log",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=0",
        ]
        if program.env:
            pairs = ",".join(f'{name}="{value}"' for name, value in program.env.items())
            lines.append(f"environment={pairs}")
    return "\n".join(lines) + "\n"


class Manager:
    """A running supervisord. `env` is all that the programs inherit."""

    def __init__(self, directory: Path, programs: Sequence[Program], env: Mapping[str, str]) -> None:
        self.directory = directory
        if len(str(directory)) > LONGEST_DIRECTORY:
            raise DemoError(f"{directory} is too long a path for a unix socket: set TMPDIR to a shorter one")
        config = directory / "supervisord.conf"
        config.touch(mode=0o600)
        config.write_text(configuration(directory, programs), encoding="utf-8")
        (directory / "logs").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config)]
        self._process = subprocess.Popen(
            dies_with_parent(command, "TERM"),
            cwd=directory,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=(directory / "logs/supervisord.out").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in a terminal is for the demo, which then stops all in order
        )

    def wait_ready(self) -> None:
        """Wait until supervisord answers; raises DemoError with its output when it does not."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._ask("getState")
            except (OSError, xmlrpc.client.Error):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    output = (self.directory / "logs/supervisord.out").read_text(errors="replace")
                    raise DemoError(f"supervisord did not start: {output.strip()[-800:]}") from None
                time.sleep(POLL_SECONDS)
            else:
                return

    def start(self, name: str) -> None:
        """Start a program (every copy of it)."""
        self._call("startProcessGroup", name)

    def stop(self, name: str) -> None:
        """Stop a program (every copy of it) with its stop signal, and wait until it is gone."""
        self._call("stopProcessGroup", name)

    def processes(self) -> dict[str, int]:
        """Every process by name, with its process id; 0 when it does not run."""
        return {info["name"]: info["pid"] for info in self._call("getAllProcessInfo")}

    def log_tail(self, name: str) -> str:
        """The last lines that a program printed."""
        path = self.directory / "logs" / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(lines[-12:])

    def shutdown(self) -> None:
        """End supervisord and every program; safe to call at any time, returns when all are gone."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                # the programs die with it (dies_with_parent)
                self._process.kill()
                self._process.wait()

    def _ask(self, method: str, *arguments: object) -> Any:
        # a connection of its own for each call: supervisor's transport cannot be used again after a failure
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self.directory}/supervisor.sock")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _call(self, method: str, *arguments: object) -> Any:
        try:
            return self._ask(method, *arguments)
        except (OSError, xmlrpc.client.Error) as error:
            if self._process.poll() is not None:
                raise DemoError(f"supervisord ended with code {self._process.returncode}") from error
            raise DemoError(f"supervisord refused {method}: {error}") from error


def base_environment(marker: str) -> dict[str, str]:
    """What every program inherits: nothing of this shell's settings, which would make it another demo."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"SUPERCHECK_DEMO": marker}

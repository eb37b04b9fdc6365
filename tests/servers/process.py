"""Start, watch and stop one child process; everything else in this package is built on it."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NoReturn, Self, TypeVar

import pytest

T = TypeVar("T")

POLL_SECONDS = 0.02
START_SECONDS = 60.0
STOP_SECONDS = 5.0
LOG_TAIL_LINES = 30
# Below the range of outgoing connections (32768-60999), so that no client takes the port between
# the moment it was found free and the moment the server listens on it.
PORT_RANGE = range(15000, 32000)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_ports_given: set[int] = set()


class ServerError(RuntimeError):
    """A server did not start, died, or did not answer; the message ends with its log."""


def wait_for(condition: Callable[[], T], timeout: float, what: str) -> T:
    """Return the first truthy value of `condition()`, asked again until `timeout` seconds have passed.

    Raises AssertionError that names `what` and shows the last value seen.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout:g} s: {what} (last seen: {value!r})")
        time.sleep(POLL_SECONDS)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on, never given twice by this process."""
    for _ in range(200):
        port = random.choice(PORT_RANGE)
        if port in _ports_given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports_given.add(port)
        return port
    raise ServerError("no free port found on 127.0.0.1")


def missing(what: str) -> NoReturn:
    """Skip the test on a person's machine, fail it where CI=true: there everything is required."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is required under CI=true and is missing", pytrace=False)
    pytest.skip(f"{what} is missing")


def require_program(name: str) -> Path:
    """Path of a program, looked for beside this Python and then on PATH."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return beside
    found = shutil.which(name)
    return Path(found) if found else missing(f"the program {name}")


def _die_with(parent: int) -> Callable[[], None]:
    """What the child runs before its program: the kernel kills it when this process dies, however it dies."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above took effect
            os._exit(1)

    return prepare


class Server:
    """A child process in a scratch directory of its own, with its output in a log file.

    Subclasses give `command()` and `ready()`. Start with `with` or `start()`; `stop()` is safe any time.
    """

    name = "server"
    stdin: int = subprocess.DEVNULL
    stdout: int | None = None  # None: into the log file

    def __init__(self, env: dict[str, str] | None = None) -> None:
        self.env = env
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        self.log_path = self.directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> Sequence[str | Path]:
        """The program and its arguments."""
        raise NotImplementedError

    def ready(self) -> bool:
        """Whether it answers; asked until it is true. May raise OSError for "not yet"."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """Process id of the running child."""
        assert self.process is not None, f"{self.name} is not running"
        return self.process.pid

    def start(self) -> Self:
        """Start and wait until it is ready; on failure stop it and say why."""
        try:
            self.launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self) -> None:
        """Start the process without waiting."""
        assert self.process is None, f"{self.name} already runs"
        log: IO[bytes]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in self.command()],
                cwd=self.directory,
                env=self.env,
                stdin=self.stdin,
                stdout=log if self.stdout is None else self.stdout,
                stderr=log,
                process_group=0,
                preexec_fn=_die_with(os.getpid()),
            )

    def wait_ready(self, timeout: float = START_SECONDS) -> None:
        """Wait until `ready()`; raise ServerError with the log's end when it dies or takes too long."""

        def answered() -> bool:
            if not self.running():
                raise ServerError(f"{self.name} ended with code {self._code()}\n{self.log_tail()}")
            try:
                return self.ready()
            except OSError:
                return False

        try:
            wait_for(answered, timeout, f"{self.name} is ready")
        except AssertionError as error:
            raise ServerError(f"{error}\n{self.log_tail()}") from None

    def running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None

    def _code(self) -> int | None:
        return self.process.poll() if self.process else None

    def log(self) -> str:
        """Everything it has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def log_tail(self) -> str:
        """The last lines of its log, for error messages."""
        lines = self.log().splitlines()[-LOG_TAIL_LINES:]
        return "\n".join(["--- log of " + self.name, *lines, "---"])

    def freeze(self) -> None:
        """Stop it from running (SIGSTOP); its connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash does; it can be started again."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Ask it to end (SIGTERM), wait, and return its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, first: signal.Signals) -> int:
        process = self.process
        assert process is not None, f"{self.name} is not running"
        if process.poll() is None:
            _signal_group(process.pid, first)
            _signal_group(process.pid, signal.SIGCONT)  # a frozen process takes no SIGTERM
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _signal_group(process.pid, signal.SIGKILL)
                process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        self.process = None
        return process.returncode

    def stop(self) -> None:
        """End it if it runs, and remove its scratch directory."""
        try:
            if self.process is not None:
                self._end(signal.SIGTERM)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return

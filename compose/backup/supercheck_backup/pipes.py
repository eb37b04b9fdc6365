"""Programs in a row, each fed by the one before, and one sentence about the one that failed."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol, cast

from supercheck_backup.errors import BackupError

CHUNK = 1024 * 1024

# What the programs say -> what it means. The first that is found counts.
EXPLAINED: tuple[tuple[str, str], ...] = (
    (r"No space left on device", "the disk is full: make room, or mount a larger volume"),
    (r"Bad session key|decryption failed: Bad", "the key is not the one that it was encrypted with (BACKUP_KEY_FILE)"),
    (r"no valid OpenPGP data|message has been manipulated|block_filter|unexpected end|premature end|Unexpected EOF",
     "the object is damaged or cut short: take another backup"),
    (r"no pg_hba.conf entry", "the server lets nobody in for replication: add the line of README.md to pg_hba.conf"),
    (r"must be superuser or replication role|permission denied to start WAL sender|must have the REPLICATION",
     "the role may not replicate: run role.sql"),
    (r"requested WAL segment \w+ has already been removed", "the server has dropped a part of its log"),
    (r"client does not support streaming from server versions newer",
     "PostgreSQL's programs here are older than the server: build the image of the server's version"),
    (r"can only write single tablespace to stdout", "the server has tablespaces, which this job does not take"),
)  # fmt: skip


class Source(Protocol):
    """What can be read."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to so many bytes; none at the end."""


class Pipe:
    """Runs programs in a row. Read it to its end: the end comes only when all of them have ended well."""

    def __init__(
        self, what: str, *commands: Sequence[str | Path], feed: Source | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.what = what
        self._programs: list[subprocess.Popen[bytes]] = []
        self._names: list[str] = []
        self._said: list[IO[bytes]] = []
        self._feeder: threading.Thread | None = None
        self._feed_error: BaseException | None = None
        before: IO[bytes] | None = None
        for command in commands:
            said = tempfile.TemporaryFile()  # noqa: SIM115  closed in finish
            first = before is None
            stdin = (subprocess.PIPE if feed is not None else subprocess.DEVNULL) if first else before
            program = subprocess.Popen(
                [str(part) for part in command], stdin=stdin, stdout=subprocess.PIPE, stderr=said,
                env=None if env is None else dict(env),
            )  # fmt: skip
            if before is not None:
                before.close()  # so that it learns when the next one has ended
            before = program.stdout
            self._programs.append(program)
            self._names.append(_name(command))
            self._said.append(said)
        self._out = cast(IO[bytes], before)
        if feed is not None:
            self._feeder = threading.Thread(target=self._pour, args=(feed,), daemon=True)
            self._feeder.start()

    def read(self, size: int = -1, /) -> bytes:
        """What the last program writes. Raises BackupError instead of the end where one of them failed."""
        data = self._out.read(size)
        if not data:
            self.finish()
        return data

    def drain(self) -> None:
        """Read to the end and keep nothing."""
        while self.read(CHUNK):
            pass

    def finish(self) -> None:
        """Wait for all; raise BackupError where one failed."""
        if self._feeder is not None:
            self._feeder.join()
        codes = [program.wait() for program in self._programs]
        texts = [_text(said) for said in self._said]
        self.close()
        if isinstance(self._feed_error, BackupError):
            raise self._feed_error
        # one that was cut off by the end of the next is not the one to blame
        blamed = [i for i, code in enumerate(codes) if code and code != -signal.SIGPIPE] or [
            i for i, code in enumerate(codes) if code
        ]
        if blamed:
            everything = "\n".join(texts)
            raise BackupError(f"{self.what}: {explain(everything, self._names[blamed[0]], texts[blamed[0]])}")
        if self._feed_error is not None:
            raise BackupError(f"{self.what}: the object could not be read to its end ({self._feed_error})")

    def close(self) -> None:
        """End what still runs."""
        for program in self._programs:
            if program.poll() is None:
                program.kill()
                program.wait()
            for stream in (program.stdin, program.stdout):
                if stream is not None:
                    stream.close()
        for said in self._said:
            said.close()

    def _pour(self, feed: Source) -> None:
        target = cast(IO[bytes], self._programs[0].stdin)
        try:
            while chunk := feed.read(CHUNK):
                target.write(chunk)
        except OSError as error:
            if error.errno != errno.EPIPE:  # its program has ended: its own word counts
                self._feed_error = error
        except BackupError as error:
            self._feed_error = error
        finally:
            with contextlib.suppress(BrokenPipeError):
                target.close()


def run(what: str, *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run one program and return what it says; BackupError where it fails."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, errors="replace", check=False, cwd=cwd,
        env=None if env is None else dict(env),
    )  # fmt: skip
    if done.returncode:
        raise BackupError(f"{what}: {explain(done.stderr or done.stdout, _name(command), done.stderr or done.stdout)}")
    return done.stdout


def explain(everything: str, name: str, text: str) -> str:
    """What the programs' words mean; their last line where that is not known."""
    for pattern, meaning in EXPLAINED:
        if re.search(pattern, everything, re.IGNORECASE):
            return meaning
    lines = [line for line in text.splitlines() if line.strip()]
    return f"{name} failed: {lines[-1].strip()[:300]}" if lines else f"{name} failed and said nothing"


def _name(command: Sequence[str | Path]) -> str:
    words = [Path(str(part)).name for part in command]
    return words[words.index("--") + 1] if words[0] == "setpriv" and "--" in words else words[0]


def _text(said: IO[bytes]) -> str:
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - 20_000))
    return said.read().decode(errors="replace")

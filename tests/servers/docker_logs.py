"""Docker's log files without Docker: what its json-file driver writes, in its folders, with its rotation.

As its files are: one JSON object a line, {"log": text, "stream": ..., "attrs": {...}, "time": ...}. A container's line
that is longer than 16 KiB comes in pieces, of which only the last ends with a newline. Bytes that are no UTF-8 are
replaced. A full file is renamed to `-json.log.1`, and the oldest one goes.
"""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

PIECE_BYTES = 16 * 1024


def stamp(moment: datetime) -> str:
    """A time as Docker writes it, in nanoseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


class Container:
    """One container's log. ``tag`` is what `--log-opt tag` makes of its name; without one, Docker writes no attrs."""

    def __init__(self, folder: Path, tag: str = "", **labels: str) -> None:
        self.id = secrets.token_hex(32)
        self.attrs = labels | ({"tag": tag} if tag else {})
        self.folder = folder / self.id
        self.folder.mkdir(parents=True)
        self.path = self.folder / f"{self.id}-json.log"
        self.path.touch()
        self._latest = datetime.now(UTC)

    def write(
        self, *lines: str | bytes, stream: Literal["stdout", "stderr"] = "stdout", at: datetime | None = None
    ) -> None:
        """Lines that the container wrote, each without its newline."""
        records = [record for line in lines for record in self._records(line, stream, at)]
        with self.path.open("ab") as file:
            file.write(b"".join(records))

    def write_raw(self, data: bytes) -> None:
        """Bytes in the file itself, as a full disk or a crash leaves them."""
        with self.path.open("ab") as file:
            file.write(data)

    def write_piece(self, text: str, last: bool, stream: Literal["stdout", "stderr"] = "stdout") -> None:
        """A piece of a line, with its end or without."""
        self.write_raw(self._record(text + ("\n" if last else ""), stream, None))

    def rotate(self, keep: int = 3) -> None:
        """As with `max-size` reached and `max-file=keep`."""
        for number in range(keep - 1, 0, -1):
            older = self.folder / f"{self.id}-json.log.{number}"
            newer = self.folder / f"{self.id}-json.log.{number - 1}" if number > 1 else self.path
            if newer.exists():
                newer.rename(older)
        self.path.touch()

    def _records(self, line: str | bytes, stream: str, at: datetime | None) -> list[bytes]:
        data = (line.encode() if isinstance(line, str) else line) + b"\n"
        pieces = [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]
        return [self._record(piece.decode(errors="replace"), stream, at) for piece in pieces]

    def _record(self, text: str, stream: str, at: datetime | None) -> bytes:
        """Each with a later time than the one before, as Docker's nanoseconds have it."""
        self._latest = max(datetime.now(UTC), self._latest + timedelta(microseconds=1))
        attrs = {"attrs": self.attrs} if self.attrs else {}
        record = {"log": text, "stream": stream, **attrs, "time": stamp(at or self._latest)}
        return json.dumps(record).encode() + b"\n"

"""Follows the edge's access log: each line once, from the moment the exporter started.

The file may be put aside and begun anew (nginx's own way: rename, then USR1), cut to nothing (logrotate's
copytruncate), or not be there yet. Lines that were written while the exporter was away are not counted: its counters
begin at 0 then, and Prometheus takes that for what it is. A file that appears later is read from its beginning.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import BinaryIO

from supercheck_exporter.core import SourceError
from supercheck_exporter.edge.tally import Tally
from supercheck_exporter.followers import Follower

POLL_SECONDS = 1.0
STEP_BYTES = 4_000_000
"""Read in one go; a lag of more is made up for at once, in several."""

MAX_LINE_BYTES = 65536
"""A longer line is no line of an edge."""

LINGER_SECONDS = 10.0
"""A file that was put aside is watched so much longer: nginx's processes change over one after the other."""


class _File:
    """An open log and how far it was read."""

    def __init__(self, file: BinaryIO, *, at_end: bool) -> None:
        self.file = file
        self.inode = os.fstat(file.fileno()).st_ino
        self.position = file.seek(0, os.SEEK_END) if at_end else 0
        self.rest = b""
        # the first line may have begun before we came
        self.partial = at_end and self.position > 0 and not self._ends_with_newline()
        self.left_at = 0.0

    def _ends_with_newline(self) -> bool:
        self.file.seek(self.position - 1)
        return self.file.read(1) == b"\n"

    def lines(self, most: int) -> tuple[list[bytes], bool]:
        """The whole lines of the next ``most`` bytes, and whether there is more."""
        if os.fstat(self.file.fileno()).st_size < self.position:  # cut to nothing
            self.position, self.rest, self.partial = 0, b"", False
        self.file.seek(self.position)
        chunk = self.file.read(most)
        self.position += len(chunk)
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        if lines and self.partial:
            lines, self.partial = lines[1:], False
        if len(self.rest) > MAX_LINE_BYTES:
            lines, self.rest, self.partial = [*lines, b""], b"", True
        return lines, len(chunk) == most


class AccessLog(Follower):
    """Reads the file that EDGE_ACCESS_LOG names, once a second."""

    name = "edge-log"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._looked = False
        self._current: _File | None = None
        self._aside: list[_File] = []
        self.tally = Tally()

    def step(self) -> float:
        """Read what is new."""
        try:
            self._open()
        except FileNotFoundError as error:
            self._looked = True
            if self._current is None:
                raise SourceError(
                    f"EDGE_ACCESS_LOG names {self._path}, which is not there: start the edge, or mount its log"
                ) from error
        except OSError as error:
            raise SourceError(
                f"EDGE_ACCESS_LOG names {self._path}, which can't be read ({error.strerror}): let this user read it"
            ) from error
        self._looked = True
        more = False
        for file in [*self._aside, *filter(None, [self._current])]:
            lines, goes_on = file.lines(STEP_BYTES)
            more |= goes_on
            with self.tally.lock:
                for line in lines:
                    self.tally.count(line)
        self._forget()
        return 0.0 if more else POLL_SECONDS

    def _open(self) -> None:
        """Take the file that the path names now; the one before it is kept for a while."""
        if self._current is not None and self._path.stat().st_ino == self._current.inode:
            return
        # one that is there at our first look has lines of before our time
        opened = _File(self._path.open("rb"), at_end=not self._looked)
        if self._current is not None:
            self._current.left_at = time.monotonic()
            self._aside.append(self._current)
        self._current = opened

    def _forget(self) -> None:
        now = time.monotonic()
        for file in [file for file in self._aside if now - file.left_at > LINGER_SECONDS]:
            file.file.close()
            self._aside.remove(file)

    def stop(self) -> None:
        """Stop, and close what is open."""
        super().stop()
        for file in [*self._aside, *filter(None, [self._current])]:
            file.file.close()
        self._aside, self._current = [], None

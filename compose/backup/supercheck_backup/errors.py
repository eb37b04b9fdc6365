"""What went wrong, in words for people."""

from __future__ import annotations

import errno
import os


class BackupError(Exception):
    """One sentence that says what failed and how to mend it. It holds no secret."""


def in_words(error: OSError) -> str:
    """One sentence about a file that can't be read or written."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full: make room, or mount a larger volume{where}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"the user {os.geteuid()} may not write there{where}: give the folder to that user"
    return f"{error.strerror or error}{where}"


class ChainBrokenError(BackupError):
    """The write-ahead log has a gap: only a new full backup helps."""

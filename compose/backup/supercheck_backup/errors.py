"""What went wrong, in words for people."""

from __future__ import annotations


class BackupError(Exception):
    """One sentence that says what failed and how to mend it. It holds no secret."""


class ChainBrokenError(BackupError):
    """The write-ahead log has a gap: only a new full backup helps."""

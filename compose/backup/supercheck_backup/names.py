"""What the objects of the backup bucket are called.

    <database>/full/20261124T010000Z.tar.zst.gpg
    <database>/incremental/20261124T070000Z.000000010000000000000003-000000010000000000000005.tar.zst.gpg
    <database>/escrow/20261124T010000Z.key.gpg
    restore-tests/20261124T020000Z.json

The times are UTC; an incremental backup bears the first and the last segment of the write-ahead log that it holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

FULL, INCREMENTAL, ESCROW = "full", "incremental", "escrow"
RESTORE_TESTS = "restore-tests"
SUFFIX = {"zstd": "zst", "gzip": "gz"}

_STAMP = "%Y%m%dT%H%M%SZ"
_BACKUP = re.compile(
    r"(?P<stamp>\d{8}T\d{6}Z)(\.(?P<first>[0-9A-F]{24})-(?P<last>[0-9A-F]{24}))?\.tar\.(?P<packing>zst|gz)\.gpg"
)


@dataclass(frozen=True, order=True)
class Backup:
    """One backup in the bucket; sorts by its time."""

    at: datetime
    key: str
    size: int
    packing: str
    first: str = ""
    last: str = ""
    """Of an incremental one: its first and last segment."""


def stamp(at: datetime) -> str:
    """A moment as it stands in names."""
    return at.astimezone(UTC).strftime(_STAMP)


def full_key(database: str, at: datetime, packing: str) -> str:
    """The key of a full backup."""
    return f"{database}/{FULL}/{stamp(at)}.tar.{SUFFIX[packing]}.gpg"


def incremental_key(database: str, at: datetime, packing: str, first: str, last: str) -> str:
    """The key of an incremental backup."""
    return f"{database}/{INCREMENTAL}/{stamp(at)}.{first}-{last}.tar.{SUFFIX[packing]}.gpg"


def parse(key: str, size: int) -> Backup | None:
    """The backup that a key names; None where it is not one of ours."""
    match = _BACKUP.fullmatch(key.rsplit("/", 1)[-1])
    if match is None:
        return None
    try:
        at = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
    except ValueError:  # the 31st of February
        return None
    packing = next(name for name, suffix in SUFFIX.items() if suffix == match["packing"])
    return Backup(at, key, size, packing, match["first"] or "", match["last"] or "")


def number(segment: str, segment_bytes: int) -> int:
    """Which segment of the log it is, whatever its timeline."""
    return int(segment[8:16], 16) * (2**32 // segment_bytes) + int(segment[16:24], 16)


def number_at(lsn: str, segment_bytes: int) -> int:
    """Which segment holds a position of the log, such as 0/3000060."""
    high, low = (int(part, 16) for part in lsn.split("/"))
    return ((high << 32) + low) // segment_bytes


def follows(last: str, first: str, segment_bytes: int) -> bool:
    """Whether nothing is missing between two backups; the second may repeat some of the first."""
    return last[:8] == first[:8] and number(first, segment_bytes) <= number(last, segment_bytes) + 1

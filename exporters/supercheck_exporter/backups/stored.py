"""One backup and what is known of it; how names and first bytes are read. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

FULL, INCREMENTAL = "full", "incremental"
TYPES = (FULL, INCREMENTAL)
HEADER_BYTES = 512
AHEAD_SECONDS = 3600.0
"""A name may be that far in the future: clocks differ."""

# 20261124T010000Z, 2026-11-24T01:00:00Z, 2026-11-24T01-00-00, 2026-11-24_01.00
_TIME = re.compile(
    r"(?P<date>\d{4}-?\d{2}-?\d{2})[T_ ]?(?P<time>\d{2}[:.-]?\d{2}([:.-]?\d{2})?)(\.\d+)?(Z|\+00:?00)?(?=$|[^0-9])"
)


@dataclass(frozen=True)
class Stored:
    """A backup: Unix time of its begin, size in bytes; None is unknown."""

    at: float
    size: int
    verified: bool | None
    encrypted: bool | None


Group = dict[tuple[str, str], tuple[Stored, ...]]
"""By database and type, oldest first."""


@dataclass(frozen=True)
class RestoreTest:
    """A restore test: Unix time of its begin, and whether what came back was right."""

    at: float
    success: bool


def time_of(name: str) -> float | None:
    """The UTC time at the beginning of a name, as Unix time; None where none stands there."""
    match = _TIME.match(name)
    if match is None:
        return None
    digits = re.sub(r"\D", "", match["date"] + match["time"]).ljust(14, "0")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def is_encrypted(header: bytes) -> bool | None:
    """Whether these first bytes are of an encrypted file; None where they tell nothing.

    OpenPGP states its cipher: only AES with 256 bits counts, as long as a passphrase encrypts it. OpenSSL's `Salted__`
    and age's first line state no more than that it is encrypted.
    """
    if header.startswith(
        (b"Salted__", b"age-encryption.org/", b"-----BEGIN PGP MESSAGE-----", b"-----BEGIN AGE", b"U2FsdGVkX1")
    ):
        return True
    if header[:1] in (b"\x8c", b"\xc3") and len(header) > 3:  # a session key that a passphrase encrypts
        return header[2] in (4, 5) and header[3] == _AES_256
    if header[:1] in (b"\x84", b"\x85", b"\xc1"):  # one that a public key encrypts
        return True
    if header.startswith(_PLAIN) or header[257:262] == b"ustar" or (header and all(byte in _TEXT for byte in header)):
        return False
    return None


_AES_256 = 9
_TEXT = frozenset(range(32, 127)) | {9, 10, 13}
_PLAIN = (
    b"PGDMP",  # pg_dump -Fc
    b"\x1f\x8b",  # gzip
    b"\x28\xb5\x2f\xfd",  # zstd
    b"\x04\x22\x4d\x18",  # lz4
    b"BZh",
    b"\xfd7zXZ\x00",
    b"PK\x03\x04",
    b"7z\xbc\xaf\x27\x1c",
)

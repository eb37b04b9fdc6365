"""Parts of a bucket's key space, so that several threads can list one bucket at once.

Keys are in order, and a listing can begin after any key. So a range is cut at a key that need not exist: about half
way between where its reader is and where the range ends. Ids that all begin alike (UUIDs of version 7 begin with the
time) need a few cuts until both halves hold something; each try is one request for one key.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile

FIRST, LAST = 0x20, 0x7E
"""Characters of which cuts are made; keys may have others."""

DEPTH = 200


@dataclass(eq=False)
class KeyRange:
    """The keys over ``after``, up to and with ``until`` (None: to the end), as far as they are not read yet."""

    after: str = ""
    until: str | None = None
    token: str | None = None
    """What the server gave for going on; None before the first page."""
    pages: int = 0
    busy: bool = False


def midpoint(after: str, until: str | None) -> str | None:
    """A key about half way between two; None where there is none to be had."""
    shared = zip(after, until or "", strict=False)
    common = "".join(one for one, _ in takewhile(lambda pair: pair[0] == pair[1], shared))
    high = ord(until[len(common)]) if until is not None and len(until) > len(common) else LAST + 1
    while len(common) < DEPTH:
        low = ord(after[len(common)]) if len(after) > len(common) else FIRST - 1
        if high - low >= 2:
            cut = common + chr((low + high) // 2)
            return cut if after < cut and (until is None or cut < until) else None
        if len(after) <= len(common):
            return None
        common, high = after[: len(common) + 1], LAST + 1
    return None

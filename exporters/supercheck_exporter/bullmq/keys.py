"""What BullMQ's keys are called and how their numbers are read (bullmq.md); pure, no connection.

Checked against BullMQ 5.77 to 5.81 and 6.7.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable

LEVEL = 2**32
"""Prioritized score = priority * LEVEL + counter."""

DELAY_SHIFT = 4096
"""Delayed score = ready time in ms * DELAY_SHIFT + sequence."""


def queue_base(prefix: str, queue: str) -> bytes:
    """The start of every key of a queue, with the last colon."""
    return f"{prefix}:{queue}:".encode("utf-8", "surrogateescape")


def queue_of_meta_key(prefix: str, key: bytes) -> str | None:
    """The queue whose ``meta`` key this is, or None.

    The prefix may hold colons, a queue name may not: what is left of ``<prefix>:<queue>:meta`` must be
    one word.
    """
    start, end = f"{prefix}:".encode(), b":meta"
    if not (key.startswith(start) and key.endswith(end)) or len(key) <= len(start) + len(end):
        return None
    name = key[len(start) : -len(end)]
    return None if b":" in name else name.decode("utf-8", "surrogateescape")


def label(name: str) -> str:
    """A name as a label value: bytes that are not UTF-8 are shown escaped, halves of characters as ``?``."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # JSON can write half a surrogate pair
        return name.encode("utf-8", "replace").decode()


def glob_escape(text: str) -> str:
    """Text with Redis's pattern characters escaped, for a MATCH."""
    return "".join(f"\\{char}" if char in "*?[]^-\\" else char for char in text)


def consumers(prefix: str, client_list: bytes, queues: Iterable[str]) -> dict[str, int]:
    """Count the workers of each queue in the answer of CLIENT LIST.

    A worker names its connection ``<prefix>:<base64 of the queue>`` and adds ``:w:<name>`` where it has
    a name of its own; event listeners (``:qe``) are no consumers.
    """
    names = {
        f"{prefix}:".encode() + base64.b64encode(queue.encode("utf-8", "surrogateescape")): queue for queue in queues
    }
    counts = dict.fromkeys(names.values(), 0)
    for line in client_list.splitlines():
        for word in line.split(b" "):
            if word.startswith(b"name="):
                name = word[5:]
                start = name.partition(b":w:")[0]
                if start in names:
                    counts[names[start]] += 1
                break
    return counts


def ready_ms_of_first_attempt(timestamp: bytes | None, opts: bytes | None) -> float | None:
    """When a job that never ran became ready: ``timestamp + opts.delay`` in ms, or None if unreadable.

    The hash's own ``delay`` field is zeroed on promotion, so only the options still know it.
    """
    if timestamp is None:
        return None
    try:
        delay = json.loads(opts).get("delay", 0) if opts else 0
        return _finite(float(timestamp) + float(delay or 0))
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def number(text: bytes | None) -> float | None:
    """A number of a hash field, or None where it is missing or no number."""
    try:
        return _finite(float(text)) if text is not None else None
    except ValueError:
        return None


def level(score: bytes) -> int | None:
    """The priority that a score of ``prioritized`` stands for, or None where it is none of BullMQ's."""
    value = number(score)
    return None if value is None else int(value // LEVEL)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

"""Storage classes: which there are, how deep each is, what it costs by list, and what S3 asks of it.

Facts: AWS's price list for us-east-1 and its user guide's pages on storage classes and on lifecycle transitions,
as of 2026-11. Class names that are not in the table are summed as ``other``: they have no price and no depth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

EXPIRE = "EXPIRE"
"""Not a class: the object is deleted."""

OTHER = "other"
STANDARD = "STANDARD"
SMALL_BYTES = 128 * 1024
"""Smaller objects are not moved by a lifecycle rule, and are billed as this large where a class says so."""

AWS_PRICES_OF = "AWS's list for us-east-1 as of 2026-11, the first 50 TB of a month"
GIB = 1024**3
"""What S3 bills as a GB."""


@dataclass(frozen=True)
class StorageClass:
    """``depth`` orders classes as lifecycle rules may go, downwards only.

    ``dollars`` is for a GB and month. ``least_days`` are billed even if the object goes sooner; ``from_days`` is the
    least age at which a rule may move an object here; ``move_dollars`` is for 1,000 objects that a rule moves here.
    """

    depth: int
    dollars: float
    least_days: int = 0
    from_days: int = 0
    move_dollars: float = 0.0
    small_as_128k: bool = False
    index_bytes: tuple[int, int] = (0, 0)
    """Bytes that S3 adds to each object, in the class itself and in STANDARD."""


CLASSES: Mapping[str, StorageClass] = {
    STANDARD: StorageClass(0, 0.023),
    "REDUCED_REDUNDANCY": StorageClass(0, 0.024),
    "STANDARD_IA": StorageClass(1, 0.0125, 30, 30, 0.01, small_as_128k=True),
    "INTELLIGENT_TIERING": StorageClass(2, 0.023, 0, 0, 0.01),
    "ONEZONE_IA": StorageClass(3, 0.01, 30, 30, 0.01, small_as_128k=True),
    "GLACIER_IR": StorageClass(4, 0.004, 90, 0, 0.02, small_as_128k=True),
    "GLACIER": StorageClass(5, 0.0036, 90, 0, 0.03, index_bytes=(32 * 1024, 8 * 1024)),
    "DEEP_ARCHIVE": StorageClass(6, 0.00099, 180, 0, 0.05, index_bytes=(32 * 1024, 8 * 1024)),
}
MOVES = tuple(name for name, each in CLASSES.items() if each.depth)
"""The classes that a lifecycle rule can move objects to."""

AWS_PRICES = {name: each.dollars for name, each in CLASSES.items()}
NO_PRICES = dict.fromkeys(CLASSES, 0.0)
"""What a server of one's own charges, unless S3_PRICES says otherwise."""

Tiers = Mapping[str, int]
"""Class, or EXPIRE, and the age in days from which objects shall be there; ascending."""

AWS_TIERS: Tiers = {"GLACIER_IR": 30, EXPIRE: 90}
OWN_TIERS: Tiers = {EXPIRE: 90}
"""A server of one's own has one class: all a rule can do is to delete."""


def known(name: str | None) -> str:
    """The class of an object as it is shown; S3 leaves it out for STANDARD, and so do some servers."""
    if not name:
        return STANDARD
    return name if name in CLASSES else OTHER


def billed(name: str, size: int) -> Mapping[str, int]:
    """The bytes by class that an object is billed for."""
    found = CLASSES.get(name)
    if found is None or not (found.small_as_128k or found.index_bytes[0]):
        return {name: size}
    if found.small_as_128k:
        return {name: max(size, SMALL_BYTES)}
    return {name: size + found.index_bytes[0], STANDARD: found.index_bytes[1]}


def monthly_dollars(billed_bytes: Mapping[str, float], prices: Mapping[str, float]) -> float | None:
    """What bytes by class cost a month; None where one of the classes has no price."""
    total = 0.0
    for name, size in billed_bytes.items():
        if size and name not in prices:
            return None
        total += size / GIB * prices.get(name, 0.0)
    return total


def stay_factors(tiers: Tiers) -> Mapping[str, float]:
    """How much more a class costs than the time in it, since it bills its least days (GLACIER_IR 30 to 90: 1.5)."""
    steps = list(tiers.items())
    factors = {}
    for (name, days), (_, left) in pairwise(steps):
        least = CLASSES[name].least_days if name in CLASSES else 0
        factors[name] = max(1.0, least / (left - days)) if left > days else 1.0
    return factors

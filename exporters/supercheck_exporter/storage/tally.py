"""What is known of a bucket's objects: sums only, so that their size does not grow with the bucket."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from supercheck_exporter.storage.classes import CLASSES, EXPIRE, SMALL_BYTES, STANDARD, Tiers, billed, known

DAY = 86400.0
AGES = (("0_7d", 7 * DAY), ("7_30d", 30 * DAY), ("30_90d", 90 * DAY))
OLDEST = "over_90d"
GRACE_DAYS = 1
"""S3 looks at the rules once a day: an object is misplaced a day after its time at the earliest."""


@dataclass
class Tally:
    """Sums over the objects that ``add`` was told of; bytes unless named otherwise.

    ``now`` (a Unix time) is the moment that ages are counted to. ``tiers`` say where objects of which age should be;
    empty for a bucket whose objects stay where they are.
    """

    now: float
    tiers: Tiers
    objects: Counter[str] = field(default_factory=lambda: Counter({STANDARD: 0}))
    """By class, as are the next two: a number of objects, their bytes, what is billed for them."""
    bytes: Counter[str] = field(default_factory=lambda: Counter({STANDARD: 0}))
    billed: Counter[str] = field(default_factory=Counter)
    best: Counter[str] = field(default_factory=Counter)
    """What would be billed, by class, were each object where it should be."""
    ages: Counter[str] = field(default_factory=lambda: Counter({name: 0 for name, _ in (*AGES, (OLDEST, 0))}))
    misplaced: Counter[str] = field(default_factory=Counter)
    """By the class that objects should be in, or EXPIRE."""
    moves: Counter[str] = field(default_factory=Counter)
    """Objects that are to be moved to a class."""
    newest: float | None = None
    """Unix time of the last write; None for an empty bucket."""

    def __post_init__(self) -> None:
        self._steps = [((days + GRACE_DAYS) * DAY, name) for name, days in reversed(list(self.tiers.items()))]
        self.misplaced.update(dict.fromkeys(self.tiers, 0))

    @property
    def total(self) -> int:
        """Objects so far."""
        return self.objects.total()

    def add(self, size: int, modified: datetime, storage_class: str | None) -> None:
        """Count one object."""
        name = known(storage_class)
        written = modified.timestamp()
        age = self.now - written
        self.objects[name] += 1
        self.bytes[name] += size
        self.ages[next((tier for tier, limit in AGES if age < limit), OLDEST)] += size
        if self.newest is None or written > self.newest:
            self.newest = written
        charge = billed(name, size)
        self.billed.update(charge)
        expected = self._expected(name, size, age)
        if expected is not None:
            self.misplaced[expected] += size
            if expected != EXPIRE:
                self.moves[expected] += 1
                self.best.update(billed(expected, size))
        else:
            self.best.update(charge)

    def _expected(self, name: str, size: int, age: float) -> str | None:
        """Where the object should be by now; None where it is there or deeper, or a rule would not move it."""
        for limit, expected in self._steps:
            if age < limit:
                continue
            if expected == EXPIRE:
                return EXPIRE
            here = CLASSES.get(name)
            return expected if here and here.depth < CLASSES[expected].depth and size >= SMALL_BYTES else None
        return None

"""A histogram that is filled value by value."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from supercheck_exporter.core import HistogramValue


class Distribution:
    """A histogram being filled; values in seconds."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one value; an edge belongs to the bucket below it."""
        self.counts[bisect_left(self.edges, seconds)] += 1
        self.total += seconds

    def value(self) -> HistogramValue:
        """What it holds now."""
        return HistogramValue(tuple(accumulate(self.counts)), self.total)

"""What a line of the edge's access log counts as; pure.

A line is one JSON object, made by compose/edge/nginx.conf.template. Whoever has another edge or CDN writes the same
fields: ``tier`` (public, authenticated, admin), ``status``, and of a file ``kind`` (report, static), ``cache`` (nginx's
word for it, in capitals; empty where no cache was asked) and ``seconds``; of a 429 ``refusal`` (tier, app, capacity).
"""

from __future__ import annotations

import http
import json
import math
import threading
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from supercheck_exporter.core import HistogramValue

TIERS = ("public", "authenticated", "admin")
KINDS = ("report", "static")
REFUSALS = ("tier", "app", "capacity")
VERDICTS = ("hit", "miss", "expired", "stale", "updating", "revalidated", "bypass")
NONE = "none"
"""No cache was asked."""

SERVED = (200, 206, 304)
"""Statuses of a file that was given out; what was refused or failed says nothing of the cache."""

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""0.1 s is the target of a report from the cache, 0.5 s what the seed measured without one."""

CODES = frozenset(int(status) for status in http.HTTPStatus) | {444, 494, 495, 496, 497, 499}
"""Those that have a name, and nginx's own; any other counts with its hundred."""


class Unreadable(ValueError):
    """A line that is no line of an edge."""


@dataclass
class Durations:
    """A histogram in the making."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(EDGES) + 1))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(EDGES, seconds)] += 1
        self.total += seconds

    def value(self) -> HistogramValue:
        """Cumulative, as it is exported."""
        cumulative, so_far = [], 0
        for count in self.counts:
            so_far += count
            cumulative.append(so_far)
        return HistogramValue(cumulative, self.total)


class Tally:
    """Counts since the exporter started. Whoever counts or reads holds ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.requests: Counter[tuple[str, str, str]] = Counter()
        """By cache verdict, tier and code."""
        self.refused: Counter[tuple[str, str]] = Counter()
        """429 by tier and whose they are."""
        self.files: dict[tuple[str, str], Durations] = {}
        """Files that were given out, by kind and verdict."""
        self.skipped = 0
        """Lines that could not be read."""
        for tier in TIERS:
            self.requests.update(dict.fromkeys([(NONE, tier, "200"), (NONE, tier, "429")], 0))
            self.refused.update(dict.fromkeys([(tier, whose) for whose in REFUSALS], 0))
        for kind in KINDS:
            for verdict in ("hit", "miss"):
                self.files[kind, verdict] = Durations()

    def count(self, line: bytes) -> None:
        """Count one line; one that can't be read is counted as that."""
        try:
            self._count(line)
        except Unreadable:
            self.skipped += 1

    def _count(self, line: bytes) -> None:
        try:
            said = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise Unreadable from error
        if not isinstance(said, dict):
            raise Unreadable
        tier, status = said.get("tier"), said.get("status")
        if tier not in TIERS or type(status) is not int or not 100 <= status <= 599:
            raise Unreadable
        verdict = str(said.get("cache", "")).lower()
        verdict = verdict if verdict in VERDICTS else NONE
        self.requests[verdict, tier, str(status) if status in CODES else f"{status // 100}xx"] += 1
        if status == http.HTTPStatus.TOO_MANY_REQUESTS:
            whose = said.get("refusal")
            self.refused[tier, whose if whose in REFUSALS else "app"] += 1
        kind, seconds = said.get("kind"), said.get("seconds")
        if kind in KINDS and status in SERVED and isinstance(seconds, int | float) and math.isfinite(seconds):
            self.files.setdefault((kind, verdict), Durations()).add(max(float(seconds), 0.0))

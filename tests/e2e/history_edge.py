"""The edge in the stories of history.py; in trouble, a crawler comes, the CDN loses a file, and reports load slowly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Value = Callable[[float], float | None]
Told = tuple[str, dict[str, str], Value]

FILE_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
PROBE_EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SPAN_EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10, 30)
CACHE_BYTES = 400e6
# of each limit: windows in use, the fullest one's use at rest and in trouble; no use: the limit is not known
LIMITERS: dict[str, tuple[int, float | None, float | None]] = {
    "api_key": (6, 0.3, 0.96),
    "signin_check": (4, 0.1, 1.0),
    "verify_key": (2, 0.2, 0.2),
    "monitor": (3, 0.25, 0.3),
    "invite": (1, 0.4, 0.4),
    "password_reset": (1, 0.33, 0.33),
    "ai_user_minute": (5, None, None),
}


def edge_series(in_trouble: bool, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def counted(rate: float, after: float | None = None) -> Value:
        later = rate if after is None else after
        return lambda t: math.floor(rate * (t + span - since(t)) + later * since(t))

    def flat(value: float, after: float | None = None) -> Value:
        return lambda t: value if after is None or not since(t) else after

    files = "supercheck_edge_file_seconds"
    for kind, cache, rate, after, middle, slow in (
        ("report", "hit", 1.4, 1.1, 0.014, 0.08),
        ("report", "miss", 0.06, 0.3, 0.4, 0.9),
        ("report", "expired", 0.03, 0.05, 0.4, 0.9),
        ("report", "none", 0.02, 0.02, 0.5, 0.9),
        ("static", "hit", 9.0, 9.0, 0.004, 0.004),
        ("static", "miss", 0.1, 0.1, 0.06, 0.08),
    ):
        labels = {"kind": kind, "cache": cache}
        yield from _histogram(files, labels, FILE_EDGES, counted(rate, after), middle, slow, since)

    requests = "supercheck_edge_requests_total"
    for tier, cache, code, rate, after in (
        ("public", "none", "200", 0.8, 1.4),
        ("public", "none", "401", 0.05, 0.2),
        ("public", "none", "404", 0.03, 0.3),
        ("public", "none", "429", 0.0, 2.0),
        ("public", "hit", "200", 4.0, 4.0),
        ("authenticated", "none", "200", 6.0, 5.5),
        ("authenticated", "hit", "200", 6.4, 6.1),
        ("authenticated", "miss", "200", 0.16, 0.4),
        ("authenticated", "none", "403", 0.02, 0.02),
        ("authenticated", "none", "429", 0.01, 0.05),
        ("authenticated", "none", "502", 0.0, 0.1),
        ("admin", "none", "200", 0.3, 0.3),
        ("admin", "none", "429", 0.0, 0.0),
    ):
        yield requests, {"tier": tier, "cache": cache, "code": code}, counted(rate, after)
    refused = "supercheck_edge_refused_requests_total"
    for tier in ("public", "authenticated", "admin"):
        for kind in ("tier", "app", "capacity"):
            rate, after = {
                ("public", "tier"): (0.0, 2.0),
                ("authenticated", "capacity"): (0.005, 0.04),
                ("authenticated", "app"): (0.005, 0.01),
            }.get((tier, kind), (0.0, 0.0))
            yield refused, {"tier": tier, "kind": kind}, counted(rate, after)
    yield "supercheck_report_cache_requests_total", {}, counted(3.0)
    yield "supercheck_report_cache_hits_total", {}, counted(2.82)
    yield "supercheck_report_cache_bytes", {}, lambda t: CACHE_BYTES * min(1.0, 0.6 + 0.5 * (t + span) / span)
    yield "supercheck_report_cache_evictions_total", {}, lambda t: math.floor(max(0.0, t + 0.2 * span) / 20)

    for target, cache, middle in (("logo", "hit", 0.02), ("app.js", "hit", 0.03), ("font", "revalidated", 0.06)):
        labels = {"target": target}
        lost = target == "font"
        yield "supercheck_cdn_probe_up", labels, lambda t, lost=lost: 0.0 if lost and since(t) else 1.0  # type: ignore[misc]
        age: Value = lambda t, lost=lost: None if lost and since(t) else (t + span) % 3600  # type: ignore[misc]  # noqa: E731
        yield "supercheck_cdn_object_age_seconds", labels, age
        probes = counted(1 / 30, 0.0 if lost else 1 / 30)
        yield from _histogram(
            "supercheck_cdn_probe_seconds", labels | {"cache": cache}, PROBE_EDGES, probes, middle, middle * 2, since
        )

    one = "supercheck_rate_limit_"
    for limiter, (windows, rest, hot) in LIMITERS.items():
        labels = {"limiter": limiter}
        yield f"{one}windows", labels, flat(float(windows))
        if rest is not None and hot is not None:
            yield f"{one}hottest_ratio", labels, flat(rest, hot)
            yield f"{one}windows_near_limit", labels, flat(float(rest > 0.8), float(hot > 0.8))
            yield f"{one}windows_at_limit", labels, flat(float(rest >= 1), float(hot >= 1))
    yield "supercheck_login_lockouts_total", {}, counted(1 / 3000, 1 / 40)
    yield "supercheck_logins_locked", {}, flat(0.0, 7.0)

    # what the app's spans tell: in trouble one request in seven fails, and a page asks once a row
    request = {"service_name": "supercheck-app", "span_name": "GET", "span_kind": "SPAN_KIND_SERVER"}
    calls = "traces_span_metrics_calls_total"
    yield calls, request | {"status_code": "STATUS_CODE_UNSET"}, counted(6.0)
    yield calls, request | {"status_code": "STATUS_CODE_ERROR"}, counted(0.01, 1.0)
    seconds = "traces_span_metrics_duration_seconds"
    yield from _histogram(seconds, request, SPAN_EDGES, counted(6.0), 0.03, 0.4, since)
    repeated = {"service_name": "supercheck-app", "span_name": "GET"}
    yield "traces_span_metrics_repeated_queries_total", repeated, counted(0.0, 0.1)


def _histogram(
    name: str,
    labels: dict[str, str],
    edges: tuple[float, ...],
    count: Value,
    middle: float,
    slow: float,
    since: Callable[[float], float],
) -> Iterator[Told]:
    """Half of all within `middle` at rest, within `slow` in trouble; nearly all within five times that."""
    for edge in (*edges, math.inf):

        def below(t: float, edge: float = edge) -> float | None:
            number = count(t)
            before = count(t - since(t))
            if number is None or before is None:
                return None
            quick, late = 1 - math.exp2(-edge / middle), 1 - math.exp2(-edge / slow)
            return math.floor(before * quick + (number - before) * late)

        le = "+Inf" if edge == math.inf else f"{edge:g}"
        yield f"{name}_bucket", labels | {"le": le}, below
    yield f"{name}_count", labels, count

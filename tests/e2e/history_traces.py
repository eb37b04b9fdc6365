"""Spans by route, kept ones, and the collectors' queues; in trouble a route is slow and wrong, and Tempo is away."""

from __future__ import annotations

import math
from collections.abc import Iterator

from e2e.history_edge import SPAN_EDGES, Told, Value, _histogram

ROUTES = (
    ("supercheck-app", "SPAN_KIND_SERVER", "GET", "/api/runs", 4.0, 0.03, 0.03),
    ("supercheck-app", "SPAN_KIND_SERVER", "POST", "/api/runs", 0.5, 0.06, 1.4),
    ("supercheck-app", "SPAN_KIND_SERVER", "GET", "/api/monitors", 1.5, 0.02, 0.02),
    ("supercheck-worker", "SPAN_KIND_CONSUMER", "", "", 0.4, 2.0, 4.0),
)
KEPT = 0.25
ROOM = 1 << 30


def traces_series(in_trouble: bool, span: float, trouble: float) -> Iterator[Told]:
    """Yield (name, labels, value by seconds from now); `span` and `trouble`: how long ago all and the trouble began."""

    def since(t: float) -> float:
        return max(0.0, t + trouble) if in_trouble else 0.0

    def counted(rate: float, after: float | None = None) -> Value:
        later = rate if after is None else after
        return lambda t: math.floor(rate * (t + span - since(t)) + later * since(t))

    for service, kind, method, route, rate, middle, slow in ROUTES:
        name = f"{method} {route}" if route else "Worker.run playwright-global"
        labels = {"service_name": service, "span_kind": kind, "span_name": name}
        labels |= {"http_request_method": method, "http_route": route} if route else {}
        wrong = 0.2 * rate if slow > middle else 0.002 * rate
        for prefix, share in (("traces_span_metrics", 1.0), ("traces_kept", KEPT)):
            good, bad = labels | {"status_code": "STATUS_CODE_UNSET"}, labels | {"status_code": "STATUS_CODE_ERROR"}
            yield f"{prefix}_calls_total", good, counted(share * rate)
            yield f"{prefix}_calls_total", bad, counted(0.002 * rate, wrong)
            yield from _histogram(
                f"{prefix}_duration_seconds", good, SPAN_EDGES, counted(share * rate), middle, slow, since
            )

    for store in ("tempo", "jaeger", "loki"):
        signal = "logs" if store == "loki" else "traces"
        by = {"job": "otel-collector", "instance": "otel-collector:8888"}
        by |= {"exporter": f"otlp_http/{store}", "data_type": signal}
        waits = 700_000 if store == "tempo" else 0
        yield "otelcol_exporter_queue_size", by, lambda t, n=waits: 2000 + n * since(t)  # type: ignore[misc]
        yield "otelcol_exporter_queue_capacity", by, lambda t: ROOM
    target = {"job": "otel-collector", "instance": "otel-collector:8888"}
    for name, value in (("up", 1.0), ("scrape_duration_seconds", 0.01)):
        yield name, target, lambda t, value=value: value  # type: ignore[misc]
    taken = {"job": "otel-collector", "instance": "otel-collector:8888", "receiver": "otlp", "transport": "http"}
    yield "otelcol_receiver_refused_spans", taken, counted(0.0, 0.3)

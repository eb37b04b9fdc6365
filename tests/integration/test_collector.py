"""The real collector on the file that is shipped: which spans are counted, which are kept, what their labels are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.collector import Collector, series
from servers.monitoring import Prometheus
from servers.otlp import OtlpSink, Span
from servers.process import wait_for
from servers.spans import CLIENT, INTERNAL, SERVER, Sent, Value, send
from supercheck_exporter.render import TARGETS, render

CALLS, SECONDS = "traces_span_metrics_calls_total", "traces_span_metrics_duration_seconds"
REPEATED = "traces_span_metrics_repeated_queries_total"
OVERFLOW = {"otel_metric_overflow": "true"}


@pytest.fixture(scope="module")
def tempo() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def jaeger() -> Iterator[OtlpSink]:
    with OtlpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def collector(tempo: OtlpSink, jaeger: OtlpSink) -> Iterator[Collector]:
    """Of what is no error and not slow, it keeps nothing."""
    with Collector(tempo=tempo.url, jaeger=jaeger.url, TRACES_KEEP_PERCENT="0") as server:
        yield server


def counted(collector: Collector, count: int, **labels: str) -> None:
    """Wait until so many spans are counted. A new series of calls begins with a 0, so it is behind the durations."""
    wait_for(lambda: collector.spans(f"{SECONDS}_count", **labels) >= count, 60, f"{count} spans were timed")
    wait_for(lambda: collector.spans(CALLS, **labels) >= count, 60, f"{count} spans were counted")


def arrived(store: OtlpSink, *sent: Sent) -> dict[str, Span]:
    """These spans as they are stored, by their ids."""

    def found() -> dict[str, Span]:
        return {span.id: span for span in list(store.spans)}

    wait_for(lambda: {span.id for span in sent} <= found().keys(), 60, f"{len(sent)} spans arrived")
    return found()


def request(path: str, code: int = 200, **more: object) -> Sent:
    """A request as the instrumentation tells it."""
    attributes = {"http.request.method": "GET", "http.response.status_code": code, "url.path": path}
    return Sent(**{"name": "GET", "attributes": attributes, "error": "" if code >= 500 else None} | more)  # type: ignore[arg-type]


@pytest.mark.promise("span metrics count every span once")
def test_every_span_is_counted_whatever_is_kept(collector: Collector) -> None:
    ok = [request("/api/runs", seconds=0.04, attributes={**request("/").attributes, "http.route": "/api/runs"})] * 3
    bad = [request("/api/runs", 500, seconds=0.3)] * 2
    for spans in (ok, bad, [Sent("SELECT", CLIENT, seconds=0.001)] * 7):
        assert send(collector.endpoint, spans, "exact") == 200
    counted(collector, 12, service_name="exact")
    page = {
        (name.removeprefix("traces_span_metrics_"), labels - {("service_name", "exact")}): value
        for (name, labels), value in series(collector.spans_target).items()
        if ("service_name", "exact") in labels and (name == CALLS or name.endswith(("_sum", "_count")))
        if not name.startswith("traces_kept")
    }
    http = {("span_name", "GET"), ("span_kind", "SPAN_KIND_SERVER"), ("http_request_method", "GET")}
    fine = frozenset(
        http | {("status_code", "STATUS_CODE_UNSET"), ("http_response_status_code", "200"), ("http_route", "/api/runs")}
    )
    failed = frozenset(http | {("status_code", "STATUS_CODE_ERROR"), ("http_response_status_code", "500")})
    query = frozenset(
        {("span_name", "SELECT"), ("span_kind", "SPAN_KIND_CLIENT"), ("status_code", "STATUS_CODE_UNSET")}
    )
    assert page == {
        ("calls_total", fine): 3,
        ("duration_seconds_count", fine): 3,
        ("duration_seconds_sum", fine): pytest.approx(0.12),
        ("calls_total", failed): 2,
        ("duration_seconds_count", failed): 2,
        ("duration_seconds_sum", failed): pytest.approx(0.6),
        ("calls_total", query): 7,
        ("duration_seconds_count", query): 7,
        ("duration_seconds_sum", query): pytest.approx(0.007),
    }
    assert collector.spans(f"{SECONDS}_bucket", service_name="exact", le="0.2") == 3 + 7


def test_the_instances_of_a_service_are_counted_together(collector: Collector) -> None:
    for instance in ("one", "two"):
        more = {"service.instance.id": instance, "host.name": instance}
        assert send(collector.endpoint, [Sent("GET")], "replicas", **more) == 200
    counted(collector, 2, service_name="replicas")
    found = [
        labels
        for name, labels in series(collector.spans_target)
        if name == CALLS and ("service_name", "replicas") in labels
    ]
    assert len(found) == 1
    assert not {name for name, _ in found[0]} & {"job", "instance", "host_name"}


def test_the_second_span_that_next_js_makes_of_a_request_counts_none(collector: Collector) -> None:
    outer = request("/api/next")
    attributes: dict[str, Value] = {"next.span_type": "BaseServer.handleRequest", "http.route": "/api/next"}
    inner = Sent("GET /api/next", SERVER, attributes, trace=outer.trace, parent=outer.id)
    assert send(collector.endpoint, [outer, inner], "next") == 200
    counted(collector, 2, service_name="next")
    assert collector.spans(CALLS, service_name="next", span_kind="SPAN_KIND_SERVER") == 1
    assert collector.spans(CALLS, service_name="next", span_kind="SPAN_KIND_INTERNAL", http_route="/api/next") == 1


def test_errors_and_slow_ones_are_kept_and_health_checks_never(
    collector: Collector, tempo: OtlpSink, jaeger: OtlpSink
) -> None:
    ordinary, fast_job = request("/api/ordinary"), Sent("Worker.run k6", kind=5, seconds=300)
    health = [request(path, 503, seconds=3) for path in ("/api/health", "/health/ready", "/health", "/api/health/live")]
    healthy = request("/api/healthy", 500)
    error, slow = request("/api/error", 500), request("/api/slow", seconds=1.5)
    # the one failure of a trace keeps all of it
    root = request("/api/deep")
    below = Sent("SELECT", CLIENT, error="PostgreSQL 42P01", trace=root.trace, parent=root.id)
    first = [ordinary, fast_job, *health, healthy, error, slow, root, below]
    assert send(collector.endpoint, first, "kept") == 200
    arrived(tempo, healthy, error, slow, root, below)
    # traces are judged in the order in which they came: when this one is there, all before it were
    last = request("/api/last", 500)
    assert send(collector.endpoint, [last], "kept") == 200
    expected = healthy, error, slow, root, below, last
    for store in (tempo, jaeger):
        # requests to a store are sent side by side, and may overtake one another
        found = arrived(store, *expected)
        assert {span.id for span in [*first, last]} & found.keys() == {span.id for span in expected}
    counted(collector, len(first) + 1, service_name="kept")
    assert collector.spans(CALLS, service_name="kept") == len(first) + 1
    # the rules leave these out, by their routes
    assert collector.spans(CALLS, service_name="kept", http_route="/health/ready") == 1
    assert collector.spans(CALLS, service_name="kept", http_route="/api/healthy") == 0


def test_an_error_after_the_decision_is_kept(collector: Collector, tempo: OtlpSink) -> None:
    """A job fails minutes after the request that made it was thrown away, and others after that."""
    click = request("/api/run")
    for thrown_away in (click, request("/api/other")):
        # with its marker stored, the one before it is judged; of those of one second the order is open
        marker = request("/api/marker", 500)
        assert send(collector.endpoint, [thrown_away], "late") == 200
        assert send(collector.endpoint, [marker], "late") == 200
        arrived(tempo, marker)
    job = Sent("Worker.run k6", 5, error="failed", trace=click.trace, parent=click.id)
    assert send(collector.endpoint, [job], "late") == 200
    assert click.id not in arrived(tempo, job)


@pytest.mark.promise("a repeated query is proved by its trace")
def test_a_repeated_query_is_counted_and_its_trace_is_kept(collector: Collector, tempo: OtlpSink) -> None:
    mark: dict[str, Value] = {
        "supercheck.repeated_queries": 11,
        "supercheck.repeated_query": "select who from visits where id = ?",
    }
    marked = [Sent("GET /api/loop", attributes=mark) for _ in range(3)]
    assert send(collector.endpoint, [*marked, Sent("GET /api/once")], "loops") == 200
    wait_for(lambda: collector.spans(REPEATED, service_name="loops") >= 3, 60, "marked spans were counted")
    found = {labels: value for (name, labels), value in series(collector.spans_target).items() if name == REPEATED}
    assert found == {frozenset({("service_name", "loops"), ("span_name", "GET /api/loop")}): 3}
    kept = arrived(tempo, *marked)
    assert {kept[span.id].attributes["supercheck.repeated_queries"] for span in marked} == {"11"}


def test_clocks_that_are_wrong(collector: Collector, tempo: OtlpSink) -> None:
    ahead, behind = (request("/api/clock", 500, ago=ago) for ago in (-3600.0, 86400.0))
    backwards = request("/api/clock", 500, seconds=-5)
    assert send(collector.endpoint, [ahead, behind, backwards], "clocks") == 200
    arrived(tempo, ahead, behind, backwards)
    counted(collector, 3, service_name="clocks")
    assert collector.spans(f"{SECONDS}_sum", service_name="clocks") == pytest.approx(0.02)


def test_a_span_without_a_service(collector: Collector, tempo: OtlpSink) -> None:
    nameless = request("/api/nameless", 500)
    assert send(collector.endpoint, [nameless], None) == 200
    assert arrived(tempo, nameless)[nameless.id].service == "unknown_service"
    counted(collector, 1, service_name="unknown_service")


@pytest.mark.promise("each exemplar leads to a trace that is kept")
def test_each_exemplar_leads_to_a_trace_that_is_kept(tempo: OtlpSink, tmp_path: Path) -> None:
    # an exemplar is on the page for one interval of the collector, so that is longer than Prometheus's
    collector = Collector(tempo=tempo.url, TRACES_KEEP_PERCENT="0", SPAN_METRICS_INTERVAL="3s")
    targets = dict.fromkeys(TARGETS, "127.0.0.1:1") | {"SPANS_TARGET": collector.spans_target}
    render(tmp_path, targets)
    written = tmp_path / "prometheus/prometheus.yml"
    text = written.read_text()
    assert "scrape_interval: 15s" in text
    written.write_text(text.replace("15s", "1s").replace("10s", "1s"))
    thrown_away = [request("/api/exemplar") for _ in range(20)]
    kept = [request("/api/exemplar", 500) for _ in range(3)]
    with collector, Prometheus(written, "--enable-feature=exemplar-storage") as prometheus:

        def exemplars(metric: str) -> list[str]:
            window = {"start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
            answer = prometheus.get("/api/v1/query_exemplars", {"query": metric, **window})
            return [found["labels"]["trace_id"] for one in answer["data"] for found in one["exemplars"]]

        wait_for(lambda: prometheus.query('up{job="spans"} == 1'), 60, "Prometheus reads the metrics of spans")
        assert send(collector.endpoint, [*thrown_away, *kept], "exemplars") == 200
        mine = 'traces_kept_duration_seconds_bucket{service_name="exemplars"}'
        wait_for(lambda: exemplars(mine), 60, "an exemplar is in Prometheus")
        arrived(tempo, *kept)
        assert set(exemplars(mine)) <= {span.trace for span in kept}
        stored = {span.trace for span in tempo.spans}
        assert set(exemplars('{__name__=~"traces_.+"}')) - stored == set()
        assert exemplars('{__name__=~"traces_span_metrics_.+"}') == []


def test_the_rest_is_kept_by_its_percentage_and_ids_make_no_series_of_their_own() -> None:
    traces = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(400)]
    spans = [
        Sent(
            f"GET /api/runs/{number}",
            SERVER,
            {"http.route": f"/api/runs/0190163d-8694-739b-aea5-{number:012x}/log", "http.request.method": "BREW"},
            trace=trace,
        )
        for number, trace in enumerate(traces)
    ]
    with (
        OtlpSink() as tempo,
        Collector(tempo=tempo.url, TRACES_KEEP_PERCENT="25", SPAN_METRICS_SERIES="20") as collector,
    ):
        assert send(collector.endpoint, spans) == 200
        last = request("/api/last", 500)
        assert send(collector.endpoint, [last]) == 200
        # within a second the sampler judges in no order: the last one may be there before the others
        judged = "otelcol_processor_tail_sampling_global_count_traces_sampled"
        wait_for(lambda: collector.own(judged) == 401, 60, "every trace was judged")
        wait_for(lambda: len(tempo.spans) == collector.own(judged, sampled="true"), 60, "all that is kept arrived")
        assert 60 < len(tempo.spans) < 140
        counted(collector, 401)
        routes = {dict(labels).get("http_route") for name, labels in series(collector.spans_target) if name == CALLS}
        methods = {
            dict(labels).get("http_request_method") for name, labels in series(collector.spans_target) if name == CALLS
        }
        assert (routes, methods) == ({None, "/api/runs/{id}/log"}, {"GET", "_OTHER"})
        # and what is told apart by words is bounded
        for service in ("shop", "blog"):
            assert (
                send(collector.endpoint, [Sent(f"name {'x' * more}", INTERNAL) for more in range(100)], service) == 200
            )
        counted(collector, 601)
        calls = {labels: value for (name, labels), value in series(collector.spans_target).items() if name == CALLS}
        assert len(calls) <= 21
        assert sum(calls.values()) == 601
        assert calls[frozenset(OVERFLOW.items())] > 150

"""The real collector when a store is away, when it is restarted meanwhile, and when more comes than it can hold."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from servers.collector import Collector
from servers.otlp import OtlpSink
from servers.process import free_port, wait_for
from servers.redis import LOOPBACK
from servers.spans import Sent, send


def ids(spans: Iterable[Sent]) -> set[str]:
    return {span.id for span in spans}


def stored(store: OtlpSink) -> set[str]:
    return {span.id for span in list(store.spans)}


@pytest.mark.promise("a store that is away loses nothing")
def test_a_store_that_is_away_and_a_restart_meanwhile_lose_nothing() -> None:
    port = free_port()
    first, second = [[Sent("GET /api/away", error="x") for _ in range(300)] for _ in range(2)]
    with OtlpSink() as jaeger, Collector(tempo=f"http://{LOOPBACK}:{port}", jaeger=jaeger.url) as collector:
        for at in range(0, 300, 30):
            assert send(collector.endpoint, first[at : at + 30]) == 200
        # the other one is not held up
        wait_for(lambda: stored(jaeger) == ids(first), 60, "the store that is there has them")
        waiting = {"exporter": "otlp_http/tempo"}
        wait_for(lambda: collector.own("otelcol_exporter_queue_size", **waiting) > 0, 60, "they wait")
        # some are in the queue, these are still in memory, waiting for their decision
        assert send(collector.endpoint, second) == 200
        assert collector.terminate() == 0
        collector.start()
        wait_for(lambda: stored(jaeger) == ids(first + second), 60, "the store that is there has all")
        with OtlpSink(port) as tempo:
            wait_for(lambda: stored(tempo) == ids(first + second), 60, "the store that was away has all")
        for trouble in ("otelcol_exporter_send_failed_spans", "otelcol_exporter_enqueue_failed_spans"):
            assert collector.own(trouble) == 0


def test_past_its_memory_it_refuses_and_counts_and_takes_more_later() -> None:
    big = {"note": "x" * 8192}
    batch = 250
    settings = {"COLLECTOR_MEMORY_MIB": "48", "COLLECTOR_MEMORY_SPIKE_MIB": "8"}
    with OtlpSink() as store, Collector(tempo=store.url, jaeger=store.url, **settings) as collector:
        accepted = refused = 0
        while not refused:
            spans = [Sent("GET", attributes=big) for _ in range(batch)]
            status = send(collector.endpoint, spans)
            assert status in {200, 503}
            accepted, refused = accepted + (status == 200) * batch, refused + (status == 503) * batch
            assert accepted < 400 * batch, "it takes everything"
        own = "otelcol_receiver_{}_spans"
        wait_for(lambda: collector.own(own.format("refused")) == refused, 60, "the refused ones are counted")
        assert collector.own(own.format("accepted")) == accepted
        last = Sent("GET /api/after")
        wait_for(lambda: send(collector.endpoint, [last]) == 200, 60, "it takes spans again")
        assert collector.running()
        wait_for(lambda: len(store.spans) >= 2 * (accepted + 1), 60, "what was taken is stored, by both")
        assert last.id in stored(store)

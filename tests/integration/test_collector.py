"""The real collector on the file that is shipped: what it does with spans."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.collector import Collector
from servers.otlp import OtlpSink
from servers.process import wait_for
from servers.spans import Sent, send


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
    with Collector(tempo=tempo.url, jaeger=jaeger.url) as server:
        yield server


def test_both_stores_get_a_span(collector: Collector, tempo: OtlpSink, jaeger: OtlpSink) -> None:
    span = Sent("GET /api/both")
    assert send(collector.endpoint, [span]) == 200
    for store in (tempo, jaeger):
        wait_for(lambda store=store: store.named(span.name), 60, "the span arrived")  # type: ignore[misc]
        (found,) = store.named(span.name)
        assert (found.trace, found.id, found.service) == (span.trace, span.id, "supercheck-app")

"""The exporter's own traces and log lines, with a real Redis and a receiver of OTLP."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from servers.exporter import Exporter
from servers.otlp import OtlpSink, Span
from servers.process import free_port, wait_for
from servers.redis import LOOPBACK, RedisServer
from supercheck_exporter.collectors import NEEDS, TABLE

FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink() as server:
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def traced(redis: RedisServer, endpoint: str) -> dict[str, str]:
    return redis.exporter_env() | FAST | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}


def whole_scrapes(sink: OtlpSink) -> list[Span]:
    """Root spans of scrapes of every collector. Waiting for the followers scrapes too, but one collector alone."""
    whole = {span.trace for span in sink.named("collect queues")}
    return [span for span in sink.named("scrape") if span.trace in whole]


def trace_of_a_scrape(sink: OtlpSink, exporter: Exporter) -> list[Span]:
    before = len(whole_scrapes(sink))
    exporter.scrape()
    # a span is sent when it ends, so its root comes last
    wait_for(lambda: len(whole_scrapes(sink)) > before, 60, "the scrape's root span arrived")
    root = whole_scrapes(sink)[-1]
    return [span for span in sink.spans if span.trace == root.trace]


@pytest.mark.promise("one trace a scrape")
def test_a_scrape_is_one_trace_with_a_span_a_collector(sink: OtlpSink, redis: RedisServer) -> None:
    with Exporter(traced(redis, sink.url)) as exporter:
        exporter.wait_follows()
        spans = {span.id: span for span in trace_of_a_scrape(sink, exporter)}
        another = trace_of_a_scrape(sink, exporter)
    (root,) = [span for span in spans.values() if not span.parent]
    assert (root.name, root.service) == ("scrape", "supercheck-exporter")
    below = {span.name for span in spans.values() if span.parent == root.id}
    assert below == {f"collect {name}" for name in TABLE if name not in NEEDS} | {"render"}
    (queues,) = [span for span in spans.values() if span.name == "collect queues"]
    asked = [span for span in spans.values() if span.parent == queues.id]
    assert asked
    assert {span.attributes["db.system"] for span in asked} == {"redis"}
    assert root.trace not in {span.trace for span in another}


@pytest.mark.promise("one trace a scrape")
def test_background_readers_make_no_trace(sink: OtlpSink, redis: RedisServer) -> None:
    with Exporter(traced(redis, sink.url)) as exporter:
        exporter.wait_follows()
        trace_of_a_scrape(sink, exporter)
    assert {span.name for span in sink.spans if not span.parent} == {"scrape"}


def test_a_failed_collector_is_a_failed_span_and_one_line_a_change(sink: OtlpSink) -> None:
    with RedisServer() as redis, Exporter(traced(redis, sink.url)) as exporter:
        exporter.wait_follows()
        redis.stop()
        for _ in range(4):
            spans = trace_of_a_scrape(sink, exporter)
        exporter.terminate()
        lines = [json.loads(line) for line in exporter.log().splitlines()]
    (queues,) = [span for span in spans if span.name == "collect queues"]
    assert "Redis at" in queues.error
    told = [line for line in lines if line["message"].startswith("collector queues failed")]
    assert len(told) == 1
    assert told[0]["level"] == "ERROR"
    assert told[0]["collector"] == "queues"
    # the line leads to the trace of the scrape that saw it first
    assert told[0]["trace_id"] in {span.trace for span in sink.named("scrape")}
    assert len(told[0]["span_id"]) == 16


def test_a_receiver_that_is_away_costs_no_scrape_and_is_told_once(redis: RedisServer) -> None:
    with Exporter(traced(redis, f"http://{LOOPBACK}:{free_port()}")) as exporter:
        exporter.wait_follows()
        for _ in range(3):
            assert exporter.scrape().value("supercheck_scrape_collector_success", collector="queues") == 1
        wait_for(lambda: "opentelemetry" in exporter.log(), 60, "the exporter says that traces are not delivered")
        exporter.terminate()
        lines = [json.loads(line) for line in exporter.log().splitlines()]
    told = [line["message"] for line in lines if line["logger"].startswith("opentelemetry")]
    assert len(told) == len(set(told))

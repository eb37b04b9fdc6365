"""A site in Supercheck's shape, its spans through the real collector: what was asked is what is counted and stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from servers.collector import Collector, series
from servers.otlp import OtlpSink
from servers.postgres import OWNER, OWNER_PASSWORD, PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from servers.traced_site import SiteProcess, preload

CALLS = "traces_span_metrics_calls_total"
REPEATED = "traces_span_metrics_repeated_queries_total"
SECRETS = ("s3cr3t", "hunter2", "hara", OWNER_PASSWORD)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def counted(collector: Collector, metric: str = CALLS) -> dict[tuple[str, ...], float]:
    """Spans by service, name, status of the span and of the answer; SELECT, the driver's own query, is left out."""
    names = ("service_name", "span_name", "status_code", "http_response_status_code")
    found: Counter[tuple[str, ...]] = Counter()
    for (name, labels), value in series(collector.spans_target).items():
        if name == metric:
            found[tuple(dict(labels).get(label, "").removeprefix("STATUS_CODE_") for label in names)] += int(value)
    return {key: value for key, value in found.items() if key[1] != "SELECT"}


@pytest.mark.promise("span metrics count every span once")
def test_what_was_asked_is_what_is_counted_and_stored(redis: RedisServer, postgres: PostgresServer) -> None:
    table = "CREATE TABLE IF NOT EXISTS visits (id int GENERATED ALWAYS AS IDENTITY, who text, what text)"
    postgres.run(f"{table}; GRANT ALL ON visits TO {OWNER}")
    database = postgres.url(OWNER, OWNER_PASSWORD)
    asked = {"/api/run?token=s3cr3t": 5, "/api/health": 4, "/api/loop?times=11": 2, "/api/broken": 3, "/api/none": 2}
    with OtlpSink() as store, Collector(tempo=store.url, jaeger=store.url) as collector:
        spans_to = collector.endpoint
        with (
            SiteProcess("worker", redis, preload(spans_to, "supercheck-worker"), database),
            SiteProcess("app", redis, preload(spans_to, "supercheck-app"), database) as app,
        ):
            for path, times in asked.items():
                for _ in range(times):
                    app.get(path)
            app_, worker = "supercheck-app", "supercheck-worker"
            expected = {
                (app_, "GET", "UNSET", "200"): 5 + 4 + 2,
                (app_, "GET", "ERROR", "500"): 3,
                (app_, "GET", "UNSET", "404"): 2,
                (app_, "INSERT", "UNSET", ""): 5,
                (app_, "set", "UNSET", ""): 5,
                (app_, "Queue.add playwright-global", "UNSET", ""): 5,
                (worker, "Worker.run playwright-global", "UNSET", ""): 5,
                (worker, "UPDATE", "UNSET", ""): 5,
                (worker, "incr", "UNSET", ""): 5,
            }
            wait_for(lambda: counted(collector) == expected, 60, f"{expected} were counted")
            wait_for(lambda: counted(collector, REPEATED) == {(app_, "GET", "", ""): 2}, 60, "the loops were counted")
        # each request is a trace of its own, health checks are none that is kept
        kept = sum(asked.values()) - asked["/api/health"]
        wait_for(lambda: len({span.trace for span in store.spans}) >= kept, 60, "every trace is stored")
        # and once more, after everything that was under way
        assert counted(collector) == expected
    assert len({span.trace for span in store.spans}) == kept
    jobs = {span.trace: span for span in store.spans if span.name == "Worker.run playwright-global"}
    requests = {span.trace: span for span in store.spans if span.name == "GET" and not span.parent}
    assert len(jobs) == 5
    assert jobs.keys() <= requests.keys()
    everything = repr([(span.name, span.error, span.attributes, span.events, span.resource) for span in store.spans])
    assert [secret for secret in SECRETS if secret in everything] == []

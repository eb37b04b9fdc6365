"""The real Jaeger on the file that is shipped: it keeps what it took, and shows the trace of a request whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.collector import Collector
from servers.jaeger import Jaeger, StoredSpan
from servers.postgres import OWNER, OWNER_PASSWORD, PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from servers.spans import CLIENT, Sent, send
from servers.traced_site import SiteProcess, preload

TABLE = "CREATE TABLE IF NOT EXISTS visits (id int GENERATED ALWAYS AS IDENTITY, who text, what text)"


@pytest.fixture(scope="module")
def jaeger() -> Iterator[Jaeger]:
    with Jaeger() as server:
        yield server


def test_a_trace_is_found_with_its_parents_and_attributes(jaeger: Jaeger) -> None:
    root = Sent("GET /api/found", attributes={"http.route": "/api/found"})
    query = Sent("SELECT", CLIENT, {"db.system": "postgresql"}, trace=root.trace, parent=root.id)
    assert send(jaeger.endpoint, [root], "supercheck-app") == 200
    assert send(jaeger.endpoint, [query], "supercheck-worker") == 200
    wait_for(lambda: len(jaeger.trace(root.trace)) == 2, 60, "both spans are found")
    found = {span.id: span for span in jaeger.trace(root.trace)}
    assert (found[root.id].parent, found[root.id].service) == ("", "supercheck-app")
    assert found[root.id].attributes["http.route"] == "/api/found"
    assert (found[query.id].parent, found[query.id].service) == (root.id, "supercheck-worker")
    assert {"supercheck-app", "supercheck-worker"} <= jaeger.services()
    [listed] = [trace for trace in jaeger.traces("supercheck-app", root.name) if trace[0].id in found]
    assert {span.id for span in listed} == set(found)


def test_what_it_took_is_there_after_it_was_killed(jaeger: Jaeger) -> None:
    taken = [Sent(f"GET /api/kept/{number}") for number in range(50)]
    for span in taken:
        assert send(jaeger.endpoint, [span]) == 200
    jaeger.kill()
    jaeger.start()
    missing = [span.name for span in taken if not jaeger.trace(span.trace)]
    assert not missing


def test_the_trace_of_a_site_is_in_jaeger(jaeger: Jaeger, postgres: PostgresServer) -> None:
    postgres.run(TABLE + f"; GRANT ALL ON visits TO {OWNER}")
    database = postgres.url(OWNER, OWNER_PASSWORD)
    request, run = "GET", "Worker.run playwright-global"
    want = {
        (request, ""),
        ("INSERT", request),
        ("set", request),
        ("Queue.add playwright-global", request),
        (run, "Queue.add playwright-global"),
        ("UPDATE", run),
        ("incr", run),
    }

    def shape(trace: list[StoredSpan]) -> set[tuple[str, str]]:
        """Each span's name with its parent's; the driver's own question about types is a query of none of ours."""
        spans = {span.id: span for span in trace if "pg_type" not in span.attributes.get("db.query.text", "")}
        return {
            (span.name, spans[span.parent].name if span.parent in spans else span.parent) for span in spans.values()
        }

    with RedisServer() as redis, Collector(jaeger=jaeger.endpoint) as collector:
        endpoint = collector.endpoint
        with (
            SiteProcess("worker", redis, preload(endpoint, "supercheck-worker", WORKER_LOCATION="EU"), database),
            SiteProcess("app", redis, preload(endpoint, "supercheck-app"), database) as app,
        ):
            assert app.get("/api/run?token=s3cr3t").json()
            wait_for(
                lambda: any(shape(trace) == want for trace in jaeger.traces("supercheck-worker", run)),
                90,
                "the whole trace is in Jaeger",
            )
    (trace,) = jaeger.traces("supercheck-worker", run)
    assert {span.service for span in trace} == {"supercheck-app", "supercheck-worker"}
    assert "s3cr3t" not in repr(trace)

"""The HTTP server: routes, parameters and headers, on a real socket."""

from __future__ import annotations

import http.client
import logging
import math
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.process import wait_for
from supercheck_exporter import __version__
from supercheck_exporter.config import load
from supercheck_exporter.core import Collector, NoData, Runner, Sample, SourceError, gauge
from supercheck_exporter.http import App, Handler, Server, serve

LONG = 30.0
VALUE = gauge("supercheck_test_value", "For tests.", "item")


class Fake(Collector):
    descs = (VALUE,)

    def __init__(self, name: str, *samples: Sample, problem: Exception | None = None) -> None:
        self.name = name
        self.samples = samples
        self.problem = problem
        self.calls = 0

    def collect(self) -> Iterable[Sample]:
        self.calls += 1
        if self.problem is not None:
            raise self.problem
        return self.samples


class Site:
    """A server with two collectors, and a client without any cleverness."""

    def __init__(self, **env: str) -> None:
        self.left = Fake("left", VALUE(1, "a"))
        self.right = Fake("right", VALUE(2, "b"))
        self.runner = Runner([self.left, self.right])
        self.timeouts: list[float] = []
        app = App(load({"REDIS_HOST": "redis"} | env), self.runner)
        scrape = self.runner.scrape

        def noted(names: list[str] | None = None, timeout: float = 10.0) -> object:
            self.timeouts.append(timeout)
            return scrape(names, timeout)

        object.__setattr__(self.runner, "scrape", noted)
        self.server = Server(("127.0.0.1", 0), app)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()
        self.port = int(self.server.server_address[1])

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LONG)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()

    def values(self, path: str = "/metrics", **headers: str) -> dict[str, float]:
        response, text = self.ask(path, **headers)
        assert response.status == 200
        return {
            ",".join([sample.name, *sample.labels.values()]): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.runner.stop()


@pytest.fixture
def site_of() -> Iterator[Callable[..., Site]]:
    made: list[Site] = []

    def make(**env: str) -> Site:
        made.append(Site(**env))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture
def site(site_of: Callable[..., Site]) -> Site:
    return site_of()


def test_a_body_is_not_held_back_until_the_head_is_acknowledged(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a connection that is kept that would cost a gateway 40 ms a question."""
    options: list[int] = []
    send = Handler._send

    def noted(handler: Handler, *what: Any, **more: Any) -> None:
        options.append(handler.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        send(handler, *what, **more)

    monkeypatch.setattr(Handler, "_send", noted)
    assert site.ask("/-/healthy")[0].status == 200
    assert options == [1]


# -- /metrics --------------------------------------------------------------------------------------


def test_metrics(site: Site) -> None:
    response, text = site.ask("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(response.headers["Content-Length"]) == len(text.encode())
    values = site.values()
    assert values["supercheck_test_value,a"] == 1
    assert values["supercheck_scrape_collector_success,left"] == 1
    assert values[f"supercheck_exporter_build_info,{__version__}"] == 1
    assert values["process_resident_memory_bytes"] > 0


def test_a_failed_collector_does_not_cost_the_page(site: Site) -> None:
    site.left.problem = SourceError("down")
    values = site.values()
    assert values["supercheck_scrape_collector_success,left"] == 0
    assert "supercheck_test_value,a" not in values
    assert values["supercheck_test_value,b"] == 2


def test_only_some_collectors(site: Site) -> None:
    values = site.values("/metrics?collect[]=right")
    assert "supercheck_scrape_collector_success,left" not in values
    assert values["supercheck_scrape_collector_success,right"] == 1
    assert (site.left.calls, site.right.calls) == (0, 1)
    assert len([name for name in site.values("/metrics?collect[]=left&collect%5B%5D=right") if "success" in name]) == 2


def test_a_collector_that_does_not_exist(site: Site) -> None:
    response, text = site.ask("/metrics?collect[]=left&collect[]=wrong<script>")
    assert response.status == 400
    assert text == "no collector wrong<script>; there are: left, right\n"
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert site.left.calls == 0


@pytest.mark.parametrize(
    ("header", "deadline"), [("10", 9.5), ("10.5", 10.0), ("0.4", 0.2), ("1", 0.5), ("1e9", 119.5), ("3", 2.5)]
)
def test_the_deadline_is_below_prometheus_s(site: Site, header: str, deadline: float) -> None:
    site.values("/metrics", X_Prometheus_Scrape_Timeout_Seconds=header)
    assert site.timeouts == [deadline]


def test_without_a_header_the_deadline_is_prometheus_s_default(site: Site) -> None:
    site.values()
    assert site.timeouts == [9.5]


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "-inf", "-1", "0", "1 s", "0x10"])
def test_a_deadline_that_is_none(site: Site, header: str) -> None:
    response, text = site.ask("/metrics", X_Prometheus_Scrape_Timeout_Seconds=header)
    assert response.status == 400
    assert "X-Prometheus-Scrape-Timeout-Seconds" in text
    assert site.timeouts == []


def test_a_label_that_is_no_text_does_not_cost_the_page(site: Site) -> None:
    site.left.samples = (VALUE(1, "half \ud83d"), VALUE(2, "whole"))
    values = site.values()
    assert (values["supercheck_test_value,half ?"], values["supercheck_test_value,whole"]) == (1, 2)


def test_infinite_values_are_written(site: Site) -> None:
    site.left.samples = (VALUE(math.inf, "a"),)
    assert site.values()["supercheck_test_value,a"] == math.inf


# -- health ----------------------------------------------------------------------------------------


def test_healthy_asks_no_source(site: Site) -> None:
    response, text = site.ask("/-/healthy")
    assert (response.status, text) == (200, "ok\n")
    assert site.left.calls == 0


def test_unhealthy_when_a_reader_has_ended(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("supercheck_exporter.http.DEAD", ["keyspace"])
    response, text = site.ask("/-/healthy")
    assert (response.status, text) == (503, "background readers ended: keyspace\n")


def test_ready_after_the_first_look_at_every_source(site: Site) -> None:
    site.left.problem = SourceError("Redis at redis:6379 is frozen")
    response, text = site.ask("/-/ready")
    assert (response.status, text) == (503, "not ready: left: Redis at redis:6379 is frozen\n")
    site.left.problem = NoData()
    assert site.ask("/-/ready")[0].status == 200
    calls = site.left.calls
    site.left.problem = SourceError("down again")
    assert site.ask("/-/ready")[0].status == 200
    assert site.left.calls == calls


# -- pages -----------------------------------------------------------------------------------------


def test_the_status_page_is_made_of_the_last_scrape(site: Site) -> None:
    site.values()
    response, text = site.ask("/")
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "nothing is over its threshold" in text
    assert site.left.calls == 1


def test_the_status_page_looks_by_itself(site: Site) -> None:
    site.left.problem = SourceError("Redis is <down>")
    _, text = site.ask("/")
    assert "Redis is &lt;down&gt;" in text
    assert "Redis is down" in text


def test_what_is_wrong_with_a_server_is_on_the_status_page(site: Site) -> None:
    site.left.problems = {"redis:6379": "it is frozen"}
    assert site.ask("/")[0].status == 200


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [
        ("/runbooks", 200, "<h1>Runbooks</h1>"),
        ("/runbooks/", 200, "<h1>Runbooks</h1>"),
        ("/runbooks/QueueDepthHigh", 200, "QueueDepthHigh"),
        ("/runbooks/QueueDepthHigh.md", 200, "QueueDepthHigh"),
        ("/runbooks/QueueDepthHigh?from=mail", 200, "QueueDepthHigh"),
        ("/runbooks/NoSuchAlert", 404, "No such runbook"),
        ("/runbooks/../../pyproject", 404, "No such runbook"),
        ("/runbooks/%2e%2e/%2e%2e/pyproject", 404, "No such runbook"),
        ("/nowhere", 404, "Not found"),
        ("/metrics/", 404, "Not found"),
        ("/[bad", 404, "Not found"),
        ("//metrics", 200, "supercheck_test_value"),
        ("/d/", 404, "Not found"),
        ("/d/a/b", 404, "Not found"),
        ("/d/" + "x" * 41, 404, "Not found"),
    ],
)
def test_routes(site: Site, path: str, status: int, content: str) -> None:
    response, text = site.ask(path)
    assert response.status == status
    assert content in text


def test_pages_run_no_script(site: Site) -> None:
    assert "default-src 'none'" in site.ask("/")[0].headers["Content-Security-Policy"]


def test_the_server_does_not_name_its_python(site: Site) -> None:
    assert site.ask("/")[0].headers["Server"].strip() == f"supercheck-exporter/{__version__}"


# -- the way to the dashboards ---------------------------------------------------------------------


@pytest.mark.promise("links open")
@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/d/supercheck-queues", "/d/supercheck-queues?{here}"),
        ("/d/a?var-queue=k6-global&from=now-1h", "/d/a?var-queue=k6-global&from=now-1h&{here}"),
        ("/d/a?b=%22%0d%0aX:%20y", "/d/a?b=%22%0d%0aX:%20y&{here}"),
        ("/d/a?var-public_url=x", "/d/a?var-public_url=x"),
    ],
)
def test_a_dashboard_link_keeps_its_query(site_of: Callable[..., Site], path: str, target: str) -> None:
    """And tells the dashboard where its links to the runbooks start."""
    site = site_of(GRAFANA_URL="https://grafana.example.com/g/", PUBLIC_URL="https://example.com/e")
    response, text = site.ask(path)
    assert (response.status, text) == (302, "")
    here = "var-public_url=https%3A%2F%2Fexample.com%2Fe"
    assert response.headers["Location"] == "https://grafana.example.com/g" + target.format(here=here)


def test_without_grafana_s_address_the_page_says_what_to_set(site: Site) -> None:
    response, text = site.ask("/d/supercheck-queues?var-queue=x")
    assert response.status == 404
    assert "GRAFANA_URL" in text


# -- the protocol ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy", "/runbooks/", "/nowhere", "/d/x"])
def test_head_is_get_without_the_body(site: Site, path: str) -> None:
    get, text = site.ask(path)
    head, body = site.ask(path, "HEAD")
    assert body == ""
    assert head.status == get.status
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    if path not in ("/metrics", "/"):  # their text differs from second to second
        assert int(head.headers["Content-Length"]) == len(text.encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(site: Site, method: str) -> None:
    assert site.ask("/metrics", method)[0].status == 501


def test_one_connection_serves_several_requests(site: Site) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=LONG)
    for path in ("/metrics", "/-/healthy", "/nowhere", "/"):
        connection.request("GET", path)
        assert connection.getresponse().read()
    connection.close()


def test_a_client_that_hangs_up_is_no_error(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for request in (b"", b"GET /metrics HTTP/1.1\r\n", b"\x16\x03\x01\x00\xff", b"GET /metrics HTTP/1.1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", site.port), timeout=LONG) as client:
            client.sendall(request)
    assert site.ask("/-/healthy")[0].status == 200
    assert not caplog.records


def test_a_defect_is_logged(site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "status", lambda _: 1 / 0)
    with pytest.raises(http.client.RemoteDisconnected):
        site.ask("/")
    wait_for(lambda: caplog.records, LONG, "the defect is in the log")
    assert caplog.records[0].levelname == "ERROR"
    assert "ZeroDivisionError" in caplog.text
    assert site.ask("/-/healthy")[0].status == 200


# -- serving ---------------------------------------------------------------------------------------


def test_serve_ends_when_it_is_told_to() -> None:
    stop, started, stopped = threading.Event(), threading.Event(), threading.Event()

    class Followed(Fake):
        def start(self) -> None:
            started.set()

        def stop(self) -> None:
            stopped.set()

    runner = Runner([Followed("one")])
    thread = threading.Thread(target=serve, args=(load({}), runner, ("127.0.0.1", 0), stop))
    thread.start()
    assert started.wait(LONG)
    stop.set()
    thread.join(LONG)
    assert not thread.is_alive()
    assert stopped.is_set()


def test_an_address_in_use_starts_nothing() -> None:
    class Followed(Fake):
        def start(self) -> None:
            pytest.fail("started")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = ("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            serve(load({}), Runner([Followed("one")]), address, threading.Event())

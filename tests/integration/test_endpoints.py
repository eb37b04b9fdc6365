"""Endpoints that are well, half well, ill and gone: what a probe finds, and what the exporter's page says of it."""

from __future__ import annotations

import datetime
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.authority import Authority
from servers.exporter import Exporter, run_cli
from servers.process import free_port
from servers.web import DRIPPING_HEAD, HANG, RESET, Asked, Raw, Reply, Web
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.core import SourceError
from supercheck_exporter.endpoints.asking import Finding
from supercheck_exporter.site import Site

LONG = 60.0
CANARY = "canary-5a1f"
CHECKS = {
    "database": {"status": "ok", "latencyMs": 3},
    "redis": {"status": "error", "latencyMs": 2001, "error": CANARY},
    "s3": {"status": "ok", "latencyMs": 12},
}
WELL = {"status": "ok", "checks": {name: {"status": "ok"} for name in CHECKS}}
Behaviour = Reply | Raw


def answers(status: int = 200, body: object = b"", **headers: str) -> Reply:
    """A reply; a body that is no bytes is sent as JSON."""
    return Reply(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode())


def by_path(**behaviours: Behaviour) -> Callable[[Asked], Behaviour]:
    """Behaves by the last word of the path, and answers 404 to any other."""
    return lambda asked: behaviours.get(asked.path.rpartition("/")[2], answers(404))


READY = answers(200, {"status": "ok", "ready": True})


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(answers()) as server:
        yield server


def find(env: dict[str, str], name: str, seconds: float = LONG) -> Finding:
    """What one probe of an endpoint finds."""
    (watch,) = [watch for watch in Site(load(env)).endpoints if watch.name == name]
    return watch.probe(seconds)


def app(web: Web, behaviour: Behaviour) -> Finding:
    web.answer = by_path(health=behaviour)
    return find({"SUPERCHECK_APP_URL": f"{web.url}/"}, "app")


# ---- the app


def test_an_app_that_is_well(web: Web) -> None:
    found = app(web, answers(200, WELL))
    assert (found.outcome, found.problem) == ("ok", "")
    assert found.checks == {"database": True, "redis": True, "s3": True}
    assert [(asked.method, asked.path) for asked in web.asked] == [("GET", "/api/health")]


def test_an_app_that_answers_200_and_is_degraded(web: Web) -> None:
    found = app(web, answers(200, {"status": "degraded", "checks": CHECKS}))
    assert found.outcome == "degraded"
    assert found.problem == f"127.0.0.1:{web.port} calls itself not well: redis"
    assert found.checks == {"database": True, "redis": False, "s3": True}


def test_an_app_without_its_database(web: Web) -> None:
    checks = {**CHECKS, "database": {"status": "error", "error": CANARY}}
    found = app(web, answers(503, {"status": "unhealthy", "checks": checks}))
    assert (found.outcome, found.checks["database"]) == ("failed", False)
    assert CANARY not in found.problem


@pytest.mark.parametrize(
    ("behaviour", "text"),
    [
        (answers(200, {"status": "starting"}), "calls itself not well: no check that it names"),
        (answers(200, {"ready": True}), "answers /api/health without a status: is it Supercheck's app?"),
        (answers(200, ["ok"]), "answers /api/health without a status: is it Supercheck's app?"),
        (answers(302, Location="/sign-in"), "answers 302 to /api/health"),
        (answers(404), "answers 404 to /api/health"),
        (answers(429, Retry_After="60"), "answers 429 to /api/health"),
        (answers(500, {"status": "ok"}), "answers 500 to /api/health"),
    ],
)
def test_what_is_no_app_or_no_health(web: Web, behaviour: Behaviour, text: str) -> None:
    found = app(web, behaviour)
    assert (found.outcome, found.problem) == ("failed", f"127.0.0.1:{web.port} {text}")


@pytest.mark.parametrize("behaviour", [answers(200, b"<html>"), answers(503, b"<html>"), RESET])
def test_an_app_without_a_readable_answer(web: Web, behaviour: Behaviour) -> None:
    with pytest.raises(SourceError):
        app(web, behaviour)


def test_checks_of_a_strange_shape_are_left_out(web: Web) -> None:
    strange = {"redis": {"status": "ok"}, "a b": {"status": "ok"}, "s3": "ok", "x": {"status": 1}, "y" * 40: {}}
    assert app(web, answers(200, {"status": "ok", "checks": strange})).checks == {"redis": True}
    assert app(web, answers(200, {"status": "ok", "checks": [1]})).checks == {}


# ---- the workers


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Web]]:
    """Three servers on one port and three addresses, which the name `worker.example` has."""
    port = free_port()
    made = [Web(READY, port=port, host=f"127.0.0.{number}").__enter__() for number in (1, 2, 3)]
    resolve = socket.getaddrinfo

    def resolved(host: str, *rest: object, **more: object) -> object:
        if host != "worker.example":
            return resolve(host, *rest, **more)  # type: ignore[arg-type]
        place = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*place, (server.host, port)) for server in [*made, made[0]]]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    yield made
    for server in made:
        server.stop()


def workers(replicas: list[Web], seconds: float = LONG) -> Finding:
    return find({"SUPERCHECK_WORKER_URL": f"http://worker.example:{replicas[0].port}"}, "worker", seconds)


def test_every_replica_is_asked_once(replicas: list[Web]) -> None:
    assert workers(replicas) == Finding("ok", replicas=(3, 0))
    for server in replicas:
        (asked,) = server.asked
        assert (asked.method, asked.path) == ("GET", "/health/ready")
        assert asked.headers["host"] == f"worker.example:{server.port}"


@pytest.mark.parametrize(
    "behaviour", [answers(503, {"ready": False}), answers(200, {"ready": False}), answers(200, b"?"), RESET]
)
def test_some_replicas_that_are_not_ready_degrade(replicas: list[Web], behaviour: Behaviour) -> None:
    replicas[1].answer = behaviour
    found = workers(replicas)
    assert (found.outcome, found.replicas) == ("degraded", (2, 1))
    assert found.problem.startswith("1 of 3 replicas are not ready: ")


def test_replicas_that_hang_are_asked_side_by_side(replicas: list[Web]) -> None:
    replicas[0].answer, replicas[1].answer = HANG, DRIPPING_HEAD
    found = workers(replicas, 1.0)
    assert (found.outcome, found.replicas) == ("degraded", (1, 2))


def test_no_replica_is_ready(replicas: list[Web]) -> None:
    for server in replicas:
        server.answer = answers(503)
    assert (workers(replicas).outcome, workers(replicas).replicas) == ("failed", (0, 3))


def test_a_name_that_is_gone_says_nothing_of_replicas() -> None:
    with pytest.raises(SourceError, match="not known to the resolver"):
        find({"SUPERCHECK_WORKER_URL": "http://worker.invalid:8000"}, "worker")


# ---- any other


@pytest.mark.parametrize(
    ("behaviour", "outcome", "text"),
    [
        (answers(200), "ok", ""),
        (answers(204), "ok", ""),
        (answers(301, Location="/x"), "failed", "answers 301 (a redirect is not followed: name what it leads to)"),
        (answers(401), "failed", "answers 401"),
        (answers(500), "failed", "answers 500"),
    ],
)
def test_any_page(web: Web, behaviour: Behaviour, outcome: str, text: str) -> None:
    web.answer = behaviour
    found = find({"ENDPOINTS": f"site={web.url}/{CANARY}?token={CANARY}"}, "site")
    assert (found.outcome, found.problem) == (outcome, f"127.0.0.1:{web.port} {text}" if text else "")


@pytest.mark.parametrize(
    ("behaviour", "outcome", "text"),
    [
        (answers(200, {"data": {"__schema": {}}}), "ok", ""),
        (answers(200, {"data": {"a": 1}, "errors": []}), "ok", ""),
        (answers(200, {"data": {"a": 1}, "errors": [{"message": CANARY}]}), "failed", "answers the query with errors"),
        (answers(200, {"errors": [{"message": CANARY}]}), "failed", "answers the query with errors"),
        (answers(200, {"data": None}), "failed", "answers the query without data"),
        (answers(200, []), "failed", "answers the query with errors"),
        (answers(400, {"errors": []}), "failed", "answers 400 to the query"),
    ],
)
def test_graphql(web: Web, behaviour: Behaviour, outcome: str, text: str) -> None:
    web.answer = behaviour
    found = find({"ENDPOINTS": f"api=graphql+{web.url}/graphql"}, "api")
    assert (found.outcome, found.problem) == (outcome, f"127.0.0.1:{web.port} {text}" if text else "")
    (asked,) = web.asked
    assert (asked.method, asked.path, asked.headers["content-type"]) == ("POST", "/graphql", "application/json")
    assert json.loads(asked.body) == {"query": "{ __schema { queryType { name } } }"}


def test_a_query_of_its_own(web: Web) -> None:
    web.answer = answers(200, {"data": {"__typename": "Query"}})
    find({"ENDPOINTS": f"api=graphql+{web.url}", "ENDPOINT_GRAPHQL_QUERY": "{ __typename }"}, "api")
    assert json.loads(web.asked[0].body) == {"query": "{ __typename }"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENDPOINTS", f"site=https://user:{CANARY}@site.example"),
        ("ENDPOINTS", f"site=ftp://{CANARY}.example"),
        ("ENDPOINTS", f"app=https://{CANARY}.example"),
        ("ENDPOINTS", f"site=https://{CANARY}.example,site=https://site.example"),
        ("ENDPOINTS", f"A/{CANARY}=https://site.example"),
        ("ENDPOINTS", f"site=https://{CANARY} x"),
        ("ENDPOINTS", CANARY),
        ("SUPERCHECK_APP_URL", f"http://user:{CANARY}@app:3000"),
        ("SUPERCHECK_APP_URL", "app:3000"),
        ("SUPERCHECK_WORKER_URL", "http://worker:port"),
        ("ENDPOINT_GRAPHQL_QUERY", "mutation { x }"),
        ("PROBE_TIMEOUT_SECONDS", "20"),
    ],
)
def test_settings_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: read ")
    assert CANARY not in problem


# ---- the exporter


def test_what_the_exporter_says(tmp_path: Path) -> None:
    """An app that is well, degrades and goes; a worker; a page whose certificate ends in 20 days; one that hangs."""
    authority = Authority(tmp_path)
    ends = datetime.datetime.now(datetime.UTC).replace(microsecond=0) + datetime.timedelta(days=20)
    with (
        Web(by_path(health=answers(200, WELL), ready=READY, slow=HANG)) as web,
        Web(answers(), tls=authority.server(ends=ends)) as tls,
    ):
        env = {
            "SUPERCHECK_APP_URL": web.url,
            "SUPERCHECK_WORKER_URL": web.url,
            "ENDPOINTS": f"page={tls.url}/{CANARY},slow={web.url}/{CANARY}/slow",
            "PROBE_INTERVAL_SECONDS": "1",
            "PROBE_TIMEOUT_SECONDS": "1",
            "PROBE_CA_FILE": str(authority.path),
        }
        with Exporter(env) as exporter:
            samples = exporter.wait_value(0, "supercheck_endpoint_up", LONG, endpoint="slow")
            assert samples.value("supercheck_endpoint_probes_total", endpoint="app", outcome="failed") == 0
            samples = exporter.wait_value(1, "supercheck_endpoint_up", LONG, endpoint="app")
            assert samples.values("supercheck_endpoint_check_up", "dependency", endpoint="app") == {
                "database": 1, "redis": 1, "s3": 1,
            }  # fmt: skip
            samples = exporter.wait_value(1, "supercheck_endpoint_up", LONG, endpoint="worker")
            assert samples.values("supercheck_endpoint_replicas", "state", endpoint="worker") == {
                "ready": 1, "not_ready": 0,
            }  # fmt: skip
            samples = exporter.wait_value(1, "supercheck_endpoint_up", LONG, endpoint="page")
            certificate = "supercheck_endpoint_certificate_expiry_timestamp_seconds"
            assert samples.values(certificate, "endpoint") == {"page": ends.timestamp()}
            histogram = samples.histogram("supercheck_endpoint_seconds", endpoint="slow")
            assert histogram is not None
            assert histogram.count >= 1
            assert histogram.buckets[0.2] == 0  # it was given up at its deadline
            assert histogram.buckets[1.0] == histogram.count

            web.answer = by_path(health=answers(200, {"status": "degraded", "checks": CHECKS}))
            samples = exporter.wait_value(1, "supercheck_endpoint_degraded", LONG, endpoint="app")
            assert samples.value("supercheck_endpoint_up", endpoint="app") == 1
            assert samples.value("supercheck_endpoint_check_up", endpoint="app", dependency="redis") == 0

            web.stop()
            tls.stop()
            samples = exporter.wait_value(0, "supercheck_endpoint_up", LONG, endpoint="app")
            assert samples.value("supercheck_endpoint_degraded", endpoint="app") == 0
            assert samples.labels("supercheck_endpoint_check_up") == []
            samples = exporter.wait_value(0, "supercheck_endpoint_up", LONG, endpoint="page")
            assert samples.values(certificate, "endpoint") == {"page": ends.timestamp()}
            assert samples.value("supercheck_scrape_collector_success", collector="endpoints") == 1
            assert CANARY not in samples.text + exporter.log() + exporter.page("/")


def test_certificates_that_are_expired_or_of_somebody_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    over = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    for context, text in (
        (authority.server(ends=over), "certificate has expired"),
        (authority.server("other.example"), "certificate is not valid for '127.0.0.1'"),
    ):
        with Web(answers(), tls=context) as web:
            with pytest.raises(SourceError, match=text):
                find({"ENDPOINTS": f"site={web.url}", "PROBE_CA_FILE": str(authority.path)}, "site")
            assert web.asked == []


def test_check_says_what_can_not_be_probed(web: Web) -> None:
    web.answer = by_path(health=answers(200, {"status": "degraded", "checks": CHECKS}))
    settings = {"SUPERCHECK_APP_URL": web.url, "ENDPOINTS": f"gone=http://127.0.0.1:{free_port()}/{CANARY}"}
    done = run_cli("check", settings=settings)
    assert done.returncode == 2
    assert "note: The endpoint app is degraded: " in done.stdout
    assert "error: The endpoint gone can't be probed: 127.0.0.1:" in done.stdout
    assert "refuses the connection: check that it runs, and the port (ENDPOINTS)." in done.stdout
    assert CANARY not in done.stdout


def test_the_collector_needs_an_endpoint() -> None:
    done = run_cli("serve", "--collector", "endpoints", settings={"REDIS_HOST": "127.0.0.1"})
    assert done.returncode == 2
    assert "--collector endpoints needs SUPERCHECK_APP_URL, SUPERCHECK_WORKER_URL or ENDPOINTS." in done.stdout

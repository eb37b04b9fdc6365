"""The front, nginx as compose runs it: a login for everything, a few ways in, and nothing else."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme
from servers.front import Front
from servers.monitoring import Alertmanager, Prometheus
from servers.process import ServerError, wait_for
from servers.redis import LOOPBACK
from servers.web import Asked, Reply, Web

PLENTY = {"FRONT_TRIES_PER_MINUTE": "9999"}
ROUTES = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
SCRAPES = "global: {scrape_interval: 1s}\nscrape_configs: []\n"


@pytest.fixture(scope="module")
def behind() -> Iterator[Web]:
    """The exporter and Grafana: writes down what it is asked, and sets headers that must not come out."""

    def answer(asked: Asked) -> Reply:
        body = json.dumps({"path": asked.path, "headers": dict(asked.headers)}).encode()
        headers = {"Content-Length": str(len(body)), "Access-Control-Allow-Origin": "*", "Connection": "close"}
        return Reply(headers=headers, body=body)

    with Web(answer) as web:
        yield web


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """With the API that can delete everything, so that a way to it would be found."""
    path = tmp_path_factory.mktemp("prometheus") / "prometheus.yml"
    path.write_text(SCRAPES)
    with Prometheus(path, "--web.enable-admin-api", "--web.enable-lifecycle") as server:
        yield server


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    path = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yml"
    path.write_text(ROUTES)
    with Alertmanager(path) as server:
        yield server


@pytest.fixture(scope="module")
def front(behind: Web, prometheus: Prometheus, alertmanager: Alertmanager) -> Iterator[Front]:
    """A front with a login that it made itself, before all four."""
    web = f"{LOOPBACK}:{behind.port}"
    settings = {
        "FRONT_EXPORTER": web,
        "FRONT_GRAFANA": web,
        "FRONT_PROMETHEUS": prometheus.address,
        "FRONT_ALERTMANAGER": alertmanager.address,
    }
    with Front(PLENTY | settings) as server:
        yield server


@pytest.fixture
def admin(front: Front) -> tuple[str, str]:
    return "admin", front.password


PEOPLE = [
    ("/", "/"),
    ("/runbooks/", "/runbooks/"),
    ("/runbooks/NoWorkersForQueue", "/runbooks/NoWorkersForQueue"),
    ("/d/supercheck-queues?var-queue=a%2Fb", "/d/supercheck-queues?var-queue=a%2Fb"),
    ("/breakers", "/breakers"),
    ("/breakers/s3", "/breakers/s3"),
    ("/grafana/", "/"),
    ("/grafana/d/supercheck-queues?x=1", "/d/supercheck-queues?x=1"),
    ("/grafana/api/live/ws", "/api/live/ws"),
]
CLOSED = [
    *("/metrics", "/-/healthy", "/-/ready", "/x", "/runbooks/a/b", "/d/", "/d/a/b", "/breakers/s3/x", "/breakersx"),
    *("/prometheus", "/prometheus/", "/prometheus/api/v1/query/", "/prometheus/api/v1/query_range?query=up"),
    *("/prometheus/api/v1/status/config", "/prometheus/api/v1/targets", "/prometheus/graph", "/prometheus/metrics"),
    *("/prometheus/api/v1/admin/tsdb/delete_series", "/prometheus/-/quit", "/prometheus/federate", "/api/v1/query"),
    *("/alertmanager/metrics", "/alertmanager/-/reload", "/alertmanager/-/ready", "/alertmanager/debug/pprof/"),
    *("/alertmanager/api/v1/alerts", "/alertmanager/api/v2/silences/x/y", "/grafana/metrics", "/grafana/debug/pprof"),
    # ways around
    *("/runbooks/../metrics", "/runbooks/%2e%2e/metrics", "/runbooks/..%2fmetrics", "/%6detrics", "//metrics"),
    *("/prometheus/api/v1/query/../admin/tsdb/snapshot", "/prometheus/api/v1/query%2f..%2fadmin%2ftsdb%2fsnapshot"),
    *("/prometheus/api/v1/query/%2e%2e/%2e%2e/%2e%2e/-/quit", "/grafana/../metrics", "/grafana/%2e%2e/-/quit"),
    *("/grafana/..%5c..%5cmetrics", "/grafana//metrics", "/metrics/../runbooks/", "/alertmanager/%2e%2e/metrics"),
    *("/_front/judge", "/_front/nothing", "/grafana/%00"),
]  # fmt: skip


@pytest.mark.promise("one way in")
@pytest.mark.parametrize("login", [None, ("admin", ""), ("admin", "wrong"), ("", "x")], ids=repr)
def test_without_the_login_nothing_is_shown_whatever_is_asked(
    front: Front, behind: Web, login: tuple[str, str] | None
) -> None:
    before = len(behind.asked)
    for path in [
        *(path for path, _ in PEOPLE),
        *CLOSED,
        "/prometheus/api/v1/query?query=up",
        "/alertmanager/",
        "/grafana",
    ]:
        answer = front.ask(path, login)
        # an escape from the root, or a zero byte, is refused before anything else is looked at
        assert answer.status_code == (400 if answer.status_code == 400 and "%00" in path else 401), path
        assert "prometheus" not in answer.text.lower()
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PROPFIND"):
        assert front.ask("/alertmanager/api/v2/silences", login, method).status_code == 401, method
    assert len(behind.asked) == before
    answer = front.ask("/", login)
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_what_people_open_is_served(front: Front, admin: tuple[str, str]) -> None:
    for path, asked in PEOPLE:
        answer = front.ask(path, admin, headers={"X-WEBAUTH-USER": "root", "X-Forwarded-For": "10.0.0.9"})
        assert answer.status_code == 200, path
        seen = answer.json()
        assert seen["path"] == asked
        headers = seen["headers"]
        # nobody behind learns the login, or takes the client's word
        assert "authorization" not in headers
        assert "x-webauth-user" not in headers
        assert headers["x-forwarded-for"] == LOOPBACK
        assert headers["x-forwarded-proto"] == "https"
        assert headers["host"] == f"{LOOPBACK}:{front.port}"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "Strict-Transport-Security" not in answer.headers, "it would lock people out of their own certificate"


def test_a_name_without_its_slash_leads_there(front: Front, admin: tuple[str, str]) -> None:
    for name in ("grafana", "alertmanager"):
        answer = front.ask(f"/{name}", admin)
        assert (answer.status_code, answer.headers["Location"]) == (301, f"/{name}/")


@pytest.mark.promise("one way in")
@pytest.mark.parametrize("path", CLOSED)
def test_everything_else_is_not_there(front: Front, behind: Web, admin: tuple[str, str], path: str) -> None:
    before = len(behind.asked)
    for method in ("GET", "POST"):
        assert front.ask(path, admin, method).status_code in {404, 400 if "%00" in path else 404}, method
    assert len(behind.asked) == before


def test_the_methods_that_write_are_few(front: Front, admin: tuple[str, str]) -> None:
    for path, method in (
        ("/", "POST"), ("/breakers/s3", "DELETE"), ("/prometheus/api/v1/query", "DELETE"),
        ("/alertmanager/api/v2/alerts", "POST"), ("/alertmanager/", "POST"), ("/grafana/api/x", "TRACE"),
    ):  # fmt: skip
        assert front.ask(path, admin, method).status_code in {404, 405}, (path, method)
    assert front.ask("/grafana/api/ds/query", admin, "POST", json={}).status_code == 200


def test_the_autoscaler_s_query_is_answered(front: Front, admin: tuple[str, str]) -> None:
    for method in ("GET", "POST"):
        answer = front.ask("/prometheus/api/v1/query?query=vector(3)", admin, method)
        assert answer.json()["data"]["result"][0]["value"][1] == "3", method


def test_a_silence_is_made_from_outside_and_ended(
    front: Front, admin: tuple[str, str], alertmanager: Alertmanager
) -> None:
    silence = {
        "matchers": [{"name": "queue", "value": "k6", "isRegex": False}],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "me", "comment": "phone",
    }  # fmt: skip
    # a form on somebody else's page is sent with the login by the browser
    forged = front.ask("/alertmanager/api/v2/silences", admin, "POST", {"Sec-Fetch-Site": "cross-site"}, silence)
    assert forged.status_code == 404
    assert alertmanager.get("/api/v2/silences") == []
    made = front.ask("/alertmanager/api/v2/silences", admin, "POST", {"Sec-Fetch-Site": "same-origin"}, silence)
    assert made.status_code == 200
    (found,) = alertmanager.get("/api/v2/silences")
    assert found["id"] == made.json()["silenceID"]
    assert front.ask(f"/alertmanager/api/v2/silence/{found['id']}", admin, "DELETE").status_code == 200
    page = front.ask("/alertmanager/", admin)
    assert page.status_code == 200
    # what the page loads comes by the same way
    for script in re.findall(r'(?:src|href)="(?!https?:|data:)(?:\./)?([^"#]+\.(?:js|css|ico))"', page.text):
        assert front.ask(f"/alertmanager/{script.lstrip('/')}", admin).status_code == 200, script


@pytest.mark.promise("one way in")
def test_a_request_within_a_request_is_no_way_in(front: Front, prometheus: Prometheus) -> None:
    login = base64.b64encode(f"admin:{front.password}".encode()).decode()
    inner = b"POST /api/v1/admin/tsdb/snapshot HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
    head = f"POST /prometheus/api/v1/query HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n".encode()
    for lengths in (
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 6\r\nContent-Length: 0\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
    ):
        front.raw(head + lengths + b"Connection: close\r\n\r\n0\r\n\r\n" + inner)
    absolute = f"GET http://{prometheus.address}/-/quit HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n"
    assert b" 404 " in front.raw(absolute.encode() + b"Connection: close\r\n\r\n").splitlines()[0]
    snapshots = list(prometheus.directory.rglob("snapshots/*"))
    assert snapshots == []
    assert prometheus.running()
    # the check can fail: this is what such a request would have left behind
    assert requests.post(f"{prometheus.url}/api/v1/admin/tsdb/snapshot", timeout=30).ok
    assert list(prometheus.directory.rglob("snapshots/*"))


def test_who_guesses_is_slowed_down_and_who_is_logged_in_is_not(behind: Web) -> None:
    with Front(
        {"FRONT_EXPORTER": f"{LOOPBACK}:{behind.port}", "FRONT_TRIES_PER_MINUTE": "1", "FRONT_REMEMBERED": "1h"}
    ) as front:
        login = ("admin", front.password)
        assert front.ask("/", login).status_code == 200
        codes = [front.ask("/", ("admin", f"guess-{number}")).status_code for number in range(6)]
        assert codes[0] == 401
        assert codes[-1] == 429
        assert front.ask("/", ("admin", "one more")).headers["Retry-After"] == "60"
        # who was let in a while ago still is, however often
        assert {front.ask("/", login).status_code for _ in range(12)} == {200}
        # who shows no login is asked for one, and guesses nothing
        assert front.ask("/", None).status_code == 401
    with Front({"FRONT_TRIES_PER_MINUTE": "1", "FRONT_REMEMBERED": "1s"}) as front:
        codes = [front.ask("/x", ("admin", f"guess-{number}")).status_code for number in range(6)]
        assert codes[-1] == 429
        # the right one as well: else the limit would tell it
        assert front.ask("/x", ("admin", front.password)).status_code == 429


def test_what_was_made_is_kept_and_told_nowhere() -> None:
    with Front() as front:
        password, certificate = front.password, front.certificate()
        assert len(password) >= 24
        assert (front.state / "password").stat().st_mode & 0o077 == 0
        assert front.ask("/x", ("admin", password)).status_code == 404
        front.terminate()
        front.start()
        assert (front.password, front.certificate()) == (password, certificate)
        assert front.ask("/x", ("admin", password)).status_code == 404
        assert password not in front.log()
        assert "the user is admin, the password is in" in front.log()


@pytest.mark.parametrize("trusted", [True, False])
def test_a_proxy_in_front_is_believed_only_where_it_is_named(behind: Web, trusted: bool) -> None:
    named = {"FRONT_TRUSTED_PROXIES": f"192.0.2.0/24,{LOOPBACK}/32"} if trusted else {}
    with Front({"FRONT_EXPORTER": f"{LOOPBACK}:{behind.port}"} | named) as front:
        answer = front.ask("/", ("admin", front.password), headers={"X-Forwarded-For": "198.51.100.7"})
        assert answer.json()["headers"]["x-forwarded-for"] == ("198.51.100.7" if trusted else LOOPBACK)


def test_a_part_that_is_away_costs_its_own_path(behind: Web) -> None:
    with Front({"FRONT_EXPORTER": f"{LOOPBACK}:{behind.port}", **PLENTY}) as lonely:
        login = ("admin", lonely.password)
        assert lonely.ask("/grafana/", login).status_code == 502
        assert lonely.ask("/", login).status_code == 200


# ---- a person's own login and certificate


def hashed(password: str) -> str:
    done = subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def issued(authority: trustme.CA) -> dict[str, str]:
    leaf = authority.issue_cert(LOOPBACK)
    return {
        "tls.crt": "".join(part.bytes().decode() for part in leaf.cert_chain_pems),
        "tls.key": leaf.private_key_pem.bytes().decode(),
    }


def test_a_person_s_own_login_and_certificate_are_used_and_a_renewed_one_is_taken_over(tmp_path: Path) -> None:
    authority = trustme.CA()
    given = {"users": f"ops:{hashed('chosen')}\n", **issued(authority)}
    with Front({"FRONT_CHECK_SECONDS": "0.1", **PLENTY}, given) as front:
        assert not (front.state / "password").exists()
        answer = front.ask("/x", ("ops", "chosen"))
        assert answer.status_code == 404
        assert front.ask("/x", ("admin", "chosen")).status_code == 401
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        proved = requests.get(front.url + "/x", auth=("ops", "chosen"), verify=str(tmp_path / "ca.pem"), timeout=30)
        assert proved.status_code == 404
        before = front.certificate()
        for name, text in issued(authority).items():
            (front.secrets / name).write_text(text)
        wait_for(lambda: front.certificate() != before, 60, "the renewed certificate is shown")


@pytest.mark.parametrize(
    ("settings", "given", "said"),
    [
        ({"PUBLIC_URL": "http://x"}, {}, 'PUBLIC_URL: read "http://x", allowed is https://HOST'),
        ({"PUBLIC_URL": "https://x/sub"}, {}, "since the front speaks TLS and begins at /"),
        ({"FRONT_GRAFANA": "grafana"}, {}, 'FRONT_GRAFANA: read "grafana", allowed is HOST:PORT'),
        ({"FRONT_TRIES_PER_MINUTE": "0"}, {}, "FRONT_TRIES_PER_MINUTE: read"),
        ({"FRONT_TRUSTED_PROXIES": "all"}, {}, "FRONT_TRUSTED_PROXIES: read"),
        ({}, {"users": "nothing\n"}, "has no line NAME:HASH"),
        ({}, {"users": "ops:plain\n"}, "holds a password that is not hashed"),
        ({}, {"tls.crt": "x"}, "both tls.crt and tls.key are needed"),
        ({}, {"tls.crt": "x", "tls.key": "y"}, "is no certificate, or its time is over"),
    ],
)
def test_what_is_wrong_is_said_before_the_start(settings: dict[str, str], given: dict[str, str], said: str) -> None:
    with pytest.raises(ServerError, match=re.escape(said)):
        Front(settings, given).start()


def test_a_key_of_another_certificate_is_refused() -> None:
    one, other = issued(trustme.CA()), issued(trustme.CA())
    with pytest.raises(ServerError, match=re.escape("tls.key is not the key of tls.crt")):
        Front({}, one | {"tls.key": other["tls.key"]}).start()

"""The edge, nginx as compose runs it, before an app with two organizations: cached, and never seen by the other one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
import requests
from servers.fake_app import COOKIE, FakeApp
from servers.nginx import REFRESH_SECRET, Edge
from servers.process import wait_for
from supercheck_exporter.sources.http import fetch

PLENTY = {f"EDGE_{tier}_PER_MINUTE": "1000000" for tier in ("PUBLIC", "AUTHENTICATED", "ADMIN")}


@pytest.fixture(scope="module")
def app() -> Iterator[FakeApp]:
    """The app behind the edge."""
    with FakeApp() as running:
        yield running


@pytest.fixture(scope="module")
def edge(app: FakeApp) -> Iterator[Edge]:
    """An edge that lets everything pass, for all tests that are not about limits."""
    with Edge(app.port, PLENTY) as running:
        yield running


def verdict(answer: requests.Response) -> str:
    return answer.headers.get("Cache-Status", "")


# ---- reports


def test_a_report_comes_from_the_cache_after_the_first_time(app: FakeApp, edge: Edge) -> None:
    path = app.report("one", index_html=b"<h1>report</h1>") + "index.html"
    someone, colleague = app.sign_in("one"), app.sign_in("one")
    first, again, other = edge.get(path, someone), edge.get(path, someone), edge.get(path, colleague)
    assert [verdict(answer) for answer in (first, again, other)] == [
        "supercheck-edge; fwd=uri-miss", "supercheck-edge; hit", "supercheck-edge; hit",
    ]  # fmt: skip
    assert {answer.content for answer in (first, again, other)} == {b"<h1>report</h1>"}
    assert app.reads[path.removeprefix("/api/test-results/")] == 1
    # a cache between the edge and the reader would show it to anybody
    assert {answer.headers["Cache-Control"] for answer in (first, again)} == {"private, max-age=300"}
    assert not any(name.startswith("X-Edge") for name in again.headers)
    assert {line["kind"] for line in edge.lines() if line["route"] == "/api/test-results"} == {"report"}


def test_a_command_line_s_token_counts_as_a_session(app: FakeApp, edge: Edge) -> None:
    path = app.report("one") + "index.html"
    token = app.token("one")
    assert [verdict(edge.get(path, token)) for _ in range(2)] == [
        "supercheck-edge; fwd=uri-miss",
        "supercheck-edge; hit",
    ]


@pytest.mark.parametrize("kind", ["run", "test"])
def test_a_cached_report_is_shown_to_its_organization_only(app: FakeApp, edge: Edge, kind: str) -> None:
    path = app.report("one", kind, index_html=b"private") + "index.html"
    owner, stranger = app.sign_in("one"), app.sign_in("two")
    assert [edge.get(path, owner).status_code for _ in range(2)] == [200, 200]
    assert verdict(edge.get(path, owner)) == "supercheck-edge; hit"
    for headers, status in (
        ({}, 401),
        ({"Cookie": f"{COOKIE}=made-up"}, 401),
        (stranger, 403),
        (app.token("two"), 403),
    ):
        refused = edge.get(path, headers)
        assert refused.status_code == status
        assert b"private" not in refused.content
        assert verdict(refused) == "supercheck-edge; fwd=bypass"
        assert refused.headers["Cache-Control"] == "no-store"
    assert edge.get(path, owner, "HEAD").status_code == 200


def test_whoever_has_lost_the_right_gets_nothing_from_the_cache(app: FakeApp, edge: Edge) -> None:
    path = app.report("one") + "index.html"
    owner = app.sign_in("one")
    assert [edge.get(path, owner).status_code for _ in range(2)] == [200, 200]
    del app.sessions[owner["Cookie"]]
    assert edge.get(path, owner).status_code == 401


def test_an_address_that_can_be_read_in_two_ways_is_never_cached(app: FakeApp, edge: Edge) -> None:
    path = app.report("one") + "index.html"
    owner, stranger = app.sign_in("one"), app.sign_in("two")
    theirs = app.report("two")
    edge.get(path, owner)
    ways = (
        "%69ndex.html",
        "x/../index.html",
        "/index.html",
        "./index.html",
        "x%2f..%2findex.html",
        "x%5c..%5cindex.html",
    )
    odd = [path.removesuffix("index.html") + way for way in ways] + [f"{theirs}..%2f{path.split('/')[3]}/index.html"]
    for address in odd * 2:
        answer = fetch(edge.url + address, deadline=30, headers=owner)  # it sends the address as it is
        assert "hit" not in answer.headers["cache-status"], address
        assert fetch(edge.url + address, deadline=30, headers=stranger).status in (403, 404), address
    assert edge.get(path, stranger).status_code == 403


def test_what_the_app_refuses_is_not_kept(app: FakeApp, edge: Edge) -> None:
    folder = app.report("one")
    owner = app.sign_in("one")
    assert edge.get(folder + "late.html", owner).status_code == 404
    app.reports[folder.split("/")[3]].files["late.html"] = b"here now"
    assert edge.get(folder + "late.html", owner).content == b"here now"


def test_many_who_miss_at_once_are_one_read(app: FakeApp, edge: Edge) -> None:
    path = app.report("one") + "index.html"
    owner = app.sign_in("one")
    app.slow = True
    try:
        together = [threading.Thread(target=edge_get, args=(edge, path, owner)) for _ in range(8)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join(60)
    finally:
        app.slow = False
    assert app.reads[path.removeprefix("/api/test-results/")] == 1


def edge_get(edge: Edge, path: str, headers: dict[str, str]) -> None:
    assert requests.get(edge.url + path, headers=headers, timeout=60).status_code == 200


def test_an_entry_is_fetched_anew_by_whoever_has_the_secret_and_the_right(app: FakeApp, edge: Edge) -> None:
    folder = app.report("one", index_html=b"first")
    path, owner = folder + "index.html", app.sign_in("one")
    assert [edge.get(path, owner).content for _ in range(2)] == [b"first", b"first"]
    app.reports[folder.split("/")[3]].files["index.html"] = b"second"
    guessed = edge.get(path, owner | {"X-Edge-Refresh": "guessed"})
    assert (guessed.content, verdict(guessed)) == (b"first", "supercheck-edge; hit")
    assert edge.get(path, {"X-Edge-Refresh": REFRESH_SECRET}).status_code == 401, "the secret is no right to see it"
    assert edge.get(path, owner).content == b"first"
    renewed = edge.get(path, app.token("one") | {"X-Edge-Refresh": REFRESH_SECRET})
    assert (renewed.content, verdict(renewed)) == (b"second", "supercheck-edge; fwd=request")
    after = edge.get(path, owner)
    assert (after.content, verdict(after)) == (b"second", "supercheck-edge; hit")
    assert REFRESH_SECRET not in str(edge.get("/api/echo", owner | {"X-Edge-Refresh": REFRESH_SECRET}).json())


def test_a_test_s_report_is_kept_as_long_as_the_app_says(app: FakeApp) -> None:
    """A run's is written once; a test's is written over by its next run."""
    with Edge(app.port, PLENTY) as own:
        run, test = app.report("one", "run") + "index.html", app.report("one", "test") + "index.html"
        owner = app.sign_in("one")
        for path in (run, test):
            own.get(path, owner)
            assert verdict(own.get(path, owner)) == "supercheck-edge; hit"
        kept = {}
        for entry in (own.directory / "cache").rglob("*"):
            if entry.is_file():
                raw = entry.read_bytes()
                # the head of nginx's file: version, then the moments until which it is valid ... and when it was made
                valid, made = int.from_bytes(raw[8:16], "little"), int.from_bytes(raw[40:48], "little")
                kept["run" if run.encode() in raw else "test"] = valid - made
    assert kept == {"run": 24 * 3600, "test": 300}


# ---- static files


def test_static_files_are_cached_for_everybody_and_carry_nobody_s_session(app: FakeApp, edge: Edge) -> None:
    signed_in = app.sign_in("one")
    for path in ("/_next/static/chunks/main.js", "/api/assets/status-pages/1/logo/2.png"):
        first, second = edge.get(path, signed_in), edge.get(path)
        assert (verdict(first), verdict(second)) == ("supercheck-edge; fwd=uri-miss", "supercheck-edge; hit")
        assert first.content == second.content == b"for everybody"


def test_a_file_that_says_it_changes_is_not_kept(app: FakeApp, edge: Edge) -> None:
    path = "/api/assets/status-pages/1/favicon/2.ico"
    assert "hit" not in verdict(edge.get(path)) + verdict(edge.get(path))


def test_static_files_outlive_the_app(app: FakeApp) -> None:
    with FakeApp() as dying, Edge(dying.port, PLENTY) as own:
        assert own.get("/_next/static/app.css").status_code == 200
        dying.stop()
        assert own.get("/_next/static/app.css").content == b"for everybody"
        assert own.get("/api/public").status_code == 502


# ---- what is told


def test_a_refusal_says_whose_it_is(app: FakeApp, edge: Edge) -> None:
    signed_in = app.sign_in("one")
    for path, refusal in (("/api/jobs/run", "capacity"), ("/api/jobs/7/trigger", "app"), ("/api/test", "capacity")):
        before = len(edge.lines())
        answer = edge.get(path, signed_in)
        assert answer.status_code == 429
        line = edge.wait_lines(before + 1)
        assert (line["refusal"], line["status"]) == (refusal, 429)


def test_the_log_has_no_query_cookie_token_or_path_with_a_secret(app: FakeApp, edge: Edge) -> None:
    secret = "secret-canary-word"
    headers = {"Cookie": f"{COOKIE}={secret}", "Authorization": f"Bearer {secret}", "X-Edge-Refresh": secret}
    before = len(edge.lines())
    for path in (f"/api/invite/{secret}", f"/api/public?token={secret}", f"/{secret.upper()}", f"/invite/{secret}"):
        edge.get(path, headers)
    edge.get(f"/api/public?{secret}", {"Host": secret})
    edge.wait_lines(before + 5)
    lines = edge.lines()[before:]
    assert [line["route"] for line in lines] == ["/api/invite", "/api/public", "other", "/invite", "/api/public"]
    assert secret not in edge.access_log.read_text()
    assert secret not in edge.log()
    fields = {
        "time",
        "msec",
        "tier",
        "cache",
        "kind",
        "refusal",
        "method",
        "route",
        "status",
        "bytes",
        "seconds",
        "client",
    }
    assert all(set(line) == fields for line in lines)


def test_the_app_sees_who_asks(app: FakeApp, edge: Edge) -> None:
    seen = edge.get("/api/public", {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}).json()["seen"]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert not any(name.startswith("x-edge") and value for name, value in seen.items())
    with Edge(app.port, PLENTY | {"EDGE_TRUSTED_PROXIES": "127.0.0.1"}) as behind:
        seen = behind.get("/api/public", {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}).json()[
            "seen"
        ]
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("203.0.113.9", "https")
        assert behind.wait_lines(1)["client"] == "203.0.113.9"


def test_a_body_and_an_endless_answer_pass_as_they_are(app: FakeApp, edge: Edge) -> None:
    signed_in = app.sign_in("one")
    with requests.post(f"{edge.url}/api/echo", data=b"x" * 200_000, headers=signed_in, timeout=60) as answer:
        assert answer.status_code == 200
    assert [len(asked.body) for asked in app.asked if asked.method == "POST"] == [200_000]
    with requests.get(f"{edge.url}/api/stream", headers=signed_in, stream=True, timeout=60) as stream:
        assert next(stream.iter_content(9)) == b"data: 1\n\n"


def test_the_edge_s_own_pages_are_not_the_app_s(app: FakeApp, edge: Edge) -> None:
    for path in ("/_edge/identify", "/_edge/authorize", "/_edge/other"):
        assert edge.get(path).status_code == 404
    assert edge.get("/_edge/health").text == "ok\n"


# ---- starting


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("EDGE_PUBLIC_PER_MINUTE", "many", 'read "many", allowed is a whole number over 0.'),
        ("EDGE_APP", "http://app", 'read "http://app", allowed is HOST:PORT.'),
        ("EDGE_CACHE_TIME", "a day", 'read "a day", allowed is a time such as 24h.'),
        ("EDGE_TRUSTED_PROXIES", "10.0.0.0/8; x", "allowed is networks, separated by commas."),
    ],
)
def test_a_bad_setting_is_one_sentence(app: FakeApp, name: str, value: str, allowed: str) -> None:
    own = Edge(app.port, {name: value})
    try:
        own.launch()
        assert own.process is not None
        assert own.process.wait(30) == 2
        assert f"edge: {name}: " in own.log()
        assert allowed in own.log()
    finally:
        own.stop()


def test_it_comes_back_after_a_crash_with_its_cache(app: FakeApp) -> None:
    path = app.report("one") + "index.html"
    owner = app.sign_in("one")
    with Edge(app.port, PLENTY) as own:
        own.get(path, owner)
        own.kill()
        own.start()
        assert verdict(own.get(path, owner)) == "supercheck-edge; hit"


def test_the_log_stays_short(app: FakeApp) -> None:
    settings = PLENTY | {"EDGE_LOG_BYTES": "2000", "EDGE_LOG_CHECK_SECONDS": "0.1"}
    with Edge(app.port, settings) as own:

        def rotated() -> bool:
            own.get("/api/public")
            return (own.log_folder / "access.log.1").exists() and own.access_log.exists()

        wait_for(rotated, 60, "the log was put aside")
        before = len((own.log_folder / "access.log.1").read_text().splitlines())
        assert json.loads((own.log_folder / "access.log.1").read_text().splitlines()[0])["tier"] == "public"
        assert before > 5

"""Who may ask the edge how often: tiers in a burst and in the long run, and what does not change a tier."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.fake_app import COOKIE, FakeApp
from servers.nginx import Edge


@pytest.fixture(scope="module")
def app() -> Iterator[FakeApp]:
    """The app behind the edge."""
    with FakeApp() as running:
        yield running


def burst(edge: Edge, path: str, headers: dict[str, str], most: int) -> int:
    """How many pass before the first that does not."""
    for passed in range(most):
        answer = edge.get(path, headers)
        if answer.status_code == 429:
            assert answer.headers["Retry-After"] == "60"
            assert answer.json() == {"error": "Too many requests"}
            return passed
    raise AssertionError(f"{most} passed")


@pytest.fixture(scope="module")
def limited(app: FakeApp) -> Iterator[Edge]:
    """An edge with the limits as they are shipped."""
    with Edge(app.port) as running:
        yield running


@pytest.mark.parametrize(
    ("tier", "limit", "path"),
    [("public", 100, "/api/public"), ("authenticated", 500, "/api/echo"), ("admin", 1000, "/api/admin/stats")],
)
def test_in_a_burst_the_first_refusal_comes_at_the_limit(
    app: FakeApp, limited: Edge, tier: str, limit: int, path: str
) -> None:
    headers = {} if tier == "public" else app.sign_in("one")
    before = len(limited.lines())
    passed = burst(limited, path, headers, most=2 * limit)
    line = limited.wait_lines(before + passed + 1)
    assert (line["tier"], line["status"], line["refusal"]) == (tier, 429, "tier")
    # One more than the limit for each minute / limit that the burst takes, by the edge's own clock: a burst of less
    # than 3 seconds is refused within 5 % over the limit, and a slow machine's burst takes longer.
    took = float(str(line["msec"])) - limited.lines()[before]["msec"] + 0.01
    assert limit <= passed <= limit + 1 + limit * took / 60


def test_each_sender_has_an_allowance_of_its_own(app: FakeApp, limited: Edge) -> None:
    token = app.token("one")
    burst(limited, "/api/echo", token, 1000)
    assert limited.get("/api/echo", app.token("one")).status_code == 200
    assert limited.get("/api/admin/stats", token).status_code == 200, "another tier, another allowance"


def test_a_tier_is_what_the_app_says_and_no_header(app: FakeApp) -> None:
    token = app.sign_in("one")["Cookie"]
    bare = token.partition("=")[2]
    claims: list[dict[str, str]] = [
        {"X-Edge-Tier": "admin", "X-Edge-Key": "mine"},
        {"Cookie": f"{COOKIE}={'a' * 32}.c2lnbmF0dXJl"},
        {"Authorization": "Bearer sck_live_0123456789abcdef"},
        {"Authorization": "Basic YTpi"},
        {"Cookie": f"{COOKIE}=%61{bare[1:]}"},
        {"Cookie": f"other{token}"},
    ]
    with Edge(app.port, {"EDGE_PUBLIC_PER_MINUTE": str(len(claims))}) as own:
        for headers in claims:
            assert own.get("/api/public", headers).status_code == 200
        # all of them took from one allowance
        assert own.get("/api/public", claims[0] | {"X-Forwarded-For": "203.0.113.9"}).status_code == 429
        assert own.get("/api/public", {"Cookie": token}).status_code == 200
        own.wait_lines(len(claims) + 2)
        lines = own.lines()
    assert [line["tier"] for line in lines] == ["public"] * (len(claims) + 1) + ["authenticated"]


def test_a_second_spelling_of_a_session_gets_no_second_allowance(app: FakeApp) -> None:
    token = app.sign_in("one")["Cookie"]
    with Edge(app.port, {"EDGE_AUTHENTICATED_PER_MINUTE": "2", "EDGE_PUBLIC_PER_MINUTE": "1"}) as own:
        for cookie in (f"a=1; {token}", f"{token}; {COOKIE}=garbage"):
            assert own.get("/api/echo", {"Cookie": cookie}).status_code == 200
        assert own.get("/api/echo", {"Cookie": token}).status_code == 429
        # the garbage is what would be counted, and so it is what is asked about: nobody's, and the public's allowance
        garbage = f"{COOKIE}={'b' * 32}.c2lnbmF0dXJl"
        assert own.get("/api/echo", {"Cookie": f"{garbage}; {token}"}).status_code == 200
        assert own.get("/api/echo", {"Cookie": f"{garbage}; {token}"}).status_code == 429


def test_static_files_are_not_counted(app: FakeApp) -> None:
    with Edge(app.port, {"EDGE_PUBLIC_PER_MINUTE": "1"}) as own:
        assert {own.get("/_next/static/a.js").status_code for _ in range(10)} == {200}
        assert own.get("/api/public").status_code == 200
        assert own.get("/api/public").status_code == 429


def test_the_limit_is_what_passes_in_the_long_run(app: FakeApp) -> None:
    """At more than the limit, what passes is the limit: by the edge's own clock, once the burst is used up.

    20 times the shipped rate, so that seconds tell; nginx counts in thousandths of a request at every rate.
    """
    per_minute, wanted = 1200, 60
    with Edge(app.port, {"EDGE_PUBLIC_PER_MINUTE": str(per_minute)}) as own:
        sent = burst(own, "/api/public", {}, 2 * per_minute) + 1
        passed = 0
        while passed <= wanted:
            assert sent < 100_000
            passed += own.get("/api/public").status_code == 200
            sent += 1
        own.wait_lines(sent)
        lines = [line for line in own.lines() if line["status"] == 200][-wanted - 1 :]
    moments = [float(line["msec"]) for line in lines]
    rate = wanted / (moments[-1] - moments[0]) * 60
    assert per_minute * 0.95 <= rate <= per_minute * 1.05


def test_an_app_that_does_not_answer_makes_everybody_public(app: FakeApp) -> None:
    with FakeApp() as dying, Edge(dying.port, {"EDGE_PUBLIC_PER_MINUTE": "2"}) as own:
        signed_in = dying.sign_in("one")
        dying.stop()
        assert [own.get("/api/echo", signed_in).status_code for _ in range(3)] == [502, 502, 429]

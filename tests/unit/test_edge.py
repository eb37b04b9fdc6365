"""Parts of the edge's collectors that need no server: lines of a log, words of caches, limiters' keys, settings."""

from __future__ import annotations

import json

import pytest
from supercheck_exporter.config import ConfigError, load
from supercheck_exporter.edge.tally import EDGES, Tally
from supercheck_exporter.edge.verdicts import VERDICTS, age, verdict
from supercheck_exporter.limits.api_keys import KeyLimit, key_limit
from supercheck_exporter.limits.limiters import LIMITERS, limiter_of, lockouts


def line(**changed: object) -> bytes:
    said: dict[str, object] = {
        "tier": "public", "status": 200, "cache": "HIT", "kind": "report", "seconds": 0.02, "refusal": "",
    }  # fmt: skip
    return json.dumps(said | changed).encode()


def counted(*lines: bytes) -> Tally:
    tally = Tally()
    for each in lines:
        tally.count(each)
    return tally


def test_known_series_read_zero_from_the_start() -> None:
    tally = counted()
    assert tally.requests["none", "public", "429"] == 0
    assert ("none", "admin", "200") in tally.requests
    assert tally.refused == dict.fromkeys(
        [(tier, whose) for tier in ("public", "authenticated", "admin") for whose in ("tier", "app", "capacity")], 0
    )
    assert {key: sum(durations.counts) for key, durations in tally.files.items()} == {
        ("report", "hit"): 0, ("report", "miss"): 0, ("static", "hit"): 0, ("static", "miss"): 0,
    }  # fmt: skip


def test_a_file_counts_with_its_verdict_and_time() -> None:
    tally = counted(line(), line(seconds=0.1), line(cache="MISS", seconds=20), line(cache="", kind="static"))
    assert tally.requests["hit", "public", "200"] == 2
    hits = tally.files["report", "hit"].value()
    assert hits.cumulative[EDGES.index(0.025)] == 1
    assert hits.cumulative[EDGES.index(0.1)] == 2, "what takes the target's time exactly has met it"
    assert hits.total == pytest.approx(0.12)
    assert tally.files["report", "miss"].value().cumulative == [0] * len(EDGES) + [1]
    assert tally.files["static", "none"].value().cumulative[-1] == 1


@pytest.mark.parametrize("status", [302, 401, 403, 404, 429, 500, 502])
def test_what_was_not_given_out_says_nothing_of_the_cache(status: int) -> None:
    tally = counted(line(status=status))
    assert tally.requests["hit", "public", str(status)] == 1
    assert sum(sum(durations.counts) for durations in tally.files.values()) == 0


def test_a_refusal_counts_by_whose_it_is() -> None:
    lines = [line(status=429, refusal=whose) for whose in ("tier", "capacity", "capacity", "app", "", "else")]
    refused = counted(*lines, line(refusal="tier")).refused
    assert {whose: refused["public", whose] for whose in ("tier", "app", "capacity")} == {
        "tier": 1, "app": 3, "capacity": 2,
    }  # fmt: skip


def test_labels_are_bounded_whatever_a_line_says() -> None:
    lines = [line(status=status, cache=f"WORD{status}") for status in range(100, 600)]
    found = counted(*lines).requests
    assert {verdict for verdict, _, _ in found} == {"none"}
    codes = {code for _, _, code in found}
    assert len(codes) < 80
    assert {"200", "429", "499", "503", "2xx", "5xx"} <= codes


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, line(tier="root"), line(status="200"),
        line(status=True),
        line(status=99), line(status=600), line(tier=None),
    ],
)  # fmt: skip
def test_a_line_of_something_else_is_counted_as_that(bad: bytes) -> None:
    tally = counted(bad, line())
    assert (tally.skipped, sum(tally.requests.values())) == (1, 1)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), "1", None])
def test_a_time_that_is_none_is_left_out(seconds: object) -> None:
    assert sum(counted(line(seconds=seconds)).files["report", "hit"].counts) == 0


# Shapes as the documents show them: RFC 9211 section 4 (Cache-Status), Cloudflare's "Cloudflare cache responses",
# Fastly's "X-Cache", Akamai's "Return Cache Status", Amazon's CloudFront developer guide, Squid's and nginx's own.
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "none"),
        ({"cache-status": ""}, "none"),
        ({"cache-status": "ExampleCache; hit"}, "hit"),
        ({"cache-status": "ExampleCache; hit; ttl=30"}, "hit"),
        ({"cache-status": "ExampleCache; hit; ttl=-412"}, "stale"),
        ({"cache-status": "ExampleCache; fwd=uri-miss"}, "miss"),
        ({"cache-status": "ExampleCache; fwd=uri-miss; stored"}, "miss"),
        ({"cache-status": "ExampleCache; fwd=uri-miss; collapsed; stored; ttl=60"}, "miss"),
        ({"cache-status": "ExampleCache; fwd=stale; fwd-status=304; collapsed; ttl=376"}, "revalidated"),
        ({"cache-status": "ExampleCache; fwd=stale; fwd-status=200"}, "expired"),
        ({"cache-status": "ExampleCache; fwd=bypass"}, "bypass"),
        ({"cache-status": "ExampleCache; fwd=method"}, "bypass"),
        ({"cache-status": "ExampleCache; fwd=something-new"}, "unknown"),
        ({"cache-status": "OriginCache; hit; ttl=1100, CDN; fwd=uri-miss;"}, "miss"),
        ({"cache-status": '"odd, name; hit" ; fwd=miss, CDN ; hit;ttl=545'}, "hit"),
        ({"cache-status": 'CDN; hit; detail="a; fwd=miss, b"'}, "hit"),
        ({"cache-status": "CDN; hit=?0"}, "unknown"),
        ({"cache-status": "CDN; hit=?1"}, "hit"),
        ({"cache-status": "CDN"}, "unknown"),
        ({"cache-status": "supercheck-edge; hit", "x-cache": "Miss from cloudfront"}, "hit"),
        *(
            ({"cf-cache-status": word}, said)
            for word, said in {
                "HIT": "hit", "MISS": "miss", "EXPIRED": "expired", "STALE": "stale", "UPDATING": "stale",
                "REVALIDATED": "revalidated", "BYPASS": "bypass", "DYNAMIC": "bypass", "NONE/UNKNOWN": "bypass",
                "hit": "hit", "NEW": "unknown",
            }.items()
        ),
        ({"x-cache": "Hit from cloudfront"}, "hit"),
        ({"x-cache": "Miss from cloudfront"}, "miss"),
        ({"x-cache": "RefreshHit from cloudfront"}, "revalidated"),
        ({"x-cache": "Error from cloudfront"}, "bypass"),
        ({"x-cache": "LambdaGeneratedResponse from cloudfront"}, "bypass"),
        ({"x-cache": "HIT"}, "hit"),
        ({"x-cache": "MISS, HIT"}, "hit"),
        ({"x-cache": "HIT, MISS"}, "miss"),
        ({"x-cache": "Hit from child"}, "hit"),
        ({"x-cache": "Miss from child, Hit from parent"}, "miss"),
        ({"x-cache": "HitStale from child"}, "stale"),
        ({"x-cache": "NotCacheable from child"}, "bypass"),
        ({"x-cache": "TCP_HIT from a23-51-224-170.example.net (AkamaiGHost)"}, "hit"),
        ({"x-cache": "TCP_MEM_HIT from a23.example.net"}, "hit"),
        ({"x-cache": "TCP_REFRESH_HIT from a23.example.net"}, "revalidated"),
        ({"x-cache": "TCP_REFRESH_MISS from a23.example.net"}, "expired"),
        ({"x-cache": "TCP_EXPIRED_MISS from a23.example.net"}, "expired"),
        ({"x-cache": "TCP_MISS from a23.example.net"}, "miss"),
        ({"x-cache": "HIT from squid.example.net"}, "hit"),
        ({"x-cache": "EXPIRED"}, "expired"),
        ({"x-cache": "WEIRD"}, "unknown"),
    ],
)  # fmt: skip
def test_the_words_of_caches(headers: dict[str, str], said: str) -> None:
    assert verdict(headers) == said
    assert said in VERDICTS


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), (" 3600 ", 3600.0), ("", None), ("-1", None), ("1.5", None), ("9" * 400, None)]
)
def test_an_age_is_digits(text: str, seconds: float | None) -> None:
    assert age({"age": text}) == seconds


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("supercheck:apikey:ratelimit:k1", "api_key"),
        ("supercheck:ai:ratelimit:user:u1:minute", "ai_user_minute"),
        ("supercheck:ai:ratelimit:org:o1:day", "ai_org_day"),
        ("supercheck:ai:ratelimit:ip:2001:db8::1:hour", "ai_ip_hour"),
        ("supercheck:session:ratelimit:monitor:o1:u1:create", "monitor"),
        ("supercheck:session:ratelimit:admin:u1", "impersonation"),
        ("supercheck:session:ratelimit:password-reset:someone@example.com", "password_reset"),
        ("supercheck:session:ratelimit:email-verification:10.0.0.1", "email_verification"),
        ("supercheck:verify-key:ratelimit:10.0.0.1", "verify_key"),
        ("supercheck:signin-check:ratelimit:::1", "signin_check"),
        ("supercheck:verify-invited:ratelimit:10.0.0.1", "verify_invited"),
        ("supercheck:invite:ratelimit:u1", "invite"),
        ("supercheck:invite:resend:ratelimit:u1", "invite_resend"),
        ("supercheck:ai:ratelimit:tokens:o1:hour", None),
        ("supercheck:ai:idempotency:minute", None),
        ("supercheck:session:ratelimit:other:x", None),
        ("supercheck:login:lockout:locked:x", None),
        ("supercheck:worker-heartbeat:x", None),
    ],
)
def test_a_key_belongs_to_one_limiter(key: str, name: str | None) -> None:
    known = limiter_of(key.encode())
    assert (known[0].name if known else None) == name
    assert known is None or known[1] == ("k1" if name == "api_key" else "")


def test_names_are_unique_and_ai_is_the_clouds() -> None:
    names = [limiter.name for limiter in LIMITERS]
    assert len(names) == len(set(names))
    assert {limiter.name for limiter in LIMITERS if limiter.cloud} == {name for name in names if name.startswith("ai_")}


@pytest.mark.parametrize(
    ("window", "requests", "limit"),
    [
        (None, None, (60, 100)), ("60", "100", (60, 100)), ("0", "0", (60, 100)), ("3600s", " 20 ", (3600, 20)),
        ("-5", "-5", (1, 1)), ("999999999", "999999999", (86400, 100_000)), ("soon", "", (60, 100)),
    ],
)  # fmt: skip
def test_a_row_is_read_as_the_app_reads_it(window: str | None, requests: str | None, limit: tuple[int, int]) -> None:
    assert key_limit(window, requests) == KeyLimit(*limit)


def test_each_failure_from_the_fifth_on_locks() -> None:
    assert [lockouts(attempts) for attempts in (0, 4, 5, 6, 20, 21)] == [0, 0, 1, 2, 16, 17]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("CDN_PROBE_URLS", "logo"), ("CDN_PROBE_URLS", "logo=ftp://cdn.example.com/a"), ("CDN_PROBE_URLS", "=https://x/a"),
        ("CDN_PROBE_URLS", "a b=https://x/a"), ("CDN_PROBE_URLS", "a=https://x/a,a=https://x/b"),
        ("CDN_PROBE_URLS", "a=https://user:secret-word@x/a"), ("CDN_PROBE_URLS", "a=https://x:port/a"),
        ("CDN_PROBE_URLS", ",".join(f"p{n}=https://x/{n}" for n in range(21))),
        ("RATE_LIMITS", "ai_user_minute"), ("RATE_LIMITS", "nobody=3"), ("RATE_LIMITS", "invite=0"),
        ("REPORT_CACHE_REDIS_URL", "cache:6379"), ("REPORT_CACHE_REDIS_URL", "http://:secret-word@cache"),
        ("CDN_PROBE_INTERVAL_SECONDS", "0.5"),
    ],
)  # fmt: skip
def test_a_bad_setting_is_one_sentence_without_a_secret(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({name: text})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name}: read ")
    assert "secret-word" not in problem


def test_good_settings() -> None:
    settings = load(
        {
            "CDN_PROBE_URLS": "logo=https://cdn.example.com/logo.png?v=1, app.js=http://x/app.js",
            "RATE_LIMITS": "ai_user_minute=15, invite=20",
            "REPORT_CACHE_REDIS_URL": "rediss://:word@cache:6380/1",
        }
    )
    assert settings.cdn_probe_urls == {"logo": "https://cdn.example.com/logo.png?v=1", "app.js": "http://x/app.js"}
    assert settings.rate_limits == {"ai_user_minute": 15, "invite": 20}

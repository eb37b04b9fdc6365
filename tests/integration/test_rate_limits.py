"""The app's rate limits as they lie in Redis, against exact counts; nobody who is limited is ever named."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from servers.exporter import Exporter, Samples
from servers.postgres import PostgresServer
from servers.process import wait_for
from servers.redis import RedisServer
from supercheck_exporter.collectors.rate_limits import RateLimitsCollector
from supercheck_exporter.config import load
from supercheck_exporter.limits.windows import WindowReader
from supercheck_exporter.sources.redis import RedisSource

WINDOWS, NEAR, AT, HOTTEST = (
    f"supercheck_rate_limit_{name}" for name in ("windows", "windows_near_limit", "windows_at_limit", "hottest_ratio")
)
SESSION = "supercheck:session:ratelimit"
CANARY = "canary-somebody"


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """An empty Redis, for the first walk of each test's exporter."""
    with RedisServer() as server:
        yield server


def use(redis: RedisServer, key: str, times: int, unit: float, ago: float = 1.0) -> None:
    """So many requests in a limiter's window, this many seconds ago."""
    score = (time.time() - ago) * unit
    redis.client().zadd(key, {f"{uuid.uuid4()}": score + number / 1000 for number in range(times)})


def limiter(samples: Samples, name: str) -> tuple[object, ...]:
    return tuple(samples.value(metric, limiter=name) for metric in (WINDOWS, NEAR, AT, HOTTEST))


def walked(exporter: Exporter) -> Samples:
    return exporter.wait_value(1, "supercheck_scrape_collector_success", 30, collector="rate_limits")


def test_an_untouched_site_reads_zero(redis: RedisServer) -> None:
    with Exporter(redis.exporter_env()) as exporter:
        samples = walked(exporter)
    assert limiter(samples, "signin_check") == (0, 0, 0, 0)
    assert samples.value("supercheck_login_lockouts_total") == 0
    assert samples.value("supercheck_logins_locked") == 0


def test_each_limiter_is_counted_in_its_own_unit_and_window(redis: RedisServer) -> None:
    ms, seconds = 1000.0, 1.0
    use(redis, f"supercheck:signin-check:ratelimit:{CANARY}-1", 20, ms)  # at its limit
    use(redis, f"supercheck:signin-check:ratelimit:{CANARY}-2", 17, ms)  # near it
    use(redis, f"supercheck:signin-check:ratelimit:{CANARY}-3", 16, ms)  # 80 % is not over 80 %
    use(redis, f"supercheck:signin-check:ratelimit:{CANARY}-4", 20, ms, ago=61)  # its window is over
    use(redis, f"{SESSION}:monitor:org:{CANARY}:create", 5, ms)
    use(redis, f"{SESSION}:password-reset:{CANARY}@example.com", 2, ms, ago=890)
    use(redis, f"{SESSION}:email-verification:{CANARY}", 3, ms, ago=310)
    use(redis, f"supercheck:invite:resend:ratelimit:{CANARY}", 5, ms, ago=3500)
    use(redis, f"supercheck:ai:ratelimit:ip:{CANARY}:minute", 4, seconds)
    use(redis, f"supercheck:ai:ratelimit:user:{CANARY}:hour", 30, seconds, ago=3000)
    use(redis, f"supercheck:ai:ratelimit:tokens:{CANARY}:hour", 9, seconds)
    redis.client().set(f"supercheck:verify-key:ratelimit:{CANARY}", "no sorted set")
    env = redis.exporter_env() | {"POLAR_ACCESS_TOKEN": "set", "RATE_LIMITS": "ai_user_hour=60"}
    with Exporter(env) as exporter:
        samples = walked(exporter)
        text = exporter.page("/metrics") + exporter.page("/") + exporter.log()
    assert limiter(samples, "signin_check") == (3, 2, 1, 1.0)
    assert limiter(samples, "monitor") == (1, 0, 0, 0.25)
    assert limiter(samples, "password_reset") == (1, 0, 0, pytest.approx(2 / 3))
    assert limiter(samples, "email_verification") == (0, 0, 0, 0)
    assert limiter(samples, "invite_resend") == (1, 1, 1, 1.0)
    assert limiter(samples, "ai_ip_minute") == (1, 0, 0, 0.8)
    assert limiter(samples, "ai_user_hour") == (1, 0, 0, 0.5)
    assert limiter(samples, "verify_key") == (0, 0, 0, 0)
    assert CANARY not in text


@pytest.mark.parametrize(
    ("settings", "ratio"), [({"SELF_HOSTED": "true"}, 0), ({}, None), ({"RATE_LIMITS": "ai_ip_minute=10"}, 0.5)]
)
def test_ai_limits_nobody_on_a_self_hosted_site(
    redis: RedisServer, settings: dict[str, str], ratio: float | None
) -> None:
    use(redis, "supercheck:ai:ratelimit:ip:x:minute", 5, 1.0)
    with Exporter(redis.exporter_env() | settings) as exporter:
        samples = walked(exporter)
    assert samples.value(WINDOWS, limiter="ai_ip_minute") == 1
    assert samples.value(HOTTEST, limiter="ai_ip_minute") == ratio


def test_trigger_keys_have_the_limits_of_their_rows(redis: RedisServer, postgres: PostgresServer) -> None:
    rows = {"plain": ("60", "100", True), "strict": ("3600s", "10", True), "free": ("60", "5", False)}
    ids = {name: str(uuid.uuid4()) for name in (*rows, "deleted")}
    for name, (window, most, enabled) in rows.items():
        postgres.run(
            "INSERT INTO apikey (id, rate_limit_time_window, rate_limit_max, rate_limit_enabled) "
            f"VALUES ('{ids[name]}', '{window}', '{most}', {enabled})"
        )
    for name, ago in (("plain", 1.0), ("strict", 3000.0), ("free", 1.0), ("deleted", 1.0)):
        use(redis, f"supercheck:apikey:ratelimit:{ids[name]}", 9, 1.0, ago)
    without = redis.exporter_env()
    with Exporter(without) as exporter:
        # the one whose window is an hour can't be known to be one
        assert limiter(walked(exporter), "api_key") == (3, None, None, None)
    with Exporter(without | postgres.exporter_env()) as exporter:
        exporter.wait_value(0.9, HOTTEST, 60, limiter="api_key")
        assert limiter(exporter.scrape("rate_limits"), "api_key") == (4, 1, 0, 0.9)
        text = exporter.page("/metrics") + exporter.page("/") + exporter.log()
    assert not any(id_ in text for id_ in ids.values())


def test_lockouts_are_counted_since_the_first_walk(redis: RedisServer) -> None:
    client = redis.client()
    source = RedisSource(load(redis.exporter_env()))
    reader = WindowReader(source, None)
    collector = RateLimitsCollector(reader, None)

    def walk() -> tuple[float, float]:
        """Lockouts so far, and who is locked out, after one more walk."""
        reader.attempt()
        values = {sample.desc.name: sample.value for sample in collector.collect() if not sample.labels}
        lockouts, locked = values["supercheck_login_lockouts_total"], values["supercheck_logins_locked"]
        assert isinstance(lockouts, int | float)
        assert isinstance(locked, int | float)
        return lockouts, locked

    attempts, locked = "supercheck:login:lockout:attempts:", "supercheck:login:lockout:locked:"
    client.set(f"{attempts}old", 12)
    assert walk() == (0, 0)
    client.set(f"{attempts}old", 14)  # two more, each of which locked
    client.set(f"{attempts}new", 6)  # the fifth and the sixth did
    client.set(f"{attempts}few", 4)
    client.set(f"{locked}new", 1, ex=300)
    assert walk() == (4, 1)
    assert walk() == (4, 1)
    client.delete(f"{attempts}old", f"{locked}new")  # logged in
    assert walk() == (4, 0)
    client.set(f"{attempts}old", 5)
    assert walk() == (5, 0)
    source.close()


def test_a_user_who_may_not_read_the_windows_says_which_right_is_missing() -> None:
    acl = "watch on >word ~bull:* ~supercheck:worker-heartbeat:* ~capacity:* +@read +@connection +info"
    with RedisServer(acl=[acl]) as server:
        server.client().zadd(f"supercheck:signin-check:ratelimit:{CANARY}", {"a": time.time() * 1000})
        env = server.exporter_env() | {"REDIS_USERNAME": "watch", "REDIS_PASSWORD": "word"}
        with Exporter(env) as exporter:
            samples = exporter.wait_value(0, "supercheck_scrape_collector_success", 30, collector="rate_limits")
            assert samples.value(WINDOWS, limiter="signin_check") is None
            wait_for(lambda: "refuses a read of the rate limits" in exporter.page("/"), 30, "the page says why")
            assert CANARY not in exporter.page("/") + exporter.log()

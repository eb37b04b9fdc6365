"""The report cache: a Redis of its own, whose counters are exact; the queues' Redis is refused by any of its names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.exporter import Exporter, run_cli
from servers.process import free_port, wait_for
from servers.redis import LOOPBACK, RedisServer

SETTING = "REPORT_CACHE_REDIS_URL"
REQUESTS = "supercheck_report_cache_requests_total"
SUCCESS = "supercheck_scrape_collector_success"


@pytest.fixture(scope="module")
def cache() -> Iterator[RedisServer]:
    """A cache with room for little, which evicts."""
    with RedisServer("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru", password="cache-secret-word") as server:
        yield server


def url(server: RedisServer, database: int = 0) -> str:
    return f"redis://:{server.password or ''}@{LOOPBACK}:{server.port}/{database}"


def test_lookups_memory_and_evictions(cache: RedisServer, redis_server: RedisServer) -> None:
    client = cache.client()
    with Exporter(redis_server.exporter_env() | {SETTING: url(cache)}) as exporter:
        before = exporter.wait_value(1, SUCCESS, collector="report_cache")
        client.set("report", "x")
        for key in ("report",) * 9 + ("missing",):
            client.get(key)
        after = exporter.scrape("report_cache")

        def grown(name: str) -> float:
            old, new = before.value(name), after.value(name)
            assert old is not None
            assert new is not None
            return new - old

        assert (grown(REQUESTS), grown("supercheck_report_cache_hits_total")) == (10, 9)
        for number in range(64):
            client.set(f"large-{number}", "x" * 200_000)
        full = exporter.scrape("report_cache")
        evicted, used = (full.value(f"supercheck_report_cache_{name}") for name in ("evictions_total", "bytes"))
        assert evicted == client.info()["evicted_keys"] > 0
        assert used is not None
        assert 1_000_000 < used < 8_000_000
        assert "cache-secret-word" not in exporter.log() + exporter.page("/") + exporter.page("/metrics")


@pytest.mark.parametrize("where", ["127.0.0.1", "localhost"])
def test_the_queues_redis_is_refused_by_each_of_its_names(redis_server: RedisServer, where: str) -> None:
    settings = redis_server.exporter_env() | {SETTING: f"redis://{where}:{redis_server.port}/3"}
    with Exporter(settings) as exporter:
        samples = exporter.wait_value(0, SUCCESS, collector="report_cache")
        assert samples.value(REQUESTS) is None
        assert samples.value(SUCCESS, collector="redis") == 1
        wait_for(lambda: "names the Redis of the queues" in exporter.page("/"), 30, "the status page says so")
    said = run_cli("check", settings=settings)
    assert said.returncode == 2
    assert f"{SETTING} names the Redis of the queues: its hit counters are of everything in it." in said.stdout


def test_without_redis_host_there_is_nothing_to_compare(cache: RedisServer) -> None:
    with Exporter({SETTING: url(cache, 1)}) as exporter:
        assert exporter.wait_value(1, SUCCESS, collector="report_cache").value(REQUESTS) is not None


def test_a_cache_that_is_down_or_refuses_says_what_to_mend(cache: RedisServer) -> None:
    def said(text: str) -> str:
        answer = run_cli("check", settings={SETTING: text})
        assert answer.returncode == 2
        assert "secret-word" not in answer.stdout
        return answer.stdout

    assert "can't be reached: check host and port, and that it runs." in said(f"redis://{LOOPBACK}:{free_port()}")
    assert "refuses the login: check user and password in it." in said(url(cache).replace("cache-secret", "other"))


def test_a_cache_that_is_frozen_costs_its_own_collector_only(redis_server: RedisServer) -> None:
    with RedisServer() as own:
        env = redis_server.exporter_env() | {SETTING: url(own).replace(":@", ""), "REDIS_TIMEOUT_SECONDS": "1"}
        with Exporter(env) as exporter:
            exporter.wait_value(1, SUCCESS, collector="report_cache")
            own.freeze()
            samples = exporter.wait_value(0, SUCCESS, collector="report_cache")
            assert samples.value(REQUESTS) is None
            assert samples.value(SUCCESS, collector="redis") == 1
            own.thaw()
            exporter.wait_value(1, SUCCESS, collector="report_cache")

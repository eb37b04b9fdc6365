"""Heartbeats, locations, serving and desired workers, with Redis's answers made up here."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any, cast

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from supercheck_exporter.bullmq.clients import Clients
from supercheck_exporter.bullmq.keyspace import HEARTBEAT_PREFIX, Keyspace
from supercheck_exporter.bullmq.loads import Load, Loads
from supercheck_exporter.collectors.workers import (
    MAX_HEARTBEAT_BYTES,
    WorkersCollector,
    locations_of,
    parse_heartbeat,
    policy,
)
from supercheck_exporter.config import load
from supercheck_exporter.core import Run, SourceError
from supercheck_exporter.exposition import Renderer
from supercheck_exporter.scaling import Policy
from supercheck_exporter.settings.queues import QUEUES
from supercheck_exporter.sources.redis import Command, RedisSource

KEY = HEARTBEAT_PREFIX + b"web-1-17"


def beat(**changes: object) -> bytes:
    facts: dict[str, object] = {
        "location": "local",
        "hostname": "web-1",
        "startedAt": "2026-01-02T03:04:05.000Z",
        "lastHeartbeat": "2026-01-02T03:05:05.500Z",
        "queues": ["playwright-global", "k6-global", "k6-local", "monitor-local"],
        "pid": 17,
    }
    return json.dumps(facts | changes).encode()


# -- one heartbeat ---------------------------------------------------------------------------------


def test_a_heartbeat() -> None:
    found = parse_heartbeat(KEY, beat())
    assert found is not None
    assert (found.worker, found.location) == ("web-1-17", "local")
    assert found.queues == {"playwright-global", "k6-global", "k6-local", "monitor-local"}
    assert (found.started, found.last) == (1767323045.0, 1767323105.5)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b"3",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b'{"location": 3}',
        b'{"queues": "all"}',
        b'{"queues": {"a": 1}}',
        b'{"location": "' + b"x" * 64 + b'"}',
        beat(padding="x" * 1_000_000)[:MAX_HEARTBEAT_BYTES],
        beat(location="größe" * 20)[:50],
    ],
)
def test_what_is_no_heartbeat(text: bytes) -> None:
    assert parse_heartbeat(KEY, text) is None


@pytest.mark.parametrize("location", [None, ""])
def test_a_worker_without_a_location_is_local(location: object) -> None:
    found = parse_heartbeat(KEY, beat(location=location))
    assert found is not None
    assert found.location == "local"


@pytest.mark.parametrize(
    "moment",
    ["2026-01-02T03:04:05", "yesterday", "", None, 1767323045, "2026-13-45T00:00:00Z", ["2026-01-02T03:04:05Z"]],
)
def test_a_moment_that_can_t_be_read_is_unknown(moment: object) -> None:
    """One without a time zone too: nobody knows which was meant."""
    found = parse_heartbeat(KEY, beat(lastHeartbeat=moment, startedAt=moment))
    assert found is not None
    assert (found.last, found.started) == (None, None)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_moment_at_the_end_of_time_is_a_number(moment: str) -> None:
    found = parse_heartbeat(KEY, beat(lastHeartbeat=moment))
    assert found is not None
    assert found.last is not None


def test_queues_that_are_no_texts_are_left_out() -> None:
    found = parse_heartbeat(KEY, beat(queues=["a", 3, None, ["b"], "a"]))
    assert found is not None
    assert found.queues == {"a"}


def test_half_a_character_in_a_location_does_not_cost_the_page() -> None:
    found = parse_heartbeat(KEY, b'{"location": "\\ud83d"}')
    assert found is not None
    assert found.location.encode() == b"?"


def test_bytes_in_the_key_that_are_no_text() -> None:
    found = parse_heartbeat(HEARTBEAT_PREFIX + b"\xff-1", beat())
    assert found is not None
    assert found.worker == "\\xff-1"


# -- locations -------------------------------------------------------------------------------------


def test_supercheck_s_own_queues_show_one_location() -> None:
    """`k6-job-scheduler` and `monitor-scheduler` begin like locations; `global` is none."""
    assert locations_of(QUEUES) == {"local"}


@pytest.mark.parametrize(
    ("queue", "locations"),
    [
        ("k6-eu-central", {"eu-central"}),
        ("monitor-us-east-1", {"us-east-1"}),
        ("k6-global", set()),
        ("monitor-global", set()),
        ("k6-job-scheduler", set()),
        ("monitor-scheduler", set()),
        ("job-scheduler", set()),
        ("k6-", set()),
        ("k6", set()),
        ("my-k6-eu", set()),
        ("playwright-global", set()),
        ("k6-k6-eu", {"k6-eu"}),
        ("k6-monitor-eu", {"monitor-eu"}),
        ("k6-\udcff", {"\\xff"}),
    ],
)
def test_a_location_in_a_queue_s_name(queue: str, locations: set[str]) -> None:
    assert locations_of([queue]) == locations


# -- how many are wanted ---------------------------------------------------------------------------


def test_the_policy_is_a_setting() -> None:
    settings = load(
        {
            "WORKERS_MIN": "0",
            "WORKERS_MAX": "4",
            "WORKERS_SCALE_DOWN_BELOW": "2",
            "WORKERS_SCALE_UP_ABOVE": "5",
            "WORKERS_STEADY_SECONDS": "60",
            "THRESHOLD_QUEUE_OLDEST_READY_WARNING_SECONDS": "10",
        }
    )
    assert policy(settings) == Policy(0, 4, 2, 5, 10, 60)


# -- the collector ---------------------------------------------------------------------------------


class Source:
    where = "redis:6379"

    def __init__(self, env: dict[str, str]) -> None:
        self.settings = load(env)
        self.texts: dict[bytes, object] = {}
        self.asked: list[Command] = []

    def read(self, commands: Sequence[Command]) -> list[Any]:
        self.asked += commands
        return [self.texts.get(bytes(command[1]), b"") for command in commands]  # type: ignore[arg-type]


class KnownKeys(Keyspace):
    """Names that were looked up just now, or never."""

    fresh = True

    def require_fresh(self, max_age: float, what: str) -> None:
        if not self.fresh:
            raise SourceError(f"{what} could not be read")


class KnownClients(Clients):
    found: dict[str, int] | None = None

    def counts(self) -> dict[str, int] | None:
        return self.found


class Site:
    def __init__(self, queues: Sequence[str] = QUEUES, **env: str) -> None:
        self.source = Source(env)
        self.keyspace = KnownKeys(cast("RedisSource", self.source))
        self.keyspace.queues = tuple(queues)
        self.clients = KnownClients(self.keyspace)
        self.loads = Loads()
        self.collector = WorkersCollector(self.keyspace, self.clients, self.loads)

    def worker(self, name: str, text: object) -> None:
        key = HEARTBEAT_PREFIX + name.encode()
        self.source.texts[key] = text
        self.keyspace.heartbeats = (*self.keyspace.heartbeats, key)

    def quiet(self, **loads: Load) -> None:
        """Every queue is empty but those given (with `_` for `-`)."""
        found = dict.fromkeys(self.keyspace.queues, Load(0, 0, 0.0))
        self.loads.put(found | {name.replace("_", "-"): value for name, value in loads.items()})

    def samples(self) -> dict[str, dict[tuple[str, ...], float]]:
        found: dict[str, dict[tuple[str, ...], float]] = {}
        for desc, labels, value in self.collector.collect():
            assert isinstance(value, (int, float))
            found.setdefault(desc.name.removeprefix("supercheck_"), {})[labels] = value
        return found


def test_workers_by_location() -> None:
    site = Site([*QUEUES, "k6-eu", "monitor-us"])
    site.worker("a-1", beat())
    site.worker("b-1", beat())
    site.worker("c-1", beat(location="asia", queues=["playwright-global"]))
    assert site.samples()["workers"] == {("local",): 2, ("eu",): 0, ("us",): 0, ("asia",): 1}


def test_moments_are_absent_where_they_can_t_be_read() -> None:
    site = Site()
    site.worker("a-1", beat())
    site.worker("b-1", beat(lastHeartbeat="2026-01-02T03:04:05", startedAt=None))
    samples = site.samples()
    assert samples["worker_last_heartbeat_timestamp_seconds"] == {("a-1", "local"): 1767323105.5}
    assert samples["worker_start_timestamp_seconds"] == {("a-1", "local"): 1767323045.0}
    assert samples["workers"] == {("local",): 2}


def test_serving_comes_from_heartbeats_or_from_connections() -> None:
    site = Site(QUEUE_CONCURRENCY="k6-global=3")
    site.worker("a-1", beat())
    site.worker("b-1", beat(queues=["playwright-global"]))
    site.clients.found = {"job-scheduler": 2, "playwright-global": 7}
    samples = site.samples()
    serving, slots = samples["workers_serving"], samples["queue_slots"]
    assert serving == {
        ("playwright-global",): 2, ("k6-global",): 1, ("k6-local",): 1, ("monitor-local",): 1,
        ("job-scheduler",): 2, ("k6-job-scheduler",): 0, ("monitor-scheduler",): 0,
        ("email-template-render",): 0, ("data-lifecycle-cleanup",): 0,
    }  # fmt: skip
    assert (slots["playwright-global",], slots["k6-global",], slots["job-scheduler",]) == (2, 3, 10)


def test_the_app_s_queues_are_absent_where_client_list_is_forbidden() -> None:
    site = Site()
    site.worker("a-1", beat())
    serving = site.samples()["workers_serving"]
    assert set(serving) == {("playwright-global",), ("k6-global",), ("k6-local",), ("monitor-local",)}


def test_a_heartbeat_that_expired_meanwhile_is_no_worker() -> None:
    site = Site()
    site.worker("a-1", b"")
    assert site.samples()["workers"] == {("local",): 0}


def test_a_malformed_heartbeat_is_left_out_and_named_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    site = Site()
    site.worker("good-1", beat())
    site.worker("bad-1", b"canary-7c1d")
    site.worker("list-1", ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value"))
    for _ in range(3):
        assert site.samples()["workers"] == {("local",): 1}
    assert len(caplog.records) == 2
    assert "bad-1" in caplog.text
    assert "canary-7c1d" not in caplog.text


@pytest.mark.parametrize("error", [NoPermissionError("this user has no permissions"), ResponseError("CLUSTERDOWN")])
def test_a_refused_read_is_no_missing_worker(error: ResponseError) -> None:
    """Reading 0 workers here would page somebody for nothing."""
    site = Site()
    site.worker("a-1", beat())
    site.worker("b-1", error)
    with pytest.raises(SourceError, match="refuses to read a heartbeat"):
        site.samples()


def test_without_any_known_heartbeat_redis_is_asked_all_the_same() -> None:
    """A Redis that is gone must not read as a site without workers."""
    site = Site()
    assert site.samples()["workers"] == {("local",): 0}
    assert site.source.asked == [("GETRANGE", HEARTBEAT_PREFIX, 0, MAX_HEARTBEAT_BYTES - 1)]


def test_old_news_is_no_news() -> None:
    site = Site()
    site.keyspace.fresh = False
    with pytest.raises(SourceError):
        site.samples()


def test_no_more_than_a_heartbeat_s_length_is_read() -> None:
    site = Site()
    site.worker("a-1", beat())
    site.samples()
    assert site.source.asked == [("GETRANGE", HEARTBEAT_PREFIX + b"a-1", 0, MAX_HEARTBEAT_BYTES - 1)]


def test_desired_is_the_most_that_any_queue_of_the_location_wants() -> None:
    site = Site(WORKERS_STEADY_SECONDS="0")
    site.worker("a-1", beat())
    site.quiet(monitor_local=Load(51, 0, 1.0))
    assert site.samples()["workers_desired"] == {("local",): 10}
    site.quiet(job_scheduler=Load(500, 0, 1.0))  # the app serves it
    assert site.samples()["workers_desired"] == {("local",): 1}


def test_desired_is_absent_as_soon_as_one_input_is_unknown() -> None:
    site = Site()
    site.worker("a-1", beat())
    assert "workers_desired" not in site.samples()  # the queues were never read
    site.quiet(k6_local=Load(20, 0, None))
    assert "workers_desired" not in site.samples()
    loads = dict.fromkeys(QUEUES, Load(0, 0, 0.0))
    del loads["k6-local"]
    site.loads.put(loads)
    assert "workers_desired" not in site.samples()


def test_desired_is_absent_where_the_queues_were_read_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site()
    site.quiet()
    assert site.samples()["workers_desired"] == {("local",): 1}
    monkeypatch.setattr("supercheck_exporter.bullmq.loads.time.monotonic", lambda: 1e12)
    assert "workers_desired" not in site.samples()


def test_awkward_names_make_a_page() -> None:
    site = Site(["k6-\udcff", 'k6-"', "monitor-a\nb"])
    site.worker('w"\\-1', b'{"location": "\\ud83d\\n", "queues": ["k6-\\ud83d"]}')
    samples = tuple(site.collector.collect())
    page = Renderer().render([Run("workers", True, 0.0, 0.0, samples)]).encode()
    assert b'supercheck_workers{location="\\\\xff"} 0.0\n' in page
    assert b'supercheck_workers{location="?\\n"} 1.0\n' in page

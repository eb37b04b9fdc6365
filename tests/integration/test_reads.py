"""What the exporter asks of Redis: few round trips, cheap commands, and nothing that writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest
from servers.bullmq import BullMQ
from servers.exporter import Exporter, Samples
from servers.heartbeats import beat
from servers.process import wait_for
from servers.proxy import RedisProxy, RoundTrip
from servers.redis import RedisServer
from servers.truth import now

# Redis's documentation gives these O(1), or O(log n + m) where the exporter asks for m = 1.
CHEAP = {
    "config|get", "exists", "get", "getrange", "hget", "hmget", "lindex", "llen", "pttl", "scard", "strlen",
    "ttl", "type",
    "zcard", "zcount", "zrange", "zrangebyscore",
    "ping", "info", "time", "hello", "auth", "client|setinfo", "client|setname",
    "cluster|shards", "cluster|slots", "cluster|nodes", "cluster|info", "role",
}  # fmt: skip
# Only off the scrape path: they cost what there is to walk or to follow.
BACKGROUND = {"scan", "sscan", "xread", "xrange", "xrevrange", "xinfo|stream", "client|list", "scard", "exists"}
LISTED_COMMANDS = ["+ping", "+hello", "+auth", "+info", "+time", "+role", "+client|setname"]
LISTED_COMMANDS += [
    "+client|list",
    "+config|get",
    "+exists",
    "+get",
    "+getrange",
    "+hmget",
    "+lindex",
    "+llen",
    "+pttl",
]
LISTED_COMMANDS += ["+scard", "+scan", "+sscan", "+type", "+xinfo|stream", "+xread", "+xrange", "+xrevrange"]
LISTED_COMMANDS += ["+zcard", "+zcount", "+zrange", "+zrangebyscore"]
ROUND_TRIPS = 3
QUEUES = ("reads-a", "reads-b", "reads-c", "monitor-scheduler", "playwright-global")


def command_name(words: tuple[bytes, ...]) -> str:
    """A command as INFO commandstats names it."""
    first = words[0].decode().lower()
    # one word is sent for e.g. `CLIENT LIST`, two for the same by other clients
    name = "|".join(word.lower() for word in [first, *(w.decode() for w in words[1:2])])
    containers = ("client", "cluster", "xinfo", "acl", "config", "command")
    return name if first in containers else first.replace(" ", "|")


def names(trip: RoundTrip) -> list[str]:
    """The commands of a round trip."""
    return [command_name(words) for words in trip.commands]


@pytest.fixture(scope="module")
def busy_redis(redis_server: RedisServer, bullmq_of: object) -> RedisServer:
    """Queues in every state that makes the exporter ask further."""
    assert callable(bullmq_of)
    bullmq: BullMQ = bullmq_of("5.77.6")
    for name in QUEUES:
        queue = bullmq.queue(name)
        queue.add_many(5)
        for priority in (1, 2, 5, 10):
            queue.add_many(2, priority=priority)
        queue.add_many(2, delay=1)
        queue.add_many(2, delay=3_600_000)
        queue.schedule("daily", {"pattern": "0 3 * * *"})
        queue.set_global_rate_limit(100, 1000)
        queue.add(lifo=True)
        worker = queue.worker("hang", concurrency=1)
        worker.wait("hanging", 1)
        worker.stop(force=True)
        queue.pause()
    beat(redis_server.client(), "host-a-1", last=now(redis_server.client()))
    # half of the queues are known from the hashes only
    redis_server.client().delete("bull:reads-a:events", "bull:reads-b:events")
    return redis_server


@pytest.fixture(scope="module")
def proxied(busy_redis: RedisServer) -> Iterator[tuple[Exporter, RedisProxy]]:
    """An exporter behind a relay that writes down its round trips."""
    with RedisProxy(busy_redis.port) as proxy:
        env = busy_redis.exporter_env() | {"REDIS_PORT": str(proxy.port), "BULLMQ_QUEUES": ",".join(QUEUES)}
        with Exporter(env) as exporter:
            exporter.wait_follows()
            yield exporter, proxy


def scrape_trips(exporter: Exporter, proxy: RedisProxy, *collectors: str) -> list[RoundTrip]:
    """The round trips of one scrape, those of the background readers left out."""
    proxy.take()
    samples = exporter.scrape(*collectors)
    for name in collectors:
        assert samples.value("supercheck_scrape_collector_success", collector=name) == 1
    return [trip for trip in proxy.take() if not set(names(trip)) & (BACKGROUND - CHEAP)]


@pytest.mark.promise("bounded scrape")
def test_a_scrape_of_the_queues_takes_three_round_trips(proxied: tuple[Exporter, RedisProxy]) -> None:
    exporter, proxy = proxied
    trips = scrape_trips(exporter, proxy, "queues")
    assert 1 <= len(trips) <= ROUND_TRIPS, [names(trip)[:3] for trip in trips]


@pytest.mark.promise("bounded scrape")
def test_the_first_scrape_of_an_exporter_takes_three_round_trips(busy_redis: RedisServer) -> None:
    """It has no memory of priority levels yet, and knows no job from the events."""
    with RedisProxy(busy_redis.port) as proxy:
        env = busy_redis.exporter_env() | {"REDIS_PORT": str(proxy.port), "BULLMQ_QUEUES": ",".join(QUEUES)}
        with Exporter(env) as exporter:
            exporter.wait_follows()
            trips = [trip for trip in scrape_trips(exporter, proxy, "queues") if "client|setname" not in names(trip)]
    assert 1 <= len(trips) <= ROUND_TRIPS, [names(trip)[:3] for trip in trips]


def test_the_queue_events_collector_asks_nothing_on_a_scrape(proxied: tuple[Exporter, RedisProxy]) -> None:
    exporter, proxy = proxied
    assert scrape_trips(exporter, proxy, "queue_events") == []


def test_the_workers_collector_takes_one_round_trip(proxied: tuple[Exporter, RedisProxy]) -> None:
    exporter, proxy = proxied
    assert len(scrape_trips(exporter, proxy, "workers")) <= 1


@pytest.mark.promise("bounded scrape")
def test_a_scrape_sends_cheap_commands_only(proxied: tuple[Exporter, RedisProxy]) -> None:
    exporter, proxy = proxied
    sent = [words for trip in scrape_trips(exporter, proxy) for words in trip.commands]
    assert {command_name(words) for words in sent} <= CHEAP
    for words in sent:
        if words[0] == b"ZRANGE":
            assert words[2:4] == (b"0", b"0"), words
        if words[0] == b"ZRANGEBYSCORE":
            assert words[-3:] == (b"LIMIT", b"0", b"1"), words


def test_a_scrape_sends_under_40_commands_a_queue(proxied: tuple[Exporter, RedisProxy]) -> None:
    """The issue's budget is 400 commands for 10 queues."""
    exporter, proxy = proxied
    sent = [words for trip in scrape_trips(exporter, proxy, "queues") for words in trip.commands]
    assert len(sent) <= 40 * len(QUEUES)


def test_only_numbers_of_a_job_are_read(proxied: tuple[Exporter, RedisProxy]) -> None:
    exporter, proxy = proxied
    allowed = {b"timestamp", b"opts", b"processedOn", b"finishedOn", b"ats", b"atm", b"stc", b"delay", b"priority"}
    sent = [words for trip in scrape_trips(exporter, proxy, "queues") for words in trip.commands]
    jobs = [words for words in sent if words[0] == b"HMGET" and not words[1].endswith(b":meta")]
    assert jobs, "some jobs were looked at"
    assert {field for words in jobs for field in words[2:]} <= allowed


@pytest.mark.promise("bounded scrape")
def test_no_background_reader_scans_more_for_more_scrapes(proxied: tuple[Exporter, RedisProxy]) -> None:
    exporter, proxy = proxied
    proxy.take()
    for _ in range(30):
        exporter.scrape()
    commands = [name for trip in proxy.take() for name in names(trip)]
    # a walk of a small keyspace is two SCANs, and there is one every 10 s at most, however long this took
    assert commands.count("scan") < 10
    assert commands.count("client|list") < 10
    assert commands.count("llen") > 30


@pytest.mark.promise("read only")
def test_nothing_is_written(busy_redis: RedisServer) -> None:
    """By Redis's own account: no command of the exporter is of its @write, @scripting or @dangerous kind."""
    client = busy_redis.client()
    before_keys = {key: client.dump(key) for key in client.keys("*")}
    client.config_resetstat()
    with Exporter(busy_redis.exporter_env()) as exporter:
        exporter.wait_follows()
        for _ in range(5):
            exporter.scrape()
        calls = set(busy_redis.command_calls())
    assert {"llen", "zcard", "hmget", "xread", "scan"} <= calls
    for category, allowed in (
        ("write", set()),
        ("scripting", set()),
        ("dangerous", {"info", "client|list", "config|get", "role"}),
    ):
        members = {str(name) for name in client.acl_cat(category)}
        assert calls & members <= allowed | {"config|resetstat", "keys"}, category
    after_keys = {key: client.dump(key) for key in client.keys("*")}
    assert after_keys == before_keys


def read_only_user(*without: str) -> str:
    """The ACL rule of the manual, perhaps without some commands."""
    commands = [word for word in LISTED_COMMANDS if word.removeprefix("+") not in without]
    return " ".join(["monitor on >monitor-password resetchannels %R~*", *commands])


LATE = ("supercheck_queue_consumers", "supercheck_queue_stalled_jobs", "supercheck_workers_desired")
"""What is there last, as it is read in the background or made of what is."""


def whole(exporter: Exporter, *families: str, works: Collection[str] = ()) -> Samples:
    """The scrape that has these families, and in which these collectors work (all by default).

    Much is read in the background: one family may come before another.
    """

    def shows() -> Samples | None:
        samples = exporter.scrape()
        success = samples.values("supercheck_scrape_collector_success", by="collector")
        working = all(success[name] for name in works or success)
        return samples if working and all(samples.labels(family) for family in families) else None

    return wait_for(shows, 60, f"all is read, and there is {' and '.join(families)}")  # type: ignore[return-value]


def scrape_as(server: RedisServer, rule: str, *families: str, works: Collection[str] = ()) -> Samples:
    """Scrape with a user of these rights, once these families are there and these collectors (all by default) work."""
    client = server.client()
    client.execute_command("ACL", "SETUSER", "monitor", "reset", *rule.split()[1:])
    env = {"REDIS_USERNAME": "monitor", "REDIS_PASSWORD": "monitor-password"}
    with Exporter(server.exporter_env() | env) as exporter:
        exporter.wait_follows()
        return whole(exporter, *families, works=works)


def families(samples: Samples) -> set[str]:
    """Names that have at least one series."""
    return {name for name in samples.names if name.startswith("supercheck_")}


@pytest.mark.promise("read only")
def test_a_read_only_user_sees_everything(busy_redis: RedisServer) -> None:
    """The line of the manual is enough: no command outside it, and no right to write any key."""
    with Exporter(busy_redis.exporter_env()) as exporter:
        exporter.wait_follows()
        everything = families(whole(exporter, *LATE))
    samples = scrape_as(busy_redis, read_only_user(), *LATE)
    assert set(samples.values("supercheck_scrape_collector_success", by="collector").values()) == {1.0}
    assert families(samples) == everything
    client = busy_redis.client()
    assert client.acl_log() == [] or all(entry["username"] != "monitor" for entry in client.acl_log())


@pytest.mark.promise("unknown is absent")
def test_client_list_forbidden_costs_the_consumers_only(busy_redis: RedisServer) -> None:
    samples = scrape_as(busy_redis, read_only_user("client|list"), "supercheck_queue_jobs")
    assert set(samples.values("supercheck_scrape_collector_success", by="collector").values()) == {1.0}
    assert samples.labels("supercheck_queue_consumers") == []
    serving = samples.values("supercheck_workers_serving", by="queue")
    assert "monitor-scheduler" not in serving, "only connections tell who serves it: absent, not 0"
    assert serving["playwright-global"] == 1


@pytest.mark.promise("unknown is absent")
def test_info_forbidden_costs_what_only_it_tells(busy_redis: RedisServer) -> None:
    works = ("queues", "queue_events", "workers")
    samples = scrape_as(busy_redis, read_only_user("info"), "supercheck_queue_jobs", works=works)
    success = samples.values("supercheck_scrape_collector_success", by="collector")
    assert (success["queues"], success["queue_events"], success["workers"]) == (1, 1, 1)
    assert list(samples.values("supercheck_redis_node_up", by="node").values()) == [1]


@pytest.mark.promise("unknown is absent")
def test_xinfo_forbidden_makes_losses_unknown(busy_redis: RedisServer) -> None:
    """As before Redis 7, which has no `entries-added`: absent, not 0."""
    samples = scrape_as(busy_redis, read_only_user("xinfo|stream"), "supercheck_queue_added_jobs_total")
    assert samples.value("supercheck_scrape_collector_success", collector="queue_events") == 1
    assert samples.labels("supercheck_queue_events_lost_total") == []


def test_a_forbidden_read_fails_the_collector_and_says_so(busy_redis: RedisServer) -> None:
    success = "supercheck_scrape_collector_success"
    samples = scrape_as(busy_redis, read_only_user("zcard"), success, works=["queue_events"])
    assert samples.value("supercheck_scrape_collector_success", collector="queues") == 0
    assert samples.labels("supercheck_queue_jobs") == []

"""Awkward input: strange queue names and prefixes, very many queues, foreign keys."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from servers.bullmq import NEWEST, BullMQ
from servers.exporter import Exporter, Samples
from servers.process import wait_for
from servers.redis import RedisServer

NAMES = {
    "quote": 'a "quoted" queue',
    "backslash": "back\\slash\\n",
    "newline": "two\nlines",
    "non-ASCII": "prüfung-キュー-🙂",
    "braces and commas": 'x{le="1",y="2"} 3',
    "glob characters": "st*r[a-z]?",
    "spaces": "  spaces  ",
    "equals": "a=b",
    "named like a key": "meta",
    "very long": "q" * 500,
}


TOLD = [name for name in NAMES.values() if "," not in name and name == name.strip()]
"""Those that BULLMQ_QUEUES can hold: it is split at commas, and outer spaces are dropped."""


def check_page(exporter: Exporter) -> None:
    """Fail unless the whole page parses."""
    samples = list(text_string_to_metric_families(exporter.scrape().text))
    assert samples


@pytest.fixture
def emptied(redis_server: RedisServer) -> RedisServer:
    """The file's Redis without any key."""
    redis_server.client().flushall()
    return redis_server


@pytest.fixture(scope="module")
def strange() -> tuple[Samples, Samples]:
    """Scrapes of queues with every strange name, each with 2 completed and 3 waiting jobs and a worker: by an
    exporter that saw it all happen, and by one that came later.
    """
    with RedisServer() as server, BullMQ(NEWEST, server.bullmq_connection()) as bullmq:
        queues = [bullmq.queue(name) for name in NAMES.values()]
        with Exporter(server.exporter_env()) as exporter:
            for queue in queues:
                exporter.wait_value(0, "supercheck_queue_jobs_completed_total", 30.0, queue=queue.name)
            for queue in queues:
                queue.add_many(2)
                queue.worker()
                queue.wait_finished(completed=2)
                queue.pause()
                queue.add_many(3)
            for queue in queues:
                exporter.wait_value(5, "supercheck_queue_added_jobs_total", queue=queue.name)
            assert exporter.get("/").status_code == 200
            samples = exporter.scrape()
        with Exporter(server.exporter_env() | {"BULLMQ_QUEUES": ",".join(TOLD)}) as newcomer:
            for name in TOLD:
                newcomer.wait_value(1, "supercheck_queue_consumers", queue=name)
            for name in NAMES.values():
                connected = newcomer.wait_value(3, "supercheck_queue_backlog_jobs", queue=name)
    return samples, connected


@pytest.mark.promise("awkward input")
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_strange_queue_name(strange: tuple[Samples, Samples], name: str) -> None:
    samples, connected = strange
    assert samples.value("supercheck_queue_backlog_jobs", queue=name) == 3
    assert samples.value("supercheck_queue_jobs", queue=name, state="completed") == 2
    assert samples.value("supercheck_queue_jobs_completed_total", queue=name) == 2
    assert connected.value("supercheck_queue_backlog_jobs", queue=name) == 3


@pytest.mark.parametrize("name", TOLD)
def test_the_worker_of_a_queue_with_a_strange_name_is_counted(strange: tuple[Samples, Samples], name: str) -> None:
    assert strange[1].value("supercheck_queue_consumers", queue=name) == 1


def test_a_page_with_strange_names_parses(strange: tuple[Samples, Samples]) -> None:
    queues = {
        sample.labels["queue"]
        for family in text_string_to_metric_families(strange[0].text)
        for sample in family.samples
        if "queue" in sample.labels
    }
    assert set(NAMES.values()) <= queues


def test_a_queue_name_that_is_no_text(emptied: RedisServer) -> None:
    """Redis keys are bytes; a label is text."""
    client = emptied.client()
    client.hset(b"bull:\xff\xfe:meta", "version", "bullmq:5.77.6")
    client.rpush(b"bull:\xff\xfe:wait", "1", "2")
    with Exporter(emptied.exporter_env()) as exporter:
        wait_for(lambda: exporter.scrape().values("supercheck_queue_backlog_jobs", by="queue"), 60, "queues")
        name = r"\xff\xfe"
        exporter.wait_value(2, "supercheck_queue_backlog_jobs", queue=name)
        check_page(exporter)


@pytest.mark.parametrize("prefix", ["my:own:prefix", "{tag}:x", "glob*[x]?", 'quote"d'])
def test_a_strange_prefix(emptied: RedisServer, prefix: str) -> None:
    with BullMQ("5.77.6", emptied.bullmq_connection(), prefix) as bullmq:
        queue = bullmq.queue("some-queue")
        queue.add_many(3)
        worker = queue.worker("hang")
        worker.wait("hanging", 1)
        env = emptied.exporter_env() | {"BULLMQ_PREFIX": prefix}
        with Exporter(env) as exporter:  # the queue is discovered
            exporter.wait_value(2, "supercheck_queue_backlog_jobs", queue=queue.name)
        with Exporter(env | {"BULLMQ_QUEUES": queue.name}) as exporter:
            exporter.wait_value(2, "supercheck_queue_backlog_jobs", queue=queue.name)
            exporter.wait_value(1, "supercheck_queue_consumers", queue=queue.name)
        worker.stop(force=True)


def test_a_prefix_that_no_client_name_can_hold(emptied: RedisServer) -> None:
    """Redis takes no client name with a space or non-ASCII in it: the consumers are unknown, not 0."""
    prefix = "ünï code"
    with BullMQ(NEWEST, emptied.bullmq_connection(), prefix) as bullmq:
        queue = bullmq.queue("some-queue")
        queue.add_many(3)
        worker = queue.worker("hang")
        worker.wait("hanging", 1)
        env = emptied.exporter_env() | {"BULLMQ_PREFIX": prefix, "BULLMQ_QUEUES": queue.name}
        with Exporter(env) as exporter:
            exporter.wait_value(2, "supercheck_queue_backlog_jobs", queue=queue.name)
            exporter.wait_value(None, "supercheck_queue_consumers", queue=queue.name)
        worker.stop(force=True)


def test_a_prefix_that_begins_another(emptied: RedisServer, bullmq_newest: BullMQ) -> None:
    """`bull` must not take `bull:own`'s queues for its own."""
    bullmq_newest.queue("mine").add()
    with BullMQ("5.77.6", emptied.bullmq_connection(), "bull:own") as other:
        other.queue("theirs").add()
    with Exporter(emptied.exporter_env()) as exporter:
        samples = exporter.wait_value(1, "supercheck_queue_backlog_jobs", queue="mine")
    queues = samples.values("supercheck_queue_backlog_jobs", by="queue")
    assert not {name for name in queues if "theirs" in name or "own" in name}


@pytest.mark.promise("awkward input")
def test_500_queues(emptied: RedisServer) -> None:
    pipe = emptied.client().pipeline(transaction=False)
    for number in range(500):
        pipe.hset(f"bull:many-{number}:meta", "version", "bullmq:5.77.6")
        pipe.rpush(f"bull:many-{number}:wait", *range(1, number % 7 + 2))
    pipe.execute()
    with Exporter(emptied.exporter_env()) as exporter:
        exporter.wait_value(499 % 7 + 1, "supercheck_queue_backlog_jobs", queue="many-499")
        exporter.wait_follows()
        samples = exporter.wait_failed()  # none
        backlog = samples.values("supercheck_queue_backlog_jobs", by="queue")
        for number in range(500):
            assert backlog[f"many-{number}"] == number % 7 + 1


def test_more_queues_than_the_limit_are_said_to_be_left_out(emptied: RedisServer) -> None:
    client = emptied.client()
    for number in range(30):
        client.hset(f"bull:many-{number:02}:meta", "version", "bullmq:5.77.6")
    env = emptied.exporter_env() | {"BULLMQ_MAX_QUEUES": "20", "BULLMQ_QUEUES": "playwright-global"}
    with Exporter(env) as exporter:
        samples = exporter.wait_value(11, "supercheck_queues_dropped")
    queues = samples.values("supercheck_queue_backlog_jobs", by="queue")
    assert len(queues) == 20
    assert "playwright-global" in queues, "a configured queue is never left out"


@pytest.mark.promise("awkward input")
def test_foreign_keys_that_look_like_queues(emptied: RedisServer, bullmq_newest: BullMQ) -> None:
    """Keys of other programs cost no series and no collector."""
    client = emptied.client()
    bullmq_newest.queue("real").add()
    client.set("bull:a-string:meta", "not a hash")
    client.rpush("bull:a-list:meta", "not a hash")
    client.hset("bull:half-a-queue:meta", "version", "1")
    client.set("bull:half-a-queue:wait", "not a list")
    client.hset("bull:bad-stream:meta", "version", "1")
    client.set("bull:bad-stream:events", "not a stream")
    client.rpush("bull:bad-stream:wait", "1", "2", "3")
    client.hset("bull::meta", "no", "name")
    client.hset("bull:a:b:meta", "two", "words")
    client.hset("cattle:queue:meta", "other", "prefix")
    with Exporter(emptied.exporter_env()) as exporter:
        exporter.wait_value(1, "supercheck_queue_backlog_jobs", queue="real")
        exporter.wait_follows()
        bullmq_newest.queue("real").add()
        exporter.wait_value(1, "supercheck_queue_added_jobs_total", queue="real")
        samples = exporter.wait_failed()  # none
    queues = set(samples.values("supercheck_queue_backlog_jobs", by="queue"))
    assert not queues & {"a-string", "a-list", "half-a-queue", "", "a:b", "queue", "a", "b"}


def test_a_configured_queue_of_another_type_costs_itself_only(emptied: RedisServer) -> None:
    client = emptied.client()
    client.set("bull:k6-global:wait", "not a list")
    client.set("bull:k6-local:events", "not a stream")
    client.rpush("bull:playwright-global:wait", "1")
    with Exporter(emptied.exporter_env()) as exporter:
        exporter.wait_follows()
        samples = exporter.wait_value(1, "supercheck_queue_backlog_jobs", queue="playwright-global")
    assert samples.value("supercheck_scrape_collector_success", collector="queues") == 1
    assert samples.value("supercheck_queue_backlog_jobs", queue="k6-global") is None


@pytest.mark.parametrize("field", ["timestamp", "opts", "processedOn"], ids=lambda field: f"{field} is no number")
def test_a_job_hash_with_nonsense_in_it(emptied: RedisServer, field: str) -> None:
    client = emptied.client()
    client.hset("bull:k6-global:7", mapping={"timestamp": "1", "opts": "{}"} | {field: "nonsense \xff {["})
    client.rpush("bull:k6-global:wait", "7")
    client.rpush("bull:k6-global:active", "7")
    with Exporter(emptied.exporter_env()) as exporter:
        samples = exporter.wait_value(1, "supercheck_queue_backlog_jobs", queue="k6-global")
    assert samples.value("supercheck_scrape_collector_success", collector="queues") == 1


def test_a_result_of_10_mb_in_the_stream(emptied: RedisServer, bullmq_newest: BullMQ) -> None:
    """BullMQ writes a job's whole result into its `completed` entry."""
    with Exporter(emptied.exporter_env() | {"BULLMQ_QUEUES": "k6-global"}) as exporter:
        exporter.wait_follows()
        queue = bullmq_newest.queue("k6-global")
        queue.add_many(3, removeOnComplete=True)
        worker = queue.worker(value="x" * 10_000_000)
        worker.wait("completed", 3)
        worker.stop()
        samples = exporter.wait_value(3, "supercheck_queue_jobs_completed_total", queue=queue.name)
    assert samples.value("supercheck_queue_events_lost_total", queue=queue.name) == 0

"""The ages of the oldest ready and the oldest running job, with Redis's answers made up here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from redis.exceptions import ResponseError
from supercheck_exporter.bullmq.journal import Journals
from supercheck_exporter.bullmq.keys import LEVEL
from supercheck_exporter.bullmq.oldest_job import Ages, OldestJobs
from supercheck_exporter.bullmq.state import JOB_FIELDS, QueueState
from supercheck_exporter.config import load
from supercheck_exporter.sources.redis import Command, RedisSource

NOW = 1_000_000.0
SETTLED = NOW + 60_000


class Source:
    """Answers HMGET from ``jobs``, ZRANGEBYSCORE from ``levels``; notes each round trip."""

    def __init__(self) -> None:
        self.settings = load({})
        self.jobs: dict[bytes, dict[str, bytes]] = {}
        self.levels: list[list[bytes]] = []
        self.refused: set[bytes] = set()
        self.trips: list[list[Command]] = []

    def read(self, commands: Sequence[Command]) -> list[Any]:
        if commands:
            self.trips.append(list(commands))
        return [self._answer(command) for command in commands]

    def _answer(self, command: Command) -> Any:
        if command[0] == "ZRANGEBYSCORE":
            return self.levels.pop(0) if self.levels else []
        assert command[0] == "HMGET"
        job = bytes(command[1]).removeprefix(b"bull:q:")  # type: ignore[arg-type]
        if job in self.refused:
            return ResponseError("WRONGTYPE")
        return [self.jobs.get(job, {}).get(name) for name in JOB_FIELDS]


class Site:
    """One queue ``q`` as Redis shows it (``state``) and as its events told."""

    def __init__(self) -> None:
        self.source = Source()
        self.journals = Journals()
        self.oldest = OldestJobs(cast("RedisSource", self.source), self.journals)
        self.met: list[int] = []
        self.state = QueueState("q", dict.fromkeys(("waiting", "prioritized", "paused", "active"), 0))

    def events(self, *steps: tuple[float, str, str]) -> None:
        self.journals.apply("q", [(int(ms), event.encode(), job.encode()) for ms, event, job in steps])

    def waiting(self, *ends: bytes, count: int = 3) -> None:
        self.state.ends = list(ends)
        self.state.counts["waiting"] = count

    def find(self, now: float = NOW) -> Ages:
        return self.oldest.find([self.state], now, lambda _, level: self.met.append(level))["q"]

    def job(self, name: bytes, **fields: object) -> None:
        self.source.jobs[name] = {key: str(value).encode() for key, value in fields.items()}


@pytest.fixture
def site() -> Site:
    return Site()


def test_an_empty_queue_asks_nothing(site: Site) -> None:
    assert site.find() == Ages(None, None)
    assert site.source.trips == []


# -- where the events know -------------------------------------------------------------------------


def test_the_events_know_when_it_became_ready(site: Site) -> None:
    site.events((5000, "waiting", "1"), (6000, "waiting", "2"))
    site.waiting(b"2", b"1")
    assert site.find().ready == 5000
    assert site.source.trips == []


def test_a_retry_waits_from_its_last_waiting(site: Site) -> None:
    site.events((1000, "waiting", "1"), (2000, "active", "1"), (3000, "delayed", "1"), (700_000, "waiting", "1"))
    site.job(b"1", timestamp=1000, processedOn=2000, ats=1)
    site.waiting(b"1")
    assert site.find().ready == 700_000


def test_a_lifo_job_does_not_hide_one_in_the_middle(site: Site) -> None:
    """FIFO, LIFO and FIFO adds: the oldest is at neither end of the list."""
    site.events((1000, "waiting", "old"), (2000, "waiting", "lifo"), (3000, "waiting", "new"))
    site.job(b"old", timestamp=1000)
    site.waiting(b"new", b"lifo")
    assert site.find().ready == 1000


def test_a_job_in_the_middle_that_is_gone_does_not_count(site: Site) -> None:
    site.events((1000, "waiting", "drained"), (2000, "waiting", "here"))
    site.waiting(b"here")
    assert site.find().ready == 2000


@pytest.mark.parametrize("facts", [{"processedOn": 500_000}, {"processedOn": 900, "finishedOn": 1500}])
def test_a_job_that_was_started_or_is_finished_does_not_count(site: Site, facts: dict[str, int]) -> None:
    """Redis's keys are ahead of the events."""
    site.events((1000, "waiting", "gone"), (2000, "waiting", "here"))
    site.job(b"gone", timestamp=1000, ats=1, **facts)
    site.waiting(b"here")
    assert site.find().ready == 2000


def test_a_drained_job_is_forgotten(site: Site) -> None:
    site.events((1000, "waiting", "drained"), (2000, "waiting", "here"))
    site.waiting(b"here")
    site.find()
    assert site.journals.longest_waiting("q") == b"drained"
    site.find(SETTLED)
    assert site.journals.longest_waiting("q") == b"here"


def test_an_empty_queue_forgets_its_drained_jobs(site: Site) -> None:
    site.events((1000, "waiting", "a"), (2000, "waiting", "b"))
    site.find()
    site.find(SETTLED)
    assert site.journals.longest_waiting("q") is None


def test_a_scrape_ahead_of_the_events_costs_no_wait(site: Site) -> None:
    """The queue is empty because the job was started just now; its `active` is read a moment later."""
    site.events((1000, "waiting", "1"))
    site.find()
    site.events((NOW - 5, "active", "1"))
    assert site.journals.read(["q"], lambda _, journal: [journal.wait.value().cumulative[-1]]) == [1]


# -- where only the hashes know --------------------------------------------------------------------


def test_a_first_attempt_is_ready_since_its_timestamp(site: Site) -> None:
    site.job(b"1", timestamp=4000, opts="{}")
    site.job(b"2", timestamp=9000)
    site.waiting(b"2", b"1")
    assert site.find().ready == 4000
    assert len(site.source.trips) == 1


def test_a_delay_is_no_wait(site: Site) -> None:
    site.job(b"1", timestamp=4000, delay=0, opts='{"delay":3600}')
    site.waiting(b"1")
    assert site.find().ready == 4000 + 3600


def test_a_job_promoted_early_seems_ready_in_the_future(site: Site) -> None:
    """Its hash can't tell better; whoever makes an age of it clamps at 0."""
    site.job(b"1", timestamp=NOW, opts='{"delay":3600000}')
    site.waiting(b"1")
    ready = site.find().ready
    assert ready is not None
    assert ready > NOW


def test_a_retry_without_events_is_unknown(site: Site) -> None:
    site.job(b"1", timestamp=1000, processedOn=2000, ats=1)
    site.waiting(b"1")
    assert site.find().ready is None


def test_a_job_whose_hash_has_expired_is_unknown(site: Site) -> None:
    """Supercheck's cleanup lets the hashes of waiting jobs expire."""
    site.waiting(b"1")
    assert site.find().ready is None


def test_a_hash_of_another_type_is_unknown(site: Site) -> None:
    site.source.refused = {b"1"}
    site.waiting(b"1")
    assert site.find().ready is None


def test_an_overdue_delayed_job_counts(site: Site) -> None:
    site.job(b"1", timestamp=9000)
    site.waiting(b"1")
    site.state.overdue, site.state.overdue_since = 1, 7000.0
    assert site.find().ready == 7000
    site.state.overdue_since = 9500.0
    assert site.find().ready == 9000


def test_overdue_jobs_alone_count(site: Site) -> None:
    site.state.overdue, site.state.overdue_since = 2, 7000.0
    assert site.find().ready == 7000


# -- priorities ------------------------------------------------------------------------------------


def test_the_level_beyond_a_new_one_is_read_in_the_same_scrape(site: Site) -> None:
    site.state.counts["prioritized"] = 2
    site.state.ends, site.state.new_levels = [b"urgent"], [1]
    site.source.levels = [[b"late", str(10 * LEVEL + 4).encode()]]
    site.job(b"urgent", timestamp=900_000)
    site.job(b"late", timestamp=1000)
    assert site.find().ready == 1000
    assert site.met == [10]
    assert len(site.source.trips) == 2


def test_no_level_beyond(site: Site) -> None:
    site.state.counts["prioritized"] = 1
    site.state.ends, site.state.new_levels = [b"urgent"], [1]
    site.job(b"urgent", timestamp=900_000)
    assert site.find().ready == 900_000
    assert site.met == []
    assert len(site.source.trips) == 1


# -- running jobs ----------------------------------------------------------------------------------


def test_the_events_know_when_the_attempt_began(site: Site) -> None:
    site.events((5000, "active", "1"))
    site.state.longest_active = b"1"
    assert site.find().active == 5000
    assert site.source.trips == []


def test_the_hash_knows_when_the_attempt_began(site: Site) -> None:
    site.job(b"1", timestamp=1000, processedOn=6000, ats=1)
    site.state.longest_active = b"1"
    assert site.find() == Ages(None, 6000)


def test_a_running_job_without_a_hash_is_unknown(site: Site) -> None:
    site.state.longest_active = b"1"
    assert site.find().active is None


# -- many queues -----------------------------------------------------------------------------------


def test_all_queues_share_the_round_trips(site: Site) -> None:
    states = []
    for number in range(50):
        counts = dict.fromkeys(("waiting", "prioritized", "paused", "active"), 1)
        states.append(QueueState(f"q{number}", counts, ends=[b"1"], longest_active=b"2", new_levels=[1]))
    site.source.levels = [[b"3", str(2 * LEVEL).encode()] for _ in states]
    site.oldest.find(states, NOW, lambda *_: None)
    assert len(site.source.trips) == 2

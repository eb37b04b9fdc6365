"""What a queue's events add up to: every sequence that BullMQ writes (bullmq.md), in milliseconds."""

from __future__ import annotations

import math
import threading

import pytest
from supercheck_exporter.bullmq import journal
from supercheck_exporter.bullmq.events import Entry, parse
from supercheck_exporter.bullmq.journal import RUN_EDGES, WAIT_EDGES, Journal, Journals
from supercheck_exporter.core import HistogramValue
from supercheck_exporter.distribution import Distribution
from supercheck_exporter.thresholds import default_thresholds

Step = tuple[int, str] | tuple[int, str, str]


def entries(*steps: Step) -> list[Entry]:
    """Entries of (ms, event) or (ms, event, job); the job is "1" unless given."""
    return [(step[0], step[1].encode(), (step[2] if len(step) == 3 else "1").encode()) for step in steps]


def after(*steps: Step) -> Journal:
    made = Journal()
    made.apply(entries(*steps))
    return made


def totals(of: Journal) -> dict[str, int]:
    return {name: value for name, value in of.totals.items() if value}


def times(value: HistogramValue) -> tuple[int, float]:
    """How many values, and their sum in seconds."""
    return value.cumulative[-1], round(value.total, 6)


def runs(of: Journal) -> dict[str, tuple[int, float]]:
    return {outcome: times(run.value()) for outcome, run in of.run.items() if run.value().cumulative[-1]}


START: list[Step] = [(1000, "added"), (1000, "waiting"), (3000, "active")]


def test_nothing_yet() -> None:
    made = Journal()
    assert totals(made) == {}
    assert (made.started_ms, made.finished_ms) == (0, 0)
    assert times(made.wait.value()) == (0, 0)


def test_a_job_that_completes() -> None:
    made = after(*START, (10_000, "completed"))
    assert totals(made) == {"added": 1, "completed": 1}
    assert times(made.wait.value()) == (1, 2.0)
    assert runs(made) == {"completed": (1, 7.0)}
    assert (made.started_ms, made.finished_ms) == (3000, 10_000)
    assert (made.waiting, made.active) == ({}, {})


def test_a_job_that_fails_at_once() -> None:
    made = after(*START, (4000, "failed"), (4000, "retries-exhausted"))
    assert totals(made) == {"added": 1, "failed": 1}
    assert runs(made) == {"failed": (1, 1.0)}


def test_retries_with_backoff() -> None:
    """Three attempts give delayed, waiting, delayed, waiting, failed: the backoff is neither wait nor run."""
    made = after(
        *START, (4000, "delayed"), (9000, "waiting"), (9100, "active"),
        (9600, "delayed"), (19_600, "waiting"), (19_700, "active"),
        (20_000, "failed"), (20_000, "retries-exhausted"),
    )  # fmt: skip
    assert totals(made) == {"added": 1, "retried": 2, "failed": 1}
    assert times(made.wait.value()) == (3, 2.0 + 0.1 + 0.1)
    assert runs(made) == {"retried": (2, 1.0 + 0.5), "failed": (1, 0.3)}


def test_a_retry_without_backoff() -> None:
    made = after(*START, (4000, "waiting"), (4500, "active"), (5000, "completed"))
    assert totals(made) == {"added": 1, "retried": 1, "completed": 1}
    assert times(made.wait.value()) == (2, 2.0 + 0.5)
    assert runs(made) == {"retried": (1, 1.0), "completed": (1, 0.5)}


def test_a_stalled_job_is_no_retry() -> None:
    """The stalled check writes `waiting` and then `stalled`."""
    made = after(*START, (60_000, "waiting"), (60_000, "stalled"), (61_000, "active"), (62_000, "completed"))
    assert totals(made) == {"added": 1, "stalled": 1, "completed": 1}
    assert times(made.wait.value()) == (2, 2.0 + 1.0)
    assert runs(made) == {"completed": (1, 1.0)}


def test_a_stalled_job_whose_events_come_in_two_reads() -> None:
    made = after(*START, (60_000, "waiting"))
    assert totals(made) == {"added": 1}
    made.apply(entries((60_000, "stalled")))
    assert totals(made) == {"added": 1, "stalled": 1}
    assert runs(made) == {}


def test_a_retry_beside_a_stalled_job() -> None:
    made = after(
        *START, (1000, "waiting", "2"), (3000, "active", "2"),
        (4000, "waiting", "2"), (60_000, "waiting"), (60_000, "stalled"),
    )  # fmt: skip
    assert totals(made) == {"added": 1, "retried": 1, "stalled": 1}
    assert runs(made) == {"retried": (1, 1.0)}


def test_two_stalled_jobs_of_one_check() -> None:
    made = after(
        (0, "waiting", "a"), (0, "waiting", "b"), (1, "active", "a"), (1, "active", "b"),
        (9, "waiting", "a"), (9, "stalled", "a"), (9, "waiting", "b"), (9, "stalled", "b"), (9, "drained", ""),
    )  # fmt: skip
    assert totals(made) == {"stalled": 2}
    assert set(made.waiting) == {b"a", b"b"}


def test_a_job_that_stalled_too_often_fails_on_its_next_start() -> None:
    made = after(*START, (60_000, "waiting"), (60_000, "stalled"), (60_100, "active"), (60_200, "failed"))
    assert totals(made) == {"added": 1, "stalled": 1, "failed": 1}
    assert runs(made) == {"failed": (1, 0.1)}


def test_a_delayed_job_waits_from_when_it_is_ready() -> None:
    made = after((1000, "added"), (1000, "delayed"), (3_601_000, "waiting"), (3_601_500, "active"))
    assert totals(made) == {"added": 1}
    assert times(made.wait.value()) == (1, 0.5)


def test_a_prioritized_job_waits_like_any_other() -> None:
    made = after(
        (1000, "added"), (1000, "waiting"), (1000, "added", "2"), (1000, "waiting", "2"), (4000, "active", "2")
    )
    assert times(made.wait.value()) == (1, 3.0)
    assert made.waiting == {b"1": 1000}


def test_a_parent_waits_from_when_its_children_are_done() -> None:
    made = after((1000, "added"), (1000, "waiting-children"), (5000, "waiting"), (6000, "active"), (7000, "completed"))
    assert totals(made) == {"added": 1, "completed": 1}
    assert times(made.wait.value()) == (1, 1.0)


def test_a_running_job_that_goes_to_wait_for_children_is_no_retry() -> None:
    made = after(*START, (4000, "waiting-children"), (8000, "waiting"), (8500, "active"), (9000, "completed"))
    assert totals(made) == {"added": 1, "completed": 1}
    assert times(made.wait.value()) == (2, 2.0 + 0.5)
    assert runs(made) == {"completed": (1, 0.5)}


@pytest.mark.parametrize("steps", [[(1000, "waiting")], [(1000, "waiting"), (2000, "active")]])
def test_a_removed_job_is_forgotten(steps: list[Step]) -> None:
    made = after(*steps, (3000, "removed"))
    assert (made.waiting, made.active) == ({}, {})
    made.apply(entries((9000, "active"), (9500, "completed")))
    assert times(made.wait.value())[0] == len(steps) - 1


def test_a_duplicate_is_not_added() -> None:
    made = after((1000, "added"), (1000, "waiting"), (1500, "duplicated"), (1500, "deduplicated"))
    assert totals(made) == {"added": 1}
    assert made.waiting == {b"1": 1000}


@pytest.mark.parametrize("event", ["progress", "drained", "paused", "resumed", "cleaned", "debounced", "news"])
def test_other_events_change_nothing(event: str) -> None:
    made = after(*START, (4000, event), (4000, event, ""))
    assert totals(made) == {"added": 1}
    assert (made.waiting, made.active) == ({}, {b"1": 3000})


def test_a_pause_is_queue_wait() -> None:
    made = after((1000, "waiting"), (2000, "paused", ""), (61_000, "resumed", ""), (61_500, "active"))
    assert times(made.wait.value()) == (1, 60.5)


def test_a_manual_retry_waits_anew() -> None:
    made = after(*START, (4000, "failed"), (99_000, "waiting"), (99_500, "active"), (99_600, "completed"))
    assert totals(made) == {"added": 1, "failed": 1, "completed": 1}
    assert times(made.wait.value()) == (2, 2.0 + 0.5)


def test_what_was_not_seen_to_begin_is_counted_but_not_timed() -> None:
    made = after((5000, "active"), (6000, "completed"), (7000, "completed", "2"), (8000, "failed", "3"))
    assert totals(made) == {"completed": 2, "failed": 1}
    assert times(made.wait.value()) == (0, 0)
    assert runs(made) == {"completed": (1, 1.0)}


def test_jobs_are_listed_longest_first_and_a_retry_goes_to_the_end() -> None:
    made = after(
        (1000, "waiting", "a"), (2000, "waiting", "b"), (3000, "active", "a"), (4000, "waiting", "a"),
    )  # fmt: skip
    assert list(made.waiting.items()) == [(b"b", 2000), (b"a", 4000)]


# -- a hole, and the time before -------------------------------------------------------------------


def test_no_pair_across_a_hole_is_trusted() -> None:
    made = after(*START, (2000, "waiting", "2"))
    made.missed(30, math.inf)
    made.apply(entries((50_000, "completed"), (50_000, "active", "2")))
    assert totals(made) == {"added": 1, "completed": 1, "lost": 30}
    assert runs(made) == {}
    assert times(made.wait.value())[0] == 1


def test_pairs_after_a_hole_are_trusted() -> None:
    """A stream that was lost and began anew: what was read of the new one is whole."""
    made = after((1000, "waiting", "old"), (2000, "active", "older"), (60_000, "waiting"), (61_000, "active", "2"))
    made.missed(1, 60_000)
    made.apply(entries((62_000, "active", "old"), (63_000, "active"), (64_000, "completed", "2")))
    assert times(made.wait.value()) == (1, 3.0)
    assert runs(made) == {"completed": (1, 3.0)}


def test_a_job_moved_back_just_before_a_hole_is_no_retry() -> None:
    made = after(*START, (4000, "waiting"))
    made.missed(1, math.inf)
    made.apply(entries((9000, "added", "2")))
    assert totals(made) == {"added": 2, "lost": 1}


def test_what_was_before_counts_nothing() -> None:
    made = Journal()
    made.backfill(
        entries(*START, (4000, "completed"), (5000, "waiting", "2"), (6000, "waiting", "3"), (7000, "active", "3"))
    )
    assert totals(made) == {}
    assert times(made.wait.value()) == (0, 0)
    assert runs(made) == {}
    assert (made.waiting, made.active) == ({b"2": 5000}, {b"3": 7000})
    assert (made.started_ms, made.finished_ms) == (7000, 4000)


def test_what_began_before_is_timed_in_full() -> None:
    made = Journal()
    made.backfill(entries((1000, "waiting"), (2000, "active"), (3000, "waiting", "2")))
    made.apply(entries((12_000, "completed"), (13_000, "active", "2")))
    assert totals(made) == {"completed": 1}
    assert runs(made) == {"completed": (1, 10.0)}
    assert times(made.wait.value()) == (1, 10.0)


def test_a_retry_at_the_very_end_of_what_was_before_is_told_from_a_stall() -> None:
    for event, expected in (("stalled", {"stalled": 1}), ("active", {"retried": 1})):
        made = Journal()
        made.backfill(entries((1000, "active"), (2000, "waiting")))
        made.apply(entries((2000, event)))
        assert totals(made) == expected


# -- what Redis shows to be gone -------------------------------------------------------------------


def test_a_drained_job_is_forgotten_once_its_events_could_have_come() -> None:
    made = after((1000, "waiting", "a"), (2000, "waiting", "b"))
    made.not_waiting(b"a", 10_000)
    made.forget_gone(14_000)
    assert set(made.waiting) == {b"a", b"b"}
    made.forget_gone(15_000)
    assert set(made.waiting) == {b"b"}


def test_a_job_that_was_started_a_moment_ago_keeps_its_wait() -> None:
    """A scrape sees the keys ahead of the events: the wait must not be lost."""
    made = after((1000, "waiting"))
    made.not_waiting(b"1", 600_000)
    made.not_waiting(None, 600_000)
    made.forget_gone(600_000)
    made.apply(entries((599_990, "active")))
    assert times(made.wait.value()) == (1, 598.99)


def test_a_job_that_waits_again_meanwhile_is_kept() -> None:
    made = after((1000, "waiting"))
    made.not_waiting(b"1", 10_000)
    made.apply(entries((10_000, "active"), (11_000, "waiting")))
    made.forget_gone(20_000)
    assert made.waiting == {b"1": 11_000}


def test_an_empty_queue_forgets_whoever_waited_before() -> None:
    made = after((1000, "waiting", "a"), (2000, "waiting", "b"))
    made.not_waiting(None, 10_000)
    made.apply(entries((12_000, "waiting", "c")))
    made.forget_gone(15_000)
    assert made.waiting == {b"c": 12_000}


# -- bounds ----------------------------------------------------------------------------------------


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_TRACKED_JOBS", 10)
    made = Journal()
    made.apply(entries(*((n, "waiting", str(n)) for n in range(25))))
    assert list(made.waiting) == [str(n).encode() for n in range(15, 25)]
    made.apply(entries(*((100 + n, "active", str(n)) for n in range(25))))
    assert made.waiting == {}
    assert list(made.active) == [str(n).encode() for n in range(15, 25)]
    assert times(made.wait.value())[0] == 10


# -- buckets ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("edges", [WAIT_EDGES, RUN_EDGES])
def test_a_value_on_an_edge_belongs_below_it(edges: tuple[float, ...]) -> None:
    for index, edge in enumerate(edges):
        made = Distribution(edges)
        made.observe(edge)
        assert made.value().cumulative == tuple(int(place >= index) for place in range(len(edges) + 1))


@pytest.mark.parametrize(("seconds", "bucket"), [(0, 0), (-0.001, 0), (10**9, -1)])
def test_values_beyond_the_edges(seconds: float, bucket: int) -> None:
    made = Distribution(WAIT_EDGES)
    made.observe(seconds)
    assert made.counts[bucket] == 1
    assert made.value().total == seconds


def test_edges_rise_and_stand_at_the_thresholds() -> None:
    limits = default_thresholds()
    assert sorted(set(WAIT_EDGES)) == list(WAIT_EDGES)
    assert sorted(set(RUN_EDGES)) == list(RUN_EDGES)
    assert {5, limits["queue_oldest_ready_warning_seconds"], limits["queue_oldest_ready_critical_seconds"]} <= {
        *WAIT_EDGES
    }
    assert 4800 in RUN_EDGES


def test_a_value_that_was_given_away_does_not_change() -> None:
    made = Distribution((1.0,))
    made.observe(0.5)
    before = made.value()
    made.observe(0.5)
    assert (before.cumulative, made.value().cumulative) == ((1, 1), (2, 2))


# -- all queues ------------------------------------------------------------------------------------


def test_queues_do_not_mix() -> None:
    journals = Journals()
    journals.apply("a", entries((1000, "waiting")))
    journals.apply("b", entries((2000, "waiting"), (3000, "active")))
    assert (journals.waiting_since("a", b"1"), journals.waiting_since("b", b"1")) == (1000, None)
    assert (journals.active_since("a", b"1"), journals.active_since("b", b"1")) == (None, 3000)
    assert (journals.longest_waiting("a"), journals.longest_waiting("b")) == (b"1", None)


def test_looking_at_an_unknown_queue_leaves_nothing_behind() -> None:
    journals = Journals()
    assert journals.waiting_since("a", b"1") is None
    assert journals.active_since("a", b"1") is None
    assert journals.longest_waiting("a") is None
    journals.not_waiting("a", None, 1.0)
    journals.forget_gone("a", 1.0)
    assert vars(journals)["_journals"] == {}


def test_a_forgotten_queue_starts_anew() -> None:
    journals = Journals()
    journals.apply("a", entries((1000, "added")))
    journals.lost("a", 4, math.inf)
    journals.forget("a")
    assert journals.read(["a"], lambda _, found: [found.totals]) == [dict.fromkeys(Journal().totals, 0)]


def test_readers_and_the_writer_do_not_disturb_each_other() -> None:
    journals = Journals()
    done = threading.Event()
    problems: list[BaseException] = []

    def write() -> None:
        for number in range(3000):
            journals.apply("a", entries((number, "waiting", str(number)), (number, "active", str(number))))
        done.set()

    def read() -> None:
        try:
            while not done.is_set():
                for value in journals.read(["a"], lambda _, found: [found.wait.value()]):
                    assert list(value.cumulative) == sorted(value.cumulative)
                journals.longest_waiting("a")
        except BaseException as problem:  # noqa: BLE001  handed to the test's own thread
            problems.append(problem)

    threads = [threading.Thread(target=read) for _ in range(3)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    assert journals.read(["a"], lambda _, found: [found.wait.value().cumulative[-1]]) == [3000]


# -- the stream's entries --------------------------------------------------------------------------


def test_entries_are_read_and_what_is_private_is_dropped() -> None:
    raw = [
        (b"1000-0", [b"event", b"added", b"jobId", b"1", b"name", b"secret"]),
        (b"2000-7", [b"event", b"completed", b"jobId", b"a:b:c", b"returnvalue", b"x" * 1000, b"prev", b"active"]),
        (b"3000-0", [b"event", b"drained"]),
    ]
    found, size = parse(raw)
    assert found == [(1000, b"added", b"1"), (2000, b"completed", b"a:b:c"), (3000, b"drained", b"")]
    assert size == len("secret") + 1000 + len("active")


def test_entries_of_another_make_are_skipped() -> None:
    raw = [(b"1-0", []), (b"2-0", [b"other", b"x"]), (b"3-0", [b"event", b"active", b"job", b"9"])]
    assert parse(raw) == ([(3, b"active", b"")], 0)

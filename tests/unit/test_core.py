"""The Runner: all or nothing, deadlines, one run in flight, one log line a change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from servers.process import wait_for
from supercheck_exporter.core import Collector, NoData, Run, Runner, Sample, SourceError, describe_error, gauge

VALUE = gauge("supercheck_test_value", "For tests.", "item")
LONG = 30.0
"""Seconds: a bound that is only reached when a test fails."""


class Fake(Collector):
    """Collects by calling ``read``, which a test may replace."""

    descs = (VALUE,)

    def __init__(self, name: str, read: Callable[[], Iterable[Sample]]) -> None:
        self.name = name
        self.read = read
        self.calls = 0

    def collect(self) -> Iterable[Sample]:
        self.calls += 1
        return self.read()


class Gate:
    """A read that blocks until it is opened, as on a frozen source."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def read(self) -> list[Sample]:
        self.entered.release()
        assert self.opened.wait(LONG)
        return one()


def one(value: float = 1) -> list[Sample]:
    return [VALUE(value, "a")]


def failing(problem: Exception) -> Callable[[], Iterable[Sample]]:
    def read() -> Iterable[Sample]:
        raise problem

    return read


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()
    yield found
    found.opened.set()


@pytest.fixture
def runner_of() -> Iterator[Callable[..., Runner]]:
    made: list[Runner] = []

    def make(*collectors: Collector, **options: Callable[[], float]) -> Runner:
        made.append(Runner(collectors, **options))
        return made[-1]

    yield make
    for runner in made:
        runner.stop()


RunnerOf = Callable[..., Runner]


def only(runs: list[Run]) -> Run:
    assert len(runs) == 1
    return runs[0]


# -- success and failure ---------------------------------------------------------------------------


def test_a_run_that_works(runner_of: RunnerOf) -> None:
    run = only(runner_of(Fake("good", one)).scrape(timeout=LONG))
    assert (run.collector, run.success, run.error, run.samples) == ("good", True, "", tuple(one()))
    assert run.duration >= 0


def test_a_collector_that_fails_half_way_emits_nothing(runner_of: RunnerOf) -> None:
    def half() -> Iterator[Sample]:
        yield from one()
        raise SourceError("the rest is gone")

    run = only(runner_of(Fake("half", half)).scrape(timeout=LONG))
    assert (run.success, run.samples, run.error) == (False, (), "the rest is gone")


def test_no_data_is_no_failure(runner_of: RunnerOf) -> None:
    def nothing() -> Iterator[Sample]:
        yield from one()
        raise NoData

    run = only(runner_of(Fake("empty", nothing)).scrape(timeout=LONG))
    assert (run.success, run.samples, run.error) == (True, (), "")


@pytest.mark.parametrize("problem", [SourceError(""), KeyError(), ValueError("x"), ZeroDivisionError("y")])
def test_every_exception_is_a_failure_with_a_text(runner_of: RunnerOf, problem: Exception) -> None:
    run = only(runner_of(Fake("bad", failing(problem))).scrape(timeout=LONG))
    assert not run.success
    assert run.error


def test_one_failure_costs_its_own_collector_only(runner_of: RunnerOf) -> None:
    runs = runner_of(Fake("bad", failing(OSError("no"))), Fake("good", one)).scrape(timeout=LONG)
    assert [(run.collector, run.success, len(run.samples)) for run in runs] == [("bad", False, 0), ("good", True, 1)]


def test_a_series_that_stands_twice_fails_its_collector(runner_of: RunnerOf) -> None:
    run = only(runner_of(Fake("double", lambda: [*one(1), *one(2)])).scrape(timeout=LONG))
    assert (run.success, run.samples) == (False, ())
    assert "supercheck_test_value" in run.error


def test_the_same_metric_with_other_labels_is_no_duplicate(runner_of: RunnerOf) -> None:
    run = only(runner_of(Fake("two", lambda: [VALUE(1, "a"), VALUE(1, "b")])).scrape(timeout=LONG))
    assert run.success


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (SourceError("Redis is down"), "Redis is down"),
        (ValueError("two\n  lines"), "ValueError: two lines"),
        (KeyError(), "KeyError"),
        (SourceError(""), "SourceError"),
    ],
)
def test_an_error_is_one_line(problem: Exception, text: str) -> None:
    assert describe_error(problem) == text


# -- which collectors ------------------------------------------------------------------------------


def test_only_the_named_collectors_run(runner_of: RunnerOf) -> None:
    left, right = Fake("left", one), Fake("right", one)
    runner = runner_of(left, right)
    assert [run.collector for run in runner.scrape(["right"], LONG)] == ["right"]
    assert (left.calls, right.calls) == (0, 1)
    assert runner.names == ("left", "right")


def test_start_and_stop_reach_every_collector() -> None:
    seen = []

    class Followed(Fake):
        def start(self) -> None:
            seen.append(f"start {self.name}")

        def stop(self) -> None:
            seen.append(f"stop {self.name}")

    runner = Runner([Followed("a", one), Followed("b", one)])
    assert seen == []
    runner.start()
    runner.stop()
    assert seen == ["start a", "start b", "stop a", "stop b"]


# -- deadlines -------------------------------------------------------------------------------------


@pytest.mark.promise("frozen source")
def test_a_frozen_source_costs_its_own_collector_only(runner_of: RunnerOf, gate: Gate) -> None:
    frozen, good = runner_of(Fake("frozen", gate.read), Fake("good", one)).scrape(timeout=0.05)
    assert (frozen.success, frozen.samples) == (False, ())
    assert "does not answer" in frozen.error
    assert (good.success, good.samples) == (True, tuple(one()))


def test_the_duration_of_a_run_that_is_not_over_is_its_time_so_far(runner_of: RunnerOf, gate: Gate) -> None:
    times = iter([100.0])
    run = only(runner_of(Fake("frozen", gate.read), clock=lambda: next(times, 107.5)).scrape(timeout=0.05))
    assert run.duration == 7.5
    assert "7.5 s" in run.error


@pytest.mark.parametrize("timeout", [0.0, -3.0])
def test_a_deadline_that_has_passed_waits_for_nothing(runner_of: RunnerOf, gate: Gate, timeout: float) -> None:
    assert not only(runner_of(Fake("frozen", gate.read)).scrape(timeout=timeout)).success


def test_a_second_scrape_joins_the_run_in_flight(runner_of: RunnerOf, gate: Gate) -> None:
    collector = Fake("slow", gate.read)
    runner = runner_of(collector)
    found: list[Run] = []
    threads = [threading.Thread(target=lambda: found.extend(runner.scrape(timeout=LONG))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert gate.entered.acquire(timeout=LONG)
    gate.opened.set()
    for thread in threads:
        thread.join(LONG)
    assert len(found) == 5
    assert all(run.success for run in found)
    # whoever came after the end began a run of his own; none ran beside another
    assert collector.calls == len({id(run) for run in found})


def test_a_hundred_scrapes_of_a_frozen_source_are_one_run(runner_of: RunnerOf, gate: Gate) -> None:
    collector = Fake("frozen", gate.read)
    runner = runner_of(collector, Fake("good", one))
    runner.scrape(timeout=0.05)
    before = threading.active_count()
    for _ in range(100):
        frozen, _ = runner.scrape(timeout=0.001)
        assert not frozen.success
    assert collector.calls == 1
    assert threading.active_count() <= before + 1  # the pool's second thread, if the first scrape needed one only


def test_a_late_run_is_joined_by_the_next_scrape(runner_of: RunnerOf, gate: Gate) -> None:
    collector = Fake("late", gate.read)
    runner = runner_of(collector)
    assert not only(runner.scrape(timeout=0.01)).success
    gate.opened.set()
    assert only(runner.scrape(timeout=LONG)).success


def test_a_late_run_is_not_lost_to_the_status_page(runner_of: RunnerOf, gate: Gate) -> None:
    runner = runner_of(Fake("late", gate.read))
    runner.scrape(timeout=0.01)
    assert runner.state("late") == (None, None)
    gate.opened.set()
    wait_for(lambda: runner.state("late")[0], LONG, "the run is over")
    last, success_at = runner.state("late")
    assert last is not None
    assert last.success
    assert success_at == last.finished_at


def test_it_recovers_by_itself(runner_of: RunnerOf) -> None:
    collector = Fake("shaky", failing(SourceError("down")))
    runner = runner_of(collector)
    assert not only(runner.scrape(timeout=LONG)).success
    assert runner.state("shaky")[1] is None
    collector.read = one
    assert only(runner.scrape(timeout=LONG)).success
    success_at = runner.state("shaky")[1]
    collector.read = failing(SourceError("down"))
    runner.scrape(timeout=LONG)
    last, kept = runner.state("shaky")
    assert (last and last.error, kept) == ("down", success_at)


# -- the log ---------------------------------------------------------------------------------------


def test_each_change_is_logged_once(runner_of: RunnerOf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    collector = Fake("shaky", one)
    runner = runner_of(collector)
    steps: list[Callable[[], Iterable[Sample]]] = [
        one,
        *[failing(SourceError("down"))] * 3,
        *[failing(SourceError("refused"))] * 2,
        failing(SourceError("not read for 9 s")),
        failing(SourceError("not read for 10.5 s")),
        one,
        one,
    ]
    for step in steps:
        collector.read = step
        runner.scrape(timeout=LONG)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "collector shaky failed: down"),
        ("ERROR", "collector shaky failed: refused"),
        ("ERROR", "collector shaky failed: not read for 9 s"),
        ("INFO", "collector shaky works again, failed runs: 7"),
    ]

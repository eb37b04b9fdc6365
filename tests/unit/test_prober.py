"""When probes start and when they are over, by a clock that the test moves; the probes' threads are real."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from servers.process import wait_for
from supercheck_exporter import followers
from supercheck_exporter.core import SourceError
from supercheck_exporter.probing.prober import TOO_LATE, Prober, Result, Target

LONG = 30.0


class Clock:
    """Seconds that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Scripted(Target[str]):
    """Answers at once unless it is told to hang or to fail."""

    def __init__(self, name: str = "target", interval: float = 15.0, deadline: float = 5.0) -> None:
        self.name = name
        self.interval = interval
        self.seconds = deadline
        self.results: list[Result[str]] = []
        self.begun = 0
        self.at_once = 0
        self.problem: BaseException | None = None
        self.open = threading.Event()
        self.open.set()
        self._under_way = 0

    def due(self, last: float | None, now: float) -> float:
        return now if last is None else last + self.interval

    def deadline(self, now: float) -> float:
        return self.seconds

    def probe(self, seconds: float) -> str:
        self.begun += 1
        self._under_way += 1
        self.at_once = max(self.at_once, self._under_way)
        self.open.wait(LONG)
        self._under_way -= 1
        if self.problem is not None:
            raise self.problem
        return "well"

    def record(self, result: Result[str]) -> None:
        self.results.append(result)

    def wait(self, number: int) -> Result[str]:
        """The result of the so manieth probe."""
        wait_for(lambda: len(self.results) >= number, LONG, f"{number} results")
        return self.results[number - 1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def target() -> Iterator[Scripted]:
    made = Scripted()
    yield made
    made.open.set()


def prober(clock: Clock, *targets: Scripted, jitter: float = 0.0) -> Prober:
    return Prober(targets, clock, lambda: jitter)


def test_a_probe_an_interval_start_to_start(clock: Clock, target: Scripted) -> None:
    made = prober(clock, target)
    made.advance()
    assert target.wait(1) == Result(1000.0, 1000.0, "well")
    assert made.advance() == 15.0
    clock.now += 14.9
    assert made.advance() == pytest.approx(0.1)
    assert target.begun == 1
    clock.now = 1015.0
    made.advance()
    assert target.wait(2).began == 1015.0


def test_first_probes_are_spread(clock: Clock, target: Scripted) -> None:
    made = prober(clock, target, jitter=2.5)
    assert made.advance() == 2.5
    assert target.begun == 0
    clock.now += 2.5
    made.advance()
    assert target.wait(1).began == 1002.5


def test_a_failure_is_recorded_with_its_text(clock: Clock, target: Scripted) -> None:
    target.problem = SourceError("it refuses")
    prober(clock, target).advance()
    assert target.wait(1) == Result(1000.0, 1000.0, None, "it refuses")


def test_at_its_deadline_a_probe_has_failed_and_what_comes_later_counts_no_more(clock: Clock, target: Scripted) -> None:
    target.open.clear()
    made = prober(clock, target)
    assert made.advance() == 5.0
    clock.now += 4.9
    made.advance()
    assert target.results == []
    clock.now = 1005.3  # looked at a little late: the deadline is the moment all the same
    made.advance()
    assert target.results == [Result(1000.0, 1005.0, problem=TOO_LATE)]
    target.open.set()
    wait_for(lambda: made.advance() == pytest.approx(9.7), LONG, "the thread is back")
    assert len(target.results) == 1


def test_probes_due_while_one_hangs_fail_without_a_second_thread(clock: Clock, target: Scripted) -> None:
    target.open.clear()
    made = prober(clock, target)
    for _ in range(41):
        made.advance()
        clock.now += 1.0
    assert [(result.began, result.ended) for result in target.results] == [(1000, 1005), (1015, 1020), (1030, 1035)]
    assert (target.begun, target.at_once) == (1, 1)


def test_a_probe_that_waited_for_a_hanging_one_is_made_when_that_is_back(clock: Clock, target: Scripted) -> None:
    target.open.clear()
    made = prober(clock, target)
    for moment in (1000.0, 1005.0, 1015.0):
        clock.now = moment
        made.advance()
    clock.now = 1017.0
    target.open.set()
    wait_for(lambda: (made.advance(), target.begun == 2)[1], LONG, "the second probe")
    assert target.wait(2) == Result(1017.0, 1017.0, "well")
    assert target.at_once == 1


def test_an_answer_after_the_deadline_is_too_late_though_nobody_looked(clock: Clock, target: Scripted) -> None:
    target.open.clear()
    prober(clock, target).advance()
    clock.now += 6.0
    target.open.set()
    assert target.wait(1) == Result(1000.0, 1005.0, problem=TOO_LATE)


def test_one_that_hangs_delays_no_other(clock: Clock, target: Scripted) -> None:
    target.open.clear()
    others = [Scripted(f"other-{number}") for number in range(10)]
    made = prober(clock, target, *others)
    for turn in range(1, 5):
        made.advance()
        for other in others:
            assert other.wait(turn).answer == "well"
        clock.now += 15.0
    assert target.begun == 1


def test_a_defect_ends_the_prober_loudly(clock: Clock, target: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "DEAD", [])
    monkeypatch.setattr(threading, "excepthook", lambda _: None)  # where its traceback would be printed
    target.problem = ValueError("a defect")
    made = prober(clock, target)
    made.start()
    wait_for(lambda: followers.DEAD == ["prober"], LONG, "the prober has ended")
    assert target.results == []
    made.stop()


def test_it_runs_by_itself_and_stops(target: Scripted) -> None:
    target.interval = 0.01
    made = Prober([target], jitter=lambda: 0.0)
    made.start()
    target.wait(3)
    made.stop()
    made.stop()
    made.require_fresh(LONG, "targets")
    assert not [thread for thread in threading.enumerate() if thread.name in ("prober", "probe target")]
    begun = target.begun
    assert len(target.results) == begun


def test_nothing_to_probe_starts_nothing() -> None:
    made = Prober([])
    made.start()
    assert "prober" not in {thread.name for thread in threading.enumerate()}
    made.stop()

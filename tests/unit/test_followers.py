"""Background readers: they try again, say once what is wrong, and never pass old news off as new."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from redis.exceptions import ResponseError
from servers.process import wait_for
from supercheck_exporter import followers
from supercheck_exporter.core import SourceError
from supercheck_exporter.followers import Follower

LONG = 30.0


class Fake(Follower):
    """Does what the next of its steps does, and the last one again and again."""

    name = "fake"
    retry_seconds = 0.001

    def __init__(self, *steps: Callable[[], float]) -> None:
        super().__init__()
        self.steps = list(steps)
        self.calls = 0

    def step(self) -> float:
        self.calls += 1
        return (self.steps.pop(0) if len(self.steps) > 1 else self.steps[0])()


def works() -> float:
    return 0.001


def fails(problem: Exception) -> Callable[[], float]:
    def step() -> float:
        raise problem

    return step


FollowerOf = Callable[..., Fake]


@pytest.fixture
def started() -> Iterator[FollowerOf]:
    made: list[Fake] = []

    def start(*steps: Callable[[], float]) -> Fake:
        made.append(Fake(*steps))
        made[-1].start()
        return made[-1]

    yield start
    for follower in made:
        follower.stop()


def test_nothing_runs_before_the_start() -> None:
    before = threading.active_count()
    follower = Fake(works)
    assert threading.active_count() == before
    assert not follower.is_fresh(LONG)
    follower.stop()


def test_a_second_start_changes_nothing(started: FollowerOf) -> None:
    follower = started(works)
    before = threading.active_count()
    follower.start()
    assert threading.active_count() == before


def test_success_is_fresh(started: FollowerOf) -> None:
    follower = started(works)
    assert follower.first_success.wait(LONG)
    assert follower.is_fresh(LONG)
    assert follower.last_success == pytest.approx(time.time(), abs=LONG)
    follower.require_fresh(LONG, "The thing")


def test_old_news_is_no_news(started: FollowerOf) -> None:
    follower = started(works)
    assert follower.first_success.wait(LONG)
    follower.stop()
    with pytest.raises(SourceError, match=r"^The thing could not be read for "):
        follower.require_fresh(-1, "The thing")


def test_a_clock_that_is_set_back_makes_nothing_fresh(started: FollowerOf, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = started(works)
    assert follower.first_success.wait(LONG)
    follower.stop()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    wait_for(lambda: not follower.is_fresh(0.01), LONG, "it is old by a clock that nobody sets")


@pytest.mark.parametrize("problem", [SourceError("down"), ResponseError("NOPERM"), ConnectionResetError("gone")])
def test_a_failed_step_is_tried_again(started: FollowerOf, problem: Exception) -> None:
    follower = started(fails(problem), fails(problem), works)
    assert follower.first_success.wait(LONG)
    assert follower.error == ""


def test_why_it_could_not_be_read(started: FollowerOf) -> None:
    follower = started(fails(SourceError("Redis is down")))
    wait_for(lambda: follower.error, LONG, "a step failed")
    with pytest.raises(SourceError, match=r"^The thing could not be read yet: Redis is down$"):
        follower.require_fresh(LONG, "The thing")


def test_each_change_is_logged_once(started: FollowerOf, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "supercheck_exporter.followers")
    bad, worse = fails(SourceError("down")), fails(SourceError("refused"))
    follower = started(works, bad, bad, bad, worse, works)
    wait_for(lambda: len(caplog.records) == 3, LONG, "three changes were logged")
    calls = follower.calls
    wait_for(lambda: follower.calls > calls + 3, LONG, "more steps were made")
    assert [record.getMessage() for record in caplog.records] == [
        "fake: down",
        "fake: refused",
        "fake works again, failed reads: 4",
    ]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_defect_ends_it_and_says_so(started: FollowerOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followers, "DEAD", dead := list[str]())
    follower = started(fails(ZeroDivisionError("a defect")))
    wait_for(lambda: dead == ["fake"], LONG, "it has ended, and is named for /-/healthy")
    with pytest.raises(SourceError, match="ended on a defect"):
        follower.require_fresh(LONG, "The thing")


def test_stop_ends_a_long_pause(started: FollowerOf) -> None:
    follower = started(lambda: 3600.0)
    assert follower.first_success.wait(LONG)
    before = threading.active_count()
    follower.stop()
    assert threading.active_count() == before - 1


def test_what_others_make_of_its_news_is_told_after_each_step_that_worked() -> None:
    follower = Fake(works, fails(SourceError("gone")), works)
    told: list[float] = []
    follower.then.append(lambda: told.append(follower.last_success))
    for _ in range(3):
        follower.attempt()
    assert len(told) == 2
    assert all(told), "the success is known by then"


def test_what_was_read_before_a_failure_is_not_sound_any_more() -> None:
    follower = Fake(works, fails(SourceError("the source is gone")), works)
    with pytest.raises(SourceError, match="the first read is not over"):
        follower.require_sound(LONG, "It")
    follower.attempt()
    follower.require_sound(LONG, "It")
    follower.attempt()
    with pytest.raises(SourceError, match="the source is gone"):
        follower.require_sound(LONG, "It")
    follower.require_fresh(LONG, "It")  # it is not old, though
    follower.attempt()
    follower.require_sound(LONG, "It")

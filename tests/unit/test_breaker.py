"""The circuit breaker: its exact moments, and what holds for every sequence of calls."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from supercheck_exporter.breakers.breaker import STATES, TRANSITIONS, Breaker, State

Call = tuple[float, bool]
"""Seconds since the last one, and whether it worked."""
Step = tuple[float, State, State]
"""A moment, and the states before and after it."""

START = 1000.0
STEADY = settings(deadline=None, max_examples=200)  # no example is judged by its time


def opened(first: float = START) -> Breaker:
    """One that opened at `first` + 4."""
    breaker = Breaker(first)
    for number in range(5):
        breaker.record(False, first + number)
    return breaker


def test_it_begins_closed() -> None:
    breaker = Breaker(START)
    assert (breaker.state(START), breaker.state(START + 1e6)) == ("closed", "closed")
    assert breaker.seconds(START + 7) == {"closed": 7, "half_open": 0, "open": 0}
    assert set(breaker.transitions) == set(TRANSITIONS)


def test_the_fifth_failure_within_ten_seconds_opens_it() -> None:
    breaker = Breaker(START)
    for at in (0, 2, 4, 6):
        breaker.record(False, START + at)
    assert breaker.state(START + 6) == "closed"
    breaker.record(False, START + 10)  # ten seconds to the moment
    assert breaker.state(START + 10) == "open"
    assert breaker.since == START + 10


def test_five_failures_in_more_than_ten_seconds_do_not() -> None:
    breaker = Breaker(START)
    for at in (0, 2.6, 5.2, 7.8, 10.4, 13):
        breaker.record(False, START + at)
    assert breaker.state(START + 13) == "closed"


def test_successes_between_do_not_take_failures_away() -> None:
    breaker = Breaker(START)
    for at in range(9):
        breaker.record(at % 2 == 1, START + at)
    assert breaker.state(START + 8) == "open"


def test_it_is_open_for_thirty_seconds() -> None:
    breaker = opened()
    assert breaker.half_opens_at() == START + 34
    assert breaker.state(START + 33.999) == "open"
    assert breaker.state(START + 34) == "half_open"
    assert breaker.since == START + 34


def test_the_moment_of_half_open_is_exact_though_nobody_looked() -> None:
    breaker = opened()
    assert breaker.seconds(START + 100) == {"closed": 4, "half_open": 66, "open": 30}
    assert breaker.since == START + 34


def test_three_successes_close_it() -> None:
    breaker = opened()
    for at in (34, 36):
        breaker.record(True, START + at)
        assert breaker.state(START + at) == "half_open"
    breaker.record(True, START + 38)
    assert breaker.state(START + 38) == "closed"
    assert breaker.transitions == dict(zip(TRANSITIONS, (1, 1, 1, 0), strict=True))


@pytest.mark.parametrize("successes", [0, 1, 2])
def test_any_failure_in_half_open_opens_it_again(successes: int) -> None:
    breaker = opened()
    for at in range(successes):
        breaker.record(True, START + 34 + at)
    breaker.record(False, START + 40)
    assert (breaker.state(START + 40), breaker.since) == ("open", START + 40)
    assert breaker.state(START + 70) == "half_open"
    breaker.record(True, START + 71)
    breaker.record(True, START + 72)
    assert breaker.state(START + 72) == "half_open"  # those from before do not count


def test_after_closing_five_new_failures_are_needed() -> None:
    breaker = opened()
    for at in (34, 34.1, 34.2):
        breaker.record(True, START + at)
    for at in range(4):
        breaker.record(False, START + 35 + at)
    assert breaker.state(START + 38) == "closed"


def test_a_result_while_it_is_open_is_ignored() -> None:
    breaker = opened()
    breaker.record(True, START + 10)
    breaker.record(False, START + 20)
    assert (breaker.state(START + 33), breaker.since) == ("open", START + 4)


def test_whether_it_is_failing() -> None:
    breaker = Breaker(START)
    assert not breaker.is_failing(START)
    breaker.record(False, START)
    assert breaker.is_failing(START + 10)
    assert not breaker.is_failing(START + 10.1)
    assert not opened().is_failing(START + 5)


def run(calls: Sequence[Call]) -> tuple[Breaker, list[Step], list[tuple[float, State, bool]], float]:
    """Make calls; returns the breaker, its changes, each call with the state it met, and the end."""
    breaker, now = Breaker(START), START
    steps: list[Step] = []
    met: list[tuple[float, State, bool]] = []
    before = breaker.state(now)

    def note() -> None:
        nonlocal before
        after = breaker.state(now)
        if after != before:
            steps.append((breaker.since, before, after))
        before = after

    for pause, success in calls:
        now += pause
        note()
        met.append((now, before, success))
        breaker.record(success, now)
        note()
    return breaker, steps, met, now


# short pauses, so that many sequences open it; in quarters of a second, so that sums are exact
CALLS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.25, 1.0, 2.0, 2.5, 10.0, 29.75, 30.0, 31.0]), st.booleans()), max_size=60
)


@STEADY
@given(CALLS)
def test_only_the_four_transitions_happen_and_each_is_counted(calls: list[Call]) -> None:
    breaker, steps, _, _ = run(calls)
    pairs = [(before, after) for _, before, after in steps]
    assert set(pairs) <= set(TRANSITIONS)
    assert ("open", "closed") not in pairs
    assert breaker.transitions == {pair: pairs.count(pair) for pair in TRANSITIONS}
    assert [before for _, before, _ in steps[1:]] == [after for _, _, after in steps[:-1]]


@STEADY
@given(CALLS)
def test_it_opens_with_the_fifth_failure_in_ten_seconds_and_never_otherwise(calls: list[Call]) -> None:
    _, steps, met, _ = run(calls)
    openings = {at for at, before, after in steps if (before, after) == ("closed", "open")}
    counted: list[float] = []
    found = set()
    for at, state, success in met:
        if state != "closed":
            counted = []
        elif not success:
            counted.append(at)
            if len([one for one in counted if at - one <= 10]) >= 5:
                found.add(at)
                counted = []
    assert found == openings


@STEADY
@given(CALLS)
def test_it_stays_open_for_thirty_seconds_exactly(calls: list[Call]) -> None:
    breaker, steps, _, end = run(calls)
    for (opened_at, _, state), (left_at, _, _) in itertools.pairwise(steps):
        if state == "open":
            assert left_at - opened_at == 30
    if steps and steps[-1][2] == "open":
        assert end - steps[-1][0] < 30
        assert breaker.state(steps[-1][0] + 30) == "half_open"


@STEADY
@given(CALLS)
def test_half_open_ends_with_three_successes_or_the_first_failure(calls: list[Call]) -> None:
    _, steps, met, end = run(calls)
    for number, (since, _, state) in enumerate(steps):
        if state != "half_open":
            continue
        until, after = (steps[number + 1][0], steps[number + 1][2]) if number + 1 < len(steps) else (end, "half_open")
        outcomes = [success for at, met_state, success in met if met_state == "half_open" and since <= at <= until]
        expected = {
            "closed": [True] * 3,
            "open": [True] * (len(outcomes) - 1) + [False],
            "half_open": [True] * len(outcomes),
        }
        assert outcomes == expected[after]
        assert len(outcomes) <= 3


@STEADY
@given(CALLS)
def test_the_seconds_of_the_states_add_up(calls: list[Call]) -> None:
    breaker, steps, _, end = run(calls)
    seconds = breaker.seconds(end)
    assert sum(seconds.values()) == pytest.approx(end - START)
    moments = [(START, "closed"), *((at, after) for at, _, after in steps), (end, "")]
    spans = [(state, later - at) for (at, state), (later, _) in itertools.pairwise(moments)]
    for state in STATES:
        assert seconds[state] == pytest.approx(sum(span for name, span in spans if name == state))

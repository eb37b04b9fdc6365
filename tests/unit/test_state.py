"""What one look at a queue asks for, and what the answers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError
from supercheck_exporter.bullmq import state as qs
from supercheck_exporter.bullmq.keys import DELAY_SHIFT, LEVEL

BASE = b"bull:q:"
NOW = 1_700_000_000_000.0
READ_ONLY = {"LLEN", "ZCARD", "LINDEX", "HMGET", "ZRANGE", "ZCOUNT", "PTTL", "GET", "ZRANGEBYSCORE"}

EMPTY: dict[str, Any] = {
    "LLEN": 0, "ZCARD": 0, "ZCOUNT": 0, "LINDEX": None, "GET": None, "PTTL": -2, "HMGET": [None, None],
    "ZRANGE": [], "ZRANGEBYSCORE": [],
}  # fmt: skip
"""What Redis answers about a queue without any key."""


def look(answers: Mapping[Any, object] | None = None, levels: set[int] | None = None) -> qs.QueueState:
    """Plan, answer and parse; ``answers`` by a start of the command, for the rest the queue is empty."""
    plan = qs.first_reads(BASE, NOW, levels or set())
    found = []
    for _, command in plan:
        known = [value for start, value in (answers or {}).items() if command[: len(start)] == start]
        assert len(known) < 2, f"two answers to {command}"
        found.append(known[0] if known else EMPTY[str(command[0])])
    return qs.parse("q", plan, found, NOW)


def score(priority: int, counter: int = 1) -> bytes:
    return str(priority * LEVEL + counter).encode()


def due(ready_ms: float) -> bytes:
    return str(int(ready_ms) * DELAY_SHIFT + 3).encode()


# -- the plan --------------------------------------------------------------------------------------


def test_only_cheap_reads_of_the_queue_s_own_keys() -> None:
    for levels in (set[int](), {1, 10}):
        for _, command in qs.first_reads(BASE, NOW, levels):
            assert command[0] in READ_ONLY
            assert bytes(command[1]).startswith(BASE)  # type: ignore[arg-type]
    for command in (qs.job_read(BASE, b"1"), qs.beyond(BASE, 3)):
        assert command[0] in READ_ONLY


def test_each_answer_has_a_name_of_its_own() -> None:
    names = [name for name, _ in qs.first_reads(BASE, NOW, {1, 2, 10})]
    assert len(names) == len(set(names))


def test_reads_grow_with_the_levels_only() -> None:
    none, two = (len(qs.first_reads(BASE, NOW, levels)) for levels in (set[int](), {1, 10}))
    assert none <= 27
    assert two == none + 4


def test_a_job_s_private_fields_are_never_asked_for() -> None:
    command = qs.job_read(BASE, b"7")
    assert command[:2] == ("HMGET", b"bull:q:7")
    assert not {"data", "returnvalue", "failedReason", "stacktrace", "name", "progress"} & set(command)


def test_overdue_is_what_was_due_until_now() -> None:
    [command] = [c for name, c in qs.first_reads(BASE, NOW, ()) if name == ("overdue",)]
    upper = int(str(command[3]))
    assert upper == int(NOW) * DELAY_SHIFT - 1


def test_levels_and_the_gaps_between_them_cover_every_score() -> None:
    """Scores that lie in exactly one of the ranges, whatever the priority."""
    plan = [command for name, command in qs.first_reads(BASE, NOW, {1, 10}) if name[0] in ("gap", "level")]

    def inside(value: int, command: tuple[object, ...]) -> bool:
        lower, upper = str(command[2]), str(command[3])
        over = lower == "-inf" or value >= int(lower)
        under = upper == "+inf" or (value < int(upper[1:]) if upper[0] == "(" else value <= int(upper))
        return over and under

    for priority in (0, 1, 2, 9, 10, 11, 2**21):
        for counter in (0, 1, LEVEL - 1):
            value = priority * LEVEL + counter
            assert sum(inside(value, command) for command in plan) == 1, (priority, counter)


# -- counts ----------------------------------------------------------------------------------------


def test_an_empty_queue() -> None:
    state = look()
    assert state.counts == dict.fromkeys(
        ("waiting", "prioritized", "delayed", "active", "paused", "waiting_children", "completed", "failed"), 0
    )
    assert (state.backlog, state.overdue, state.overdue_since) == (0, 0, None)
    assert (state.paused, state.rate_limit, state.rate_used) == (False, None, 0)
    assert (state.schedules, state.next_schedule, state.schedule_ttl_ms) == (0, None, -2)
    assert (state.ends, state.longest_active, state.levels, state.new_levels) == ([], None, set(), [])


def test_every_state_has_its_key() -> None:
    lists = {("LLEN", BASE + key): n for key, n in ((b"wait", 1), (b"paused", 2), (b"active", 3))}
    sets = {
        ("ZCARD", BASE + key): n
        for key, n in (
            (b"prioritized", 4),
            (b"delayed", 5),
            (b"waiting-children", 6),
            (b"completed", 7),
            (b"failed", 8),
        )
    }
    state = look(lists | sets)
    assert state.counts == {
        "waiting": 1, "paused": 2, "active": 3, "prioritized": 4, "delayed": 5,
        "waiting_children": 6, "completed": 7, "failed": 8,
    }  # fmt: skip
    assert state.backlog == 1 + 2 + 4


# -- pauses ----------------------------------------------------------------------------------------


def test_a_queue_that_bullmq_5_paused_keeps_its_jobs_in_another_list() -> None:
    state = look(
        {
            ("HMGET",): [b"1", None],
            ("LLEN", BASE + b"paused"): 50,
            ("LINDEX", BASE + b"paused", 0): b"50",
            ("LINDEX", BASE + b"paused", -1): b"1",
        }
    )
    assert (state.paused, state.backlog, state.ends) == (True, 50, [b"50", b"1"])


def test_a_queue_that_bullmq_6_paused_keeps_them_where_they_are() -> None:
    state = look(
        {
            ("HMGET",): [b"1", None],
            ("LLEN", BASE + b"wait"): 50,
            ("LINDEX", BASE + b"wait", 0): b"50",
            ("LINDEX", BASE + b"wait", -1): b"1",
        }
    )
    assert (state.paused, state.backlog, state.ends) == (True, 50, [b"50", b"1"])


@pytest.mark.parametrize("value", [None, b"0", b""])
def test_a_queue_that_runs(value: bytes | None) -> None:
    assert not look({("HMGET",): [value, None]}).paused


# -- delayed jobs ----------------------------------------------------------------------------------


def test_an_overdue_delayed_job_is_backlog() -> None:
    state = look(
        {
            ("ZCARD", BASE + b"delayed"): 3,
            ("ZCOUNT",): 2,
            ("ZRANGE", BASE + b"delayed"): [b"1", due(NOW - 60_000)],
        }
    )
    assert (state.overdue, state.backlog, state.overdue_since) == (2, 2, NOW - 60_000)
    assert state.counts["delayed"] == 3


def test_a_delayed_job_whose_time_has_not_come_is_none() -> None:
    state = look({("ZCARD", BASE + b"delayed"): 3, ("ZRANGE", BASE + b"delayed"): [b"1", due(NOW + 60_000)]})
    assert (state.overdue, state.backlog, state.overdue_since) == (0, 0, None)


def test_an_overdue_job_that_was_moved_between_two_reads_gives_no_age() -> None:
    state = look({("ZCOUNT",): 1, ("ZRANGE", BASE + b"delayed"): [b"2", due(NOW + 60_000)]})
    assert (state.overdue, state.overdue_since) == (1, None)
    assert look({("ZCOUNT",): 1}).overdue_since is None


# -- priorities ------------------------------------------------------------------------------------


def test_the_first_level_is_met_by_chance() -> None:
    state = look({("ZRANGEBYSCORE",): [b"5", score(10)]})
    assert (state.ends, state.levels, state.new_levels) == ([b"5"], {10}, [10])


def test_a_level_that_is_known_is_read_by_itself() -> None:
    lower, upper = str(10 * LEVEL), f"({11 * LEVEL}"
    state = look({("ZRANGEBYSCORE", BASE + b"prioritized", lower, upper): [b"5", score(10, 77)]}, {10})
    assert (state.ends, state.levels, state.new_levels) == ([b"5"], {10}, [])


def test_levels_are_found_over_the_scrapes() -> None:
    """Jobs of priority 1, 5 and 10: each look knows what the one before has met."""
    jobs = {1: b"a", 5: b"b", 10: b"c"}

    def answer(command: tuple[object, ...]) -> list[bytes]:
        lower, upper = str(command[2]), str(command[3])
        low = float(lower)
        high = float(upper.lstrip("("))
        for priority, job in sorted(jobs.items()):
            if low <= priority * LEVEL + 1 < high:
                return [job, score(priority)]
        return []

    known = set[int]()
    seen = []
    for _ in range(4):
        plan = qs.first_reads(BASE, NOW, known)
        replies = [answer(c) if c[0] == "ZRANGEBYSCORE" else EMPTY[str(c[0])] for _, c in plan]
        state = qs.parse("q", plan, replies, NOW)
        known = state.levels
        seen.append((sorted(state.levels), sorted(state.ends)))
    assert seen[0] == ([1], [b"a"])
    assert seen[-1] == ([1, 5, 10], [b"a", b"b", b"c"])


def test_a_level_that_is_empty_is_forgotten() -> None:
    assert look(levels={1, 10}).levels == set()


def test_the_same_job_at_both_ends_is_one() -> None:
    state = look({("LINDEX", BASE + b"wait", 0): b"1", ("LINDEX", BASE + b"wait", -1): b"1"})
    assert state.ends == [b"1"]


@pytest.mark.parametrize("value", [b"inf", b"-inf", b"nan"])
def test_a_score_that_bullmq_never_writes_is_no_level(value: bytes) -> None:
    state = look({("ZRANGEBYSCORE",): [b"5", value]})
    assert (state.ends, state.levels) == ([b"5"], set())


# -- limits and schedules --------------------------------------------------------------------------


def test_a_global_rate_limit() -> None:
    state = look({("HMGET",): [None, b"10"], ("GET",): b"10", ("PTTL", BASE + b"limiter"): 700})
    assert (state.rate_limit, state.rate_used, state.rate_ttl_ms) == (10, 10, 700)


def test_schedules() -> None:
    state = look(
        {
            ("ZCARD", BASE + b"repeat"): 3,
            ("ZRANGE", BASE + b"repeat"): [b"scheduler", b"1700000060000"],
            ("PTTL", BASE + b"repeat"): 604_800_000,
        }
    )
    assert (state.schedules, state.next_schedule, state.schedule_ttl_ms) == (3, 1_700_000_060_000, 604_800_000)


def test_the_longest_active_job_is_at_the_tail() -> None:
    assert look({("LINDEX", BASE + b"active", -1): b"9"}).longest_active == b"9"


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ResponseError("WRONGTYPE Operation against a key"), NoPermissionError("no")])
def test_a_refusal_is_raised(error: ResponseError) -> None:
    with pytest.raises(type(error), match=str(error)):
        look({("LLEN", BASE + b"wait"): error})


# -- one job ---------------------------------------------------------------------------------------


def job(**fields: bytes) -> list[bytes | None]:
    return [fields.get(name) for name in qs.JOB_FIELDS]


def test_a_job_that_never_ran() -> None:
    times = qs.parse_job(job(timestamp=b"1000", opts=b'{"delay":500}'))
    assert times == qs.JobTimes(exists=True, first_ready=1500, started=None, finished=False)


@pytest.mark.parametrize("ran", [{"processedOn": b"5000"}, {"ats": b"1"}, {"processedOn": b"5000", "ats": b"2"}])
def test_only_events_know_when_a_later_attempt_was_ready(ran: dict[str, bytes]) -> None:
    assert qs.parse_job(job(timestamp=b"1000", opts=b"{}", **ran)).first_ready is None


def test_a_job_that_never_ran_by_its_counter() -> None:
    assert qs.parse_job(job(timestamp=b"1000", ats=b"0")).first_ready == 1000


def test_a_running_and_a_finished_job() -> None:
    assert qs.parse_job(job(timestamp=b"1000", processedOn=b"5000", ats=b"1")).started == 5000
    assert qs.parse_job(job(timestamp=b"1000", processedOn=b"5000", finishedOn=b"6000")).finished


def test_a_job_without_a_hash() -> None:
    assert qs.parse_job(job()) == qs.JobTimes(exists=False, first_ready=None, started=None, finished=False)

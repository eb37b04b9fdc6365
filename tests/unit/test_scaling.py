"""The workers that are asked for, against a made-up bursty day: no flapping, no waste, nothing busy taken away."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass, field

import pytest
from supercheck_exporter.bullmq.loads import Load
from supercheck_exporter.scaling import Policy, Scaler

STEP, DAY = 15.0, 24 * 3600.0
"""Seconds between two scrapes."""

AUTOSCALER, START = 30.0, 75.0
"""Seconds between two looks of the autoscaler, and until a new worker takes jobs."""

STEADY = 300.0
POLICY = Policy(least=1, most=10, down_below=10, up_above=50, too_long_seconds=300, steady_seconds=STEADY)
SEEDS = range(8)


@dataclass
class Worker:
    """Ready from a moment on; busy with one job of each queue until a moment."""

    ready: float
    until: dict[str, float] = field(default_factory=dict)

    def busy(self, now: float) -> bool:
        return any(end > now for end in self.until.values())


def arrivals(seed: int) -> dict[str, deque[tuple[float, float]]]:
    """(moment, seconds of work) by queue: monitors all day, tests by day, and bursts of up to 300 tests."""
    chance = random.Random(seed)
    tests = [(at, chance.uniform(20, 240)) for at in times(chance, 8 * 3600, 20 * 3600, 90)]
    for _ in range(chance.randint(5, 9)):
        begin, many = chance.uniform(0, DAY - 7200), int(chance.triangular(20, 300, 60))
        spread = chance.choice((1, 60, 900))
        tests += [(begin + chance.uniform(0, spread), chance.uniform(10, 120)) for _ in range(many)]
    monitors = [(at, chance.uniform(1, 8)) for at in times(chance, 0, DAY - 3600, 20)]
    return {"playwright-global": deque(sorted(tests)), "monitor-eu": deque(monitors)}


def times(chance: random.Random, begin: float, end: float, mean: float) -> list[float]:
    """Moments of independent arrivals, `mean` seconds apart."""
    found, at = [], begin + chance.expovariate(1 / mean)
    while at < end:
        found.append(at)
        at += chance.expovariate(1 / mean)
    return found


@dataclass
class Day:
    """A location in a day. `policy` None: always the most workers, which is what could be drained."""

    seed: int
    policy: Policy | None
    blind: tuple[tuple[float, float], ...] = ()
    """Spans in which the inputs are unknown."""

    asked: list[tuple[float, int | None]] = field(default_factory=list)
    backlogs: list[int] = field(default_factory=list)
    fleet: list[int] = field(default_factory=list)
    busy: dict[float, int] = field(default_factory=dict)
    """How many the scaler must take for busy, by the moment."""

    taken_busy: int = 0

    def run(self) -> Day:
        coming, waiting = arrivals(self.seed), {"playwright-global": deque(), "monitor-eu": deque()}  # type: ignore[var-annotated]
        scaler = Scaler(self.policy) if self.policy else None
        workers = [Worker(0.0) for _ in range(1 if self.policy else POLICY.most)]
        now = 0.0
        while now < DAY:
            for queue, jobs in coming.items():
                while jobs and jobs[0][0] <= now:
                    waiting[queue].append(jobs.popleft())
            wanted: int | None = None
            if scaler:
                known = not any(begin <= now < end for begin, end in self.blind)
                loads = [load(waiting[queue], workers, queue, now) if known else None for queue in waiting]
                wanted = scaler.ask("eu", loads, len(workers), now)
                self.busy[now] = min(sum(one.active for one in loads if one), len(workers))
                self.asked.append((now, wanted))
                if now % AUTOSCALER == 0 and wanted is not None:
                    workers = self.scale(workers, wanted, now)
            for worker in workers:
                for queue, jobs in waiting.items():
                    if worker.ready <= now and worker.until.get(queue, 0) <= now and jobs:
                        worker.until[queue] = now + jobs.popleft()[1]
            self.backlogs.append(sum(map(len, waiting.values())))
            self.fleet.append(len(workers))
            now += STEP
        return self

    def scale(self, workers: list[Worker], wanted: int, now: float) -> list[Worker]:
        """As an autoscaler does that takes idle workers first; busy ones that it would have to take are counted."""
        idle_first = sorted(workers, key=lambda worker: worker.busy(now))
        gone = max(len(workers) - wanted, 0)
        self.taken_busy += sum(worker.busy(now) for worker in idle_first[:gone])
        return idle_first[gone:] + [Worker(now + START) for _ in range(wanted - len(workers))]

    def changes(self) -> list[tuple[float, int, int]]:
        """(moment, before, after) of what was asked for, over spans in which nothing was known."""
        known = [(at, wanted) for at, wanted in self.asked if wanted is not None]
        pairs = itertools.pairwise(known)
        return [(at, before, after) for (_, before), (at, after) in pairs if before != after]


def load(jobs: deque[tuple[float, float]], workers: list[Worker], queue: str, now: float) -> Load:
    active = sum(worker.until.get(queue, 0) > now for worker in workers)
    return Load(len(jobs), active, now - jobs[0][0] if jobs else 0.0)


MINUTES_5 = 300.0
TABLE = [
    # backlog, active, oldest, current, asked before -> asked when a change is due
    (0, 0, 0.0, 3, 3, 2),
    (9, 0, 0.0, 3, 3, 2),
    (9, 0, MINUTES_5 + 0.1, 3, 3, 3),  # what waits for too long would wait for longer
    (0, 0, 0.0, 0, 1, 1),
    (0, 2, 0.0, 3, 3, 2),
    (0, 3, 0.0, 3, 3, 3),  # all are busy
    (0, 9, 0.0, 3, 3, 3),  # so many run elsewhere
    (0, 0, 0.0, 3, 10, 2),  # nobody followed: there is nothing to take back step by step
    (10, 0, 0.0, 3, 3, 3),
    (50, 0, MINUTES_5, 3, 3, 3),
    (50, 0, MINUTES_5 + 0.1, 3, 3, 4),
    (10, 0, MINUTES_5 + 0.1, 10, 10, 10),
    (30, 0, 1.0, 2, 3, 3),  # one was lost: as many as before
    (51, 0, 0.0, 3, 3, 10),
    (51, 0, None, 3, 3, 10),
    (10_000, 15, 1e9, 15, 10, 15),  # never below what is busy, even over the most
    (9, 0, None, 3, 3, None),  # the age decides, and is unknown
    (10, 0, None, 3, 3, None),
]


@pytest.mark.parametrize(("backlog", "active", "oldest", "current", "before", "asked"), TABLE)
def test_the_policy(
    backlog: int, active: int, oldest: float | None, current: int, before: int, asked: int | None
) -> None:
    scaler = Scaler(POLICY)
    assert scaler.ask("eu", [Load(20, 0, 1.0)], before, 0.0) == before
    assert scaler.ask("eu", [Load(backlog, active, oldest)], current, STEADY) == asked


def test_the_first_rise_need_not_wait_and_the_first_fall_must() -> None:
    scaler, few, many = Scaler(POLICY), Load(0, 0, 0.0), Load(60, 0, 1.0)
    assert scaler.ask("eu", [few], 4, 0.0) == 4
    assert scaler.ask("eu", [few], 4, STEADY - 1) == 4
    assert scaler.ask("eu", [many], 4, STEADY - 1) == 10
    assert scaler.ask("eu", [few], 10, 2 * STEADY - 2) == 10
    assert scaler.ask("eu", [few], 10, 2 * STEADY - 1) == 9


def test_it_falls_below_no_number_that_were_busy_in_the_time() -> None:
    scaler = Scaler(POLICY)
    for now, active, asked in ((0.0, 0, 4), (100.0, 4, 4), (STEADY, 0, 4), (100 + STEADY, 0, 4), (101 + STEADY, 0, 3)):
        assert scaler.ask("eu", [Load(0, active, 0.0)], 4, now) == asked


def test_what_is_busy_is_asked_for_at_once() -> None:
    scaler, idle, busy = Scaler(POLICY), Load(0, 0, 0.0), Load(0, 4, 0.0)
    assert [scaler.ask("eu", [load], 4, now) for load, now in ((idle, 0.0), (idle, 301.0), (busy, 302.0))] == [4, 3, 4]


def test_locations_are_apart_and_an_unknown_queue_is_no_zero() -> None:
    scaler, few, many = Scaler(POLICY), Load(0, 0, 0.0), Load(60, 0, 1.0)
    assert scaler.ask("eu", [few, many], 1, 0.0) == 10
    assert scaler.ask("us", [few], 1, 0.0) == 1
    assert scaler.ask("eu", [few, None], 10, 900.0) is None
    assert scaler.ask("eu", [], 10, 900.0) is None
    assert scaler.ask("eu", [few, few], 10, 901.0) == 9


# -- a day -----------------------------------------------------------------------------------------


@pytest.mark.promise("scaling does not flap")
@pytest.mark.parametrize("seed", SEEDS)
def test_at_most_one_change_in_five_minutes(seed: int) -> None:
    day = Day(seed, POLICY).run()
    assert len(day.changes()) > 20, "a day in which nothing has to change proves nothing"
    assert early(day) == []
    assert max(day.fleet) == POLICY.most
    assert min(day.fleet) == POLICY.least


def early(day: Day) -> list[tuple[float, int, int]]:
    """Changes sooner than five minutes after the one before, those aside that only keep what is busy."""
    changes = day.changes()
    soon = [later for one, later in itertools.pairwise(changes) if later[0] - one[0] < STEADY]
    return [(at, before, after) for at, before, after in soon if after <= before or after != day.busy[at]]


def test_without_its_memory_the_policy_flaps_in_the_same_day() -> None:
    forgetful = Policy(**{**vars(POLICY), "steady_seconds": 0.0})
    assert len(early(Day(0, forgetful).run())) > 20


@pytest.mark.promise("scaling does not flap")
@pytest.mark.parametrize("seed", SEEDS)
def test_no_busy_worker_is_ever_taken_away(seed: int) -> None:
    assert Day(seed, POLICY).run().taken_busy == 0


@pytest.mark.promise("scaling does not flap")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_backlog_drains_whenever_the_most_workers_could_drain_it(seed: int) -> None:
    """Where the most workers would have nothing waiting, a backlog that asks for workers lasts half an hour at most."""
    could, did = Day(seed, None).run(), Day(seed, POLICY).run()
    longest = span = 0.0
    for best, backlog in zip(could.backlogs, did.backlogs, strict=True):
        span = span + STEP if best == 0 and backlog >= POLICY.down_below else 0.0
        longest = max(longest, span)
    assert 0 < longest < 1800
    assert did.backlogs[-1] == 0
    assert sum(did.fleet) < 0.5 * sum(could.fleet), "and it costs far less than the most workers all day"


@pytest.mark.promise("scaling does not flap")
@pytest.mark.parametrize("seed", SEEDS)
def test_it_holds_still_when_its_inputs_vanish(seed: int) -> None:
    blind = tuple((hour * 3600.0, hour * 3600.0 + 1500.0) for hour in (3, 9, 12, 15, 18))
    day = Day(seed, POLICY, blind).run()
    for begin, end in blind:
        first, last = int(begin / STEP), int(end / STEP)
        assert {wanted for _, wanted in day.asked[first:last]} == {None}
        assert len(set(day.fleet[first:last])) == 1
    assert early(day) == []
    assert day.taken_busy == 0
    assert day.backlogs[-1] == 0

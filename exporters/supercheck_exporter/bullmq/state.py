"""What one look at a queue's keys asks for, and what the answers say; pure, no connection.

Round trip 1 reads every count and the ends of every list (``first_reads``), 2 the hashes of the jobs at
those ends (``job_read``) and the next priority level after one not met before (``beyond``), 3 the hash of
the job at its head.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import ResponseError

from supercheck_exporter.bullmq import keys
from supercheck_exporter.sources.redis import Command

MAX_LEVELS = 6
"""Priority levels remembered a queue; Supercheck uses two (1 and 10)."""

JOB_FIELDS = ("timestamp", "opts", "processedOn", "finishedOn", "ats")
"""The only fields of a job that are ever read: times, attempts, and the options for their delay."""

_LISTS = ("wait", "paused", "active")
_SETS = ("prioritized", "delayed", "waiting-children", "completed", "failed")
STATES = {
    "wait": "waiting", "prioritized": "prioritized", "delayed": "delayed", "active": "active",
    "paused": "paused", "waiting-children": "waiting_children", "completed": "completed", "failed": "failed",
}  # fmt: skip


@dataclass
class QueueState:
    """One queue at one moment. Times are milliseconds of Redis's clock, None where unknown."""

    queue: str
    counts: dict[str, int] = field(default_factory=dict)
    """Jobs by the state names of supercheck_queue_jobs."""
    overdue: int = 0
    overdue_since: float | None = None
    paused: bool = False
    rate_limit: float | None = None
    rate_used: float = 0
    rate_ttl_ms: int = -2
    schedules: int = 0
    next_schedule: float | None = None
    schedule_ttl_ms: int = -2
    ends: list[bytes] = field(default_factory=list)
    """Ids of the ready jobs among which the oldest is."""
    longest_active: bytes | None = None
    new_levels: list[int] = field(default_factory=list)
    levels: set[int] = field(default_factory=set)

    @property
    def backlog(self) -> int:
        """Jobs that are ready and not started."""
        return sum(self.counts[state] for state in ("waiting", "prioritized", "paused")) + self.overdue


Plan = list[tuple[tuple[str, ...], Command]]
"""Commands with the name under which the answer is looked up."""


def first_reads(base: bytes, now_ms: float, levels: Iterable[int]) -> Plan:
    """Everything that needs no other answer first; ``levels`` are the priorities met before."""
    plan: Plan = [(("count", key), ("LLEN", base + key.encode())) for key in _LISTS]
    plan += [(("count", key), ("ZCARD", base + key.encode())) for key in _SETS]
    plan += [((key, str(end)), ("LINDEX", base + key.encode(), end)) for key in ("wait", "paused") for end in (0, -1)]
    plan += [
        (("active",), ("LINDEX", base + b"active", -1)),
        (("meta",), ("HMGET", base + b"meta", "paused", "max")),
        (("delayed",), ("ZRANGE", base + b"delayed", 0, 0, "WITHSCORES")),
        (("overdue",), ("ZCOUNT", base + b"delayed", "-inf", int(now_ms) * keys.DELAY_SHIFT - 1)),
        (("schedules",), ("ZCARD", base + b"repeat")),
        (("schedule",), ("ZRANGE", base + b"repeat", 0, 0, "WITHSCORES")),
        (("schedule ttl",), ("PTTL", base + b"repeat")),
        (("limiter",), ("GET", base + b"limiter")),
        (("limiter ttl",), ("PTTL", base + b"limiter")),
    ]
    lower = "-inf"
    for level in sorted(levels):
        start = level * keys.LEVEL
        plan.append((("gap", str(level)), _first_between(base, lower, f"({start}")))
        plan.append((("level", str(level)), _first_between(base, str(start), f"({start + keys.LEVEL}")))
        lower = str(start + keys.LEVEL)
    plan.append((("gap", "inf"), _first_between(base, lower, "+inf")))
    return plan


def _first_between(base: bytes, lower: str, upper: str) -> Command:
    return ("ZRANGEBYSCORE", base + b"prioritized", lower, upper, "WITHSCORES", "LIMIT", 0, 1)


def parse(queue: str, plan: Plan, answers: Sequence[Any], now_ms: float) -> QueueState:
    """Read the answers of ``first_reads``.

    Raises the first ResponseError among them: WRONGTYPE means that the keys are not BullMQ's.
    """
    for answer in answers:
        if isinstance(answer, ResponseError):
            raise answer
    got = {name: answer for (name, _), answer in zip(plan, answers, strict=True)}
    state = QueueState(queue, {label: got["count", key] for key, label in STATES.items()})
    paused, limit = got["meta",]
    state.paused = paused == b"1"
    state.rate_limit = keys.number(limit)
    state.rate_used, state.rate_ttl_ms = keys.number(got["limiter",]) or 0, got["limiter ttl",]
    state.schedules, state.schedule_ttl_ms = got["schedules",], got["schedule ttl",]
    if got["schedule",]:
        state.next_schedule = keys.number(got["schedule",][1])
    state.overdue = got["overdue",]
    if state.overdue and got["delayed",]:
        ready = float(got["delayed",][1]) // keys.DELAY_SHIFT
        state.overdue_since = ready if ready <= now_ms else None
    state.longest_active = got["active",]
    heads = [got[key, str(end)] for key in ("wait", "paused") for end in (0, -1)]
    for name, answer in got.items():
        if name[0] in ("gap", "level") and answer:
            heads.append(answer[0])
            level = keys.level(answer[1])
            if level is None:
                continue
            state.levels.add(level)
            if name[0] == "gap":
                state.new_levels.append(level)
    state.ends = list(dict.fromkeys(head for head in heads if head is not None))
    return state


def beyond(base: bytes, level: int) -> Command:
    """The head of the next level after one that was just found."""
    return _first_between(base, str((level + 1) * keys.LEVEL), "+inf")


def job_read(base: bytes, job: bytes) -> Command:
    """The few numbers of one job."""
    return ("HMGET", base + job, *JOB_FIELDS)


@dataclass(frozen=True)
class JobTimes:
    """What a job's hash says of its times, in ms; None where it says nothing."""

    exists: bool
    first_ready: float | None
    """When its first attempt became ready; None once an attempt has started: only events know then."""
    started: float | None
    finished: bool


def parse_job(answer: Sequence[bytes | None]) -> JobTimes:
    """Read the answer of ``job_read``."""
    timestamp, opts, processed, finished, attempts = answer
    started = keys.number(processed)
    first = started is None and not keys.number(attempts)
    ready = keys.ready_ms_of_first_attempt(timestamp, opts) if first else None
    return JobTimes(timestamp is not None, ready, started, finished is not None)

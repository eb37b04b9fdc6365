"""How many workers a location should have: the seed's policy with a memory, so that it does not flap. Pure.

The policy: under the lower bound of the backlog one worker fewer at a time, over the upper one the most that are
allowed, between them as many as before; one more where the oldest job has waited for too long, and none fewer. What
is asked for changes once in ``steady_seconds`` at most, and it falls below no number that were busy in that time. One
exception: more are busy than are asked for. Then these are asked for at once, so that none of them is taken away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from supercheck_exporter.bullmq.loads import Load


@dataclass(frozen=True)
class Policy:
    """Workers of a location, backlogs in jobs, times in seconds."""

    least: int
    most: int
    down_below: float
    up_above: float
    too_long_seconds: float
    steady_seconds: float

    def clamp(self, workers: int) -> int:
        """Between the least and the most."""
        return min(max(workers, self.least), self.most)

    def wants(self, load: Load, asked: int, current: int) -> int | None:
        """What one queue wants where ``asked`` workers were asked for and ``current`` ones are there.

        None where the age decides and is unknown. Fewer are counted from those that are there: where nobody
        followed, there is nothing to take back step by step.
        """
        if load.backlog > self.up_above:
            return self.most
        if load.oldest_ready_seconds is None:
            return None
        late = load.oldest_ready_seconds > self.too_long_seconds
        if load.backlog < self.down_below:
            return self.clamp(asked if late else min(asked, current) - 1)
        return self.clamp(asked + 1 if late else asked)


@dataclass
class _Memory:
    """What is asked for; when it was first and last changed, by the caller's clock (None: not yet)."""

    asked: int
    began: float
    changed: float | None = None
    busy: deque[tuple[float, int]] = field(default_factory=deque)
    """How many were busy, moment by moment, as far back as the policy looks."""


class Scaler:
    """Remembers each location. Its clock is the caller's: any seconds that only go forward."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._locations: dict[str, _Memory] = {}

    def ask(self, location: str, loads: Iterable[Load | None], current: int, now: float) -> int | None:
        """Workers to ask for, given the queues of the location and the workers that are there.

        None as soon as one queue is unknown (None), or where there is no queue: nothing is remembered of that moment,
        and an autoscaler holds what there is. It begins with the workers that are there.
        """
        memory = self._locations.get(location) or _Memory(self._policy.clamp(current), now)
        wishes, active = [], 0
        for load in loads:
            wish = None if load is None else self._policy.wants(load, memory.asked, current)
            if load is None or wish is None:
                return None
            wishes.append(wish)
            active += load.active
        if not wishes:
            return None
        self._locations[location] = memory
        # a job occupies one worker at most, and a worker may run a job of each queue at once
        busy = min(active, current)
        memory.busy.append((now, busy))
        while now - memory.busy[0][0] > self._policy.steady_seconds:
            memory.busy.popleft()
        wanted = max(*wishes, min(memory.asked, max(most for _, most in memory.busy)), busy)
        if wanted != memory.asked and (busy > memory.asked or self._may_change(memory, wanted, now)):
            memory.asked, memory.changed = wanted, now
        return memory.asked

    def _may_change(self, memory: _Memory, wanted: int, now: float) -> bool:
        if memory.changed is None and wanted > memory.asked:  # the first rise need not wait
            return True
        since = memory.began if memory.changed is None else memory.changed
        return now - since >= self._policy.steady_seconds

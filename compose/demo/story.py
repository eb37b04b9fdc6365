"""The story that the demo tells: a healthy site, its workers crash, the page arrives, they come back, it resolves."""

from __future__ import annotations

import time
from collections.abc import Callable

from compose.demo.manager import DemoError, Manager
from compose.demo.parts import WORKERS, Parts
from compose.demo.watch import TARGETS, Watcher, clock, span

POLL_SECONDS = 1.0
READY_SECONDS = 60.0
READY_POLL_SECONDS = 0.2
BACKLOG_EVERY_SECONDS = 30.0
HEARTBEAT_SECONDS = 60.0  # a dead worker's heartbeat lives on for up to this long
# scrape 15 s, evaluation 15 s, and the 10 s that Alertmanager collects a group
DELIVERY_SECONDS = 40.0
GROUP_INTERVAL_SECONDS = 60.0  # Alertmanager looks at a critical group once a minute


class Story:
    """Drives one run of the demo and prints one line an event, with the time since the start."""

    def __init__(self, parts: Parts, manager: Manager, say: Callable[[str], None]) -> None:
        self._parts = parts
        self._manager = manager
        self._say = say
        self._began = time.monotonic()
        self._watcher = Watcher(parts.url("prometheus"), parts.url("receiver"))
        self._processes: dict[str, int] = {}
        self._backlog_said = self._began
        self._workers_down = False
        self.crashes: list[str] = []

    def event(self, text: str) -> None:
        """Print one line with the time since the start."""
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        self._say(f"{minutes:3d}:{seconds:02d}  {text}")

    def start(self) -> None:
        """Start every program and wait until the ones with a page answer; DemoError when one does not."""
        store = self._parts.store
        for program in self._parts.programs():
            self._manager.start(program.name)
            if program.name == "postgres":
                self._wait_for("postgres", store.answers)
                store.create()
            elif program.name == "app":
                self._wait_for("app", store.has_organizations)  # the exporter looks for their names once a minute
        ready = {
            "exporter": f"{self._parts.url('exporter')}/-/ready",
            "receiver": f"{self._parts.url('receiver')}/messages",
            "alertmanager": f"{self._parts.url('alertmanager')}/-/ready",
            "prometheus": f"{self._parts.url('prometheus')}/-/ready",
        }
        if self._parts.has_preview:
            ready["preview"] = f"{self._parts.url('preview')}/config.json"
        for name, url in ready.items():
            self._wait_for(name, lambda url=url: self._watcher.ready(url))  # type: ignore[misc]
        self._processes = self._manager.processes()
        self.event(f"all parts run: {len(self._processes)} processes, {WORKERS} of them workers")

    def _wait_for(self, name: str, ready: Callable[[], bool]) -> None:
        """Wait until a program is ready; DemoError with its log when it ended by itself, or takes too long."""
        first = self._manager.processes()[name]
        deadline = time.monotonic() + READY_SECONDS
        while not ready():
            if self._manager.processes()[name] != first or time.monotonic() > deadline:
                raise DemoError(f"{name} does not answer. Its log ends:\n{self._manager.log_tail(name)}")
            time.sleep(READY_POLL_SECONDS)

    def rest(self, seconds: float) -> list[str]:
        """Watch the healthy site; returns what was wrong, which should be nothing."""
        self.event(f"at rest for {span(seconds)}: no alert may fire")
        self._watch(seconds, lambda: False)
        wrong = [f"fired: {alert}" for alert in self._watcher.fired.values()]
        if not self._watcher.watchdog:
            wrong.append("Watchdog does not fire: the rules are not evaluated")
        up = self._watcher.value("sum(up)")
        if up != TARGETS:
            wrong.append(f"{up} of {TARGETS} scrape targets are up")
        finished = self._watcher.value("sum(supercheck_queue_jobs_completed_total)")
        ended = self._watcher.value("sum(supercheck_runs_finished_total)")
        if not finished or not ended:
            wrong.append("no job was seen to complete, or no run to end in the database")
        else:
            self.event(f"jobs completed meanwhile: {finished:.0f}; runs that ended in the database: {ended:.0f}")
        return wrong + self._mishaps()

    def trouble(self, fault_after: float, back_after: float, within: float) -> list[str]:
        """The workers crash, the page arrives, they come back, it resolves; returns what did not happen."""
        deadline = self._began + within
        self.event(f"a healthy site; its workers will crash in {span(fault_after)}")
        self._watch(fault_after, lambda: False)
        if self._watcher.pages.open:
            return ["a page arrived before the fault", *self._mishaps()]

        self._workers_down = True
        self._manager.stop("workers")
        self._processes = self._manager.processes()
        wait = self._watcher.waits.get("NoWorkersForQueue", 0.0)
        due = time.time() + HEARTBEAT_SECONDS + wait + DELIVERY_SECONDS
        self.event(
            f"WORKERS STOPPED (SIGKILL). Dead workers' heartbeats live up to {span(HEARTBEAT_SECONDS)} more; "
            f"the page is due by {clock(due)}"
        )
        if not self._watch(deadline - time.monotonic(), lambda: bool(self._watcher.pages.open)):
            return ["no page arrived", *self._mishaps()]
        self._watch(back_after, lambda: False)

        self._manager.start("workers")
        self._workers_down = False
        self._processes = self._manager.processes()
        keep = max((a.keep_seconds for a in self._watcher.alerts), default=0.0)
        self.event(
            f"WORKERS ARE BACK. A critical alert keeps firing for {span(keep)} after its condition is gone, so "
            f"that a source that dies is no all-clear; the resolve is due {span(keep)} to "
            f"{span(keep + HEARTBEAT_SECONDS + GROUP_INTERVAL_SECONDS)} from now"
        )
        if not self._watch(deadline - time.monotonic(), lambda: not self._watcher.pages.open):
            missing = [self._watcher.pages.arrived[key] for key in sorted(self._watcher.pages.open)]
            return [*(f"not resolved: {page}" for page in missing), *self._mishaps()]
        self.event("every page is resolved")
        return self._mishaps()

    def stay(self, seconds: float = float("inf")) -> None:
        """Go on as a healthy site."""
        self._watch(seconds, lambda: False)

    def _mishaps(self) -> list[str]:
        return [*(f"refused by the receiver: {title}" for title in self._watcher.refused), *self.crashes]

    def _watch(self, seconds: float, done: Callable[[], bool]) -> bool:
        """Print what happens until `done` (True) or until the time is up (False)."""
        end = time.monotonic() + seconds
        while True:
            for line in self._watcher.news():
                self.event(line)
            self._look_after_processes()
            self._tell_backlog()
            if done():
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(POLL_SECONDS, left))

    def _look_after_processes(self) -> None:
        now = self._manager.processes()
        for name, pid in now.items():
            before = self._processes.get(name)
            if pid != before and before:
                log = self._manager.log_tail(name)
                self.crashes.append(f"{name} ended by itself")
                self.event(f"{name} ended by itself and is started again. Its log ends:\n{log}")
        self._processes = now

    def _tell_backlog(self) -> None:
        if not self._workers_down or time.monotonic() < self._backlog_said + BACKLOG_EVERY_SECONDS:
            return
        self._backlog_said = time.monotonic()
        jobs = self._watcher.value("sum(supercheck_queue_backlog_jobs)")
        age = self._watcher.value("max(supercheck_queue_oldest_ready_job_age_seconds)")
        if jobs is not None and age is not None:
            self.event(f"backlog: {jobs:.0f} jobs wait, the oldest for {span(age)}{self._tell_organizations()}")

    def _tell_organizations(self) -> str:
        """Who holds the slots, and who waits outside for one of its own."""
        said = ""
        share = self._watcher.largest("organization:supercheck_organization_running_jobs:ratio", "organization")
        if share:
            said += f"; {share[0]} holds {share[1]:.0%} of the slots in use"
        parked = self._watcher.largest("supercheck_organization_oldest_queued_age_seconds > 0", "organization")
        if parked:
            said += f"; a run of {parked[0]} has been parked for {span(parked[1])}"
        return said

"""The collector contract: descriptors, samples, deadlines, and one place that judges success.

A collector only reads and returns samples. The Runner alone catches, times and judges, so that each
collector is all or nothing and a frozen source costs its own collector and nothing else.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

from supercheck_exporter import telemetry

log = logging.getLogger(__name__)

Kind = Literal["gauge", "counter", "histogram"]


class NoData(Exception):
    """There is nothing to report now, and that is no failure: no samples, success 1."""


class SourceError(Exception):
    """A source did not answer as it should. The text is for people and holds no secret.

    ``samples`` are what can be said all the same: that the source is down.
    """

    def __init__(self, text: str, samples: Iterable[Sample] = ()) -> None:
        super().__init__(text)
        self.samples = tuple(samples)


class HistogramValue(NamedTuple):
    """Cumulative counts, one per edge and a last one for +Inf, and the sum in the base unit."""

    cumulative: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Desc:
    """One metric, declared once at module level.

    ``name`` is the full name as it is scraped; ``edges`` are the upper bounds of a histogram's buckets
    in the base unit, without +Inf.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] = ()

    def __call__(self, value: float | HistogramValue, *label_values: str) -> Sample:
        """Make a sample of this metric; label values come in the order of ``labels``."""
        return Sample(self, label_values, value)


class Sample(NamedTuple):
    """One value of one series."""

    desc: Desc
    labels: tuple[str, ...]
    value: float | HistogramValue


def gauge(name: str, help_text: str, *labels: str) -> Desc:
    """Declare a gauge."""
    return Desc(name, "gauge", help_text, labels)


def counter(name: str, help_text: str, *labels: str) -> Desc:
    """Declare a counter; its name ends in ``_total``."""
    return Desc(name, "counter", help_text, labels)


def histogram(name: str, help_text: str, edges: tuple[float, ...], *labels: str) -> Desc:
    """Declare a histogram with these upper bounds, in the base unit, without +Inf."""
    return Desc(name, "histogram", help_text, labels, edges)


class Collector(ABC):
    """What one file in collectors/ measures.

    ``start`` and ``stop`` are for collectors that keep a background follower; ``collect`` is called on
    each scrape from a thread of the Runner, never twice at once, and raises when anything it needs is
    missing: NoData, SourceError, or whatever the client library raises.
    """

    name: str
    descs: tuple[Desc, ...]
    problems: Mapping[str, str] = MappingProxyType({})
    """What is wrong with each server of the source that is down, by its name; for the status page."""

    def start(self) -> None:  # noqa: B027  most collectors have no follower
        """Start background followers; called once, never at import or registration."""

    def stop(self) -> None:  # noqa: B027
        """Stop them and wait for their end."""

    def progress(self) -> Mapping[str, str]:
        """How far what is read in the background is, a line for each thing by its name; for the status page."""
        return {}

    @abstractmethod
    def collect(self) -> Iterable[Sample]:
        """Read the source afresh and return every sample, or raise."""


SUCCESS = gauge(
    "supercheck_scrape_collector_success",
    "Whether the collector read everything it needs (1) or failed and emitted nothing (0).",
    "collector",
)
DURATION = gauge(
    "supercheck_scrape_collector_duration_seconds",
    "How long the collector's last run took; of a run that is not over yet, how long it has run so far.",
    "collector",
)


@dataclass(frozen=True)
class Run:
    """The outcome of one run of one collector."""

    collector: str
    success: bool
    duration: float
    finished_at: float
    samples: tuple[Sample, ...] = ()
    error: str = ""


@dataclass
class _State:
    collector: Collector
    inflight: Future[Run] | None = None
    began: float = 0.0
    last: Run | None = None
    last_success_at: float | None = None
    logged: str = ""
    failures: int = 0
    """Runs that failed one after the other, for the line that says it works again."""


@dataclass(frozen=True)
class Runner:
    """Runs collectors side by side under one deadline, at most one run of each in flight."""

    collectors: Sequence[Collector]
    clock: Callable[[], float] = time.monotonic
    _states: dict[str, _State] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._states.update({c.name: _State(c) for c in self.collectors})
        workers = max(1, len(self.collectors))
        object.__setattr__(self, "_pool", ThreadPoolExecutor(workers, thread_name_prefix="collect"))

    def start(self) -> None:
        """Start every collector's background followers."""
        for collector in self.collectors:
            collector.start()

    def stop(self) -> None:
        """Stop the followers and wait for the runs in flight."""
        # side by side: each may wait for a read in flight, and Docker kills us after ten seconds
        for stopped in [self._pool.submit(collector.stop) for collector in self.collectors]:
            stopped.result()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the collectors, in the order of the table."""
        return tuple(self._states)

    def state(self, name: str) -> tuple[Run | None, float | None]:
        """The last finished run of a collector, and the Unix time of its last success."""
        with self._lock:
            return self._states[name].last, self._states[name].last_success_at

    def scrape(self, names: Collection[str] | None = None, timeout: float = 10.0) -> list[Run]:
        """Run the named collectors (all by default) and return what is there after ``timeout`` seconds.

        A run that is still in flight from an earlier scrape is joined, not doubled. A run that is not
        over in time counts as failed with the time it has taken so far; it goes on to its own socket
        timeout, and its result is thrown away unless a later scrape joins it.
        """
        states = [s for n, s in self._states.items() if names is None or n in names]
        futures = [self._submit(state) for state in states]
        wait(futures, timeout=max(timeout, 0.0))
        runs = []
        for state, future in zip(states, futures, strict=True):
            if future.done():
                runs.append(future.result())
                continue
            took = self.clock() - state.began
            text = f"still running after {took:.1f} s: its source does not answer"
            runs.append(Run(state.collector.name, False, took, time.time(), error=text))
        return runs

    def _submit(self, state: _State) -> Future[Run]:
        with self._lock:
            if state.inflight is not None and not state.inflight.done():
                return state.inflight
            state.began = self.clock()
            # the thread of the pool goes on in the scrape's trace
            state.inflight = self._pool.submit(contextvars.copy_context().run, self._run, state)
            return state.inflight

    def _run(self, state: _State) -> Run:
        name = state.collector.name
        with telemetry.span(f"collect {name}", collector=name) as failed:
            run = self._judge(state)
            if run.error:
                failed(run.error)
            self._note(state, run)
        return run

    def _judge(self, state: _State) -> Run:
        name, began, error = state.collector.name, self.clock(), ""
        samples: tuple[Sample, ...] = ()
        try:
            samples = tuple(state.collector.collect())
            _refuse_duplicates(samples)
        except NoData:
            samples = ()
        except Exception as problem:  # the one place that judges: see the module's docstring
            samples = problem.samples if isinstance(problem, SourceError) else ()
            error = describe_error(problem)
            if not isinstance(problem, SourceError) and telemetry.same_but_for_numbers(error) != state.logged:
                log.debug("collector %s failed", name, exc_info=problem)
        return Run(name, not error, self.clock() - began, time.time(), samples, error)

    def _note(self, state: _State, run: Run) -> None:
        """Keep the run for the status page, and log each change once rather than each failure."""
        with self._lock:
            state.last = run
            if run.success:
                state.last_success_at = run.finished_at
            known = telemetry.same_but_for_numbers(run.error)
            changed, state.logged = known != state.logged, known
            failures, state.failures = state.failures, state.failures + 1 if run.error else 0
        if changed and run.error:
            log.error("collector %s failed: %s", run.collector, run.error, extra={"collector": run.collector})
        elif changed:
            again = {"collector": run.collector, "failures": failures}
            log.info("collector %s works again, failed runs: %d", run.collector, failures, extra=again)


def describe_error(problem: BaseException) -> str:
    """One line about an exception, for the log and the status page.

    Client libraries put addresses and the server's words into their texts, never a password.
    """
    text = " ".join(str(problem).split())
    kind = type(problem).__name__
    if not text:
        return kind
    return text if isinstance(problem, SourceError) else f"{kind}: {text}"


def _refuse_duplicates(samples: Iterable[Sample]) -> None:
    """Prometheus drops a whole page that holds one series twice: fail the one collector instead."""
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for sample in samples:
        key = (sample.desc.name, sample.labels)
        if key in seen:
            raise SourceError(f"{sample.desc.name} {sample.labels} was collected twice")
        seen.add(key)

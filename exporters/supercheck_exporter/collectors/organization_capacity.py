"""Who may run, who is parked and for how long: organizations against their limits, and the database's own view.

Source: the ``capacity:*`` counters of Redis and the tables organization, plan_limits and runs, all read in the
background (capacity/): a scrape asks nothing. With Redis alone the limits come from the settings.

    supercheck_organization_queued_jobs{organization="acme",plan="pro"} 100.0
    supercheck_phantom_runs{kind="queued_unparked"} 3.0
"""

from __future__ import annotations

from collections.abc import Iterator

from supercheck_exporter.bullmq import keys
from supercheck_exporter.bullmq.events import EventTail
from supercheck_exporter.bullmq.keyspace import Keyspace
from supercheck_exporter.capacity.admission import EDGES, Admissions
from supercheck_exporter.capacity.directory import MAX_AGE_SECONDS as MAX_DIRECTORY_AGE_SECONDS
from supercheck_exporter.capacity.directory import Directory
from supercheck_exporter.capacity.ranking import Ranking
from supercheck_exporter.capacity.runs import MAX_AGE_SECONDS, RunFacts, RunReader
from supercheck_exporter.capacity.standings import Standing, Standings
from supercheck_exporter.capacity.use import MAX_USE_AGE_SECONDS, PATTERN, UseReader
from supercheck_exporter.core import Collector, Sample, SourceError, counter, gauge, histogram

_BY = ("organization", "plan")

RUNNING = gauge(
    "supercheck_organization_running_jobs",
    "Slots in use by Redis's counter; the fullest organizations, the others summed as other.",
    *_BY,
)
QUEUED = gauge(
    "supercheck_organization_queued_jobs",
    "Runs parked until a slot is free; the fullest organizations, the others summed as other.",
    *_BY,
)
RUNNING_LIMIT = gauge(
    "supercheck_organization_running_limit_jobs", "Runs that may run at once; absent where it can't be known.", *_BY
)
QUEUED_LIMIT = gauge(
    "supercheck_organization_queued_limit_jobs", "Runs that may be parked; absent where it can't be known.", *_BY
)
OLDEST = gauge(
    "supercheck_organization_oldest_queued_age_seconds",
    "Seconds since the run that is parked for longest was parked; 0 when none is.",
    *_BY,
)
RUNNING_RUNS = gauge(
    "supercheck_organization_running_runs",
    "Rows of runs that say running and have not ended: what the counter in Redis should be.",
    *_BY,
)
ORGANIZATIONS = gauge("supercheck_organizations", "Organizations in the database.")
AT_LIMIT = gauge(
    "supercheck_organizations_at_queue_limit",
    "Organizations whose parked runs reach their limit, so that more are rejected; of all, whatever is shown.",
)
WAIT = histogram(
    "supercheck_admission_wait_seconds",
    "Seconds from parked to promoted, of runs that were seen parked: those parked for less than a look (5 s, and up "
    "to a minute for an organization's first) may be missing.",
    EDGES,
)
RUNS = gauge("supercheck_runs", "Rows of runs that are not over: queued (counted up to 100000), running.", "status")
FINISHED = counter(
    "supercheck_runs_finished_total",
    "Runs that ended, by their row's status, since the exporter started and about 10 s behind; those that got no "
    "time of completion (blocked before they began) are missing.",
    "status",
)
PHANTOMS = gauge(
    "supercheck_phantom_runs",
    "Rows of the last 24 hours that say what is not so: running_completed (running, and has ended), queued_unparked "
    "(queued, and parked nowhere).",
    "kind",
)


class OrganizationCapacityCollector(Collector):
    """Redis's side always; the database's where one is configured."""

    name = "organization_capacity"
    descs = (
        RUNNING, QUEUED, RUNNING_LIMIT, QUEUED_LIMIT, OLDEST, RUNNING_RUNS, ORGANIZATIONS, AT_LIMIT, WAIT, RUNS,
        FINISHED, PHANTOMS,
    )  # fmt: skip

    def __init__(
        self,
        keyspace: Keyspace,
        tail: EventTail,
        uses: UseReader,
        admissions: Admissions,
        standings: Standings,
        directory: Directory | None,
        runs: RunReader | None,
    ) -> None:
        self._followers = (keyspace, tail, uses, *([directory] if directory else []), *([runs] if runs else []))
        self._source = keyspace.source
        self._tail = tail
        self._uses = uses
        self._admissions = admissions
        self._standings = standings
        self._directory = directory
        self._runs = runs
        keyspace.also(PATTERN)

    def start(self) -> None:
        """Start the background reads; some are shared with other collectors."""
        for follower in self._followers:
            follower.start()

    def stop(self) -> None:
        """Stop the background reads."""
        for follower in self._followers:
            follower.stop()

    def collect(self) -> list[Sample]:
        """Show what the background has read.

        Where only the database fails, what Redis tells is still so and goes out with the failure.
        """
        self._uses.wait_first()
        self._uses.require_fresh(MAX_USE_AGE_SECONDS, "The capacity counters")
        standing = self._standings.latest
        if standing is None:
            raise SourceError("the organizations are not ranked yet")
        facts, problem = self._facts(standing)
        samples = list(self._of_redis(standing, facts is not None))
        if facts is not None:
            samples += _of_database(facts)
        if problem:
            raise SourceError(problem, samples)
        return samples

    def _facts(self, standing: Standing) -> tuple[RunFacts | None, str]:
        """The database's facts where there is a database, and what is wrong with it."""
        if self._runs is None or self._directory is None:
            return None, ""
        try:
            self._runs.require_sound(MAX_AGE_SECONDS, "The runs")
        except SourceError as error:
            return None, str(error)
        if standing.facts is None:
            return None, "the runs are not ranked yet"
        try:
            self._directory.require_fresh(MAX_DIRECTORY_AGE_SECONDS, "Organizations and plans")
        except SourceError as error:
            return standing.facts, str(error)
        return standing.facts, ""

    def _of_redis(self, standing: Standing, rows_known: bool) -> Iterator[Sample]:
        yield from _organizations(standing.ranking, self._source.now() * 1000, rows_known)
        if standing.ranking.at_queue_limit is not None:
            yield AT_LIMIT(standing.ranking.at_queue_limit)
        if standing.organizations is not None:
            yield ORGANIZATIONS(standing.organizations)
        if self._tail.is_fresh(MAX_USE_AGE_SECONDS):
            yield WAIT(self._admissions.value())


def _of_database(facts: RunFacts) -> Iterator[Sample]:
    yield RUNS(sum(facts.running.values()), "running")
    yield RUNS(facts.queued, "queued")
    for status, finished in facts.finished.items():
        yield FINISHED(finished, status)
    yield PHANTOMS(facts.running_completed, "running_completed")
    yield PHANTOMS(facts.unparked, "queued_unparked")


def _organizations(ranking: Ranking, now_ms: float, rows_known: bool) -> Iterator[Sample]:
    for shown in ranking.shown:
        labels = (keys.label(shown.organization), keys.label(shown.plan))
        use = shown.use
        yield RUNNING(use.running, *labels)
        yield QUEUED(use.queued, *labels)
        yield OLDEST(0.0 if use.oldest_ms is None else max(0.0, (now_ms - use.oldest_ms) / 1000), *labels)
        if rows_known and shown.runs is not None:
            yield RUNNING_RUNS(shown.runs, *labels)
        if shown.limits is not None:
            yield RUNNING_LIMIT(shown.limits.running, *labels)
            yield QUEUED_LIMIT(shown.limits.queued, *labels)

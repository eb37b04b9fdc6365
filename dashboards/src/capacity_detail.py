"""Capacity, the details: runs and how they end, monitors and jobs, rows past their retention."""

from . import promql
from .colors import IN, LIMIT, OUT, SLOW, TROUBLE, WARNING
from .layout import Section, shelf
from .levels import Thresholds
from .panels import Doc, Line, lines
from .sdk import models

_RATE = "[$__rate_interval]"
_MONITOR_COLORS = {
    "up": OUT,
    "down": TROUBLE,
    "error": WARNING,
    "paused": LIMIT,
    "pending": IN,
    "maintenance": SLOW,
}


def runs_section() -> list[Section]:
    """Return the sections about admission, counters and the ends of runs."""
    return [
        Section(
            "How long do runs wait, and how do they end?",
            [shelf(8, _admission(), _ends()), shelf(8, _open(), _drift())],
        )
    ]


def monitors_section(limits: Thresholds) -> Section:
    """Return the section about monitors, schedules and retention."""
    return Section(
        "Does what is scheduled happen?",
        [
            shelf(8, _staleness(), _schedules()),
            shelf(8, _results(), _failing(limits)),
            shelf(8, _monitors(), _phantoms(), _retention()),
        ],
    )


def _admission() -> models.Panel:
    buckets = f"max by (le) (rate(supercheck_admission_wait_seconds_bucket{_RATE}))"
    return lines(
        "Wait for admission",
        Doc(
            "From parked to promoted. A wait that is shorter than a look at Redis (5 s) may be missing.",
            "below 5 s at the median is the target.",
            "the organization has too few slots, or nobody promotes.",
        ),
        [
            Line(promql.known(f"histogram_quantile(0.5, {buckets})"), "p50", IN),
            Line(promql.known(f"histogram_quantile(0.95, {buckets})"), "p95", SLOW),
        ],
        unit="s",
        no_data="no parked run was admitted",
    )


def _ends() -> models.Panel:
    finished = "supercheck_runs_finished_total"
    return lines(
        "Runs that ended",
        Doc(
            "Runs by their row's status, a second. A failed test is 'failed'; 'error' could not be carried out.",
            "mostly passed, and next to none in error.",
            "the most frequent reason stands in error_details: the runbook has the query.",
        ),
        [
            Line(f'max by (status) (rate({finished}{{status!="error"}}{_RATE}))', "{{status}}"),
            Line(f'max(rate({finished}{{status="error"}}{_RATE}))', "error: lost", TROUBLE),
        ],
        unit="cps",
        colors={"passed": OUT, "failed": SLOW, "blocked": LIMIT},
        runbooks=["RunsErroring"],
    )


def _open() -> models.Panel:
    return lines(
        "Runs that are not over",
        Doc(
            "Rows that say running or queued, phantoms that run set aside; and organizations in the database.",
            "as the queues and the parked runs.",
            "queued rows without parked runs are phantoms.",
        ),
        [
            Line("max by (status) (supercheck_runs)", "{{status}}"),
            Line("max(supercheck_organizations)", "organizations", dashed=True),
        ],
        unit="short",
        decimals=0,
        runbooks=["PhantomRuns"],
    )


def _drift() -> models.Panel:
    drift = "organization:supercheck_organization_running_jobs:drift"
    # the two are read seconds apart, so it jumps around 0: as in the alert, what stays on one side counts
    above, below = f"min_over_time({drift}[5m])", f"max_over_time({drift}[5m])"
    stays = f"clamp_min({above}, 0) + clamp_max({below}, 0)"
    largest = f"topk({promql.FEW}, max by (organization) (abs(max_over_time(({stays})[$__range:] @ end()))))"
    return lines(
        "Counter minus rows that run",
        Doc(
            "Slots by Redis's counter minus rows that run in the database, by organization, where it stayed on one "
            "side of 0 for 5 minutes.",
            "0.",
            "above 0: refused slots that are free. Below 0: more than it may.",
        ),
        [Line(f"max by (organization) ({stays}) and on (organization) {largest}", "{{organization}}")],
        unit="short",
        decimals=0,
        negative=True,
        many=True,
        runbooks=["CapacityCounterDrift"],
    )


def _staleness() -> models.Panel:
    return lines(
        "Overdue checks and jobs",
        Doc(
            "Time since the most overdue monitor's check, and the most overdue job's start, were due.",
            "seconds.",
            "schedules, workers or queues are gone.",
        ),
        [
            Line("max(supercheck_monitor_staleness_seconds)", "monitor", IN),
            Line("max(supercheck_job_overdue_seconds)", "job", SLOW),
        ],
        unit="s",
        soft_max=60,
        runbooks=["MonitorsStale", "ScheduledJobsMissed"],
    )


def _schedules() -> models.Panel:
    expected = promql.each("supercheck_schedules_expected", "")
    held = promql.each("supercheck_queue_schedules", "")
    return lines(
        "Missing schedules",
        Doc(
            "Enabled monitors and jobs with a schedule minus schedules that the queue holds; and jobs that are due.",
            "0 or below.",
            "the app sets all schedules at its start.",
        ),
        [
            Line(f"topk(5, {expected} - on (queue) {held})", "{{queue}}"),
            Line("max(supercheck_jobs_overdue)", "jobs due", dashed=True),
        ],
        unit="short",
        decimals=0,
        negative=True,
        runbooks=["ScheduledJobsMissed"],
    )


def _results() -> models.Panel:
    results = f'max by (location) (rate(supercheck_monitor_results_total{{status!="up"}}{_RATE}))'
    disabled = "max by (location) (supercheck_location_enabled) == 0"
    return lines(
        "Checks that were not up, by location",
        Doc(
            "Checks with another result than 'up', a second, of enabled locations; those with the most.",
            "near 0. One location alone: it is the location, not what is watched.",
            "look at that location's workers and network.",
        ),
        [Line(f"topk(5, {results}) unless on (location) {disabled}", "{{location}}")],
        unit="cps",
    )


def _failing(limits: Thresholds) -> models.Panel:
    failing = "sum by (location) (max by (location, elsewhere) (supercheck_location_failing_monitors{}))"
    monitors = "(max by (location) (supercheck_location_monitors) > 0)"
    most = "topk(5, max by (location) (max_over_time(supercheck_location_failing_monitors[$__range] @ end())))"
    here_only = failing.format('{elsewhere="up"}')
    return lines(
        "Monitors that fail, by location",
        Doc(
            "Share of a location's monitors whose last check was not up, and of those the ones that are up elsewhere. "
            "Dashed in red: the threshold of LocationDown, which also asks that none succeeds for 10 minutes.",
            "near 0 %, and nothing up elsewhere.",
            "100 %, and up elsewhere: its network or DNS. Else: what is watched, or its only location.",
        ),
        [
            Line(f"({failing.format('')} / {monitors}) and {most}", "{{location}}"),
            Line(f"({here_only} / {monitors} > 0) and {most}", "{{location}}, up elsewhere", dashed=True),
        ],
        unit="percentunit",
        soft_max=1,
        levels=limits.above(critical="location_down_ratio"),
        no_data="no database is read, or nothing was checked lately",
        runbooks=["LocationDown"],
    )


def _monitors() -> models.Panel:
    return lines(
        "Monitors by status",
        Doc(
            "Monitors in the database.",
            "nearly all up; paused ones are somebody's choice.",
            "many down at once: the platform more likely than all targets.",
        ),
        [Line("max by (status) (supercheck_monitors)", "{{status}}")],
        unit="short",
        decimals=0,
        stacked=True,
        colors=_MONITOR_COLORS,
    )


def _phantoms() -> models.Panel:
    return lines(
        "Phantom runs by kind",
        Doc(
            "Rows of the last 24 hours: 'running' that have ended, and 'queued' that are parked nowhere.",
            "a few.",
            "queued ones come from rejected runs, running ones from very short runs.",
        ),
        [Line("max by (kind) (supercheck_phantom_runs)", "{{kind}}")],
        unit="short",
        decimals=0,
        runbooks=["PhantomRuns"],
    )


def _retention() -> models.Panel:
    return lines(
        "Rows past their retention",
        Doc(
            "Rows that should have been deleted a day ago or earlier; the count stops at 100000.",
            "0, or a number that shrinks.",
            "job_runs: the cleanup deletes 100 of an organization a day, and no more.",
        ),
        [Line("max by (entity) (supercheck_retention_overdue_rows)", "{{entity}}")],
        unit="short",
        decimals=0,
        runbooks=["RetentionFallingBehind"],
    )

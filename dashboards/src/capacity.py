"""Capacity, runs and monitors: who is at its limit, do counters and rows agree, does what is scheduled happen."""

from . import links, promql
from .capacity_detail import monitors_section, runs_section
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, Thresholds
from .panels import Doc, Line, lines, one
from .sdk import models
from .spec import Spec
from .tables import Label, Value, rows

_NO_DATABASE = "no database, or no answer"
_BY = "organization, plan"


def _each(metric: str) -> str:
    return promql.each(f"supercheck_organization_{metric}", "", _BY)


_FULLNESS = f"{_each('queued_jobs')} / ({_each('queued_limit_jobs')} > 0)"


def _sections(limits: Thresholds) -> list[Section]:
    return [
        Section(
            "Who is at its limit?",
            [shelf(4, *_strip(limits)), shelf(9, _table(limits)), shelf(9, _parked(), _share(limits))],
        ),
        *runs_section(),
        monitors_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    return [
        one(
            "At their limit",
            Doc(
                "Organizations with as many runs parked as they may have, of all, whatever the table shows. Unknown "
                "while one limit is unknown, or the counters can't be read.",
                "0.",
                "further runs of them are rejected: see the table.",
            ),
            "max(supercheck_organizations_at_queue_limit)",
            unit="short",
            levels=ANY_IS_WARNING,
            no_data="a limit is unknown",
            runbooks=["OrganizationAtQueueLimit"],
        ),
        one(
            "Fullest",
            Doc(
                "Parked runs over their limit, of the organization where this is the most.",
                "below the orange line, where OrganizationNearQueueLimit warns.",
                "its runs start late, and are rejected at 100 %.",
            ),
            f"max({_FULLNESS})",
            unit="percentunit",
            decimals=0,
            levels=limits.above(warning="organization_queue_warning_ratio"),
            no_data="no limit is known",
            runbooks=["OrganizationNearQueueLimit"],
        ),
        one(
            "Longest parked",
            Doc(
                "Age of the run that has been parked for longest, of any organization.",
                "minutes at most; 0 when nothing is parked.",
                "its organization has no free slot, or nobody promotes.",
            ),
            "max(supercheck_organization_oldest_queued_age_seconds)",
            unit="s",
            decimals=1,
            levels=limits.above(warning="organization_monopoly_wait_seconds"),
            no_data="no organization has a counter",
            runbooks=["OrganizationMonopolizesWorkers"],
        ),
        one(
            "Phantom runs",
            Doc(
                "Rows of the last 24 hours that say what is not so: they run or wait, and do not. The larger kind.",
                "a few.",
                "a phantom that runs stops its job's schedule; one that waits stays for ever.",
            ),
            "max(supercheck_phantom_runs)",
            unit="short",
            levels=limits.above(warning="phantom_runs_rows"),
            no_data=_NO_DATABASE,
            runbooks=["PhantomRuns"],
        ),
        one(
            "Stalest monitor",
            Doc(
                "Age of the last check in the monitor's own intervals, of the enabled monitor where this is the most.",
                "about 1.",
                "checks are not made: schedules, workers or queues are gone.",
            ),
            "max(supercheck_monitor_staleness_intervals)",
            unit="short",
            decimals=1,
            levels=limits.above(critical="monitor_stale_intervals"),
            no_data=_NO_DATABASE,
            runbooks=["MonitorsStale"],
            loud=True,
        ),
        one(
            "Most overdue job",
            Doc(
                "How late the most overdue scheduled job is.",
                "seconds.",
                "it was not started: a phantom run, a lost schedule, or the app is down.",
            ),
            "max(supercheck_job_overdue_seconds)",
            unit="s",
            decimals=0,
            levels=limits.above(critical="job_missed_seconds"),
            no_data=_NO_DATABASE,
            runbooks=["ScheduledJobsMissed"],
            loud=True,
        ),
    ]


def _table(limits: Thresholds) -> models.Panel:
    full = limits.above(warning="organization_queue_warning_ratio")
    return rows(
        "Organizations, the fullest first",
        Doc(
            "Organizations that hold a slot or have a run parked, the most use over limit first; beyond the top ones "
            "they are summed as 'other'.",
            "slots by the counter and rows that run are the same number, and parked runs are below their limit.",
            "counter and rows differ for long: CapacityCounterDrift. Parked at the limit: runs are rejected.",
        ),
        [Label("organization", "Organization", width=220), Label("plan", "Plan", width=110)],
        [
            Value("Slots in use", _each("running_jobs"), "short"),
            Value("Slots", _each("running_limit_jobs"), "short"),
            Value("Rows that run", _each("running_runs"), "short"),
            Value("Parked", _each("queued_jobs"), "short"),
            Value("May be parked", _each("queued_limit_jobs"), "short"),
            Value("Full", _FULLNESS, "percentunit", full, decimals=0),
            Value("Oldest parked", _each("oldest_queued_age_seconds"), "s", decimals=1),
        ],
        no_data="no organization has a counter",
        sort_by="Full",
        runbooks=["CapacityCounterDrift", "OrganizationAtQueueLimit"],
    )


def _parked() -> models.Panel:
    return lines(
        "Parked runs by organization",
        Doc(
            "Runs that wait for a slot of their own organization, before BullMQ sees them; those with the most.",
            "short peaks when many schedules begin at once.",
            "a line that only grows: the organization starts more than its slots work off.",
        ),
        [Line(promql.worst("supercheck_organization_queued_jobs", "", "organization"), "{{organization}}")],
        unit="short",
        decimals=0,
        many=True,
        runbooks=["OrganizationNearQueueLimit"],
    )


def _share(limits: Thresholds) -> models.Panel:
    ratio = "organization:supercheck_organization_running_jobs:ratio"
    return lines(
        "Share of the slots in use",
        Doc(
            "Slots that an organization holds over all that are in use.",
            "high on a site with one organization; else below the line while others wait.",
            "one holds nearly all: more workers, or a lower limit for it.",
        ),
        [Line(promql.worst(ratio, "", "organization"), "{{organization}}")],
        unit="percentunit",
        levels=limits.above(warning="organization_monopoly_ratio"),
        many=True,
        soft_max=1,
        runbooks=["OrganizationMonopolizesWorkers"],
    )


SPEC = Spec(
    uid=links.CAPACITY,
    title="Supercheck / Capacity, runs and monitors",
    description="Who is at its limit? How do runs end? Does what is scheduled happen?",
    sections=_sections,
    alert_matchers='component=~"capacity|monitor"',
)

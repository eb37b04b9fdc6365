"""Workers and scaling: is anybody there, are there enough, are they busy, which one is gone."""

from . import links, promql
from .colors import LIMIT, OUT
from .layout import Section, shelf
from .levels import ANY_IS_CRITICAL, ANY_IS_WARNING, Thresholds
from .panels import Doc, Line, lines, one
from .sdk import models
from .spec import Spec
from .workers_detail import busy_section, each_section
from .workers_execution import execution_section

_BLIND = "no heartbeat could be read"


def _sections(limits: Thresholds) -> list[Section]:
    return [
        Section("Is anybody there?", [shelf(4, *_strip(limits)), shelf(9, _alive(), _missing())]),
        *busy_section(limits),
        each_section(),
        execution_section(limits),
    ]


def _strip(limits: Thresholds) -> list[models.Panel]:
    serving = promql.each("supercheck_workers_serving")
    backlog = promql.each("supercheck_queue_backlog_jobs")
    workers = promql.each("supercheck_workers", promql.LOCATION, "location")
    return [
        one(
            "Workers alive",
            Doc(
                "Workers of the chosen locations whose heartbeat key exists. A dead worker stays alive for up to 60 s.",
                "as many as you run.",
                "see 'Each worker' for the ones that are left, and the platform that runs them.",
            ),
            promql.total("supercheck_workers", promql.LOCATION, "location"),
            unit="short",
            no_data=_BLIND,
        ),
        one(
            "Workers wanted",
            Doc(
                "Workers that the backlog asks for (the scaling policy below), all chosen locations.",
                "at most the number alive.",
                "scale out, or find why the autoscaler does not.",
            ),
            promql.total("supercheck_workers_desired", promql.LOCATION, "location"),
            unit="short",
            no_data="an input is unknown",
            runbooks=["WorkersNotScaling"],
        ),
        one(
            "Empty locations",
            Doc(
                "Chosen locations without a single worker. Their monitors are skipped, their load tests wait.",
                "0.",
                "start a worker with that WORKER_LOCATION, or disable the location in Supercheck.",
            ),
            promql.count_or_zero(f"{workers} == 0", workers),
            unit="short",
            levels=ANY_IS_WARNING,
            no_data=_BLIND,
            runbooks=["LocationWithoutWorkers"],
        ),
        one(
            "Unserved queues",
            Doc(
                "Chosen queues with ready jobs and no worker (for the app's queues: no connection) that takes them.",
                "0; for seconds during a deploy.",
                "start workers for that queue's location; a new worker names its regional queues after 30 s.",
            ),
            promql.count_or_zero(f"{serving} == 0 and {backlog} > 0", serving),
            unit="short",
            levels=ANY_IS_CRITICAL,
            no_data=_BLIND,
            runbooks=["NoWorkersForQueue"],
            loud=True,
        ),
        one(
            "Busiest queue",
            Doc(
                "Active jobs over slots, of the busiest chosen queue. Orange as WorkerUtilizationHigh, which "
                "also asks for a backlog and 15 minutes.",
                "75 % is the target at load; 100 % while a single worker runs one test.",
                "with a backlog: add workers.",
            ),
            f"max({promql.select('queue:supercheck_worker_utilization:ratio')})",
            unit="percentunit",
            decimals=0,
            levels=limits.above(warning="worker_utilization_ratio"),
            no_data="no queue has slots",
            runbooks=["WorkerUtilizationHigh"],
        ),
        one(
            "Oldest heartbeat",
            Doc(
                "Age of the oldest heartbeat that is still there. Workers send one every 30 s, and it lives for 60 s.",
                "below 35 s.",
                "that worker died or hangs; over 60 s: its clock and Prometheus' differ.",
            ),
            f"max(time() - {promql.select('supercheck_worker_last_heartbeat_timestamp_seconds', promql.LOCATION)})",
            unit="s",
            decimals=0,
            no_data="no worker is alive",
            runbooks=["WorkersLost"],
        ),
    ]


def _alive() -> models.Panel:
    return lines(
        "Workers alive and wanted",
        Doc(
            "Workers with a heartbeat, and workers that the backlog asks for; all chosen locations.",
            "alive at or above wanted.",
            "alive dropped: look for deploys (blue marks) and crashes. Wanted rises and alive does not: no scaling.",
        ),
        [
            Line(promql.total("supercheck_workers", promql.LOCATION, "location"), "alive", OUT),
            Line(promql.total("supercheck_workers_desired", promql.LOCATION, "location"), "wanted", LIMIT, dashed=True),
        ],
        unit="short",
        decimals=0,
        runbooks=["WorkersLost", "WorkersNotScaling"],
    )


def _missing() -> models.Panel:
    alive = promql.each("supercheck_workers", promql.LOCATION, "location")
    wanted = promql.worst("supercheck_workers_desired", promql.LOCATION, "location")
    return lines(
        f"Missing workers ({promql.TOP} locations that want most)",
        Doc(
            "Wanted minus alive, by location. Below zero: more than needed. WorkersNotScaling fires after 15 minutes "
            "above zero.",
            "zero or below.",
            "start workers there, or raise what the autoscaler may start.",
        ),
        [Line(f"({wanted}) - on (location) {alive}", "{{location}}", "")],
        unit="short",
        decimals=0,
        negative=True,
        many=True,
        runbooks=["WorkersNotScaling", "LocationWithoutWorkers"],
    )


SPEC = Spec(
    uid=links.WORKERS,
    title="Supercheck / Workers and scaling",
    description="Is anybody there? Are there enough? Are they busy? Which one is gone?",
    sections=_sections,
    variables=("location", "queue"),
    alert_matchers='component="worker",location=~"$location|",queue=~"$queue|"',
)

"""Workers, the details: queues and their slots, then each location and each worker."""

from . import links, promql
from .colors import IN, LIMIT, OUT
from .layout import Section, shelf
from .levels import ANY_IS_WARNING, GREEN, RED, Levels, Thresholds
from .panels import Doc, Line, lines, words
from .sdk import models
from .tables import Label, Value, rows

_POLICY = """\
| Backlog of a queue | Wanted |
|---|---|
| under 10 | towards 1 |
| 10 to 50 | as many as now, unless a job has been ready for over 5 minutes |
| over 50 | towards 10 |

A location wants what its neediest queue wants, never fewer than are busy. With an input unknown
`supercheck_workers_desired` is **absent**, not 0 (KEDA: `ignoreNullValues: "false"`, and a fallback).
"""


def busy_section(limits: Thresholds) -> list[Section]:
    """Return the sections about queues and how busy their workers are."""
    return [
        Section("Which queue lacks workers?", [shelf(8, _queues(limits), _serving(), widths=(14, 10))]),
        Section("Are they busy?", [shelf(9, _busy(limits), _slots())]),
    ]


def each_section() -> Section:
    """Return the section about locations and single workers."""
    return Section(
        "Which location, which worker?",
        [shelf(8, _locations(), _workers()), shelf(9, _heartbeats(), _starts(), _policy())],
    )


def _queues(limits: Thresholds) -> models.Panel:
    def column(metric: str, *matchers: str) -> str:
        return f"{promql.each(metric, promql.join(promql.QUEUE, *matchers))} and on (queue) {promql.in_trouble()}"

    return rows(
        f"Queues and their workers (worst {promql.TABLE_ROWS})",
        Doc(
            "Who serves each queue, and how busy they are; queues with firing alerts first, then by backlog.",
            "every queue with a backlog is served, and its slots are busy.",
            "serving 0: start workers. Slots free and a backlog: paused or hanging, see the Queues dashboard.",
        ),
        [Label("queue", "Queue", [links.queue_of_cell()], width=190)],
        [
            Value("Order", promql.in_trouble(), "short", hidden=True),
            Value("Backlog", column("supercheck_queue_backlog_jobs"), "short"),
            Value("Serving", column("supercheck_workers_serving"), "short", Levels(RED, ((1, GREEN),))),
            Value("Slots", column("supercheck_queue_slots"), "short"),
            Value("Active", column("supercheck_queue_jobs", 'state="active"'), "short"),
            Value(
                "Busy",
                column("queue:supercheck_worker_utilization:ratio"),
                "percentunit",
                limits.above(warning="worker_utilization_ratio"),
                decimals=0,
            ),
            Value("Consumers", column("supercheck_queue_consumers"), "short"),
        ],
        no_data="the exporter tells of no queue",
        runbooks=["NoWorkersForQueue", "WorkerUtilizationHigh"],
        more=[links.to_dashboard(links.QUEUES, "Queues")],
    )


def _serving() -> models.Panel:
    backlog = "supercheck_queue_backlog_jobs"
    return lines(
        f"Workers serving ({promql.FEW} queues with the largest backlog)",
        Doc(
            "Workers that serve each queue, by their heartbeats.",
            "flat, at least 1.",
            "0: nobody takes these jobs, and NoWorkersForQueue pages after 90 s. A step: a deploy or a crash.",
        ),
        [Line(promql.worst("supercheck_workers_serving", top=promql.FEW, ranked_by=backlog), "{{queue}}")],
        unit="short",
        decimals=0,
        runbooks=["NoWorkersForQueue"],
        data_links=[links.queue_of_series()],
    )


def _busy(limits: Thresholds) -> models.Panel:
    return lines(
        f"Busy slots (busiest {promql.TOP} queues)",
        Doc(
            "Active jobs as a share of the slots. Dashed: the threshold of WorkerUtilizationHigh, which also asks for "
            "a backlog and 15 minutes.",
            "75 % is the target at load.",
            "flat at 100 % with a backlog: add workers. Far below for days: you pay for idle ones.",
        ),
        [Line(promql.worst("queue:supercheck_worker_utilization:ratio"), "{{queue}}")],
        unit="percentunit",
        soft_max=1,
        levels=limits.above(warning="worker_utilization_ratio"),
        many=True,
        runbooks=["WorkerUtilizationHigh"],
        data_links=[links.queue_of_series()],
    )


def _slots() -> models.Panel:
    active = promql.join(promql.QUEUE, 'state="active"')
    return lines(
        "Slots, active and waiting jobs",
        Doc(
            "Jobs that run, jobs that could run at once, and ready jobs that wait; all chosen queues.",
            "active below slots, nothing waits.",
            "waiting grows with active at the slots: add workers. Waiting grows with free slots: look at Queues.",
        ),
        [
            Line(promql.total("supercheck_queue_slots"), "slots", LIMIT, dashed=True),
            Line(promql.total("supercheck_queue_jobs", active), "active", OUT),
            Line(promql.total("supercheck_queue_backlog_jobs"), "waiting", IN),
        ],
        unit="short",
        decimals=0,
        runbooks=["WorkerUtilizationHigh"],
    )


def _locations() -> models.Panel:
    alive = promql.each("supercheck_workers", promql.LOCATION, "location")
    wanted = promql.each("supercheck_workers_desired", promql.LOCATION, "location")
    worst = f"topk({promql.TABLE_ROWS}, {wanted} - {alive} or 0 * {alive})"
    started = promql.select("supercheck_worker_start_timestamp_seconds", promql.LOCATION)
    before = promql.select("location:supercheck_workers_serving:max", promql.LOCATION)

    def column(expr: str) -> str:
        return f"{expr} and on (location) {worst}"

    return rows(
        f"Locations (up to {promql.TABLE_ROWS}, the neediest first)",
        Doc(
            "Workers of each location: alive, serving it from anywhere, serving 15 minutes before, wanted and missing, "
            "and the start of the newest.",
            "nothing missing, as many as 15 minutes ago.",
            "fewer than before: see who is left in 'Each worker'. The newest start says whether it was a deploy.",
        ),
        [Label("location", "Location", [links.location_of_cell()])],
        [
            Value("Alive", column(alive), "short", Levels(RED, ((1, GREEN),))),
            Value("Serving", column(promql.each("supercheck_location_workers", promql.LOCATION, "location")), "short"),
            Value("Before", column(f"max by (location) ({before} offset 15m)"), "short"),
            Value("Wanted", column(wanted), "short"),
            Value("Missing", column(f"clamp_min({wanted} - {alive}, 0)"), "short", ANY_IS_WARNING),
            Value("Newest start", column(f"1000 * max by (location) ({started})"), "dateTimeFromNow", width=140),
        ],
        no_data="no location is known",
        sort_by="Missing",
        runbooks=["LocationWithoutWorkers", "WorkersLost", "WorkersNotScaling"],
    )


def _workers() -> models.Panel:
    heartbeat = promql.each("supercheck_worker_last_heartbeat_timestamp_seconds", promql.LOCATION, "worker, location")
    started = promql.each("supercheck_worker_start_timestamp_seconds", promql.LOCATION, "worker, location")
    stalest = f"bottomk({promql.TABLE_ROWS}, {heartbeat})"
    return rows(
        f"Each worker (up to {promql.TABLE_ROWS}, the most silent first)",
        Doc(
            "Every worker with a heartbeat key: where it is, when it was heard and when it started. In containers its "
            "name changes with every recreation.",
            "heard within 35 s.",
            "a worker that you run and that is not here is dead or can't reach Redis: read its log.",
        ),
        [Label("worker", "Worker"), Label("location", "Location", width=100)],
        [
            Value("Last heard", f"1000 * {stalest}", "dateTimeFromNow", width=150),
            Value("Started", f"1000 * {started} and on (worker) {stalest}", "dateTimeFromNow", width=150),
        ],
        no_data="no worker is alive",
        sort_by="Last heard",
        descending=False,
        runbooks=["WorkersLost"],
    )


def _heartbeats() -> models.Panel:
    heartbeat = promql.each("supercheck_worker_last_heartbeat_timestamp_seconds", promql.LOCATION, "worker, location")
    return lines(
        "Heartbeats",
        Doc(
            "Age of the oldest and of the middle heartbeat of the chosen locations.",
            "a saw between 0 and 35 s.",
            "oldest at 60 s, then gone: one worker died. Both rise: Redis or the network is slow for all.",
        ),
        [
            Line(f"max(time() - {heartbeat})", "oldest", IN),
            Line(f"quantile(0.5, time() - {heartbeat})", "median", OUT),
        ],
        unit="s",
        runbooks=["WorkersLost"],
    )


def _starts() -> models.Panel:
    started = promql.each("supercheck_worker_start_timestamp_seconds", promql.LOCATION, "worker, location")
    return lines(
        "Young workers",
        Doc(
            "Workers that started within the last 10 minutes: deploys, restarts, scaling out.",
            "0, but for deploys and scaling.",
            "never 0: workers crash again and again. Read the log of one.",
        ),
        [Line(f"sum(time() - {started} < bool 600)", "started in the last 10 min", IN)],
        unit="short",
        decimals=0,
        runbooks=["WorkersLost"],
    )


def _policy() -> models.Panel:
    return words(
        "How many are wanted",
        Doc(
            "The scaling policy behind 'wanted'.", "not needed.", "change the settings of the exporter, not this text."
        ),
        _POLICY,
    )

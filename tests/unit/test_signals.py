"""Which values the status page calls too much: the rules' thresholds, the rules' alerts."""

from __future__ import annotations

import time

import pytest
import yaml
from supercheck_exporter.bullmq.journal import Journal
from supercheck_exporter.catalogue import catalogue
from supercheck_exporter.collectors import queue_events, queues, s3, vault, workers
from supercheck_exporter.core import Run, Sample
from supercheck_exporter.rules import bundle_root
from supercheck_exporter.signals import LIMITS, Limit, Signal, over_threshold, show
from supercheck_exporter.thresholds import default_thresholds

HOUR = 3600.0


def signals(*samples: Sample, **thresholds: float) -> list[Signal]:
    return over_threshold([Run("queues", True, 0.0, 0.0, samples)], default_thresholds() | thresholds)


def only(*samples: Sample, **thresholds: float) -> tuple[str, str, str, str]:
    [found] = signals(*samples, **thresholds)
    assert found.subject == "q"
    return found.alert, found.severity, found.value, found.limit


def depth(backlog: float, capacity: float = 1000) -> list[Sample]:
    return [queues.BACKLOG(backlog, "q"), queues.CAPACITY(capacity, "q")]


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.alert)
def test_a_limit_names_what_exists(limit: Limit) -> None:
    files = (bundle_root() / "alert-rules/src/alerts").glob("*.yaml")
    groups = [group for path in files for group in yaml.safe_load(path.read_text())["groups"]]
    assert limit.alert in {rule["alert"] for group in groups for rule in group["rules"]}
    assert {limit.metric, *filter(None, [limit.other])} <= {entry.name for entry in catalogue()}
    if limit.kind != "state":
        assert {*filter(None, [limit.warning, limit.critical])} <= set(default_thresholds())


def test_nothing_is_wrong_with_a_well_queue() -> None:
    assert signals(*depth(800), queues.OLDEST_READY(300, "q"), queues.PAUSED(0, "q"), queues.STALLED(0, "q")) == []


@pytest.mark.parametrize(("backlog", "severity"), [(801, "warning"), (950, "warning"), (951, "critical")])
def test_depth(backlog: float, severity: str) -> None:
    limit = "95.0%" if severity == "critical" else "80.0%"
    assert only(*depth(backlog)) == ("QueueDepthHigh", severity, f"{backlog / 1000:.1%}", limit)


def test_the_age_of_an_upload_that_was_never_ended() -> None:
    now = time.time()
    assert only(s3.OLDEST_UPLOAD(now - 8 * 24 * HOUR, "q")) == ("IncompleteUploads", "warning", "8d", "7d")
    assert signals(s3.OLDEST_UPLOAD(now - 6 * 24 * HOUR, "q")) == []


def test_depth_without_a_capacity_is_unknown() -> None:
    assert signals(queues.BACKLOG(10**9, "q")) == []


@pytest.mark.parametrize(
    ("age", "severity", "value", "limit"),
    [(301, "warning", "5m 1s", "5m"), (901, "critical", "15m 1s", "15m"), (90_061, "critical", "1d 1h", "15m")],
)
def test_the_oldest_ready_job(age: float, severity: str, value: str, limit: str) -> None:
    assert only(queues.OLDEST_READY(age, "q")) == ("QueueJobsWaitingTooLong", severity, value, limit)


@pytest.mark.parametrize(
    ("ttl", "severity", "value", "limit"),
    [(47 * HOUR, "warning", "1d 23h", "2d"), (5 * HOUR, "critical", "5h", "6h"), (0, "critical", "0s", "6h")],
)
def test_schedules_that_will_vanish(ttl: float, severity: str, value: str, limit: str) -> None:
    assert only(queues.SCHEDULE_TTL(ttl, "q")) == ("QueueSchedulesWillVanish", severity, value, limit)


def test_schedules_with_time_left() -> None:
    assert signals(queues.SCHEDULE_TTL(7 * 24 * HOUR, "q")) == []


def test_schedules_that_are_late() -> None:
    assert only(queues.LATENESS(121, "q")) == ("QueueSchedulesLate", "warning", "2m 1s", "2m")


def test_stalled_jobs() -> None:
    assert only(queues.STALLED(3, "q")) == ("QueueJobsStalled", "warning", "3", "0")


def test_a_paused_queue_counts_with_a_backlog_only() -> None:
    assert signals(queues.PAUSED(1, "q"), *depth(0)) == []
    assert signals(queues.PAUSED(1, "q")) == []
    assert only(queues.PAUSED(1, "q"), *depth(12)) == ("QueuePausedWithBacklog", "warning", "12", "0")


def test_a_job_over_its_run_budget() -> None:
    budget = queues.RUN_BUDGET(4800, "q")
    assert signals(queues.OLDEST_ACTIVE(4800, "q"), budget) == []
    assert signals(queues.OLDEST_ACTIVE(10**6, "q")) == []
    assert only(queues.OLDEST_ACTIVE(4861, "q"), budget) == ("QueueJobStuckActive", "warning", "1h 21m", "1h 20m")


def test_a_backlog_that_nobody_serves() -> None:
    found = only(*depth(12), workers.SERVING(0, "q"))
    assert found == ("NoWorkersForQueue", "critical", "12 jobs, 0 workers", "1 worker")
    assert signals(*depth(0), workers.SERVING(0, "q")) == []
    assert signals(*depth(12), workers.SERVING(1, "q")) == []
    assert signals(*depth(12)) == []  # how many serve it is unknown


def test_a_sealed_vault() -> None:
    assert only(vault.SEALED(1, "q")) == ("VaultSealed", "critical", "sealed", "")
    assert signals(vault.SEALED(0, "q")) == []


def test_large_numbers_are_written_out() -> None:
    [found] = signals(queues.STALLED(1_234_567, "q"))
    assert found.value == "1234567"


def test_thresholds_are_settings() -> None:
    assert only(*depth(101), queue_depth_warning_ratio=0.1)[3] == "10.0%"
    assert signals(*depth(951), queue_depth_warning_ratio=0.97, queue_depth_critical_ratio=0.99) == []


def test_critical_ones_come_first() -> None:
    found = signals(
        queues.OLDEST_READY(301, "a"),
        queues.OLDEST_READY(301, "c"),
        queues.OLDEST_READY(901, "d"),
        queues.OLDEST_READY(901, "b"),
    )
    assert [signal.subject for signal in found] == ["b", "d", "a", "c"]


def test_queues_are_compared_with_their_own_capacity() -> None:
    found = signals(
        queues.BACKLOG(90, "small"), queues.CAPACITY(100, "small"),
        queues.BACKLOG(90, "large"), queues.CAPACITY(1000, "large"),
    )  # fmt: skip
    assert [signal.subject for signal in found] == ["small"]


def test_histograms_are_passed_over() -> None:
    assert signals(queue_events.WAIT(Journal().wait.value(), "q")) == []


def test_a_failed_run_has_no_values() -> None:
    assert over_threshold([Run("queues", False, 0.0, 0.0)], default_thresholds()) == []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.8, "ratio", "80.0%"),
        (12.3456, "ratio", "1234.6%"),
        (0, "seconds", "0s"),
        (0.4, "seconds", "0s"),
        (59.6, "seconds", "1m"),
        (61, "seconds", "1m 1s"),
        (3600, "seconds", "1h"),
        (3661, "seconds", "1h 1m"),
        (172_800, "seconds", "2d"),
    ],
)
def test_a_value_for_people(value: float, unit: str, text: str) -> None:
    assert show(value, unit) == text

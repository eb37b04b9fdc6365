"""The table of thresholds and its settings."""

from __future__ import annotations

import re

import pytest
from supercheck_exporter.thresholds import (
    THRESHOLDS,
    ThresholdError,
    default_thresholds,
    load_thresholds,
)
from supercheck_exporter.thresholds.threshold import Threshold

RATIO = "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO"


def problems(env: dict[str, str]) -> list[str]:
    with pytest.raises(ThresholdError) as raised:
        load_thresholds(env)
    return raised.value.problems


def test_an_empty_environment_gives_every_default() -> None:
    assert load_thresholds({}) == default_thresholds() == {t.name: t.default for t in THRESHOLDS}


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=lambda t: t.name)
def test_each_entry_is_well_formed(threshold: Threshold) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", threshold.name)
    assert threshold.name.endswith(f"_{threshold.unit}")
    assert threshold.accepts(threshold.default)
    assert threshold.help.endswith(".")


def test_names_are_unique() -> None:
    assert len({t.name for t in THRESHOLDS}) == len(THRESHOLDS)


def test_a_setting_replaces_its_default_and_no_other() -> None:
    changed = load_thresholds({RATIO: " 0.7 ", "PATH": "/bin"})
    assert changed["queue_depth_warning_ratio"] == 0.7
    assert changed | {"queue_depth_warning_ratio": 0.8} == default_thresholds()


def test_an_empty_setting_is_unset() -> None:
    assert load_thresholds({RATIO: "  "}) == default_thresholds()


@pytest.mark.parametrize("text", ["eighty", "0", "-0.5", "1.01", "80", "nan", "inf", "1e400", "0,8"])
def test_a_bad_ratio_names_variable_reading_and_what_is_allowed(text: str) -> None:
    assert problems({RATIO: text}) == [
        f'{RATIO}: read "{text}", allowed is a number above 0 and up to 1 (0.8 means 80 %).'
    ]


@pytest.mark.parametrize("text", ["0", "-1", "5m", "99999999999", "nan"])
def test_bad_seconds(text: str) -> None:
    name = "THRESHOLD_QUEUE_NOT_PROCESSING_SECONDS"
    (problem,) = problems({name: text})
    assert problem == f'{name}: read "{text}", allowed is a number of seconds above 0, at most one year (31536000).'


@pytest.mark.parametrize("text", ["0", "2.5", "many"])
def test_bad_jobs(text: str) -> None:
    name = "THRESHOLD_QUEUE_FAILURE_MIN_FINISHED_1H_JOBS"
    assert problems({name: text}) == [f'{name}: read "{text}", allowed is a whole number of jobs, 1 or more.']


def test_intervals_may_be_parts() -> None:
    name = "THRESHOLD_MONITOR_STALE_INTERVALS"
    assert load_thresholds({name: "2.5"})["monitor_stale_intervals"] == 2.5
    assert problems({name: "0"}) == [f'{name}: read "0", allowed is a number of intervals above 0.']


def test_every_problem_is_told_at_once() -> None:
    found = problems({RATIO: "x", "THRESHOLD_WORKER_UTILIZATION_RATIO": "9", "THRESHOLD_QUEUE_FAILURE_RATIO": "0"})
    assert [problem.split(":")[0] for problem in found] == [
        "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO",
        "THRESHOLD_QUEUE_FAILURE_RATIO",
        "THRESHOLD_WORKER_UTILIZATION_RATIO",
    ]


def test_a_misspelt_name_gets_a_hint() -> None:
    assert problems({"THRESHOLD_QUEUE_DEPHT_WARNING_RATIO": "0.7"}) == [
        "THRESHOLD_QUEUE_DEPHT_WARNING_RATIO: read a name that is no threshold; "
        "did you mean THRESHOLD_QUEUE_DEPTH_WARNING_RATIO?"
    ]


def test_a_name_like_none_lists_them_all() -> None:
    (problem,) = problems({"THRESHOLD_ZZZ": "1"})
    assert all(threshold.variable in problem for threshold in THRESHOLDS)


def test_a_long_value_is_shortened() -> None:
    (problem,) = problems({RATIO: "x" * 1000})
    assert f'"{"x" * 37}..."' in problem
    assert len(problem) < 200


@pytest.mark.parametrize(
    ("env", "small", "large"),
    [
        ({RATIO: "0.95"}, RATIO, "THRESHOLD_QUEUE_DEPTH_CRITICAL_RATIO"),
        (
            {"THRESHOLD_QUEUE_OLDEST_READY_CRITICAL_SECONDS": "200"},
            "THRESHOLD_QUEUE_OLDEST_READY_WARNING_SECONDS",
            "THRESHOLD_QUEUE_OLDEST_READY_CRITICAL_SECONDS",
        ),
        # time left: here the page comes at the smaller one
        (
            {"THRESHOLD_QUEUE_SCHEDULE_TTL_WARNING_SECONDS": "3600"},
            "THRESHOLD_QUEUE_SCHEDULE_TTL_CRITICAL_SECONDS",
            "THRESHOLD_QUEUE_SCHEDULE_TTL_WARNING_SECONDS",
        ),
    ],
)
def test_a_page_before_its_warning_is_refused(env: dict[str, str], small: str, large: str) -> None:
    (problem,) = problems(env)
    assert problem.startswith(f"{small}: read ")
    assert f"allowed is less than {large}" in problem

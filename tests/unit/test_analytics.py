"""The moving day and the month of activity, on rows made up here."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from supercheck_exporter.analytics.reader import MAX_PLANS, Organization, Plans
from supercheck_exporter.analytics.recent import DAY, LONG_STEP, MONTH, NOBODY, SHORT_STEP, Ended, Recent

NOW = datetime(2026, 11, 24, 12)


def rows(until: datetime, now: datetime, *ended: tuple[str, str, int]) -> list[dict[str, Any]]:
    """A step's answer: (organization, status, runs), a second each; one empty row where nothing ended."""
    if not ended:
        return [{"until": until, "now": now, "organization": None, "status": None, "runs": None, "ms": None}]
    return [
        {"until": until, "now": now, "organization": who, "status": status, "runs": runs, "ms": runs * 1000}
        for who, status, runs in ended
    ]


def test_a_day_moves_and_a_month_remembers_who_was_active() -> None:
    recent = Recent()
    recent.add(rows(NOW - MONTH + LONG_STEP, NOW, ("long-ago", "passed", 5)))
    recent.add(rows(NOW - DAY, NOW, ("yesterday", "passed", 7)))
    assert not recent.complete
    recent.add(rows(NOW - DAY + SHORT_STEP, NOW, ("acme", "passed", 3)))
    recent.add(rows(NOW, NOW, ("acme", "failed", 2), ("acme", "strange", 1), (NOBODY, "error", 4)))
    assert recent.complete
    assert recent.runs == {
        Ended("acme", "passed"): 3, Ended("acme", "failed"): 2, Ended("acme", "other"): 1, Ended(NOBODY, "error"): 4,
    }  # fmt: skip
    assert recent.ms == {"acme": 6000, NOBODY: 4000}
    assert recent.active(DAY) == {"acme"}
    assert recent.active(MONTH) == {"acme", "yesterday", "long-ago"}
    later = NOW + SHORT_STEP
    recent.add(rows(later, later))
    assert recent.runs[Ended("acme", "passed")] == 0, "what is older than a day is forgotten"
    assert recent.ms == {"acme": 3000, NOBODY: 4000}
    recent.add(rows(NOW + MONTH, NOW + MONTH))
    assert recent.runs == {}
    assert recent.ms == {}
    assert recent.active(MONTH) == set()


def test_a_clock_that_is_set_back_counts_nothing_twice() -> None:
    recent = Recent()
    assert recent.add(rows(NOW, NOW, ("acme", "passed", 3))) is not None
    assert recent.add(rows(NOW - timedelta(minutes=5), NOW - timedelta(minutes=5), ("acme", "passed", 3))) is None
    assert recent.until == NOW
    assert recent.runs == {Ended("acme", "passed"): 3}


def test_after_an_outage_the_month_stays_complete() -> None:
    """What was missed is read in steps, and counted: the totals lose nothing."""
    recent = Recent()
    recent.add(rows(NOW, NOW))
    recent.add(rows(NOW + SHORT_STEP, NOW + 3 * DAY, ("acme", "passed", 3)))
    assert recent.complete


def test_plans_are_few() -> None:
    many = {
        str(number): Organization(str(number), "", f"plan-{number % 20:02d}" if number > 5 else "pro", 0, 0, 0)
        for number in range(100)
    }
    plans = Plans(many)
    assert len(plans.names) == MAX_PLANS
    assert plans.of("0") == "pro"
    assert plans.of("nobody") == "unknown"
    assert {plans.of(id_) for id_ in many} == {*plans.names, "other"}
    assert Plans({"1": Organization("1", "", "", 0, 0, 0)}).of("1") == "none"

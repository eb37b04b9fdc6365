"""The objectives: what is made of them, and which are refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from supercheck_exporter.collectors import TABLE
from supercheck_exporter.objectives.generate import templates
from supercheck_exporter.objectives.model import ObjectiveError, Objectives, check, hours, load
from supercheck_exporter.rules import DEFAULT_PUBLIC_URL, RuleError, bundle_root, render_rules
from supercheck_exporter.thresholds import default_thresholds

FILE = bundle_root() / "alert-rules/src/objectives.yaml"
SMALL = """
period: 30d
windows:
  - {burn: 14.4, long: 1h, short: 5m, severity: critical}
  - {burn: 1, long: 3d, short: 6h, severity: warning}
least_bad_events: 3
objectives:
  - name: uptime
    alert: UptimeBurns
    target: uptime_ratio
    per_hour: 20
    bad: of the probes failed
    summary: It was away.
    total: sum(rate(probes_total[5m]))
    good: sum(rate(probes_total{outcome="ok"}[5m]))
success:
  - {name: uptime, target: uptime_ratio, current: up}
"""


@pytest.fixture
def small(tmp_path: Path) -> Objectives:
    file = tmp_path / "objectives.yaml"
    file.write_text(SMALL)
    return load(file)


def test_the_rules_of_one_objective_are_these(small: Objectives) -> None:
    """Word for word, so that a change of the generator is read as a difference."""
    golden = Path(__file__).parents[1] / "golden" / "objectives.txt"
    made = "".join(f"# {path}\n{text}" for path, text in templates(small).items())
    assert made == golden.read_text(encoding="utf-8")


def test_a_ratio_is_a_quotient_of_sums_and_absent_without_events(small: Objectives) -> None:
    groups = yaml.safe_load(templates(small)["recording/slo.yaml"])["groups"]
    rules = {rule["record"]: rule["expr"] for group in groups for rule in group["rules"]}
    ratios = [expr for record, expr in rules.items() if ":ratio_rate" in record]
    assert len(ratios) == 5  # four ranges of the windows, and the period
    assert all(re.search(r"/ \(.* > 0\)\n$", expr) for expr in ratios)
    assert not any("ratio_rate" in expr for expr in ratios), "no average of ratios"


@pytest.mark.parametrize(("target", "fires"), [(0.93, False), (0.9306, True), (0.999, True)])
def test_an_objective_that_could_never_fire_is_refused(small: Objectives, target: float, fires: bool) -> None:
    if fires:
        check(small, {"uptime_ratio": target})
        return
    with pytest.raises(ObjectiveError) as raised:
        check(small, {"uptime_ratio": target})
    assert str(raised.value) == (
        "THRESHOLD_UPTIME_RATIO: read 0.93, and UptimeBurns (critical) could never fire: a burn of 14.4 would be 101% "
        "of all events. Allowed is 0.9306 or more."
    )


def test_an_objective_without_a_budget_is_refused(small: Objectives) -> None:
    with pytest.raises(ObjectiveError, match=r"^THRESHOLD_UPTIME_RATIO: read 1, which leaves no error budget"):
        check(small, {"uptime_ratio": 1})


def test_only_the_severities_that_it_has_can_be_impossible() -> None:
    """The queue's objective has no page, so half of the waits may be late."""
    check(load(FILE), default_thresholds() | {"slo_queue_processing_ratio": 0.7})
    with pytest.raises(ObjectiveError, match=r"QueueProcessingBudgetBurning .warning. could never fire"):
        check(load(FILE), default_thresholds() | {"slo_queue_processing_ratio": 0.6})


def test_every_mistake_is_told_at_once_when_rules_are_rendered() -> None:
    wrong = {"slo_queue_wait_seconds": 7.0, "slo_database_latency_ratio": 0.5}
    with pytest.raises(RuleError) as raised:
        render_rules(default_thresholds() | wrong, DEFAULT_PUBLIC_URL)
    lines = str(raised.value).splitlines()
    assert lines[0].startswith("THRESHOLD_SLO_QUEUE_WAIT_SECONDS: read 7, allowed are the edges of the histogram's")
    assert lines[1].startswith("THRESHOLD_SLO_DATABASE_LATENCY_RATIO: read 0.5, and DatabaseLatencyBudgetBurning")
    assert len(lines) == 2


def test_edges_are_those_of_the_histograms() -> None:
    """Of each histogram that an objective reads: a bucket that does not exist would make every event a bad one."""
    edges = {desc.name: set(desc.edges) for collector, _ in TABLE.values() for desc in collector.descs}
    read = 0
    for objective in load(FILE).objectives:
        for name in re.findall(r"(supercheck_\w+)_bucket\{[^}]*le=~", objective.good):
            assert set(objective.edges) <= edges[name], (objective.name, name)
            read += 1
    assert read >= 3


def test_durations() -> None:
    assert [hours(text) for text in ("5m", "1h", "3d")] == [1 / 12, 1, 72]

"""Makes the rules of the objectives: `alert-rules/src/objectives.yaml` -> recording/slo.yaml and alerts/slo.yaml.

What it makes are templates like those that are written by hand: ${name} stands for a threshold. Ratios over long
ranges are made of two recorded rates (events, bad ones), each averaged over the range and then divided: a
quotient of sums, and no range longer than five minutes reads a raw series. Without events there is no ratio.
"""

from __future__ import annotations

from supercheck_exporter.objectives.model import Objective, Objectives, Window, hours

STEP_SECONDS = 15
"""Between two samples of a recorded rate: events of a range are the sum of its samples times this."""

EVENTS, BAD = "objective:supercheck_slo_events:rate5m", "objective:supercheck_slo_bad_events:rate5m"
RATIO = "objective:supercheck_slo_bad_events:ratio_rate"
SHORTEST = "5m"


def templates(told: Objectives) -> dict[str, str]:
    """Both rule templates by path."""
    return {"recording/slo.yaml": _recording(told), "alerts/slo.yaml": _alerts(told)}


def _rule(record: str, expr: str, **labels: str) -> str:
    text = f"      - record: {record}\n"
    if labels:
        text += f"        labels: {{{', '.join(f'{name}: {value}' for name, value in labels.items())}}}\n"
    return text + "        expr: |\n" + _indented(expr, 10)


def _indented(text: str, columns: int) -> str:
    return "".join(f"{' ' * columns}{line}\n" for line in text.strip().splitlines())


def _group(name: str, interval: str, rules: list[str]) -> str:
    return f"\n  - name: supercheck-{name}\n    interval: {interval}\n    rules:\n" + "\n".join(rules)


def _recording(told: Objectives) -> str:
    rates, targets = [], []
    for objective in told.objectives:
        rates.append(_rule(EVENTS, objective.total, objective=objective.name))
        # no good ones at all: every event is bad, also where the series of the good ones has not begun
        total, good = (f"(\n{_indented(expr, 4)}  )" for expr in (objective.total, objective.good))
        bad = f"clamp_min(\n  {total} - (\n  {good}\n  or 0 * {total}\n  ), 0)"
        rates.append(_rule(BAD, bad, objective=objective.name))
        targets.append(
            _rule("objective:supercheck_slo_target:ratio", f"vector(${{{objective.target}}})", objective=objective.name)
        )
    ranges = sorted({r for w in told.windows for r in (w.long, w.short)} - {SHORTEST}, key=hours)
    quick = [_rule(RATIO + SHORTEST, f"{BAD} / ({EVENTS} > 0)")]
    quick += [_ratio(range_) for range_ in ranges if hours(range_) < 24]
    slow = [*targets, *(_ratio(range_) for range_ in [*ranges, told.period] if hours(range_) >= 24)]
    success = []
    for metric in told.success:
        success.append(_rule("site:supercheck_success_metric:current", metric.current, metric=metric.name))
        success.append(
            _rule("site:supercheck_success_metric:target", f"vector(${{{metric.target}}})", metric=metric.name)
        )
    return (
        "# Events and bad events of each objective, their quotient over each range, and what is left of the budget.\n"
        "groups:"
        + _group("recording-slo", f"{STEP_SECONDS}s", [*rates, *quick])
        + _group("recording-slo-slow", "2m", slow)
        + _group("recording-success", "1m", success)
    )


def _ratio(range_: str) -> str:
    return _rule(RATIO + range_, f"avg_over_time({BAD}[{range_}]) / (avg_over_time({EVENTS}[{range_}]) > 0)")


def _alerts(told: Objectives) -> str:
    alerts = [
        _alert(told, objective, severity, [window for window in told.windows if window.severity == severity])
        for objective in told.objectives
        for severity in objective.severities
    ]
    return (
        "# An alert an objective and severity: its budget burns too fast over a long range, and still does.\n"
        "groups:\n  - name: supercheck-slo\n    rules:\n" + "\n".join(alerts)
    )


def _alert(told: Objectives, objective: Objective, severity: str, windows: list[Window]) -> str:
    chosen = f'{{objective="{objective.name}"}}'

    least_bad = objective.least_bad or told.least_bad_events

    def burns(window: Window) -> str:
        bad = f"{window.burn:g} * (1 - ${{{objective.target}}})"
        return (
            f"(\n  {RATIO}{window.long}{chosen} > {bad}\n"
            f"  and {RATIO}{window.short}{chosen} > {bad}\n"
            f"  and {STEP_SECONDS} * sum_over_time({BAD}{chosen}[{window.long}]) >= {least_bad}\n"
            f"  and {STEP_SECONDS} * sum_over_time({EVENTS}{chosen}[{window.long}])"
            f" >= {objective.per_hour * hours(window.long):g}\n)"
        )

    gone = hours(told.period) / 24 / min(window.burn for window in windows)
    limits = [f"a burn over {window.burn:g} in {window.long} and in {window.short}" for window in windows]
    keep = "        keep_firing_for: 10m\n" if severity == "critical" else ""
    return (
        f"      - alert: {objective.alert}\n"
        f"        expr: |\n{_indented(' or '.join(burns(window) for window in windows), 10)}{keep}"
        f"        labels: {{severity: {severity}, component: slo, objective: {objective.name}}}\n"
        f"        annotations:\n"
        f"          summary: {objective.summary}\n"
        f"          description: >-\n"
        f"            {{{{ $value | humanizePercentage }}}} {objective.bad}.\n"
        f"            At this pace the error budget of {told.period} is used up in {gone:g} days or sooner.\n"
        f'          runbook_url: "${{PUBLIC_URL}}/runbooks/{objective.alert}"\n'
        f'          dashboard_url: "${{PUBLIC_URL}}/d/supercheck-scorecard"\n'
        f'          value: "{{{{ $value | humanizePercentage }}}}"\n'
        f"          threshold: {', or '.join(limits)}\n"
    )

"""The end-to-end run tests the shipped rules: durations are all that differs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from e2e.shorten import (
    DIVISOR,
    LEAST_SCRAPE_MILLISECONDS,
    milliseconds,
    shorten,
    shorten_folder,
    shortened_thresholds,
)
from supercheck_exporter.render import render
from supercheck_exporter.thresholds import load_thresholds

# written apart from shorten.py: whatever that one does, only these may change, and only so
DURATION_KEYS = re.compile(
    r"\.(for|keep_firing_for|interval|evaluation_interval|scrape_interval|scrape_timeout"
    r"|group_wait|group_interval|repeat_interval|resolve_timeout)$"
)
DURATION_IN_EXPR = re.compile(r"(\[|\boffset\s+)((?:\d+(?:ms|s|m|h|d|w))+)")


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        yield f"{path}#", list(node)
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(node, list):
        yield f"{path}#", len(node)
        for index, value in enumerate(node):
            yield from leaves(value, f"{path}[{index}]")
    else:
        yield path, node


def parsed(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(folder).as_posix(): dict(leaves(yaml.safe_load(path.read_text())))
        for path in sorted(folder.rglob("*.y*ml"))
    }


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    slack = tmp_path / "slack"
    slack.write_text("https://hooks.example.com/x")
    env = {"ALERT_SLACK_WEBHOOK_URL_FILE": str(slack), "ALERT_DEADMAN_URL": "http://127.0.0.1:1/"}
    shipped, shortened = tmp_path / "shipped", tmp_path / "shortened"
    render(shipped, env)
    render(shortened, env)
    shorten_folder(shortened)
    return shipped, shortened


@pytest.mark.promise("shortened durations only")
def test_durations_are_all_that_differs(folders: tuple[Path, Path]) -> None:
    before, after = (parsed(folder) for folder in folders)
    assert list(before) == list(after)
    changed = 0
    for name, shipped in before.items():
        shortened = after[name]
        assert list(shipped) == list(shortened), name
        for path, value in shipped.items():
            other = shortened[path]
            if value == other:
                continue
            changed += 1
            if path.endswith(".expr"):
                assert DURATION_IN_EXPR.sub(r"\1_", value) == DURATION_IN_EXPR.sub(r"\1_", other), path
            else:
                assert DURATION_KEYS.search(path), f"{name}{path} differs: {value!r} {other!r}"
    assert changed > 40


def test_each_duration_is_divided_by_the_same_number(folders: tuple[Path, Path]) -> None:
    before, after = (parsed(folder) for folder in folders)
    found = 0
    for name, shipped in before.items():
        for path, value in shipped.items():
            other = after[name][path]
            pairs: list[tuple[str, str]] = []
            if path.endswith(".expr"):
                pairs = list(
                    zip(
                        (match[1] for match in DURATION_IN_EXPR.findall(value)),
                        (match[1] for match in DURATION_IN_EXPR.findall(other)),
                        strict=True,
                    )
                )
            elif DURATION_KEYS.search(path):
                pairs = [(value, other)]
            for long, short in pairs:
                found += 1
                if "scrape_" in path:
                    assert milliseconds(short) == max(milliseconds(long) // DIVISOR, LEAST_SCRAPE_MILLISECONDS)
                else:
                    assert milliseconds(short) * DIVISOR == milliseconds(long), f"{name}{path}"
    assert found > 60


def test_words_that_look_like_durations_stay() -> None:
    rule = {
        "groups": [
            {
                "name": "every 5m",
                "interval": "5m",
                "rules": [
                    {
                        "alert": "For5m",
                        "expr": 'rate(x_5m{a="5m"}[5m]) > 5 and y:z:rate5m offset 10m > 300',
                        "for": "1m30s",
                        "annotations": {"threshold": "for 5m", "for": "30s"},
                    }
                ],
            }
        ]
    }
    shortened = yaml.safe_load(shorten(yaml.safe_dump(rule), 10))["groups"][0]
    assert shortened["name"] == "every 5m"
    assert shortened["interval"] == "30000ms"
    assert shortened["rules"][0]["expr"] == 'rate(x_5m{a="5m"}[30000ms]) > 5 and y:z:rate5m offset 60000ms > 300'
    assert shortened["rules"][0]["for"] == "9000ms"
    assert shortened["rules"][0]["annotations"] == {"threshold": "for 5m", "for": "30s"}


def test_the_thresholds_go_through_their_settings() -> None:
    shipped, shortened = load_thresholds({}), load_thresholds(shortened_thresholds())
    changed = {name for name, value in shipped.items() if shortened[name] != value}
    queues = {name for name in shipped if name.startswith("queue_") and name.endswith("_seconds")}
    assert changed == queues | {
        *("organization_monopoly_wait_seconds", "job_missed_seconds", "location_down_seconds"),
        "monitor_stale_intervals",
    }
    assert all(shortened[name] * DIVISOR == shipped[name] for name in changed)

"""Shorter waits for the end-to-end run: every duration of the rendered configurations divided by one number.

The rules wait up to 15 minutes. Time itself can't be hurried in a real Prometheus, so the rendered files are
rewritten: how long a rule waits and how far it looks back, how often is scraped, and how long Alertmanager
gathers. Nothing else changes (test_shorten.py proves it); the promtool tests use the shipped durations.
Thresholds in seconds go the official way, as THRESHOLD_ settings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from supercheck_exporter.thresholds import THRESHOLDS

DIVISOR = 20

# The exporter keeps half a second of the scrape's timeout for itself, and no machine scrapes much faster.
LEAST_SCRAPE_MILLISECONDS = 1000

WAITS = {"for", "keep_firing_for", "interval", "evaluation_interval"}
WAITS |= {"group_wait", "group_interval", "repeat_interval", "resolve_timeout"}
SCRAPES = {"scrape_interval", "scrape_timeout"}
TEXTS = {"labels", "annotations"}

# Thresholds that are a site's times and no queue's. A monitor's interval is a whole number of minutes: its number is
# divided instead.
SITES = {
    *("organization_monopoly_wait_seconds", "job_missed_seconds", "location_down_seconds"),
    "monitor_stale_intervals",
}

_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_DURATION = r"(?:\d+(?:ms|[smhdw]))+"
_RANGES = re.compile(rf"(?<=\[){_DURATION}(?=\])|(?<=\boffset ){_DURATION}")


def milliseconds(duration: str) -> int:
    """A duration of Prometheus' notation, for example 1m30s."""
    assert re.fullmatch(_DURATION, duration), f"{duration!r} is not a duration"
    return sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", duration))


def shorten(text: str, divisor: int = DIVISOR) -> str:
    """The YAML of a rule file, prometheus.yml or alertmanager.yml with every duration divided."""
    return yaml.safe_dump(_shorten(yaml.safe_load(text), divisor), sort_keys=False, width=1000)


def _shorten(node: Any, divisor: int) -> Any:
    if isinstance(node, list):
        return [_shorten(item, divisor) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _value(key, value, divisor) for key, value in node.items()}


def _value(key: str, value: Any, divisor: int) -> Any:
    if key in TEXTS:
        return value
    if key in WAITS:
        return _divided(value, divisor)
    if key in SCRAPES:
        return f"{max(milliseconds(value) // divisor, LEAST_SCRAPE_MILLISECONDS)}ms"
    if key == "expr":
        return _RANGES.sub(lambda match: _divided(match[0], divisor), value)
    return _shorten(value, divisor)


def _divided(duration: str, divisor: int) -> str:
    return f"{milliseconds(duration) // divisor}ms"


def shorten_folder(folder: Path, divisor: int = DIVISOR) -> None:
    """Rewrite everything that `supercheck-exporter render --out folder` wrote, the messages excepted."""
    for path in sorted(folder.rglob("*.y*ml")):
        path.write_text(shorten(path.read_text(), divisor))


def shortened_thresholds(divisor: int = DIVISOR) -> dict[str, str]:
    """Settings that divide each threshold about the site's times; what the machine needs stays as it is."""
    return {
        threshold.variable: str(threshold.default / divisor)
        for threshold in THRESHOLDS
        if (threshold.unit == "seconds" and threshold.name.startswith("queue_")) or threshold.name in SITES
    }

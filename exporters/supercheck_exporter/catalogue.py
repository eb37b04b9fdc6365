"""The catalogue of metrics, made from the descriptors; the manual's table is this."""

from __future__ import annotations

from dataclasses import dataclass

from supercheck_exporter.collectors import TABLE
from supercheck_exporter.core import DURATION, SUCCESS, Desc


@dataclass(frozen=True)
class Entry:
    """One metric."""

    collector: str
    name: str
    type: str
    labels: tuple[str, ...]
    help: str


BUILD = Desc("supercheck_exporter_build_info", "gauge", "Version of the exporter; always 1.", ("version",))


def catalogue() -> list[Entry]:
    """Every metric that the exporter can export, by collector in the order of the table."""
    found = [("(every)", desc) for desc in (SUCCESS, DURATION, BUILD)]
    for name, (collector, _) in TABLE.items():
        found += [(name, desc) for desc in collector.descs]
    return [Entry(name, d.name, d.kind, d.labels, d.help) for name, d in found]


def markdown() -> str:
    """The catalogue as a Markdown table."""
    rows = ["| metric | type | labels | collector | meaning |", "|---|---|---|---|---|"]
    for entry in catalogue():
        labels = ", ".join(entry.labels)
        rows.append(f"| `{entry.name}` | {entry.type} | {labels} | {entry.collector} | {entry.help} |")
    return "\n".join(rows) + "\n"

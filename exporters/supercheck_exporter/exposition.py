"""Writes runs as Prometheus's text format (0.0.4).

A page of 500 queues is 50,000 lines, most of them buckets that have not moved since the last scrape:
what is in front of a value, and a histogram that is as it was, is rendered once and kept. prometheus_client
would spend half a second of processor on the same page.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.utils import floatToGoString

from supercheck_exporter.core import DURATION, SUCCESS, Desc, HistogramValue, Run, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Key = tuple[Desc, tuple[str, ...]]


def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class Renderer:
    """Renders one page after another; not for two threads at once."""

    def __init__(self) -> None:
        self._heads: dict[_Key, str] = {}
        self._histograms: dict[_Key, tuple[HistogramValue, str]] = {}

    def render(self, runs: Iterable[Run]) -> str:
        """The page of these runs, each metric once, with success and duration first."""
        groups: dict[Desc, list[Sample]] = {SUCCESS: [], DURATION: []}
        for run in runs:
            groups[SUCCESS].append(SUCCESS(float(run.success), run.collector))
            groups[DURATION].append(DURATION(run.duration, run.collector))
            for sample in run.samples:
                groups.setdefault(sample.desc, []).append(sample)
        heads, self._heads = self._heads, {}
        histograms, self._histograms = self._histograms, {}
        lines: list[str] = []
        for desc, samples in groups.items():
            if samples:
                lines.append(f"# HELP {desc.name} {_help(desc.help)}\n# TYPE {desc.name} {desc.kind}\n")
            for sample in samples:
                key = (desc, sample.labels)
                value = sample.value
                if isinstance(value, HistogramValue):
                    known = histograms.get(key)
                    text = known[1] if known is not None and known[0] == value else _histogram(sample, value)
                    self._histograms[key] = (value, text)
                    lines.append(text)
                else:
                    head = heads.get(key) or f"{desc.name}{_labels(desc, sample.labels)} "
                    self._heads[key] = head
                    lines.append(f"{head}{_number(value)}\n")
        return "".join(lines)


def _help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _labels(desc: Desc, values: tuple[str, ...], *more: str) -> str:
    pairs = [f'{name}="{_escape(value)}"' for name, value in zip(desc.labels, values, strict=True)]
    return "{" + ",".join([*pairs, *more]) + "}" if pairs or more else ""


def _histogram(sample: Sample, value: HistogramValue) -> str:
    desc, labels, _ = sample
    edges = (*map(_number, desc.edges), "+Inf")
    start = f"{desc.name}_bucket{_labels(desc, labels)[:-1]}{',' if desc.labels else '{'}"
    lines = [f'{start}le="{edge}"}} {count}\n' for edge, count in zip(edges, value.cumulative, strict=True)]
    names = _labels(desc, labels)
    lines.append(f"{desc.name}_count{names} {value.cumulative[-1]}\n")
    lines.append(f"{desc.name}_sum{names} {_number(value.total)}\n")
    return "".join(lines)

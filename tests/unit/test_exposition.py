"""The text format: the same page as prometheus_client's own, and readable by its parser."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from supercheck_exporter import exposition
from supercheck_exporter.core import DURATION, SUCCESS, HistogramValue, Run, Sample, counter, gauge, histogram
from supercheck_exporter.exposition import Renderer

GAUGE = gauge("supercheck_test_items", 'Things with a \\ and a "quote"\nand a second line.', "place", "kind")
PLAIN = gauge("supercheck_test_plain", "No labels at all.")
COUNTER = counter("supercheck_test_things_total", "Counted.", "place")
HISTOGRAM = histogram("supercheck_test_seconds", "Timed.", (0.1, 1, 2.5), "place")
PLAIN_HISTOGRAM = histogram("supercheck_test_plain_seconds", "Timed without labels.", (0.5,))

AWKWARD = [
    "plain",
    'say "hi"',
    "back\\slash",
    "two\nlines",
    "\\n",
    '\\"',
    "größe 測試 🚀",
    "",
    "tab\t",
    "cr\r",
    "{}=,#",
]
NUMBERS = [0, 1, -1, 0.1, 1e-9, 1e6, 1e7, 123456789, 2**53, 1.7e9, 1e300, math.inf, -math.inf]


def run(*samples: Sample, name: str = "test", success: bool = True) -> Run:
    return Run(name, success, 0.25, 0.0, samples)


def histogram_of(*counts: int, total: float = 1.5) -> HistogramValue:
    return HistogramValue(tuple(accumulate(counts)), total)


def parsed(text: str) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def families(runs: Iterable[Run]) -> Iterable[Metric]:
    """The same as prometheus_client's own families."""
    found: dict[str, Any] = {}
    every = [(run, sample) for run in runs for sample in run.samples]
    for desc in (SUCCESS, DURATION, *dict.fromkeys(sample.desc for _, sample in every)):
        kinds: dict[str, Any] = {
            "gauge": GaugeMetricFamily,
            "counter": CounterMetricFamily,
            "histogram": HistogramMetricFamily,
        }
        found[desc.name] = kinds[desc.kind](desc.name, desc.help, labels=desc.labels)
    for run_ in runs:
        found[SUCCESS.name].add_metric([run_.collector], float(run_.success))
        found[DURATION.name].add_metric([run_.collector], run_.duration)
    for _, (desc, labels, value) in every:
        if isinstance(value, HistogramValue):
            edges = [*map(str, map(float, desc.edges)), "+Inf"]
            found[desc.name].add_metric(labels, list(zip(edges, value.cumulative, strict=True)), value.total)
        else:
            found[desc.name].add_metric(labels, value)
    return list(found.values())


class Peer:
    def __init__(self, runs: list[Run]) -> None:
        self.runs = runs

    def collect(self) -> Iterable[Metric]:
        return families(self.runs)


def peer(runs: list[Run]) -> str:
    registry = CollectorRegistry()
    registry.register(Peer(runs))
    return generate_latest(registry).decode()


PAGE = [
    run(
        *(GAUGE(number, f"place {index}", "a") for index, number in enumerate(NUMBERS)),
        *(GAUGE(1, value, f"{value}!") for value in AWKWARD),
        PLAIN(3),
        COUNTER(12, "a"),
        COUNTER(0.5, "b"),
        HISTOGRAM(histogram_of(1, 2, 3, 4), "a"),
        HISTOGRAM(histogram_of(0, 0, 0, 0, total=0), 'b"\\\n'),
        PLAIN_HISTOGRAM(histogram_of(7, 1, total=1e-7)),
    ),
    run(name="failed", success=False),
]


def numbers(text: str) -> list[tuple[str, float]]:
    """Names and values, whatever the order of the labels: prometheus_client sorts them, which means nothing."""
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    return sorted((line.partition("{")[0].partition(" ")[0], float(line.rpartition(" ")[2])) for line in lines)


def comments(text: str) -> list[str]:
    return sorted(line for line in text.split("\n") if line.startswith("#"))


def test_it_is_the_page_of_prometheus_client() -> None:
    ours, theirs = Renderer().render(PAGE), peer(PAGE)
    assert comments(ours) == comments(theirs)
    assert numbers(ours) == numbers(theirs)
    assert parsed(ours) == parsed(theirs)


@pytest.mark.parametrize("value", AWKWARD)
def test_a_label_value_comes_back_as_it_was(value: str) -> None:
    text = Renderer().render([run(GAUGE(5, value, "x"), HISTOGRAM(histogram_of(1, 0, 0, 0), value))])
    found = parsed(text)
    assert found["supercheck_test_items"] == [({"place": value, "kind": "x"}, 5.0)]
    assert {labels["place"] for labels, _ in found["supercheck_test_seconds_bucket"]} == {value}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_comes_back_as_it_was(number: float) -> None:
    assert parsed(Renderer().render([run(PLAIN(number))]))["supercheck_test_plain"] == [({}, float(number))]


def test_not_a_number() -> None:
    [(_, value)] = parsed(Renderer().render([run(PLAIN(math.nan))]))["supercheck_test_plain"]
    assert math.isnan(value)


def test_each_metric_stands_in_one_block() -> None:
    """Samples of one metric may come in any order, and from two collectors."""
    text = Renderer().render([run(COUNTER(1, "a"), PLAIN(1), COUNTER(2, "b")), run(COUNTER(3, "c"), name="other")])
    lines = text.splitlines()
    start = lines.index("# TYPE supercheck_test_things_total counter")
    assert [line.split("{")[0] for line in lines[start + 1 : start + 4]] == ["supercheck_test_things_total"] * 3
    assert text.count("# TYPE supercheck_test_things_total") == 1
    assert text.endswith("\n")


def test_success_and_duration_of_each_collector_come_first() -> None:
    lines = Renderer().render(PAGE).splitlines()
    assert lines[:3] == [
        f"# HELP supercheck_scrape_collector_success {SUCCESS.help}",
        "# TYPE supercheck_scrape_collector_success gauge",
        'supercheck_scrape_collector_success{collector="test"} 1.0',
    ]
    assert 'supercheck_scrape_collector_success{collector="failed"} 0.0' in lines
    assert 'supercheck_scrape_collector_duration_seconds{collector="test"} 0.25' in lines


def test_buckets_are_cumulative_and_end_with_infinity() -> None:
    found = parsed(Renderer().render([run(HISTOGRAM(histogram_of(1, 2, 3, 4, total=9.5), "a"))]))
    assert [(labels["le"], count) for labels, count in found["supercheck_test_seconds_bucket"]] == [
        ("0.1", 1), ("1.0", 3), ("2.5", 6), ("+Inf", 10),
    ]  # fmt: skip
    assert found["supercheck_test_seconds_count"] == [({"place": "a"}, 10)]
    assert found["supercheck_test_seconds_sum"] == [({"place": "a"}, 9.5)]


def test_a_label_too_few_is_a_defect() -> None:
    with pytest.raises(ValueError, match="zip"):
        Renderer().render([run(GAUGE(1, "only one"))])


# -- what is kept between two pages ----------------------------------------------------------------


def test_a_histogram_that_moved_is_rendered_anew() -> None:
    renderer = Renderer()
    first, second = histogram_of(1, 0, 0, 0), histogram_of(1, 1, 0, 0)
    for value in (first, second, first, second._replace(total=99.0)):
        page = [run(HISTOGRAM(value, "a"), HISTOGRAM(first, "b"))]
        assert renderer.render(page) == Renderer().render(page)


def test_a_histogram_that_did_not_move_is_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = Renderer()
    page = [run(HISTOGRAM(histogram_of(1, 0, 0, 0), "a"))]
    text = renderer.render(page)
    monkeypatch.setattr(exposition, "_histogram", lambda *_: pytest.fail("rendered again"))
    assert renderer.render([run(HISTOGRAM(histogram_of(1, 0, 0, 0), "a"))]) == text


def test_series_that_went_are_not_kept() -> None:
    renderer = Renderer()
    for number in range(50):
        renderer.render([run(GAUGE(1, f"place {number}", "a"), HISTOGRAM(histogram_of(1, 0, 0, 0), str(number)))])
    kept = vars(renderer)
    assert len(kept["_heads"]) == 3  # with success and duration
    assert len(kept["_histograms"]) == 1


def test_two_metrics_with_the_same_labels_are_not_mixed_up() -> None:
    renderer = Renderer()
    other = dataclasses.replace(HISTOGRAM, name="supercheck_test_other_seconds")
    page = [run(HISTOGRAM(histogram_of(1, 0, 0, 0), "a"), other(histogram_of(1, 0, 0, 0), "a"))]
    assert renderer.render(page) == renderer.render(page) == Renderer().render(page)
    assert 'supercheck_test_other_seconds_count{place="a"} 1' in renderer.render(page)

"""The builders of the dashboards: the grid, the shared pieces of PromQL, levels, tables and graphs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboards.src import promql
from dashboards.src.layout import Section, place, shelf
from dashboards.src.levels import Levels, Thresholds
from dashboards.src.panels import Doc, Line, lines, one
from dashboards.src.sdk import JSONEncoder, models
from dashboards.src.tables import Label, Value, rows

ROOT = Path(__file__).resolve().parents[2]
DOC = Doc("Shows it.", "0.", "look.")


def panel(title: str = "p") -> models.Panel:
    return models.Panel(title=title)


def plain(built: models.Panel) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(built, cls=JSONEncoder))
    return content


def positions(sections: list[Section]) -> list[tuple[int, int, int, int]]:
    placed = place(sections)
    found = [item.grid_pos for item in placed]
    assert [item.id_val for item in placed] == list(range(1, len(placed) + 1))
    return [(at.x, at.y, at.w, at.h) for at in found if at is not None]


def test_shelves_are_stacked_below_their_row() -> None:
    sections = [
        Section("one", [shelf(4, panel(), panel()), shelf(8, panel(), panel(), widths=(16, 8))]),
        Section("two", [shelf(3, panel())]),
    ]
    assert positions(sections) == [
        (0, 0, 24, 1),
        (0, 1, 12, 4),
        (12, 1, 12, 4),
        (0, 5, 16, 8),
        (16, 5, 8, 8),
        (0, 13, 24, 1),
        (0, 14, 24, 3),
    ]


@pytest.mark.parametrize(
    ("count", "widths"),
    [(0, ()), (5, ()), (2, (12, 11)), (2, (12, 13)), (2, (24,)), (2, (24, 0))],
    ids=["none", "no equal parts", "a hole", "too wide", "one width for two", "no width"],
)
def test_a_shelf_that_does_not_fill_the_grid_is_refused(count: int, widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"panel|widths"):
        shelf(4, *(panel() for _ in range(count)), widths=widths)


def test_the_worst_are_ranked_once_at_the_end_of_the_range() -> None:
    assert promql.worst("m") == (
        'max by (queue) (m{queue=~"$queue"}) and '
        'topk(10, max by (queue) (max_over_time(m{queue=~"$queue"}[$__range] @ end())))'
    )
    other = promql.worst("m", "", top=3, ranked_by="n")
    assert other == "max by (queue) (m) and topk(3, max by (queue) (max_over_time(n[$__range] @ end())))"


def test_a_zero_needs_a_witness() -> None:
    assert promql.count_or_zero("a", "b") == "count(a) or 0 * count(b)"


def test_levels_name_thresholds_and_remember_them() -> None:
    limits = Thresholds({"low": 1.5, "high": 3.0, "unused": 9.0})
    assert limits.above(warning="low", critical="high") == Levels("green", ((1.5, "orange"), (3.0, "red")))
    assert limits.above(critical="high") == Levels("green", ((3.0, "red"),))
    assert limits.below(warning="high", critical="low") == Levels("red", ((1.5, "orange"), (3.0, "green")))
    assert limits.below(warning="low") == Levels("orange", ((1.5, "green"),))
    assert limits.drawn == {"low", "high"}
    with pytest.raises(KeyError):
        limits.above(warning="lwo")


def test_a_number_is_asked_now_and_grey_when_absent() -> None:
    built = plain(one("T", DOC, "max(m)", unit="s", no_data="nobody tells"))
    (target,) = built["targets"]
    assert (target["instant"], target["range"], target["expr"]) == (True, False, "max(m)")
    (mapping,) = built["fieldConfig"]["defaults"]["mappings"]
    assert mapping["options"]["result"]["text"] == "no data: nobody tells"
    assert mapping["options"]["result"]["color"] == "#8e8e8e"
    assert built["description"] == "Shows it.\n\n**Normal:** 0.\n\n**If not:** look."


def test_a_graph_of_queues_has_their_colours_and_a_sorted_legend() -> None:
    built = plain(
        lines("T", DOC, [Line("m", "{{queue}}"), Line("n", "limit", "#111111", dashed=True)], unit="s", many=True)
    )
    overrides = {item["matcher"]["options"]: item["properties"] for item in built["fieldConfig"]["overrides"]}
    assert overrides["k6-global"] == [{"id": "color", "value": {"mode": "fixed", "fixedColor": "purple"}}]
    assert [entry["id"] for entry in overrides["B"]] == ["color", "custom.lineStyle", "custom.lineWidth"]
    legend = built["options"]["legend"]
    assert (legend["displayMode"], legend["sortBy"], legend["sortDesc"]) == ("table", "Last *", True)


def test_counts_have_a_scale_that_keeps_zero_at_the_bottom() -> None:
    built = plain(lines("T", DOC, [Line("m", "lost")], unit="short", decimals=0))
    assert built["fieldConfig"]["defaults"]["custom"]["axisSoftMax"] == 5
    assert built["fieldConfig"]["defaults"]["min"] == 0


def test_a_table_joins_its_queries_and_hides_the_one_that_orders() -> None:
    values = [Value("Order", "o", "short", hidden=True), Value("Age", "a", "s", absent="never", width=90)]
    built = plain(rows("T", DOC, [Label("queue", "Queue")], values, no_data="nobody tells"))
    merge, organize = built["transformations"]
    assert merge["id"] == "merge"
    assert organize["options"] == {
        "excludeByName": {"Time": True, "Value #A": True},
        "renameByName": {"queue": "Queue", "Value #B": "Age"},
        "indexByName": {"queue": 0, "Value #B": 1},
    }
    age = next(item for item in built["fieldConfig"]["overrides"] if item["matcher"]["options"] == "Age")
    properties = {entry["id"]: entry["value"] for entry in age["properties"]}
    assert (properties["unit"], properties["custom.width"]) == ("s", 90)
    assert properties["mappings"][0]["options"]["result"]["text"] == "never"


def test_a_table_of_one_query_names_its_value_as_grafana_does() -> None:
    built = plain(rows("T", DOC, [Label("queue", "Queue")], [Value("Age", "a", "s")], no_data="-", sort_by="Age"))
    (organize,) = built["transformations"]
    assert organize["options"]["renameByName"]["Value"] == "Age"
    assert built["options"]["sortBy"] == [{"displayName": "Age", "desc": True}]


def write_to(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dashboards.src", "--out", str(folder)]
    environment = os.environ | settings
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_a_site_writes_its_own_thresholds_and_address(tmp_path: Path) -> None:
    done = write_to(tmp_path / "out", THRESHOLD_QUEUE_DEPTH_WARNING_RATIO="0.7", PUBLIC_URL="https://monitor.test/x")
    assert (done.returncode, done.stderr) == (0, "")
    board = json.loads((tmp_path / "out" / "supercheck-queues.json").read_text("utf-8"))
    (fullest,) = [item for item in board["panels"] if item["title"] == "Fullest queue"]
    assert [step["value"] for step in fullest["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 0.7, 0.95]
    (address,) = [item for item in board["templating"]["list"] if item["name"] == "public_url"]
    assert address["query"] == address["current"]["value"] == "https://monitor.test/x"


def test_a_bad_threshold_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    done = write_to(tmp_path / "out", THRESHOLD_QUEUE_DEPTH_WARNING_RATIO="80")
    assert done.returncode == 2
    assert "THRESHOLD_QUEUE_DEPTH_WARNING_RATIO" in done.stderr
    assert not (tmp_path / "out").exists()

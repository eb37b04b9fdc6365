"""Rules about panels: the grid, words, units, thresholds, colours.

Each rule has a broken dashboard in dashboards/broken.yaml that only this rule refuses.
"""

import itertools
import re
from collections.abc import Iterator

from contract.dashboard_queries import Json, panels
from contract.dashboard_rule import Facts, rule

COLUMNS = 24
MOST_PANELS, FEWEST_PANELS = 20, 10
ALLOWED_TYPES = frozenset({"logs", "timeseries", "stat", "gauge", "bargauge", "table", "text", "row"})
NOW_TYPES = frozenset({"stat", "gauge", "bargauge", "table"})
LONGEST_NO_VALUE = 38
REDS = re.compile(r"(?:[a-z-]+-)?red$|#f2495c|#e02f44|#c4162a|#ff0000", re.IGNORECASE)
TROUBLE = ("failed", "critical", "lost", "down")


def levels(panel: Json) -> Iterator[float]:
    """Yield the thresholds of a panel, those of its columns too, without the base."""
    config = panel.get("fieldConfig", {})
    overrides = itertools.chain.from_iterable(item["properties"] for item in config.get("overrides", ()))
    columns = [item["value"] for item in overrides if item["id"] == "thresholds"]
    for thresholds in (config.get("defaults", {}).get("thresholds", {}), *columns):
        yield from (step["value"] for step in thresholds.get("steps", ()) if step["value"] is not None)


@rule
def number_of_panels(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Fewer answer no question, more are not read at night."""
    count = sum(1 for _ in panels(dashboard))
    if not FEWEST_PANELS <= count <= MOST_PANELS:
        yield f"{count} panels, allowed are {FEWEST_PANELS} to {MOST_PANELS}"


@rule
def unique_ids(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Links to a panel use its id."""
    ids = [panel.get("id") for panel in dashboard["panels"]]
    for number in sorted({str(number) for number in ids if number is None or ids.count(number) > 1}):
        yield f"id {number} is missing or used twice"


@rule
def no_overlap(dashboard: Json, facts: Facts) -> Iterator[str]:
    """No two panels share a cell of the grid, and none leaves it."""
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        if at["x"] < 0 or at["w"] < 1 or at["h"] < 1 or at["x"] + at["w"] > COLUMNS:
            yield f"{panel['title']} leaves the grid"
        for cell in itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])):
            other = taken.setdefault(cell, panel["title"])
            if other != panel["title"]:
                yield f"{panel['title']} lies on {other}"
                break


@rule
def full_width(dashboard: Json, facts: Facts) -> Iterator[str]:
    """No hole: each line of the grid is full."""
    width: dict[int, int] = {}
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        for y in range(at["y"], at["y"] + at["h"]):
            width[y] = width.get(y, 0) + at["w"]
    for y in range(max(width) + 1):
        if width.get(y, 0) < COLUMNS:
            yield f"line {y} of the grid is not full"


@rule
def drawable_types(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Only what the preview draws is proved, but for log lines, which no preview has."""
    for panel in dashboard["panels"]:
        if panel["type"] not in ALLOWED_TYPES:
            yield f"{panel['title']}: the preview can't draw a {panel['type']}"


@rule
def titled(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every panel has a title of its own: people name it to each other."""
    titles = [panel.get("title") or "" for panel in panels(dashboard)]
    for title in sorted({title for title in titles if not title.strip() or titles.count(title) > 1}):
        yield f"title {title!r} is empty or used twice"


@rule
def described(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every panel says what it shows, what is normal, and what to do."""
    for panel in panels(dashboard):
        if not re.fullmatch(
            r".{10,}\*\*Normal:\*\* .+\*\*If not:\*\* .{5,}", panel.get("description") or "", re.DOTALL
        ):
            yield f"{panel['title']}: the description lacks a part"


@rule
def united(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every number has a unit, each column of a table too."""
    for panel in panels(dashboard):
        if panel["type"] == "text":
            continue
        config = panel["fieldConfig"]
        if not config["defaults"].get("unit"):
            yield f"{panel['title']}: no unit"
        renamed = [
            item["options"].get("renameByName", {})
            for item in panel.get("transformations", ())
            if item["id"] == "organize"
        ]
        values = {new for names in renamed for old, new in names.items() if old.startswith("Value")}
        with_unit = {
            item["matcher"]["options"]
            for item in config.get("overrides", ())
            if any(entry["id"] == "unit" and entry["value"] for entry in item["properties"])
        }
        for column in sorted(values - with_unit):
            yield f"{panel['title']}: column {column} has no unit"


@rule
def absent_is_grey(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Unknown looks unknown: its text says why, its colour is none of the others."""
    for panel in panels(dashboard):
        if panel["type"] not in NOW_TYPES:
            continue
        defaults = panel["fieldConfig"]["defaults"]
        results = [
            entry["options"]["result"]
            for entry in defaults.get("mappings", ())
            if entry["type"] == "special" and entry["options"]["match"] == "null+nan"
        ]
        if not re.match(r"(no data|none): .+", defaults.get("noValue") or ""):
            yield f"{panel['title']}: noValue does not say 'no data: <reason>' or 'none: <what that means>'"
        if not results or results[0].get("color") in (None, "green", "orange", "red"):
            yield f"{panel['title']}: an absent value is not grey"


@rule
def short_no_value(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A single value's text is drawn as large as fits: a long reason would be too small to read."""
    for panel in panels(dashboard):
        if panel["type"] not in ("stat", "gauge"):
            continue
        text = panel["fieldConfig"]["defaults"].get("noValue") or ""
        if len(text) > LONGEST_NO_VALUE:
            yield f"{panel['title']}: noValue has {len(text)} characters, {LONGEST_NO_VALUE} are readable"


@rule
def thresholds_of_rules(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A line that is drawn is an alert's threshold (or 1: any at all), and leads to its runbook."""
    for panel in panels(dashboard):
        drawn = set(levels(panel)) - {1}
        for value in sorted(drawn - facts.thresholds):
            yield f"{panel['title']}: {value:g} is no threshold of the rules"
        if drawn and not any("/runbooks/" in (link.get("url") or "") for link in panel.get("links", ())):
            yield f"{panel['title']}: draws a threshold and links to no runbook"


@rule
def red_is_trouble(dashboard: Json, facts: Facts) -> Iterator[str]:
    """No line is red for beauty."""
    for panel in panels(dashboard):
        legends = {target["refId"]: target.get("legendFormat", "") for target in panel.get("targets", ())}
        for item in panel.get("fieldConfig", {}).get("overrides", ()):
            colors = [entry["value"].get("fixedColor") or "" for entry in item["properties"] if entry["id"] == "color"]
            name = legends.get(item["matcher"]["options"], item["matcher"]["options"])
            if any(map(REDS.match, colors)) and not any(word in str(name) for word in TROUBLE):
                yield f"{panel['title']}: {name!r} is red and no trouble"

"""The rules that every dashboard keeps, one named function each.

A rule gets a dashboard's JSON and the facts of the bundle, and yields one sentence a problem. Each rule has a broken
dashboard in dashboards/broken.yaml that only this rule refuses.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contract.dashboard_queries import (
    Json,
    expressions,
    metrics_in,
    panels,
    ranges_of,
    selectors_in,
    targets,
    variables_in,
)

COLUMNS = 24
MOST_PANELS, FEWEST_PANELS = 20, 10
ALLOWED_TYPES = frozenset({"timeseries", "stat", "gauge", "bargauge", "table", "text", "row"})
NOW_TYPES = frozenset({"stat", "gauge", "bargauge", "table"})
# label values of these can be many; those of instance, integration, collector and state are few
UNBOUNDED = ("queue", "location", "worker", "group")
REDS = re.compile(r"(?:[a-z-]+-)?red$|#f2495c|#e02f44|#c4162a|#ff0000", re.IGNORECASE)
TROUBLE = ("failed", "critical", "lost", "down")


@dataclass(frozen=True)
class Facts:
    """What the rest of the bundle offers: metrics (name -> labels), alerts, dashboards' uids, thresholds' values."""

    metrics: Mapping[str, frozenset[str]]
    alerts: frozenset[str]
    dashboards: frozenset[str]
    thresholds: frozenset[float]


Rule = Callable[[Json, Facts], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Register a rule under its function's name."""
    RULES[function.__name__] = function
    return function


def broken_rules(dashboard: Json, facts: Facts) -> dict[str, list[str]]:
    """Return the problems by rule; empty when the dashboard is good."""
    found = {name: list(check(dashboard, facts)) for name, check in RULES.items()}
    return {name: problems for name, problems in found.items() if problems}


def _levels(panel: Json) -> Iterator[float]:
    """Yield the thresholds of a panel, those of its columns too, without the base."""
    config = panel.get("fieldConfig", {})
    overrides = itertools.chain.from_iterable(item["properties"] for item in config.get("overrides", ()))
    columns = [item["value"] for item in overrides if item["id"] == "thresholds"]
    for thresholds in (config.get("defaults", {}).get("thresholds", {}), *columns):
        yield from (step["value"] for step in thresholds.get("steps", ()) if step["value"] is not None)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(_strings, value.values()))
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(map(_strings, value))


# ---- the dashboard as a whole


@rule
def classic_schema(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Files with a newer schema are refused by Grafana's provisioning."""
    if not 36 <= dashboard["schemaVersion"] <= 42:
        yield f"schemaVersion {dashboard['schemaVersion']} is not a classic one up to 42"


@rule
def stable_uid(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Alerts link to the uid."""
    if dashboard.get("uid") not in facts.dashboards:
        yield f"uid {dashboard.get('uid')!r} is none of {sorted(facts.dashboards)}"


@rule
def tagged(dashboard: Json, facts: Facts) -> Iterator[str]:
    """The menu of dashboards is made from the tag."""
    if "supercheck" not in dashboard.get("tags", ()):
        yield "no tag 'supercheck'"


@rule
def described_dashboard(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A dashboard says which questions it answers."""
    if "?" not in dashboard.get("description", ""):
        yield "the description asks no question"


@rule
def not_editable(dashboard: Json, facts: Facts) -> Iterator[str]:
    """What is edited in the browser is lost with the next deploy."""
    if dashboard.get("editable") is not False:
        yield "editable is not false"


@rule
def refreshes(dashboard: Json, facts: Facts) -> Iterator[str]:
    """It is left open on a screen."""
    if not re.fullmatch(r"\d+[sm]", dashboard.get("refresh") or ""):
        yield f"refresh is {dashboard.get('refresh')!r}"


@rule
def menu_of_dashboards(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Links to the other dashboards keep the time range and the variables."""
    menus = [link for link in dashboard.get("links", ()) if link["type"] == "dashboards"]
    if not any(link["tags"] == ["supercheck"] and link["keepTime"] and link["includeVars"] for link in menus):
        yield "no links to the other dashboards that keep time and variables"


@rule
def links_lead_somewhere(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Runbooks and dashboards that are linked exist; no link names a host."""
    for text in _strings({**dashboard, "templating": None}):
        for name in re.findall(r"/runbooks/(\w+)", text):
            if name not in facts.alerts:
                yield f"runbook of an alert that does not exist: {name}"
        for uid in re.findall(r"/d/([\w-]+)", text):
            if uid not in facts.dashboards:
                yield f"dashboard that does not exist: {uid}"
        if re.search(r"https?://(?!127\.0\.0\.1)", text):
            yield f"a link that names a host: {text[:80]}"


@rule
def marks_alerts(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Firing alerts, starts and failovers are marked on the graphs."""
    marks = [mark["expr"] for mark in dashboard["annotations"]["list"] if mark.get("enable")]
    for wanted in ('severity="critical"', 'severity="warning"', "build_info", 'role="master"'):
        if not any(wanted in expr for expr in marks):
            yield f"no enabled annotation with {wanted}"


# ---- variables


@rule
def variables_follow_time(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A queue that is gone now was there in the time range that is looked at."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield f"variable {variable['name']} is not refreshed when the time range changes"


@rule
def variables_take_all(dashboard: Json, facts: Facts) -> Iterator[str]:
    """All 500 queues are `.*`, not a list of 500 names in every query."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and not (
            variable.get("multi") and variable.get("includeAll") and variable.get("allValue") == ".*"
        ):
            yield f"variable {variable['name']} does not offer several values and All as .*"


@rule
def variables_known(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every variable that is used is declared, and every one that is declared is used."""
    declared = {variable["name"] for variable in dashboard["templating"]["list"]}
    content = {key: value for key, value in dashboard.items() if key != "templating"}
    own = {variable["name"]: _strings(variable) for variable in dashboard["templating"]["list"]}
    used = set().union(*map(variables_in, itertools.chain(_strings(content), *own.values())))
    used = {name for name in used if not name.startswith("__")}
    for name in sorted(used - declared):
        yield f"${name} is not declared"
    for name in sorted(declared - used):
        yield f"variable {name} is never used"


@rule
def variables_filter(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Where a queue or a location can be chosen, every query about queues or locations obeys."""
    declared = {variable["name"] for variable in dashboard["templating"]["list"]} & {"queue", "location"}
    for where, expr in ((f"{panel['title']} [{target['refId']}]", target["expr"]) for panel, target in targets(dashboard)):
        for metric, matchers in selectors_in(expr):
            for name in sorted(declared & facts.metrics.get(metric, frozenset())):
                if f'{name}=~"${name}"' not in matchers:
                    yield f"{where}: {metric} ignores the chosen {name}"


# ---- panels


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
            if other := taken.setdefault(cell, panel["title"]):
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
    """Only what the preview draws is proved."""
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
        if not re.fullmatch(r".{10,}\*\*Normal:\*\* .+\*\*If not:\*\* .{5,}", panel.get("description") or "", re.DOTALL):
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
        renamed = [item["options"].get("renameByName", {}) for item in panel.get("transformations", ()) if item["id"] == "organize"]
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
        if not re.match(r"no data: .+", defaults.get("noValue") or ""):
            yield f"{panel['title']}: noValue does not say 'no data: <reason>'"
        if not results or results[0].get("color") in (None, "green", "orange", "red"):
            yield f"{panel['title']}: an absent value is not grey"


@rule
def thresholds_of_rules(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A line that is drawn is an alert's threshold (or 1: any at all), and leads to its runbook."""
    for panel in panels(dashboard):
        levels = set(_levels(panel)) - {1}
        for value in sorted(levels - facts.thresholds):
            yield f"{panel['title']}: {value:g} is no threshold of the rules"
        if levels and not any("/runbooks/" in (link.get("url") or "") for link in panel.get("links", ())):
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


# ---- queries


@rule
def templated_datasource(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every query asks the Prometheus that is chosen at the top."""
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    asked = [(panel["title"], panel.get("datasource")) for panel in panels(dashboard) if panel["type"] != "text"]
    asked += [(f"{panel['title']} [{target['refId']}]", target.get("datasource")) for panel, target in targets(dashboard)]
    asked += [(f"annotation {mark['name']}", mark.get("datasource")) for mark in dashboard["annotations"]["list"]]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            asked.append((f"variable {variable['name']}", variable.get("datasource")))
    for where, source in asked:
        if source != wanted:
            yield f"{where}: datasource is {source}"


@rule
def rate_interval(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A fixed range of a rate is wrong for every zoom but one."""
    for where, expr in expressions(dashboard):
        for function, inside in ranges_of(expr, "rate|irate|increase|delta|idelta|deriv"):
            if inside != "$__rate_interval":
                yield f"{where}: {function} over [{inside}]"


@rule
def known_metrics(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every metric is exported by something, or recorded by a rule."""
    for where, expr in expressions(dashboard):
        for metric in sorted(metrics_in(expr) - facts.metrics.keys()):
            yield f"{where}: nobody exports or records {metric}"


@rule
def no_lying_zero(dashboard: Json, facts: Facts) -> Iterator[str]:
    """`or vector(0)` says "none" when nobody looked."""
    for where, expr in expressions(dashboard):
        if re.search(r"\bor\s+(on\s*\(\s*\)\s*)?(vector\s*\(|\d)", expr.replace("or 0 * ", "")):
            yield f"{where}: an absent value becomes a number"


@rule
def now_is_now(dashboard: Json, facts: Facts) -> Iterator[str]:
    """The last value of a range outlives a source that died; a graph needs a range."""
    for panel, target in targets(dashboard):
        if bool(target.get("instant")) != (panel["type"] in NOW_TYPES) or bool(target.get("range")) == bool(
            target.get("instant")
        ):
            yield f"{panel['title']} [{target['refId']}]: a {panel['type']} with instant={target.get('instant')}"


@rule
def few_lines(dashboard: Json, facts: Facts) -> Iterator[str]:
    """A line a queue is fine for 9 queues and no picture for 500; a table of 500 rows is not read."""
    for panel, target in targets(dashboard):
        expr, legend = target["expr"], target.get("legendFormat", "")
        shown = [label for label in UNBOUNDED if f"{{{{{label}}}}}" in legend]
        if panel["type"] == "table":
            shown = [label for label in ("queue", "worker") if re.search(rf"\bby \([^)]*\b{label}\b", expr)]
        bounded = re.search(r"\b(topk|bottomk) ?\(", expr) or (panel["type"] == "table" and "ALERTS" in expr)
        if shown and not bounded:
            yield f"{panel['title']} [{target['refId']}]: as many as there are values of {shown[0]}"


@rule
def counted_once(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Two exporters that watch one Redis must not double a sum."""
    for where, expr in expressions(dashboard):
        if re.search(r"\b(sum|count|avg)( by \([^)]*\))? ?\((rate\(|increase\()?(supercheck_(?!exporter_)|queue:)", expr):
            yield f"{where}: sums series of supercheck before each is counted once"


@rule
def named_lines(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every line of a graph and every query has a name of its own."""
    for panel in panels(dashboard):
        refs = [target["refId"] for target in panel.get("targets", ())]
        if len(refs) != len(set(refs)):
            yield f"{panel['title']}: two queries with one letter"
        for target in panel.get("targets", ()):
            if panel["type"] != "table" and target.get("legendFormat", "__auto") in ("", "__auto"):
                yield f"{panel['title']} [{target['refId']}]: no legend"

"""Reads the queries out of a dashboard's JSON, and the metrics out of a query.

`queries(dashboard)` gives what a live Prometheus can be asked, the variables put in.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Json = dict[str, Any]

# What Grafana would put in: everything chosen, a time range of one hour, a scrape every 15 s.
EVERYTHING = {
    "queue": ".*",
    "location": ".*",
    "database": ".*",
    "service": ".*",
    "route": ".*",
    "datasource": "prometheus",
    "public_url": "http://127.0.0.1:9820",
    "__range": "1h",
    "__interval": "15s",
    "__rate_interval": "1m",
    "__auto": "1m",
}
# type of a data source -> what it is asked in
LANGUAGES = {"loki": "logql", "tempo": "traceql"}

_KEYWORDS = frozenset(
    (
        "and",
        "or",
        "unless",
        "bool",
        "offset",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "inf",
        "nan",
    )
)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_MATCHERS = re.compile(r"\{[^{}]*\}")
_RANGE = re.compile(r"\[[^\[\]]*\]")
_LABEL_LIST = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_NAME = re.compile(r"(?<![\w.:])[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")
_SELECTOR = re.compile(r"(?<![\w.:])([a-zA-Z_:][\w:]*)\s*\{([^{}]*)\}")
_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_]\w*)(?::\w+)?\}|([A-Za-z_]\w*))")


class Query(NamedTuple):
    """One query of a panel: the panel's title, the query's letter, PromQL, and how Grafana asks."""

    panel: str
    ref: str
    expr: str
    instant: bool


def load(uid: str) -> Json:
    """Return the checked-in dashboard."""
    file = Path(__file__).resolve().parents[2] / "dashboards" / f"{uid}.json"
    dashboard: Json = json.loads(file.read_text("utf-8"))
    return dashboard


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield every panel, those inside collapsed rows too; the rows themselves are left out."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from panel.get("panels", ())


def targets(dashboard: Json) -> Iterator[tuple[Json, Json]]:
    """Yield (panel, target) of those that ask Prometheus."""
    for panel in panels(dashboard):
        if language_of(panel) == "promql":
            for target in panel.get("targets", ()):
                yield panel, target


def language_of(panel: Json) -> str:
    """Return what a panel's queries are written in, by the store that it asks."""
    return LANGUAGES.get(panel.get("datasource", {}).get("type", ""), "promql")


def store_queries(dashboard: Json) -> Iterator[tuple[str, str, str]]:
    """Yield (where, language, query) of the panels that ask Loki or Tempo, with the variables put in."""
    for panel in panels(dashboard):
        language = language_of(panel)
        if language != "promql":
            for target in panel["targets"]:
                text = target["expr" if language == "logql" else "query"]
                yield f"{panel['title']} [{target['refId']}]", language, substitute(text, EVERYTHING)


def expressions(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Yield (where, PromQL) of panels, annotations and query variables, as they are written."""
    for panel, target in targets(dashboard):
        yield f"{panel['title']} [{target['refId']}]", target["expr"]
    for mark in dashboard["annotations"]["list"]:
        yield f"annotation {mark['name']}", mark["expr"]
    for variable in dashboard["templating"]["list"]:
        if found := re.fullmatch(r"label_values\((.+), \w+\)", str(variable.get("definition", ""))):
            yield f"variable {variable['name']}", found[1]


def variables_in(text: str) -> set[str]:
    """Return the names of the variables that a text uses (`__range` and its like included)."""
    return {found[1] or found[2] for found in _VARIABLE.finditer(text)}


def substitute(expr: str, values: Mapping[str, str] = EVERYTHING) -> str:
    """Return the query with every variable put in; KeyError for one that has no value."""
    return _VARIABLE.sub(lambda found: values[found[1] or found[2]], expr)


def queries(dashboard: Json, values: Mapping[str, str] = EVERYTHING) -> list[Query]:
    """Return every query of the panels, ready to be asked."""
    return [
        Query(panel["title"], target["refId"], substitute(target["expr"], values), bool(target.get("instant")))
        for panel, target in targets(dashboard)
    ]


def metrics_in(expr: str) -> set[str]:
    """Return the names of the metrics that a query reads."""
    text = _RANGE.sub(" ", _MATCHERS.sub(" ", _STRING.sub('""', expr)))
    text = _LABEL_LIST.sub(" ", text)
    return {name for name in _NAME.findall(text) if name not in _KEYWORDS}


def selectors_in(expr: str) -> list[tuple[str, str]]:
    """Return (metric, matchers) for every metric; the matchers of a bare name are empty."""
    braced = _SELECTOR.findall(expr)
    bare = metrics_in(_SELECTOR.sub(" ", expr))
    return [*braced, *((name, "") for name in sorted(bare))]


def ranges_of(expr: str, functions: str) -> Iterator[tuple[str, str]]:
    """Yield (function, range) for each call of a function whose name matches the pattern `functions`."""
    for found in re.finditer(rf"\b({functions})\s*\(", expr):
        inside = re.search(r"\[([^\]]*)\]", expr[found.end() :])
        yield found[1], inside[1] if inside else ""

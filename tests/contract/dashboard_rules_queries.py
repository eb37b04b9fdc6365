"""Rules about queries.

Each rule has a broken dashboard in dashboards/broken.yaml that only this rule refuses.
"""

import re
from collections.abc import Iterator

from contract.dashboard_queries import Json, expressions, language_of, metrics_in, panels, ranges_of, targets
from contract.dashboard_rule import Facts, rule
from contract.dashboard_rules_panels import NOW_TYPES

# label values of these can be many; those of instance, integration, collector and state are few
UNBOUNDED = ("queue", "location", "worker", "group")


@rule
def templated_datasource(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every query asks the Prometheus that is chosen at the top; or Loki or Tempo, which have one uid for all links."""
    wanted = {"type": "prometheus", "uid": "${datasource}"}
    asked = []
    for panel in panels(dashboard):
        if panel["type"] == "text":
            continue
        language = language_of(panel)
        store = {"type": panel["datasource"]["type"]} if language != "promql" else {}
        own = {**store, "uid": store["type"]} if store else wanted
        sources = [(panel["title"], panel.get("datasource"))]
        sources += [(f"{panel['title']} [{it['refId']}]", it.get("datasource")) for it in panel.get("targets", ())]
        asked += [(where, wanted if source == own else source) for where, source in sources]
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
            shown = [label for label in ("queue", "worker", "location") if re.search(rf"\bby \([^)]*\b{label}\b", expr)]
        bounded = re.search(r"\b(topk|bottomk) ?\(", expr) or (panel["type"] == "table" and "ALERTS" in expr)
        if shown and not bounded:
            yield f"{panel['title']} [{target['refId']}]: as many as there are values of {shown[0]}"


@rule
def counted_once(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Two exporters that watch one Redis must not double a sum."""
    for where, expr in expressions(dashboard):
        if re.search(
            r"\b(sum|count|avg)( by \([^)]*\))? ?\((rate\(|increase\()?(supercheck_(?!exporter_)|queue:)", expr
        ):
            yield f"{where}: sums series of supercheck before each is counted once"


@rule
def named_lines(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Every line of a graph and every query has a name of its own."""
    for panel in panels(dashboard):
        refs = [target["refId"] for target in panel.get("targets", ())]
        if len(refs) != len(set(refs)):
            yield f"{panel['title']}: two queries with one letter"
        for target in panel.get("targets", ()):
            if panel["type"] not in ("table", "logs") and target.get("legendFormat", "__auto") in ("", "__auto"):
                yield f"{panel['title']} [{target['refId']}]: no legend"

"""Rules about a dashboard as a whole and its variables.

Each rule has a broken dashboard in dashboards/broken.yaml that only this rule refuses.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

from contract.dashboard_queries import Json, selectors_in, targets, variables_in
from contract.dashboard_rule import Facts, rule


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(_strings, value.values()))
    elif isinstance(value, list):
        yield from itertools.chain.from_iterable(map(_strings, value))


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


def _named_by_label(expr: str) -> list[str]:
    return [f"supercheck-{rest}" for rest in re.findall(r', "dashboard", "([\w-]+)", ', expr)]


@rule
def links_lead_somewhere(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Runbooks and dashboards that are linked exist; no link names a host."""
    for text in _strings({**dashboard, "templating": None}):
        for name in re.findall(r"/runbooks/(\w+)", text):
            if name not in facts.alerts:
                yield f"runbook of an alert that does not exist: {name}"
        # a cell that holds the rest of a uid gets it from a query's label
        for uid in [*re.findall(r"/d/([\w-]+)(?!\$|[\w-])", text), *_named_by_label(text)]:
            if uid not in facts.dashboards:
                yield f"dashboard that does not exist: {uid}"
        if re.search(r"https?://(?!127\.0\.0\.1)", text):
            yield f"a link that names a host: {text[:80]}"


@rule
def marks_alerts(dashboard: Json, facts: Facts) -> Iterator[str]:
    """Pages, starts and failovers are marked on the graphs; warnings can be."""
    marks = dashboard["annotations"]["list"]
    shown = [mark["expr"] for mark in marks if mark.get("enable")]
    offered = [mark["expr"] for mark in marks if not mark.get("hide")]
    for wanted in ('severity="critical"', "build_info", 'role="master"'):
        if not any(wanted in expr for expr in shown):
            yield f"no enabled annotation with {wanted}"
    if not any('severity="warning"' in expr for expr in offered):
        yield "no annotation for warnings to switch on"


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
    for where, expr in (
        (f"{panel['title']} [{target['refId']}]", target["expr"]) for panel, target in targets(dashboard)
    ):
        for metric, matchers in selectors_in(expr):
            for name in sorted(declared & facts.metrics.get(metric, frozenset())):
                if f'{name}=~"${name}"' not in matchers:
                    yield f"{where}: {metric} ignores the chosen {name}"

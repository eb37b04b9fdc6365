"""Small dashboards, one fault each, and a sound one; each must be judged as its name says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
BACKLOG = 'supercheck_queue_backlog_jobs{queue=~"$queue"}'
LONG = "a text that is far longer than the room that was made for it, whatever the size of its letters may be"


def panel(kind: str, title: str, expr: str = "", **more: Any) -> Json:
    """Return a panel of 12 columns that asks `expr`: instantly, but for a graph."""
    at_once = kind != "timeseries"
    target = {"refId": "A", "expr": expr, "datasource": SOURCE, "instant": at_once, "range": not at_once}
    target |= {"format": "table"} if kind == "table" else {"legendFormat": "{{queue}}"}
    base: Json = {
        "type": kind,
        "title": title,
        "description": "what it **shows**",
        "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
        "datasource": SOURCE,
        "targets": [target] if expr else [],
        "fieldConfig": {"defaults": {"unit": "short"}, "overrides": []},
        "options": {},
    }
    return base | more


def dashboard(uid: str, *panels: Json, **more: Any) -> Json:
    """Return a dashboard with the variables that ours have."""
    query = {"query": "label_values(supercheck_queue_backlog_jobs, queue)", "refId": "v"}
    variables = [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        {
            "name": "queue",
            "type": "query",
            "query": query,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "sort": 1,
            "current": {"text": "All", "value": "$__all"},
        },
        {"name": "exporter_url", "type": "textbox", "query": "http://127.0.0.1:9820"},
    ]
    numbered = [{"id": number, **one} for number, one in enumerate(panels, 1)]
    base = {"uid": uid, "title": uid, "tags": ["fixture"], "panels": numbered, "templating": {"list": variables}}
    return {**base, "schemaVersion": 42, "time": {"from": "now-1h", "to": "now"}, **more}


def _place(x: int, w: int, h: int) -> Json:
    return {"x": x, "y": 0, "w": w, "h": h}


# The rule of survey.js, or the state, that must speak; and the panel with the fault.
FAULTS: dict[str, Json] = {
    "empty": panel("stat", "a", "supercheck_queue_backlog_jobz"),
    "error": panel("timeseries", "a", "sum by (queue ("),
    "undrawn": panel("heatmap", "a", BACKLOG),
    "clipped": panel("timeseries", LONG, BACKLOG, gridPos=_place(0, 4, 8)),
    "clipped cell": panel(
        "table", "a", BACKLOG, fieldConfig={"defaults": {"custom": {"width": 40}, "unit": "short"}, "overrides": []}
    ),
    "outside": panel("text", "a", options={"mode": "markdown", "content": '<p style="margin-left: -99px">words</p>'}),
    "scrolled": panel("text", "a", options={"mode": "markdown", "content": f"{LONG}\n\n" * 9}, gridPos=_place(0, 6, 3)),
    "scrolled bars": panel("bargauge", "a", BACKLOG, gridPos=_place(0, 12, 3), options={"orientation": "horizontal"}),
    "tiny": panel(
        "stat",
        "a",
        BACKLOG,
        gridPos=_place(0, 6, 3),
        options={"textMode": "value_and_name", "orientation": "vertical"},
    ),
    "axis": panel(
        "timeseries",
        "a",
        f"1e9 * {BACKLOG}",
        fieldConfig={"defaults": {"unit": "none", "custom": {"axisWidth": 12}}, "overrides": []},
    ),
}


def _override(name: str, **properties: Any) -> Json:
    values = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": values}


def sound() -> Json:
    """Return a dashboard with every kind of panel and of link, and nothing wrong."""
    link = {"title": "Runbook", "url": "${exporter_url}/runbooks/X", "targetBlank": True}
    data_link = {"title": "Alone", "url": "/d/other?var-queue=${__value.text}&${__url_time_range}"}
    columns = {"queue": "Queue", "Value #A": "Backlog", "Value #B": "Age"}
    hidden = {"Time": True}
    table = panel("table", "Table", f"max by (queue) ({BACKLOG})", gridPos={"x": 0, "y": 16, "w": 24, "h": 9})
    age = "max by (queue) (supercheck_queue_oldest_ready_job_age_seconds)"
    table["targets"].append({**table["targets"][0], "refId": "B", "expr": age})
    table["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"renameByName": columns, "excludeByName": hidden, "indexByName": {}}},
    ]
    table["fieldConfig"]["overrides"] = [
        _override("Queue", links=[data_link]),
        _override("Age", unit="s", mappings=[{"type": "value", "options": {"0": {"text": "none"}}}]),
    ]
    steps = [{"color": "green", "value": None}, {"color": "red", "value": 1000}]
    graph = panel("timeseries", "Graph of $queue", BACKLOG, gridPos={"x": 0, "y": 8, "w": 12, "h": 8})
    graph["fieldConfig"]["defaults"] |= {
        "thresholds": {"mode": "absolute", "steps": steps},
        "custom": {"thresholdsStyle": {"mode": "line"}},
        "links": [{"title": "Alone", "url": "/d/other?var-queue=${__field.labels.queue}"}],
    }
    graph["options"] = {"legend": {"displayMode": "table", "placement": "right", "calcs": ["max"]}}
    ratio = {"defaults": {"unit": "percentunit", "min": 0, "max": 1, "decimals": 1}, "overrides": []}
    folded = panel("stat", "Folded", f"sum({BACKLOG})", gridPos={"x": 0, "y": 26, "w": 6, "h": 4})
    row: Json = {"type": "row", "title": "More", "collapsed": True, "gridPos": _place(0, 24, 1)}
    row["panels"] = [folded | {"id": 99}]
    content = {"mode": "markdown", "content": "# One\n* two"}
    words = panel("text", "Words", options=content, gridPos={"x": 12, "y": 8, "w": 12, "h": 8})
    pages = 'count by (alertname) (ALERTS{alertstate="firing",severity="critical"})'
    mark = {"name": "Pages", "enable": True, "iconColor": "red", "expr": pages, "titleFormat": "{{alertname}}"}
    return dashboard(
        "sound",
        panel("stat", "Stat", f"sum({BACKLOG})", gridPos=_place(0, 6, 8), links=[link]),
        panel("gauge", "Gauge", f"max({BACKLOG}) / 10000", gridPos=_place(6, 6, 8), fieldConfig=ratio),
        panel("bargauge", "Bars", BACKLOG, gridPos=_place(12, 12, 8), options={"orientation": "horizontal"}),
        graph,
        words,
        table,
        row,
        annotations={"list": [mark]},
        links=[
            {"title": "All", "type": "dashboards", "tags": ["fixture"], "keepTime": True, "includeVars": True},
            {"title": "Exporter", "type": "link", "url": "${exporter_url}/", "tags": []},
        ],
    )


def write(folder: Path) -> Path:
    """Write the sound dashboard, another to link to, and one a fault; return the folder."""
    other = dashboard("other", panel("stat", "Stat", f"sum({BACKLOG})"))
    faulty = [dashboard(f"fault-{name.replace(' ', '-')}", one) for name, one in FAULTS.items()]
    for one in (sound(), other, *faulty):
        (folder / f"{one['uid']}.json").write_text(json.dumps(one))
    return folder

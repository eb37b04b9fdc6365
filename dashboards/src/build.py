"""Builds the dashboards from their specs, and writes or compares the checked-in JSON."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supercheck_exporter.thresholds import load_thresholds

from . import (
    analytics,
    annotations,
    backups,
    capacity,
    database,
    dependencies,
    edge,
    host,
    links,
    observability,
    overview,
    queues,
    redis,
    scorecard,
    secrets,
    storage,
    traces,
    variables,
    workers,
)
from .layout import place
from .levels import Thresholds
from .sdk import JSONEncoder, dashboard, models
from .spec import Spec

FOLDER = Path(__file__).resolve().parents[1]
SPECS = (
    overview.SPEC,
    queues.SPEC,
    workers.SPEC,
    redis.SPEC,
    database.SPEC,
    backups.SPEC,
    capacity.SPEC,
    dependencies.SPEC,
    secrets.SPEC,
    storage.SPEC,
    scorecard.SPEC,
    analytics.SPEC,
    edge.SPEC,
    host.SPEC,
    traces.SPEC,
    observability.SPEC,
)

_CHOICES = {"queue": variables.queue, "location": variables.location, "database": variables.database}
_CHOICES |= {"service": variables.service, "route": variables.route}


def build(spec: Spec, limits: Thresholds, public_url: str = variables.PUBLIC_URL) -> models.Dashboard:
    """Return one dashboard, its panels placed and numbered."""
    board = (
        dashboard.Dashboard(spec.title)
        .uid(spec.uid)
        .description(spec.description)
        .tags([links.TAG])
        .timezone("browser")
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time(f"now-{spec.span}", "now")
        .refresh("30s")
        .links([links.menu(), links.menu_runbooks(), links.menu_status_page()])
        .annotations(annotations.marks(spec.alert_matchers))
        .with_variable(variables.datasource())
    )
    for name in spec.variables:
        board = board.with_variable(_CHOICES[name]())
    board = board.with_variable(variables.public_url(public_url))
    built = board.build()
    built.panels = place(spec.sections(limits))
    return built


def as_json(board: models.Dashboard) -> str:
    """Return the JSON that is checked in: sorted keys, two spaces, a newline at the end."""
    plain = _in_sight(json.loads(json.dumps(board, cls=JSONEncoder)))
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _in_sight(value: Any) -> Any:
    """Return the JSON without `placement`: the SDK always puts links and annotations into a menu that is closed."""
    if isinstance(value, dict):
        return {
            key: _in_sight(inner) for key, inner in value.items() if key != "placement" or inner != "inControlsMenu"
        }
    return [_in_sight(inner) for inner in value] if isinstance(value, list) else value


def build_all(thresholds: Mapping[str, float] | None = None, public_url: str = variables.PUBLIC_URL) -> dict[str, str]:
    """Return the JSON of every dashboard by file name; without `thresholds`: the shipped ones."""
    limits = Thresholds(load_thresholds({}) if thresholds is None else thresholds)
    return {f"{spec.uid}.json": as_json(build(spec, limits, public_url)) for spec in SPECS}


def drawn_thresholds() -> set[str]:
    """Return the names of the thresholds that some panel draws."""
    limits = Thresholds(load_thresholds({}))
    for spec in SPECS:
        spec.sections(limits)
    return limits.drawn


def load(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return the checked-in dashboards by file name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))}

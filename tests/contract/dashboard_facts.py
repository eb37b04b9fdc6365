"""What the dashboards may rely on, read from where it is defined: metrics, alerts, thresholds."""

from functools import cache
from pathlib import Path

import yaml
from contract.dashboard_rules import Facts
from supercheck_exporter.catalogue import catalogue
from supercheck_exporter.rules import templates
from supercheck_exporter.thresholds import load_thresholds

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = Path(__file__).parent / "dashboards" / "foreign_metrics.yaml"
DASHBOARDS = frozenset(
    {
        "supercheck-overview",
        "supercheck-queues",
        "supercheck-workers",
        "supercheck-observability",
        "supercheck-database",
        "supercheck-backups",
        "supercheck-redis",
        "supercheck-capacity",
        "supercheck-secrets",
        "supercheck-storage",
        "supercheck-dependencies",
        "supercheck-scorecard",
        "supercheck-analytics",
        "supercheck-traces-and-logs",
        "supercheck-edge",
        "supercheck-host",
    }
)


def exported_metrics() -> dict[str, frozenset[str]]:
    """Return every metric of the exporter's catalogue with its labels; of a histogram its three series."""
    found: dict[str, frozenset[str]] = {}
    for entry in catalogue():
        ends = ("_bucket", "_sum", "_count") if entry.type == "histogram" else ("",)
        found |= {entry.name + end: frozenset(entry.labels) for end in ends}
    return found


def _groups(folder: str) -> list[dict[str, object]]:
    texts = [text for path, (_, text) in templates().items() if path.startswith(f"{folder}/")]
    return [rule for text in texts for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def recorded_metrics() -> dict[str, frozenset[str]]:
    """Return every recorded metric with its label: the level, which its name begins with."""
    names = [str(rule["record"]) for rule in recorded()]
    return {name: frozenset({name.split(":")[0]}) for name in names}


def foreign_metrics() -> dict[str, frozenset[str]]:
    """Return the metrics of Prometheus, Alertmanager and the exporter's process that dashboards use."""
    listed = yaml.safe_load(FOREIGN.read_text("utf-8"))
    return {name: frozenset() for names in listed.values() for name in names}


def recorded() -> list[dict[str, object]]:
    """Return every recording rule, as its template is written."""
    return _groups("recording")


def alerts() -> list[dict[str, object]]:
    """Return every alert rule, as its template is written."""
    return _groups("alerts")


@cache
def facts() -> Facts:
    """Return all facts."""
    return Facts(
        metrics=exported_metrics() | recorded_metrics() | foreign_metrics(),
        alerts=frozenset(str(alert["alert"]) for alert in alerts()),
        dashboards=DASHBOARDS,
        thresholds=frozenset(load_thresholds({}).values()),
    )

"""Panels that ask Tempo or Loki. The preview shows their queries; Grafana draws them, with the sources' links."""

from collections.abc import Sequence

from . import links
from .levels import special_null
from .panels import Doc, ref
from .sdk import common, common_models, logs, loki, models, table, tempo, tempo_models, timeseries
from .variables import LOKI, TEMPO


def found_traces(title: str, doc: Doc, query: str, *, nothing: str, runbooks: Sequence[str] = ()) -> models.Panel:
    """Return a table of the newest traces that a TraceQL query finds; each id opens its trace."""
    asked = (
        tempo.Dataquery()
        .datasource(TEMPO)
        .query_type("traceql")
        .query(query)
        .limit(20)
        .table_type(tempo_models.SearchTableType.TRACES)
        .ref_id(ref(0))
    )
    return (
        table.Panel()
        .title(title)
        .description(str(doc))
        .datasource(TEMPO)
        .unit("short")
        .no_value(f"none: {nothing}")
        .mappings([special_null("unknown")])
        .cell_height(common_models.TableCellHeight.SM)
        .links([links.runbook(alert) for alert in runbooks])
        .with_target(asked)
        .build()
    )


def _lines(query: str, legend: str = "") -> loki.Dataquery:
    asked = loki.Dataquery().datasource(LOKI).expr(query).query_type("range").ref_id(ref(0))
    return asked.legend_format(legend) if legend else asked.max_lines(200)


def found_lines(title: str, doc: Doc, query: str, *, runbooks: Sequence[str] = ()) -> models.Panel:
    """Return the newest log lines that a LogQL query finds; a line leads to its trace."""
    return (
        logs.Panel()
        .title(title)
        .description(str(doc))
        .datasource(LOKI)
        .unit("short")
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common_models.LogsSortOrder.DESCENDING)
        .links([links.runbook(alert) for alert in runbooks])
        .with_target(_lines(query))
        .build()
    )


def counted_lines(
    title: str, doc: Doc, query: str, legend: str, *, unit: str, runbooks: Sequence[str] = ()
) -> models.Panel:
    """Return a graph of a LogQL query that counts lines."""
    return (
        timeseries.Panel()
        .title(title)
        .description(str(doc))
        .datasource(LOKI)
        .unit(unit)
        .min(0)
        .line_width(0)
        .fill_opacity(60)
        .stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
        .links([links.runbook(alert) for alert in runbooks])
        .with_target(_lines(query, legend))
        .build()
    )

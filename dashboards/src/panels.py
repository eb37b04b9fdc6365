"""The kinds of panel that the dashboards use, each with the same manners.

A value "now" is an instant query: a range query's last value outlives a source that died, and would show an old
number as the present one. An absent value is grey and says why. Every panel carries a description in three parts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from . import links
from .colors import FAMILY_COLORS
from .levels import NEUTRAL, Levels, special_null
from .sdk import (
    bargauge,
    common,
    common_models,
    dashboard,
    models,
    prometheus,
    prometheus_models,
    stat,
    text_models,
    timeseries,
)
from .sdk import text as text_panel
from .variables import DATASOURCE

Mapping = models.ValueMap | models.RangeMap | models.RegexMap | models.SpecialValueMap
Link = dashboard.DashboardLink


@dataclass(frozen=True)
class Doc:
    """A panel's description: what it shows, what is normal, and what to do when it is not."""

    shows: str
    normal: str
    act: str

    def __str__(self) -> str:
        return f"{self.shows}\n\n**Normal:** {self.normal}\n\n**If not:** {self.act}"


@dataclass(frozen=True)
class Line:
    """A query of a graph. `color` fixes the colour of a single line; `dashed` marks a limit rather than a value."""

    expr: str
    legend: str
    color: str = ""
    dashed: bool = False


def ref(index: int) -> str:
    """Return the letter of the n-th query of a panel, from 0."""
    return chr(ord("A") + index)


def now(expr: str, letter: str = "A", legend: str = "") -> prometheus.Dataquery:
    """Return an instant query."""
    query = prometheus.Dataquery().datasource(DATASOURCE).expr(expr).instant().ref_id(letter)
    return query.legend_format(legend) if legend else query


def _history(line: Line, letter: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(DATASOURCE).expr(line.expr).range().ref_id(letter)
    return query.legend_format(line.legend)


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _fixed(color: str) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def one(
    title: str,
    doc: Doc,
    expr: str,
    *,
    unit: str,
    no_data: str,
    levels: Levels = NEUTRAL,
    mappings: Sequence[Mapping] = (),
    runbooks: Sequence[str] = (),
    more: Sequence[Link] = (),
    loud: bool = False,
) -> models.Panel:
    """Return a stat: one number now. `loud` colours the whole panel; `no_data` says why it may be unknown."""
    unknown = f"no data: {no_data}"
    return (
        stat.Panel()
        .title(title)
        .description(str(doc))
        .datasource(DATASOURCE)
        .with_target(now(expr, legend=title))
        .unit(unit)
        .thresholds(levels.build())
        .mappings([*mappings, special_null(unknown)])
        .no_value(unknown)
        .color_mode(common_models.BigValueColorMode.BACKGROUND if loud else common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .justify_mode(common_models.BigValueJustifyMode.CENTER)
        .text_mode(common_models.BigValueTextMode.VALUE)
        .orientation(common_models.VizOrientation.AUTO)
        .reduce_options(_last())
        .links([*more, *map(links.runbook, runbooks)])
        .build()
    )


def bars(
    title: str,
    doc: Doc,
    expr: str,
    legend: str,
    *,
    unit: str,
    no_data: str,
    levels: Levels = NEUTRAL,
    maximum: float | None = None,
    runbooks: Sequence[str] = (),
    data_links: Sequence[Link] = (),
) -> models.Panel:
    """Return a bar gauge: one bar a series, now."""
    unknown = f"no data: {no_data}"
    panel = (
        bargauge.Panel()
        .title(title)
        .description(str(doc))
        .datasource(DATASOURCE)
        .with_target(now(expr, legend=legend))
        .unit(unit)
        .min(0)
        .thresholds(levels.build())
        .mappings([special_null(unknown)])
        .no_value(unknown)
        .display_mode(common_models.BarGaugeDisplayMode.BASIC)
        .orientation(common_models.VizOrientation.HORIZONTAL)
        .show_unfilled(True)
        .value_mode(common_models.BarGaugeValueMode.COLOR)
        .reduce_options(_last())
        .data_links(list(data_links))
        .links([links.runbook(alert) for alert in runbooks])
    )
    return (panel if maximum is None else panel.max(maximum)).build()


def lines(
    title: str,
    doc: Doc,
    queries: Sequence[Line],
    *,
    unit: str,
    levels: Levels | None = None,
    stacked: bool = False,
    negative: bool = False,
    many: bool = False,
    soft_max: float | None = None,
    decimals: int | None = None,
    runbooks: Sequence[str] = (),
    data_links: Sequence[Link] = (),
) -> models.Panel:
    """Return a graph. `levels` are drawn as dashed lines; `many`: one line a queue, so the legend is a sorted table."""
    legend = common.VizLegendOptions().show_legend(True)
    if many:
        legend = (
            legend.display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.RIGHT)
            .calcs(["lastNotNull", "max"])
            .sort_by("Last *")
            .sort_desc(True)
        )
    else:
        legend = (
            legend.display_mode(common_models.LegendDisplayMode.LIST)
            .placement(common_models.LegendPlacement.BOTTOM)
            .calcs([])
        )
    panel = (
        timeseries.Panel()
        .title(title)
        .description(str(doc))
        .datasource(DATASOURCE)
        .unit(unit)
        .axis_soft_min(0)
        .line_width(2)
        .fill_opacity(30 if stacked else 0)
        .show_points(common_models.VisibilityMode.AUTO)
        .span_nulls(False)
        .color_scheme(dashboard.FieldColor().mode(models.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(legend)
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
        .data_links(list(data_links))
        .links([links.runbook(alert) for alert in runbooks])
    )
    for index, line in enumerate(queries):
        panel = panel.with_target(_history(line, ref(index)))
        properties = [_fixed(line.color)] if line.color else []
        if line.dashed:
            dash = {"fill": "dash", "dash": [8, 8]}
            properties.append(models.DynamicConfigValue(id_val="custom.lineStyle", value=dash))
            properties.append(models.DynamicConfigValue(id_val="custom.lineWidth", value=1))
        if properties:
            panel = panel.override_by_query(ref(index), properties)
    if many:
        for name, color in FAMILY_COLORS.items():
            panel = panel.override_by_name(name, [_fixed(color)])
    if levels is not None:
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(levels.build()).thresholds_style(style)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if soft_max is not None:
        panel = panel.axis_soft_max(soft_max)
    if not negative:
        panel = panel.min(0)
    if decimals is not None:
        panel = panel.decimals(decimals)
    return panel.build()


def words(title: str, doc: Doc, markdown: str) -> models.Panel:
    """Return a text panel."""
    return (
        text_panel.Panel()
        .title(title)
        .description(str(doc))
        .mode(text_models.TextMode.MARKDOWN)
        .content(markdown)
        .build()
    )


__all__ = ["Doc", "Line", "Link", "Mapping", "bars", "lines", "now", "one", "prometheus_models", "ref", "words"]

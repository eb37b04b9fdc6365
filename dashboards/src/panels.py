"""The kinds of panel that the dashboards use, each with the same manners.

A value "now" is an instant query: a range query's last value outlives a source that died, and would show an old
number as the present one. An absent value is grey and says why. Every panel carries a description in three parts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from . import links
from .colors import QUEUE_COLORS
from .levels import NEUTRAL, Levels, special_null
from .sdk import (
    common,
    common_models,
    dashboard,
    models,
    prometheus,
    stat,
    text_models,
    timeseries,
)
from .sdk import text as text_panel
from .variables import DATASOURCE

READABLE = 38
"""Characters that are readable in the narrowest single value on a laptop's screen."""

ValueMapping = models.ValueMap | models.RangeMap | models.RegexMap | models.SpecialValueMap
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
    exemplars: bool = False  # points of single requests, each with its trace


def ref(index: int) -> str:
    """Return the letter of the n-th query of a panel, from 0."""
    return chr(ord("A") + index)


def now(expr: str, letter: str = "A", legend: str = "") -> prometheus.Dataquery:
    """Return an instant query."""
    query = prometheus.Dataquery().datasource(DATASOURCE).expr(expr).instant().ref_id(letter)
    return query.legend_format(legend) if legend else query


def _history(line: Line, letter: str) -> prometheus.Dataquery:
    query = prometheus.Dataquery().datasource(DATASOURCE).expr(line.expr).range().ref_id(letter)
    return (query.exemplar(True) if line.exemplars else query).legend_format(line.legend)


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
    mappings: Sequence[ValueMapping] = (),
    runbooks: Sequence[str] = (),
    more: Sequence[Link] = (),
    loud: bool = False,
    decimals: int | None = None,
) -> models.Panel:
    """Return a stat: one number now. `loud` colours the whole panel; `no_data` says why it may be unknown.

    The text is drawn as large as fits in one line: a long reason stands in the description instead.
    """
    unknown, description = f"no data: {no_data}", str(doc)
    if len(unknown) > READABLE:
        unknown, description = "no data: see the (i)", f"{doc}\n\n**No data:** {no_data}."
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
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
    )
    return (panel if decimals is None else panel.decimals(decimals)).build()


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
    colors: Mapping[str, str] | None = None,
    no_data: str = "",
    soft_max: float | None = None,
    decimals: int | None = None,
    runbooks: Sequence[str] = (),
    data_links: Sequence[Link] = (),
) -> models.Panel:
    """Return a graph. `levels` are drawn as dashed lines; `many`: one line a queue, so the legend is a sorted table.

    `stacked` areas have no outline: it would draw an empty state as a line on top of the others.
    `colors` fixes colours by the lines' names; lines named by queue have theirs. `soft_max` is the least upper end of
    the scale: without it, harmless noise near zero fills the panel and looks like trouble.
    """
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
        .line_width(0 if stacked else 2)
        .fill_opacity(60 if stacked else 0)
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
    by_name = QUEUE_COLORS if any("{{queue}}" in line.legend for line in queries) else colors or {}
    for name, color in by_name.items():
        panel = panel.override_by_name(name, [_fixed(color)])
    if no_data:
        panel = panel.no_value(f"no data: {no_data}")
    if levels is not None:
        style = common.GraphThresholdsStyleConfig().mode(common_models.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(levels.build()).thresholds_style(style)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if soft_max is None and decimals == 0:
        soft_max = 5  # counts that are 0 for days: a scale of 0 to 100 would be Grafana's choice
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

"""Tables: one row a queue, a location or a worker; one instant query a column, merged by their labels.

Grafana names the value of the query A `Value #A`, or `Value` when the panel has one query only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from . import links
from .levels import Levels, special_null
from .panels import Doc, Link, ValueMapping, now, ref
from .sdk import common, common_models, models, prometheus_models, table
from .variables import DATASOURCE


@dataclass(frozen=True)
class Label:
    """A column made of a label. `width` in pixels."""

    label: str
    title: str
    data_links: Sequence[Link] = ()
    mappings: Sequence[ValueMapping] = ()
    width: int = 0


@dataclass(frozen=True)
class Value:
    """A column made of a query's value. A cell takes the colours of its `levels` or `mappings`."""

    title: str
    expr: str
    unit: str
    levels: Levels | None = None
    mappings: Sequence[ValueMapping] = ()
    decimals: int | None = None
    width: int = 0
    absent: str = "unknown"  # what an empty cell says
    hidden: bool = False  # it only gives the rows and their order


def _set(name: str, value: object) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)


def _label_override(column: Label) -> list[models.DynamicConfigValue]:
    # a row without this label would else show the panel's text for "no data" in the cell
    # (unit: a name of digits is no number)
    properties = [_set("noValue", " "), _set("unit", "string")]
    if column.data_links:
        properties.append(_set("links", [_cell_link(link) for link in column.data_links]))
    if column.mappings:
        properties.append(_set("mappings", list(column.mappings)))
        properties.append(_set("custom.cellOptions", {"type": "color-text"}))
    if column.width:
        properties.append(_set("custom.width", column.width))
    return properties


def _cell_link(link: Link) -> dict[str, object]:
    built = link.build()
    return {"title": built.title, "url": built.url, "targetBlank": built.target_blank}


def _value_override(column: Value) -> list[models.DynamicConfigValue]:
    properties = [_set("unit", column.unit)]
    if column.levels is not None:
        properties.append(_set("thresholds", column.levels.build().build()))
        properties.append(_set("color", {"mode": "thresholds"}))
    properties.append(_set("mappings", [*column.mappings, special_null(column.absent)]))
    if column.levels is not None or column.mappings:
        properties.append(_set("custom.cellOptions", {"type": "color-text"}))
    if column.decimals is not None:
        properties.append(_set("decimals", column.decimals))
    if column.width:
        properties.append(_set("custom.width", column.width))
    return properties


def rows(
    title: str,
    doc: Doc,
    labels: Sequence[Label],
    values: Sequence[Value],
    *,
    no_data: str = "",
    nothing: str = "",
    sort_by: str = "",
    descending: bool = True,
    runbooks: Sequence[str] = (),
    more: Sequence[Link] = (),
) -> models.Panel:
    """Return a table: the label columns, then the value columns; other labels of the queries are left out.

    `no_data` says why a table without rows is unknown; or `nothing`, where no rows is an answer and what it means.
    Without `sort_by` the rows keep the order of the first query.
    """
    unknown = f"none: {nothing}" if nothing else f"no data: {no_data}"
    panel = (
        table.Panel()
        .title(title)
        .description(str(doc))
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(unknown)
        .mappings([special_null("unknown")])
        .cell_height(common_models.TableCellHeight.SM)
        .min_width(60)
        .links([*more, *map(links.runbook, runbooks)])
    )
    renamed: dict[str, str] = {}
    excluded = {"Time": True}
    order: dict[str, int] = {}
    for label in labels:
        renamed[label.label] = label.title
        order[label.label] = len(order)
        panel = panel.override_by_name(label.title, _label_override(label))
    for index, value in enumerate(values):
        letter = ref(index)
        panel = panel.with_target(now(value.expr, letter).format(prometheus_models.PromQueryFormat.TABLE))
        field = f"Value #{letter}" if len(values) > 1 else "Value"
        if value.hidden:
            excluded[field] = True
            continue
        renamed[field] = value.title
        order[field] = len(order)
        panel = panel.override_by_name(value.title, _value_override(value))
    if len(values) > 1:
        panel = panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    organize = {"renameByName": renamed, "excludeByName": excluded, "indexByName": order}
    panel = panel.with_transformation(models.DataTransformerConfig(id_val="organize", options=organize))
    if sort_by:
        panel = panel.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(descending)])
    return panel.build()

"""Panels as they all are: gaps are gaps, what has no value says so, a name has one colour."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.builders import stat as stats
from grafana_foundation_sdk.builders import statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from dashboards.query import Query
from dashboards.variables import DATASOURCE
from dashboards.words import BOUNDS, COLOURS
from pd_exporter.policy import SCRAPE_SECONDS

P = TypeVar("P", stats.Panel, statetimeline.Panel, table.Panel, timeseries.Panel)

UNKNOWN = "unknown"
"""Where there is no value: never 0."""

YES = {1: ("yes", "green"), 0: ("no", "red")}
"""Of what ought to be so."""

NO = {1: ("yes", "red"), 0: ("no", "green")}
"""Of what ought not to be so."""

EITHER = {1: ("yes", "blue"), 0: ("no", "#6e6e6e")}
"""Of what may be either."""

Words = Mapping[int, tuple[str, str]]
"""Text and colour of values."""


def targets(queries: Sequence[Query], *, now: bool = False) -> list[Dataquery]:
    """The queries, as ranges or as they are now."""
    asked = []
    for letter, query in zip("ABCDEFGHIJKL", queries, strict=False):
        target = Dataquery().ref_id(letter).expr(query.expression).legend_format(query.legend)
        asked.append(target.instant() if now else target.range())
    return asked


def thresholds(*steps: tuple[float, str], base: str = "text") -> ThresholdsConfig:
    """A colour from each value on, and the one below them all."""
    above = [Threshold(value=value, color=colour) for value, colour in steps]
    return (
        ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=base), *above])
    )


def words(values: Words) -> ValueMap:
    """Show values as words of a colour."""
    return ValueMap(
        {
            str(value): ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(values.items())
        }
    )


def fixed(colour: str) -> DynamicConfigValue:
    """The property that gives a field its colour."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


def graph(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    width: int = 8,
    limit: float | None = None,
    signed: bool = False,
) -> timeseries.Panel:
    """Lines over time, from 0 unless signed; a limit is drawn across."""
    mode = common.GraphThresholdsStyleMode
    panel = (
        timeseries.Panel()
        .thresholds(thresholds(*() if limit is None else [(limit, "red")], base="transparent"))
        .thresholds_style(
            build.GraphThresholdsStyleConfig().mode(mode.OFF if limit is None else mode.DASHED)
        )
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
        .line_width(2)
        .fill_opacity(0)
        .span_nulls(span_nulls=False)
        .show_points(common.VisibilityMode.AUTO)
        .legend(_legend(common.LegendPlacement.BOTTOM))
        .tooltip(
            build.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .targets(list(targets(queries)))
    )
    if not signed:
        panel.min(0)
    if limit is not None:
        panel.axis_soft_max(limit * 1.1)
    for query in queries:
        if query.legend in COLOURS:
            panel.override_by_name(query.legend, line(query.legend))
    return placed(panel, title, description, unit, width, 8)


def beside(panel: timeseries.Panel) -> timeseries.Panel:
    """With the names at the right, where there may be many."""
    return panel.legend(_legend(common.LegendPlacement.RIGHT))


def _legend(placement: common.LegendPlacement) -> build.VizLegendOptions:
    return (
        build.VizLegendOptions()
        .show_legend(show_legend=True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(placement)
        .calcs([])
    )


def line(name: str) -> list[DynamicConfigValue]:
    """How the line of a name looks."""
    properties = [fixed(COLOURS[name])]
    if name in BOUNDS:
        dashes = {"fill": "dash", "dash": [8, 6]}
        properties.append(DynamicConfigValue("custom.lineStyle", dashes))
        properties.append(DynamicConfigValue("custom.lineWidth", 1))
    return properties


def stat(
    title: str,
    description: str,
    unit: str,
    queries: Sequence[Query],
    *,
    width: int,
    steps: Mapping[str, ThresholdsConfig] | None = None,
) -> stats.Panel:
    """Numbers as they are now, each in its colour or, by name, in that of the value."""
    mode = common.BigValueTextMode
    panel = (
        stats.Panel()
        .thresholds(thresholds())
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(mode.VALUE if len(queries) == 1 else mode.VALUE_AND_NAME)
        .orientation(common.VizOrientation.VERTICAL)
        .reduce_options(build.ReduceDataOptions().values(values=False).calcs(["lastNotNull"]))
        .no_value(UNKNOWN)
        .targets(list(targets(queries, now=True)))
    )
    for query in queries:
        properties = []
        if steps and query.legend in steps:
            properties.append(DynamicConfigValue("thresholds", steps[query.legend].build()))
        elif query.legend in COLOURS and query.legend not in BOUNDS:
            properties.append(fixed(COLOURS[query.legend]))
        if query.legend.startswith("required"):
            properties.append(DynamicConfigValue("decimals", 1))
        if properties:
            panel.override_by_name(query.legend, properties)
    return placed(panel, title, description, unit, width, 4)


def placed(panel: P, title: str, description: str, unit: str, width: int, height: int) -> P:
    """What every panel has."""
    return (
        panel.title(title)
        .description(description)
        .unit(unit)
        .datasource(DATASOURCE)
        .interval(f"{SCRAPE_SECONDS:g}s")
        .span(width)
        .height(height)
    )

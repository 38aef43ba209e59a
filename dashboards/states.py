"""Panels of what is so or not over time."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import common as build
from grafana_foundation_sdk.builders import statetimeline
from grafana_foundation_sdk.builders.dashboard import FieldColor
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId

from dashboards.panels import YES, Words, placed, targets, thresholds, words
from dashboards.query import Query


def states(
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    width: int = 8,
    height: int = 8,
    others: Mapping[str, Words] | None = None,
) -> statetimeline.Panel:
    """Bars that are green where the value is 1 and ought to be.

    `others` tells what else 1 and 0 mean, by the end of a bar's name.
    """
    panel = (
        statetimeline.Panel()
        .mappings([words(YES)])
        .thresholds(thresholds())
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .merge_values(merge_values=True)
        .show_value(common.VisibilityMode.NEVER)
        .row_height(0.8)
        .fill_opacity(75)
        .line_width(0)
        .legend(
            build.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .targets(list(targets(queries)))
    )
    for name, meaning in (others or {}).items():
        mappings = [words(meaning)]
        panel.override_by_regexp(f"/{name}$/", [DynamicConfigValue("mappings", mappings)])
    return placed(panel, title, description, "none", width, height)

"""Panels of facts: a row for each thing, a column for each fact."""

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import table as build
from grafana_foundation_sdk.models.common import TableCellDisplayMode
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.panels import UNKNOWN, Words, placed, targets, words
from dashboards.query import Query

Column = Sequence[DynamicConfigValue]
"""What is special about a column."""


def of_unit(unit: str) -> Column:
    """A column of numbers."""
    return [DynamicConfigValue("unit", unit)]


def of_words(meaning: Words) -> Column:
    """A column of yes and no, on their colours."""
    cell = {"type": TableCellDisplayMode.COLOR_BACKGROUND}
    return [
        DynamicConfigValue("mappings", [words(meaning)]),
        DynamicConfigValue("custom.cellOptions", cell),
    ]


def of_links(title: str, url: str) -> Column:
    """A column whose cells lead elsewhere."""
    return [DynamicConfigValue("links", [{"title": title, "url": url, "targetBlank": True}])]


def table(
    title: str,
    description: str,
    labels: Sequence[str],
    queries: Sequence[Query],
    *,
    width: int,
    height: int = 8,
    columns: Mapping[str, Column] | None = None,
) -> build.Panel:
    """Rows of the labels that all queries have, and of the queries' values by their legends.

    A query without a legend is there for its labels alone.
    """
    asked = [target.format(PromQueryFormat.TABLE) for target in targets(queries, now=True)]
    values = {
        "Value" if len(queries) == 1 else f"Value #{letter}": query.legend
        for letter, query in zip("ABCDEFGHIJKL", queries, strict=False)
    }
    hidden = ["Time", *(value for value, legend in values.items() if not legend)]
    renamed = {label: label.replace("_", " ") for label in labels}
    renamed |= {value: legend for value, legend in values.items() if legend}
    order = {name: index for index, name in enumerate(renamed)}
    organise = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": order,
        "renameByName": renamed,
    }
    panel = (
        build.Panel()
        .no_value(UNKNOWN)
        .targets(list(asked))
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options=organise))
    )
    for name, properties in (columns or {}).items():
        panel.override_by_name(name, list(properties))
    return placed(panel, title, description, "none", width, height)

"""Every query of the dashboards, answered by a real Prometheus that holds an hour of all series."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from pd_exporter import catalogue
from pd_exporter.catalogue import roles
from tests.dashboards import (
    FILES,
    OF_PROMETHEUS,
    RECORDED,
    Asked,
    asked,
    dashboard,
    metrics,
    panels,
)
from tests.dashboards_data import BEGIN, series
from tests.dashboards_scene import LENGTH, STEP
from tests.prometheus import Labels, Prometheus, prometheus

DOCUMENT = Path(__file__).parents[2] / "docs" / "dashboards.md"
MARKS = "<!-- written by the tests -->\n", "<!-- end -->\n"
HEAD = "| panel | query | series | from |\n|---|---|---|---|\n"

SECTIONS = {**catalogue.SECTIONS, "roles": roles.ALL}
ORIGINS = {desc.name: f"{name} collector" for name, all_ in SECTIONS.items() for desc in all_}
ORIGINS |= {desc.name: "exporter itself" for desc in catalogue.SECTIONS["self"]}
ORIGINS |= dict.fromkeys(RECORDED, "recording rules")
ORIGINS |= dict.fromkeys(OF_PROMETHEUS, "Prometheus")
ORIGINS |= {name: "process metrics" for name in OF_PROMETHEUS if name.startswith("process_")}

QUERIES = [each for file in FILES for each in asked(dashboard(file))]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with prometheus(tmp_path_factory.mktemp("dashboards"), series()) as running:
        yield running


def points(server: Prometheus, query: Asked) -> Mapping[Labels, float]:
    """How many values each series of the query has in the hour, at a step of 15 s."""
    ranged = f"count_over_time(({query.substituted()})[{LENGTH}s:{STEP}s])"
    return server.query(ranged, (BEGIN + LENGTH) * 1000)


def test_the_hour_has_all_that_the_exporter_tells_and_nothing_that_nobody_tells() -> None:
    found = {name for name, _ in series()}

    assert {desc.name for all_ in SECTIONS.values() for desc in all_} <= found
    assert found <= ORIGINS.keys()


@pytest.mark.parametrize(
    "query", QUERIES, ids=lambda query: f"{query.dashboard}-{query.panel}-{query.ref}"
)
def test_a_query_has_data(server: Prometheus, query: Asked) -> None:
    found = points(server, query)

    assert found
    if query.type == "table":
        return
    named = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    for of in found:
        assert named <= dict(of).keys()
    names = {tuple(dict(of)[label] for label in sorted(named)) for of in found}
    assert len(names) == len(found), "lines that are called the same"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_table_has_the_columns_that_it_orders(server: Prometheus, file: Path) -> None:
    content = dashboard(file)
    for panel in panels(content):
        if panel["type"] != "table":
            continue
        queries = [each for each in asked(content) if each.panel == panel["title"]]
        found = {label for each in queries for of in points(server, each) for label, _ in of}
        (_, organise) = panel["transformations"]
        ordered = organise["options"]["indexByName"]
        shown = {name for name in ordered if not name.startswith("Value")}

        assert found == shown, panel["title"]


def test_the_document_lists_every_query(server: Prometheus, request: pytest.FixtureRequest) -> None:
    begin, end = MARKS
    before, _, rest = DOCUMENT.read_text().partition(begin)
    table, _, after = rest.partition(end)
    found = "".join(section(server, file) for file in FILES)
    if request.config.getoption("--update-golden"):
        DOCUMENT.write_text(before + begin + found + end + after)
        table = found

    assert table == found


def section(server: Prometheus, file: Path) -> str:
    content = dashboard(file)
    rows = "".join(row(each, len(points(server, each))) for each in asked(content))
    return f"\n### {content['title']}\n\n{HEAD}{rows}"


def row(query: Asked, count: int) -> str:
    origins = ", ".join(sorted({ORIGINS[name] for name in metrics(query.expression)}))
    expression = query.expression.replace("|", r"\|")
    return f"| {query.panel} | `{expression}` | {count} | {origins} |\n"

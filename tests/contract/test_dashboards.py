"""What the dashboards keep among each other and with metrics, rules and Grafana."""

import itertools
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboards import build
from dashboards.words import TAG
from pd_exporter import catalogue
from pd_exporter.catalogue import roles
from pd_exporter.rules.alerts.alert import RUNBOOK_URL
from tests.dashboards import (
    FILES,
    FOLDER,
    OF_PROMETHEUS,
    RECORDED,
    asked,
    dashboard,
    metrics,
    panels,
    variables,
)
from tests.servers import run

ROOT = Path(__file__).parents[2]
EVERY = [desc for section in catalogue.SECTIONS.values() for desc in section]
EXPOSED = {desc.name for desc in [*EVERY, *roles.ALL]}
COUNTERS = re.compile(r"\w+_total\b")
ON_TIME_RANGE_CHANGED = 2
UIDS = {"pd-service", "pd-queues", "pd-gpus", "pd-exporter"}

each_dashboard = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def test_generated_dashboards_are_up_to_date() -> None:
    check = run(sys.executable, "-m", "dashboards.build", "--check", folder=ROOT)

    assert (check.returncode, check.stderr) == (0, "")


def test_building_twice_gives_the_same() -> None:
    assert build.files() == build.files()


def test_dashboards_keep_their_uids() -> None:
    found = {file.stem: dashboard(file)["uid"] for file in FILES}

    assert set(found) == UIDS
    assert all(name == uid for name, uid in found.items())


@each_dashboard
def test_queries_name_only_what_exists(file: Path) -> None:
    content = dashboard(file)
    queries = [each.expression for each in asked(content)]
    queries += [
        str(each["query"]).removeprefix("label_values(").rpartition(",")[0]
        for each in variables(content).values()
        if each["type"] == "query"
    ]

    named = set().union(*map(metrics, queries))

    assert named
    assert named - EXPOSED - RECORDED - OF_PROMETHEUS == set()


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ('max by (namespace, pod) (pd_pod_ready{group="up"})', {"pd_pod_ready"}),
        ('{__name__=~"a|b", c="d"}', {"a", "b"}),
        ("rate(x_total[5m]) / on (a) group_left (b) (y > bool 3 or z)", {"x_total", "y", "z"}),
        ("role:pd_a:sum{} + 0 * time() - 1e3", {"role:pd_a:sum"}),
    ],
)
def test_names_are_found_in_queries(expression: str, names: set[str]) -> None:
    assert metrics(expression) == names


@each_dashboard
def test_a_counter_is_asked_for_its_change_only(file: Path) -> None:
    for each in asked(dashboard(file)):
        ranged = re.findall(
            r"(?:rate|increase)\((\w+_total)(?:\{[^}]*\})?\[\$__rate_interval\]\)", each.expression
        )
        assert COUNTERS.findall(each.expression) == ranged


@each_dashboard
def test_nothing_is_filled_in(file: Path) -> None:
    for each in asked(dashboard(file)):
        assert "vector(" not in each.expression
        assert "absent" not in each.expression


@each_dashboard
def test_replicas_of_the_exporter_are_seen_once(file: Path) -> None:
    for each in asked(dashboard(file)):
        if metrics(each.expression) & EXPOSED:
            assert re.search(r"(?:max|sum) by \(", each.expression), each


@each_dashboard
def test_a_panel_says_what_it_shows(file: Path) -> None:
    shown = list(panels(dashboard(file)))

    assert len({panel["title"] for panel in shown}) == len(shown)
    for panel in shown:
        assert re.fullmatch(r"[A-Z][^\n]{30,}\.", panel["description"]), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["targets"]


@each_dashboard
def test_a_line_has_a_name_and_its_gaps(file: Path) -> None:
    for panel in panels(dashboard(file)):
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        assert "stacking" not in custom
        if panel["type"] == "timeseries":
            assert custom["spanNulls"] is False
            assert custom["showPoints"] == "auto"  # or a value between two gaps would not show
        if panel["type"] != "table":
            legends = [target["legendFormat"] for target in panel["targets"]]
            assert all(legends)
            assert len(set(legends)) == len(legends), panel["title"]


@each_dashboard
def test_what_has_no_value_now_is_no_number(file: Path) -> None:
    for panel in panels(dashboard(file)):
        if panel["type"] in {"stat", "table"}:
            assert panel["fieldConfig"]["defaults"]["noValue"] in {"unknown", "none"}
            assert all(target["instant"] for target in panel["targets"])
            assert not any(target.get("range") for target in panel["targets"])


def test_a_name_has_one_colour() -> None:
    colours: dict[str, set[str]] = {}
    for file in FILES:
        for panel in panels(dashboard(file)):
            for override in panel["fieldConfig"]["overrides"]:
                for each in override["properties"]:
                    if each["id"] == "color":
                        name = override["matcher"]["options"]
                        colours.setdefault(name, set()).add(each["value"]["fixedColor"])

    assert {"required", "ready", "desired"} <= colours.keys()
    assert {name for name, found in colours.items() if len(found) > 1} == set()
    three = [colours[name].copy().pop() for name in ("required", "ready", "desired")]
    assert len(set(three)) == 3


@each_dashboard
def test_panels_have_their_own_ids_and_places(file: Path) -> None:
    content = dashboard(file)["panels"]
    cells = [cell for panel in content for cell in cells_of(panel["gridPos"])]
    width_of_lines = {y: sum(1 for _, row in cells if row == y) for _, y in cells}

    assert len({panel["id"] for panel in content}) == len(content)
    assert len(set(cells)) == len(cells)
    assert set(width_of_lines.values()) == {24}


def cells_of(place: dict[str, int]) -> list[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return list(itertools.product(columns, range(place["y"], place["y"] + place["h"])))


@each_dashboard
def test_variables_are_there_and_used(file: Path) -> None:
    content = dashboard(file)
    chosen = dict(variables(content))
    used = {
        name for each in asked(content) for name in re.findall(r"\$([a-z_]\w*)", each.expression)
    }
    source = chosen.pop("datasource")

    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert {"namespace", "group"} <= chosen.keys()
    assert used - {"__rate_interval"} == chosen.keys()
    assert all(each["refresh"] == ON_TIME_RANGE_CHANGED for each in chosen.values())


@each_dashboard
def test_no_data_source_is_hard_coded(file: Path) -> None:
    content = dashboard(file)

    references = list(data_sources(content))

    assert references
    assert all(each == {"type": "prometheus", "uid": "${datasource}"} for each in references)


def data_sources(node: Any) -> list[Any]:
    if isinstance(node, dict):
        here = [node["datasource"]] if "datasource" in node else []
        return here + [each for value in node.values() for each in data_sources(value)]
    if isinstance(node, list):
        return [each for value in node for each in data_sources(value)]
    return []


@each_dashboard
def test_dashboards_link_to_each_other_and_to_the_runbook(file: Path) -> None:
    content = dashboard(file)
    others, runbook = content["links"]

    assert content["tags"] == [TAG] == others["tags"]
    assert others["type"] == "dashboards"
    assert others["includeVars"]
    assert others["keepTime"]
    assert runbook["url"] == RUNBOOK_URL


def test_all_jobs_are_all_of_the_exporter() -> None:
    """`up` and `scrape_*` are of every target: any job would be Prometheus's whole world."""
    job = variables(dashboard(FOLDER / "pd-exporter.json"))["job"]

    assert job["includeAll"]
    assert "allValue" not in job
    assert job["query"] == "label_values(pd_exporter_build_info, job)"

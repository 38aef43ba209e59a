"""Rules, what they name, and the forms that they are given in."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter import catalogue
from pd_exporter.policy import (
    FAST_WINDOW_SECONDS,
    FRESH_SECONDS,
    RULE_SECONDS,
    SCRAPE_SECONDS,
    SLOW_WINDOW_SECONDS,
)
from pd_exporter.rules import forms
from pd_exporter.rules.command import FORMS
from pd_exporter.rules.foreign import FOREIGN
from pd_exporter.rules.groups import GROUPS
from pd_exporter.rules.layout import WIDTH, lay_out
from pd_exporter.rules.triggers import SIGNALS
from tests.servers import program, run

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "rules"
CASES = sorted((FOLDER / "tests").glob("*.test.yaml"))
EXPOSED = {desc.name for section in catalogue.SECTIONS.values() for desc in section}
RULES = [rule for group in GROUPS for rule in group.rules]
EXPRESSIONS = {f"{rule.record} {rule.source}": rule.expression for rule in RULES}
NAME = re.compile(
    r"(?<![\w:\"])[a-z][a-z0-9_]*:[a-z0-9_:]+|(?<![\w:\"])(?:pd|dynamo|trtllm|sglang|vllm)_\w+"
)


def groups(form: str) -> list[dict[str, Any]]:
    loaded = yaml.safe_load(FORMS[form]())
    found: list[dict[str, Any]] = loaded.get("spec", loaded)["groups"]
    return found


def expressions(form: str) -> Iterator[str]:
    for group in groups(form):
        for rule in group["rules"]:
            yield rule["expr"]


def named_in(expression: str) -> set[str]:
    return set(NAME.findall(re.sub(r"\{[^}]*\}", "", expression)))


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_rule_names_only_what_exists(expression: str) -> None:
    known = EXPOSED | {name for metric in FOREIGN for name in metric.names} | set(forms.names())

    named = named_in(expression)

    assert named
    assert named <= known


def test_no_foreign_metric_is_declared_for_nothing() -> None:
    text = "\n".join([*EXPRESSIONS.values(), *expressions("alerts")])

    assert {each.name for each in FOREIGN if not re.search(rf"\b{each.name}\b", text)} == set()


def test_a_rule_reads_what_was_recorded_before_it() -> None:
    for group in GROUPS:
        later = [f"{rule.record} {rule.source}" for rule in group.rules]
        for rule in group.rules:
            own = f"{rule.record} {rule.source}"
            instants = re.findall(
                r'(\w+:\w+:\w+)(?:\{source="(\w+)"\})? and time\(\)', rule.expression
            )
            read = {" ".join(each) for each in instants}
            assert not read & set(later[later.index(own) :]), own


def test_a_series_is_recorded_once() -> None:
    assert len({(rule.record, rule.source) for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.record} {rule.source}")
def test_a_rule_says_what_it_is(rule: Any) -> None:
    assert rule.comment.endswith(".")
    assert re.fullmatch(r"(role|role_instance|group):pd_[a-z_]+:[a-z0-9]+", rule.record)


def test_rules_are_evaluated_as_often_as_the_parameters_say() -> None:
    assert {group["interval"] for group in groups("recording")} == {f"{RULE_SECONDS:g}s"}


def test_samples_age_alike() -> None:
    text = "\n".join(expressions("recording"))
    ages = {float(age) for age in re.findall(r"timestamp\([^)]*\)\s*< (\d+)", text)}

    assert ages == {FRESH_SECONDS, RULE_SECONDS}
    assert FRESH_SECONDS == 3 * SCRAPE_SECONDS


@pytest.mark.parametrize(
    ("suffix", "seconds"), [("rate1m", FAST_WINDOW_SECONDS), ("rate5m", SLOW_WINDOW_SECONDS)]
)
def test_windows_are_those_of_the_names(suffix: str, seconds: float) -> None:
    windows = {
        window
        for rule in RULES
        if rule.record.endswith(suffix)
        for window in re.findall(r"(?:rate|resets)\([^)]*\[(\w+)\]", rule.expression)
    }

    assert windows == {f"{seconds / 60:g}m"}


@pytest.mark.parametrize("form", ["recording", "alerts", "alibaba-v2"])
def test_promtool_accepts_the_rules(form: str, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(FORMS[form]())

    lint = ("--lint=all", "--lint-fatal", "rules.yaml")
    check = run(program("promtool"), "check", "rules", *lint, folder=tmp_path)

    assert check.returncode == 0, check.stdout + check.stderr


def test_a_prometheusrule_holds_the_same_rules() -> None:
    assert groups("prometheusrule") == groups("recording") + groups("alerts")


def test_where_recorded_series_come_late_they_count_for_longer() -> None:
    early, late = ("\n".join(expressions(form)) for form in ("recording", "alibaba-v2"))
    age = re.compile(r"(timestamp\(\s*(?:role|role_instance):[^)]*\)\s*<) \d+")

    assert age.sub(r"\1 240", early) == late
    assert "< 240" in late
    assert {group["interval"] for group in groups("alibaba-v2")} == {"60s"}


def test_a_signal_is_a_recorded_series() -> None:
    recorded = {(rule.record, rule.source) for rule in RULES}

    assert {(signal.series, signal.source) for signal in SIGNALS} <= recorded


def without_idle_groups(case: str) -> str:
    """The recording rules without groups that would find nothing they read in a test's series."""
    kept = groups("recording")
    for group in kept.copy():
        expressions = "\n".join(rule["expr"] for rule in group["rules"])
        read = {name for name in named_in(expressions) if name not in forms.names()}
        if not any(re.search(rf"\b{name}\b", case) for name in read):
            kept.remove(group)
    return yaml.safe_dump({"groups": kept})


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.name)
def test_the_rules_do_what_their_tests_say(file: Path, tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    case = file.read_text()
    (tmp_path / "tests" / file.name).write_text(case)
    (tmp_path / "recording.yaml").write_text(without_idle_groups(case))
    (tmp_path / "alerts.yaml").write_text(FORMS["alerts"]())

    check = run(program("promtool"), "test", "rules", file.name, folder=tmp_path / "tests")

    assert check.returncode == 0, check.stdout + check.stderr


def test_every_recorded_series_has_a_test() -> None:
    tests = "\n".join(file.read_text() for file in CASES)

    assert {series for series in forms.names() if series not in tests} == set()


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_a_layout_changes_nothing_but_white_space(expression: str) -> None:
    lines = lay_out(expression, 10).splitlines()

    assert "".join("".join(lines).split()) == "".join(expression.split())
    # What opens a bracket stays on one line with the labels of its operators.
    assert all(len(line) <= WIDTH or line.endswith(") (") for line in lines)

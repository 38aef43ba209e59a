"""Alerts: each can be understood at night, is tested both ways, and names only what exists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter import catalogue
from pd_exporter.rules import alertforms, forms
from pd_exporter.rules.alerts.alert import RUNBOOK_URL, AlertRule
from pd_exporter.rules.alerts.groups import ALERTS
from pd_exporter.rules.alerts.signals import COVERAGES
from pd_exporter.rules.foreign import FOREIGN

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
KNOWN = {
    *(desc.name for section in catalogue.SECTIONS.values() for desc in section),
    *(metric.name for metric in FOREIGN),
    *forms.names(),
}
NAME = re.compile(r"\b(?:(?:role|role_instance|group):pd_\w+:\w+|pd_\w+|up)\b(?![-\w:])")
LABEL = re.compile(r"\$labels\.(\w+)")
each_alert = pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule.alert)


def sections() -> dict[str, str]:
    """The runbook's text under each heading."""
    parts = re.split(r"^## (.+)$", RUNBOOK, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def expectations() -> list[dict[str, Any]]:
    """What the rules' tests expect of alerts."""
    return [
        check
        for file in sorted((ROOT / "rules" / "tests").glob("alerts_*.test.yaml"))
        for case in yaml.safe_load(file.read_text())["tests"]
        for check in case.get("alert_rule_test", ())
    ]


EXPECTED = expectations()


def expected(rule: AlertRule) -> list[list[dict[str, Any]]]:
    """What is expected of one alert: for each moment that is looked at, what fires."""
    return [check["exp_alerts"] for check in EXPECTED if check["alertname"] == rule.alert]


def test_the_runbook_has_a_heading_for_each_alert_and_no_other() -> None:
    assert list(sections()) == [rule.alert for rule in ALERTS]


@each_alert
def test_the_runbook_says_what_it_means_what_it_costs_and_what_cures_it(rule: AlertRule) -> None:
    section = sections()[rule.alert]

    assert re.findall(r"^\*\*(\w+)\.\*\*", section, re.MULTILINE) == [
        "Meaning",
        "Impact",
        "Diagnosis",
        "Cure",
    ]
    assert "\n```\n" in section
    assert rule.runbook_url == f"{RUNBOOK_URL}#{rule.alert.lower()}"


def test_the_runbook_names_only_series_that_exist() -> None:
    queries = re.findall(r"```promql\n(.*?)```", RUNBOOK, re.DOTALL)
    words = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", RUNBOOK, flags=re.DOTALL))
    code = re.sub(r'=~"[^"]*"', "", "\n".join([*queries, *words]))

    assert {name for name in NAME.findall(code) if "pd_" in name} <= KNOWN


@each_alert
def test_an_alert_names_only_what_exists(rule: AlertRule) -> None:
    named = set(NAME.findall(rule.expression))

    assert named
    assert named <= KNOWN


@each_alert
def test_an_alert_fires_in_one_case_and_not_in_another(rule: AlertRule) -> None:
    assert {bool(alerts) for alerts in expected(rule)} == {True, False}


@each_alert
def test_an_alert_s_words_use_only_labels_that_it_has(rule: AlertRule) -> None:
    fired = [alert["exp_labels"] for alerts in expected(rule) for alert in alerts]

    used = LABEL.findall(rule.summary + rule.description)
    assert set(used) <= {label for labels in fired for label in labels}
    for labels in fired:
        always = {label for label in used if f"with $labels.{label}" not in rule.summary}
        assert always <= set(labels)


def test_no_case_is_of_an_alert_that_does_not_exist() -> None:
    assert {check["alertname"] for check in EXPECTED} == {rule.alert for rule in ALERTS}


def test_an_alert_is_written_once() -> None:
    assert len({rule.alert for rule in ALERTS}) == len(ALERTS)


def test_the_form_says_what_the_alerts_say() -> None:
    groups = yaml.safe_load(alertforms.alert_rules())["groups"]
    found = {rule["alert"]: rule for group in groups for rule in group["rules"]}

    assert list(found) == [rule.alert for rule in ALERTS]
    for rule in ALERTS:
        text = found[rule.alert]
        assert "".join(text["expr"].split()) == "".join(rule.expression.split())
        assert text["labels"] == {"severity": rule.severity}
        assert text["annotations"] == {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": rule.runbook_url,
        }
        assert text.get("for", "") == rule.for_


def test_every_recorded_coverage_has_its_alert() -> None:
    assert set(COVERAGES.values()) == {name for name in forms.names() if "coverage" in name}

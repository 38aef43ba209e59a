"""The shipped rules and the shipped parameters say the same."""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter.policy import (
    FAST_WINDOW_SECONDS,
    FRESH_SECONDS,
    REQUIRED_WORKERS,
    RULE_SECONDS,
    SCALE_DOWN_WINDOW_SECONDS,
    SCRAPE_SECONDS,
    SLOW_WINDOW_SECONDS,
    RequiredWorkers,
)

ROOT = Path(__file__).parents[2]
RULES = ROOT / "rules" / "recording.yaml"
TUNING = ROOT / "docs" / "tuning.md"


def groups() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"]
    return found


def rules() -> Iterator[dict[str, Any]]:
    for group in groups():
        yield from group["rules"]


def test_rules_are_evaluated_as_often_as_the_parameters_say() -> None:
    assert {group["interval"] for group in groups()} == {f"{RULE_SECONDS:g}s"}


def test_samples_age_alike() -> None:
    ages = {
        float(age)
        for rule in rules()
        for age in re.findall(r"time\(\) - timestamp\([^)]*\) < (\d+)", rule["expr"])
    }

    assert ages == {FRESH_SECONDS}
    assert FRESH_SECONDS == 3 * SCRAPE_SECONDS


@pytest.mark.parametrize(
    ("suffix", "seconds"), [("rate1m", FAST_WINDOW_SECONDS), ("rate5m", SLOW_WINDOW_SECONDS)]
)
def test_windows_are_those_of_the_names(suffix: str, seconds: float) -> None:
    windows = {
        window
        for rule in rules()
        if rule["record"].endswith(suffix)
        for window in re.findall(r"\[(\w+)\]", rule["expr"])
    }

    assert windows == {f"{seconds / 60:g}m"}


def test_the_figures_were_drawn_with_the_shipped_parameters() -> None:
    drawn = json.loads((ROOT / "docs" / "tuning" / "figures.json").read_text())["policy"]

    assert drawn == asdict(REQUIRED_WORKERS) | {
        "scale_down_window_seconds": SCALE_DOWN_WINDOW_SECONDS
    }


def test_the_page_on_tuning_shows_every_figure_and_no_other() -> None:
    shown = set(re.findall(r"\(tuning/([a-z-]+\.svg)\)", TUNING.read_text()))

    assert shown == {figure.name for figure in (ROOT / "docs" / "tuning").glob("*.svg")}


def test_the_page_on_tuning_names_the_shipped_values() -> None:
    page = TUNING.read_text()

    for name, value in asdict(REQUIRED_WORKERS).items():
        assert f"| `{name}` | {value:g} |" in page
    assert f"| scale-in window | {SCALE_DOWN_WINDOW_SECONDS} |" in page


@pytest.mark.parametrize(
    "wrong",
    [
        {"headroom": -0.1},
        {"confidence": -1},
        {"drain_seconds": 0},
        {"headroom": float("nan")},
        {"service_window_seconds": 0},
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must"):
        RequiredWorkers(**wrong)

"""The shipped parameters, and the pages and figures that tell them."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from pd_exporter.policy import REQUIRED_WORKERS, SCALE_DOWN_WINDOW_SECONDS, RequiredWorkers

ROOT = Path(__file__).parents[2]
TUNING = ROOT / "docs" / "tuning.md"


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

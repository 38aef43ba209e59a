from dataclasses import replace
from typing import Any

import pytest

from pd_exporter.autoscaler.behavior import (
    Behavior,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from pd_exporter.autoscaler.fallback import Fallback, FallbackBehavior
from pd_exporter.autoscaler.setting import (
    Setting,
    SignalPath,
    by_required_workers,
    named,
    scale_down_after,
)
from pd_exporter.autoscaler.triggers import Lag, Required
from pd_exporter.policy import REQUIRED_WORKERS, SCALE_DOWN_WINDOW_SECONDS, RequiredWorkers

PATH = SignalPath(scrape_seconds=5, rule_seconds=30)


@pytest.mark.parametrize(
    ("text", "threshold"),
    [
        ("tutorial", 5),
        ("keda-default", 10),
        ("lag:5", 5),
        ("lag:32", 32),
        ("lag:2.5", 2.5),
        ("lag:.5", 0.5),
        ("lag:0.001", 0.001),
    ],
)
def test_lag_settings_are_the_tutorials_with_another_threshold(text: str, threshold: float) -> None:
    name = "lag:0.5" if text == "lag:.5" else text

    assert named(text, 24, PATH) == Setting(
        name,
        (Lag(threshold),),
        behavior=None,
        min_replicas=1,
        max_replicas=24,
        fixed_replicas=None,
        fallback=None,
        path=PATH,
    )


def test_recommended_is_what_is_shipped() -> None:
    setting = named("recommended", 24, PATH)

    assert setting == Setting(
        "recommended",
        (Required(REQUIRED_WORKERS),),
        scale_down_after(SCALE_DOWN_WINDOW_SECONDS),
        min_replicas=1,
        max_replicas=24,
        fallback=Fallback(8, 1, FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER),
        path=PATH,
    )
    parameters = RequiredWorkers(headroom=3)
    other = by_required_workers("mine", Required(parameters), 60, 24, PATH)
    assert other.name == "mine"
    assert other.triggers == (Required(parameters),)
    assert other.behavior == scale_down_after(60)
    assert other.fallback == setting.fallback


@pytest.mark.parametrize("replicas", [1, 8, 40])
def test_static_is_of_its_size_whatever_the_bounds(replicas: int) -> None:
    setting = named(f"static:{replicas}", 24, PATH)

    assert setting.name == f"static:{replicas}"
    assert setting.fixed_replicas == setting.max_replicas == replicas
    assert setting.triggers == ()
    assert setting.behavior is None
    assert setting.fallback is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Tutorial",
        "tutorial:5",
        "recommended:1",
        "lag",
        "lag:",
        "lag:0",
        "lag:0.0004",  # 0 in thousandths, which KEDA rounds to
        "lag:-1",
        "lag:five",
        "lag:5 ",
        "lag:1e3",
        "lag:nan",
        "lag:inf",
        "lag:" + "9" * 400,
        "static",
        "static:",
        "static:0",
        "static:01",
        "static:2.5",
        "static:-4",
        "fixed:4",
    ],
)
def test_a_name_that_is_none_is_told_what_would_be_one(text: str) -> None:
    with pytest.raises(ValueError, match="no setting is called") as error:
        named(text, 24, PATH)

    told = str(error.value)
    assert repr(text) in told
    for form in ("tutorial", "keda-default", "recommended", "lag:N", "static:N"):
        assert form in told


def test_scale_down_after_is_kubernetes_own_behavior_written_out() -> None:
    doubling = ScalingPolicy(PolicyType.PERCENT, 100, 15)

    assert scale_down_after(120) == Behavior(
        scale_up=ScalingRules(
            0, SelectPolicy.MAX, (ScalingPolicy(PolicyType.PODS, 4, 15), doubling)
        ),
        scale_down=ScalingRules(120, SelectPolicy.MAX, (doubling,)),
    )


def test_a_path_is_called_by_its_intervals() -> None:
    assert PATH.label == "5/30"
    assert SignalPath(2.5, 15).label == "2.5/15"
    assert SignalPath().label == "15/15"


@pytest.mark.parametrize(
    "change",
    [
        {"scrape_seconds": 0},
        {"rule_seconds": -15},
        {"sync_seconds": 0},
        {"missed_scrapes": -0.1},
        {"missed_scrapes": 1.1},
    ],
)
def test_a_path_that_could_not_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)) + ".*must be"):
        replace(PATH, **change)

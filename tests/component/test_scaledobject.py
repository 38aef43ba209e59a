"""The ScaledObject that the tuner gives, its query asked of the shipped rules by promtool."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter.autoscaler import laws
from pd_exporter.autoscaler.setting import SignalPath, named, recommended, static
from pd_exporter.autoscaler.triggers import Required
from pd_exporter.autoscaler.tune.scaledobject import Service, scaled_object
from pd_exporter.policy import REQUIRED_WORKERS, RequiredWorkers
from tests.promtool import ask

SERVICE = Service("llm", "dynamo-pd", "prefill", "http://prometheus:9090", 4)


def manifest(name: str) -> dict[str, Any]:
    text = scaled_object(named(name, 6, SignalPath(), 0.5), SERVICE)
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def trigger(name: str) -> dict[str, Any]:
    (only,) = manifest(name)["spec"]["triggers"]
    metadata: dict[str, Any] = only["metadata"]
    return metadata


STEADY = {
    "pd_queue_up": "1x80",
    "pd_queue_pending_messages": "12x80",
    "pd_queue_ack_pending_messages": "3x80",
    "pd_queue_enqueued_messages_total": "1000+90x80",
    "pd_queue_delivered_messages_total": "1000+90x80",
}
"""6 requests a second."""


def test_the_recommended_query_gives_the_law_s_workers(tmp_path: Path) -> None:
    expected = laws.required_workers(6, 0.5, 12, 4, REQUIRED_WORKERS)

    ask(trigger("recommended")["query"], STEADY, "10m", round(expected, 6), tmp_path)


def test_a_rise_beyond_chance_counts_at_once(tmp_path: Path) -> None:
    step = STEADY | {"pd_queue_enqueued_messages_total": "1000+90x40 4900+300x8"}
    fast = laws.beyond_chance(20.0, REQUIRED_WORKERS.confidence)
    expected = laws.required_workers(fast, 0.5, 12, 4, REQUIRED_WORKERS)

    ask(trigger("recommended")["query"], step, "11m30s", round(expected, 6), tmp_path)


def test_lag_is_asked_as_it_is_recorded(tmp_path: Path) -> None:
    ask(trigger("tutorial")["query"], STEADY, "10m", 15, tmp_path)


@pytest.mark.parametrize("name", ["tutorial", "recommended"])
def test_a_query_is_empty_once_nothing_is_recorded(name: str, tmp_path: Path) -> None:
    lost = {series: f"{values.removesuffix('x80')}x40 stale" for series, values in STEADY.items()}

    ask(trigger(name)["query"], lost, "12m", None, tmp_path)


def test_the_tutorial_s_has_its_numbers_and_no_more() -> None:
    spec = manifest("tutorial")["spec"]

    assert spec.keys() == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "triggers"}
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 6)
    assert trigger("tutorial")["threshold"] == "5"


def test_the_recommended_is_complete() -> None:
    whole = manifest("recommended")
    spec = whole["spec"]

    assert whole["metadata"] == {"name": "dynamo-pd-prefill", "namespace": "llm"}
    assert spec["scaleTargetRef"]["name"] == "dynamo-pd-prefill"
    assert spec["fallback"] == {
        "failureThreshold": 8,
        "replicas": 1,
        "behavior": "currentReplicasIfHigher",
    }
    behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert behavior["scaleDown"] == {
        "stabilizationWindowSeconds": 600,
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert len(behavior["scaleUp"]["policies"]) == 2
    assert trigger("recommended")["threshold"] == "1"
    assert trigger("recommended")["ignoreNullValues"] == "false"


def test_comments_say_what_a_reader_must_know() -> None:
    text = scaled_object(named("recommended", 6, SignalPath(), 0.5), SERVICE)

    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert all(len(line) < 96 for line in comments)
    said = " ".join(line.removeprefix("# ") for line in comments)
    assert "needs KEDA 2.17" in said
    assert "the mean service time, 0.5 s, in three places" in said


def test_a_fixed_size_needs_no_scaledobject() -> None:
    with pytest.raises(ValueError, match=r"set spec\.replicas of the role"):
        scaled_object(static(3), SERVICE)


def test_a_name_that_keda_would_refuse_is_told() -> None:
    with pytest.raises(ValueError, match="characters"):
        Service("llm", "g" * 50, "prefill", "http://prometheus:9090", 1)


MEASURED = STEADY | {
    "pd_queue_service_prior_seconds": "0.5x80",
    "pd_queue_worker_concurrency": "4x80",
}


def measured(parameters: RequiredWorkers) -> str:
    """The query of a setting whose service time is what the rules record."""
    shipped = recommended(6, SignalPath())
    text = scaled_object(replace(shipped, triggers=(Required(parameters),)), SERVICE)
    query: str = yaml.safe_load(text)["spec"]["triggers"][0]["metadata"]["query"]
    assert "mean service time" not in text
    return query


@pytest.mark.parametrize("parameters", [REQUIRED_WORKERS, RequiredWorkers(headroom=1.2)])
def test_without_a_constant_the_recorded_service_time_counts(
    parameters: RequiredWorkers, tmp_path: Path
) -> None:
    expected = laws.required_workers(6, 0.5, 12, 4, parameters)

    ask(measured(parameters), MEASURED, "10m", round(expected, 6), tmp_path)


def test_with_the_shipped_parameters_the_recorded_workers_are_the_query() -> None:
    assert measured(REQUIRED_WORKERS).startswith("role:pd_required_workers:sum{")
    assert "sqrt" in measured(RequiredWorkers(headroom=1.2))


def test_a_threshold_keeps_its_thousandths() -> None:
    assert trigger("lag:2.555")["threshold"] == "2.555"


def test_a_query_asks_for_the_jetstream_source_and_fresh_series() -> None:
    query = trigger("recommended")["query"]

    selectors = re.findall(r"\{([^}]*)\}", query)
    assert selectors
    assert set(selectors) == {'namespace="llm",group="dynamo-pd",role="prefill",source="jetstream"'}
    assert query.rstrip().endswith("< 45")

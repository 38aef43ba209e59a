"""What the manifests say is what the code says, and each value has one place."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pd_exporter import policy
from pd_exporter.config import load
from pd_exporter.rules.foreign import FOREIGN
from pd_exporter.rules.triggers import SIGNALS, Signal
from tests.manifests import (
    BASE,
    COMPONENTS,
    DEPLOY,
    OVERLAYS,
    copied,
    of_kind,
    render,
    render_with,
    take_in_all,
)

SERVICE = {"SERVICE_NAMESPACE": "team-z", "SERVICE_GROUP": "other-group"}
SCALING = {
    "PROMETHEUS_URL": "http://metrics.team-z:19090/prometheus",
    "PREFILL_SCALEDOBJECT": "other-prefill-so",
    "PREFILL_ADAPTER": "other-group-prefill",
    "PREFILL_MIN_REPLICAS": "2",
    "PREFILL_MAX_REPLICAS": "17",
    "PREFILL_LAG_THRESHOLD": "3",
    "DECODE_SCALEDOBJECT": "other-decode-so",
    "DECODE_ADAPTER": "other-group-decode",
    "DECODE_MIN_REPLICAS": "3",
    "DECODE_MAX_REPLICAS": "19",
    "DECODE_KV_DEMAND_THRESHOLD": "0.55",
}
SIGNAL_LABEL = "pd-exporter/signal"
SERIES = {
    "lag": "role:pd_lag_messages:sum",
    "required-workers": "role:pd_required_workers:sum",
    "required-workers-scraped": "role:pd_required_workers:sum",
    "kv-cache-demand": "role:pd_kv_cache_demand:sum",
    "gpu-memory": "role:pd_gpu_memory_utilization:sum",
}
THRESHOLDS = {
    "lag": policy.TUTORIAL_LAG_THRESHOLD,
    "required-workers": 1,
    "required-workers-scraped": 1,
    "kv-cache-demand": policy.KV_DEMAND_THRESHOLD,
    "gpu-memory": policy.DECODE_MEMORY_THRESHOLD,
}


SCALING_FOLDERS = [
    *OVERLAYS,
    *(each for each in COMPONENTS if "prefill-" in each.name or "decode-" in each.name),
]
EVERYWHERE = pytest.mark.parametrize("folder", SCALING_FOLDERS, ids=lambda folder: folder.name)


def scaled_objects(folder: Path) -> list[dict[str, Any]]:
    """Those of an overlay, or of a component by itself."""
    objects = render(folder) if folder in OVERLAYS else render_with(folder)
    found = list(of_kind(objects, "ScaledObject"))
    assert found
    return found


def trigger(told: dict[str, Any]) -> dict[str, str]:
    (only,) = told["spec"]["triggers"]
    metadata: dict[str, str] = only["metadata"]
    return metadata


def forms(signal: Signal, of: str) -> Iterator[str]:
    yield signal.recorded(policy.FRESH_SECONDS, of)
    yield signal.recorded(240, of)
    if signal.scraped():
        yield signal.scraped(of)


def same(query: str) -> str:
    """A query without how it is laid out."""
    return re.sub(r"\s+", "", query)


@EVERYWHERE
def test_a_query_is_that_of_a_signal(folder: Path) -> None:
    for told in scaled_objects(folder):
        labels = told["metadata"]["labels"]
        query = trigger(told)["query"]
        group = re.search(r'group="([^"]+)"', query)
        assert group
        of = (
            f'namespace="{told["metadata"]["namespace"]}",group="{group[1]}"'
            f',role="{labels["pd-exporter/role"]}"'
        )
        shipped = {
            same(form)
            for signal in SIGNALS
            if signal.series == SERIES[labels[SIGNAL_LABEL]]
            for form in forms(signal, of)
        }

        assert same(query) in shipped
        assert {each.role for each in SIGNALS if each.series == SERIES[labels[SIGNAL_LABEL]]} == {
            labels["pd-exporter/role"]
        }


@EVERYWHERE
def test_a_threshold_is_the_policy_s(folder: Path) -> None:
    for told in scaled_objects(folder):
        assert (
            float(trigger(told)["threshold"])
            == THRESHOLDS[told["metadata"]["labels"][SIGNAL_LABEL]]
        )


@EVERYWHERE
def test_windows_and_fallback_are_the_policy_s(folder: Path) -> None:
    for told in scaled_objects(folder):
        spec = told["spec"]
        if "advanced" in spec:
            down = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"]
            assert down["stabilizationWindowSeconds"] == policy.SCALE_DOWN_WINDOW_SECONDS
        if "fallback" in spec:
            assert spec["fallback"]["failureThreshold"] == policy.FALLBACK_FAILURE_THRESHOLD


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_each_value_has_one_place(overlay: Path, tmp_path: Path) -> None:
    folder = copied(overlay, tmp_path)
    take_in_all(folder)
    old = changed(folder / "service.env", SERVICE) | changed(folder / "scaling.env", SCALING)
    objects = render(folder)
    exporter_s = [told for told in objects if told["metadata"].get("namespace") != "team-z"]
    service_s = [told for told in objects if told["metadata"].get("namespace") == "team-z"]

    assert {"ScaledObject", "RoleBinding"} <= {told["kind"] for told in service_s}
    assert {told["kind"] for told in exporter_s}.isdisjoint(
        {"ScaledObject", "TriggerAuthentication"}
    )
    text = "".join(str(told) for told in service_s)
    for told in of_kind(objects, "ScaledObject"):
        role = told["metadata"]["labels"]["pd-exporter/role"].upper()
        assert told["metadata"]["name"] == SCALING[f"{role}_SCALEDOBJECT"]
        assert told["spec"]["scaleTargetRef"]["name"] == SCALING[f"{role}_ADAPTER"]
        assert told["spec"]["minReplicaCount"] == int(SCALING[f"{role}_MIN_REPLICAS"])
        assert told["spec"]["maxReplicaCount"] == int(SCALING[f"{role}_MAX_REPLICAS"])
        assert trigger(told)["serverAddress"] == SCALING["PROMETHEUS_URL"]
        assert 'namespace="team-z",group="other-group"' in trigger(told)["query"]
    assert not [value for value in old if f'"{value}"' in text or f"'{value}'" in text]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
@pytest.mark.parametrize(
    ("component", "label"),
    [
        ("prefill-lag", "lag"),
        ("prefill-required", "required-workers"),
        ("prefill-required-scraped", "required-workers-scraped"),
    ],
)
def test_another_signal_of_prefill_is_one_line(
    overlay: Path, component: str, label: str, tmp_path: Path
) -> None:
    folder = copied(overlay, tmp_path)
    file = folder / "kustomization.yaml"
    file.write_text(re.sub(r"(?m)^(  - .*/)prefill-[a-z-]+$", rf"\1{component}", file.read_text()))
    objects = render(folder)
    (told,) = (
        each
        for each in of_kind(objects, "ScaledObject")
        if each["metadata"]["labels"]["pd-exporter/role"] == "prefill"
    )

    assert told["metadata"]["labels"][SIGNAL_LABEL] == label
    assert "unset" not in str(told)


def changed(file: Path, values: dict[str, str]) -> set[str]:
    """Write values into an overlay's file, for those keys that it has, and give the old ones."""
    old = dict(
        line.split("=", 1) for line in file.read_text().splitlines() if line and line[0] != "#"
    )
    file.write_text("".join(f"{key}={value}\n" for key, value in (old | values).items()))
    # A value that stays, or is no name, may well be met elsewhere.
    return {old[key] for key in old.keys() & values.keys() if old[key] != values[key]} - {
        *"0123456789",
        "default",
    }


def test_engines_are_asked_for_what_rules_read_and_no_more() -> None:
    (monitor,) = (
        told
        for told in of_kind(render_with(DEPLOY / "components/engine-metrics"), "PodMonitor")
        if told["metadata"]["name"] == "pd-exporter-engines"
    )
    read = {name for metric in FOREIGN for name in metric.names} - {"up"}
    for endpoint in monitor["spec"]["podMetricsEndpoints"]:
        (keep,) = endpoint["metricRelabelings"]
        kept = re.compile(keep["regex"])
        assert {name for name in read if kept.fullmatch(name)} == read
        others = ("vllm:time_to_first_token_seconds_bucket", "sglang:gen_throughput", "up")
        assert not [name for name in others if kept.fullmatch(name)]


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda folder: folder.name)
def test_the_exporter_takes_its_configuration(overlay: Path, tmp_path: Path) -> None:
    objects = render(overlay)
    data = {told["metadata"]["name"]: told["data"] for told in of_kind(objects, "ConfigMap")}
    services = [values for name, values in data.items() if "-service-" in name]
    files = [values["pd-exporter.yaml"] for values in data.values() if "pd-exporter.yaml" in values]
    exporters = len([*of_kind(objects, "Deployment", "DaemonSet")])

    assert len(files) == exporters
    for file in files:
        path = tmp_path / "pd-exporter.yaml"
        path.write_text(file)
        config = load(path, services[0] | {"NODE_NAME": "node-1"})
        assert config.gpu or config.roles


def test_scrapes_come_as_often_as_the_rules_expect() -> None:
    for folder in OVERLAYS:
        for monitor in of_kind(render(folder), "PodMonitor"):
            for endpoint in monitor["spec"]["podMetricsEndpoints"]:
                assert endpoint["interval"] == f"{policy.SCRAPE_SECONDS:g}s"


def test_the_base_s_files_hold_every_value_that_overlays_may_name() -> None:
    for name in ("service.env", "scaling.env"):
        known = keys(BASE / name)
        for overlay in OVERLAYS:
            assert keys(overlay / name) <= known, overlay


def keys(file: Path) -> set[str]:
    return set(re.findall(r"^(\w+)=", file.read_text(), re.MULTILINE))

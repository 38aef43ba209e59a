"""The manifests in deploy/: they render, Kubernetes and KEDA take them, they keep to the policy."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter.rules.foreign import FOREIGN
from tests import references, scaledobjects
from tests.kinds import KEDA_VERSIONS, KEDA_WITH_FALLBACK_BEHAVIOR, Object, problems
from tests.manifests import (
    BASE,
    COMPONENTS,
    DEPLOY,
    OVERLAYS,
    identity,
    named,
    of_kind,
    render,
    render_with,
    used_by,
)
from tests.podpolicy import WORKLOADS, Exceptions, image_faults, pod_faults, rbac_faults

NODE = "DaemonSet/pd-exporter-node"
# Each with its reason beside the object, and in deploy/README.md.
ALLOWED = Exceptions(
    root=frozenset({NODE}),
    host_pid=frozenset({NODE}),
    host_paths={NODE: frozenset({"/var/lib/kubelet/pod-resources"})},
    all_namespaces=frozenset({"pd-exporter-node"}),
    writers={
        "pd-exporter-adapter-cure": frozenset(
            {
                ("delete", "rolebasedgroupscalingadapters"),
                ("patch", "rolebasedgroupscalingadapters/status"),
            }
        )
    },
)
ELSEWHERE = references.Elsewhere(
    secrets=frozenset({"pd-exporter-nats", "pd-exporter-prometheus"}),
    monitors=frozenset({"pd-exporter-engines"}),
)
ENGINES = ("vllm", "sglang", "trtllm", "dynamo")
# What components act on that bring no objects of their own.
SCALED = tuple(DEPLOY / "components" / name for name in ("prefill-required", "decode-kv-demand"))
LOOSE = sorted(
    file
    for file in DEPLOY.rglob("*.yaml")
    if file.parent.parent == DEPLOY / "overlays" or file.parent == DEPLOY / "rolebasedgroup"
)

Objects = tuple[Object, ...]


def _with_companions(component: Path) -> Objects:
    acts_on_others = component.name.startswith(
        ("alibaba-", "fallback", "late-rules", "scaling-values")
    )
    others = SCALED if acts_on_others else ()
    return render_with(*others, component)


EVERYTHING = [*OVERLAYS, *COMPONENTS]


@pytest.fixture(params=EVERYTHING, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def objects(request: pytest.FixtureRequest) -> Objects:
    """Rendered once; a failure says what kustomize said."""
    folder: Path = request.param
    return render(folder) if folder in OVERLAYS else _with_companions(folder)


@pytest.fixture(params=OVERLAYS, ids=lambda folder: folder.name)
def overlay(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


def test_no_object_is_there_twice(objects: Objects) -> None:
    identities = [identity(told) for told in objects]

    assert sorted(identities) == sorted(set(identities))


def test_kubernetes_takes_every_object(objects: Objects) -> None:
    found = [f"{named(told)}: {each}" for told in objects for each in problems(told)]

    assert found == []


def test_pods_keep_to_the_policy(objects: Objects) -> None:
    found = [
        f"{named(told)}: {each}"
        for told in of_kind(objects, *WORKLOADS)
        for each in pod_faults(told, ALLOWED)
    ]

    assert found == []


def test_rights_are_to_read_and_no_wider_than_needed(objects: Objects) -> None:
    kinds = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
    found = [
        f"{named(told)}: {each}"
        for told in of_kind(objects, *kinds)
        for each in rbac_faults(told, ALLOWED)
    ]

    assert found == []


def test_what_is_named_is_there(objects: Objects) -> None:
    # An overlay for one more service is applied beside the exporter that is there.
    has_exporter = any(of_kind(objects, "Deployment"))
    whole = objects if has_exporter else (*objects, *render(BASE))

    assert list(references.faults(whole, ELSEWHERE)) == []


@pytest.mark.parametrize("keda", KEDA_VERSIONS)
def test_keda_takes_every_scaledobject(objects: Objects, keda: str) -> None:
    scaled = [*of_kind(objects, "ScaledObject")]
    if keda not in KEDA_WITH_FALLBACK_BEHAVIOR:
        # The component fallback is for KEDA from 2.17 on, and says so.
        scaled = [_without_fallback(told) for told in scaled]

    authentications = of_kind(objects, "TriggerAuthentication", "ClusterTriggerAuthentication")
    found = [
        *(each for told in scaled for each in scaledobjects.faults(told, keda)),
        *(each for told in scaled for each in problems(told, keda)),
        *(each for told in authentications for each in scaledobjects.authentication_faults(told)),
        *scaledobjects.collisions(scaled),
    ]

    assert found == []


def test_a_signal_that_is_lost_does_not_scale_in(objects: Objects) -> None:
    for told in of_kind(objects, "ScaledObject"):
        spec = told["spec"]
        fallback = spec.get(
            "fallback", {"failureThreshold": 8, "behavior": "currentReplicasIfHigher"}
        )
        assert fallback["behavior"] == "currentReplicasIfHigher"
        assert fallback["failureThreshold"] >= 8
        assert spec["minReplicaCount"] >= 1
        for trigger in spec["triggers"]:
            assert trigger["type"] == "prometheus"
            assert trigger["metricType"] == "AverageValue"
            assert trigger["metadata"]["ignoreNullValues"] == "false"


def test_an_overlay_names_versions_of_images(overlay: Path) -> None:
    found = [
        f"{named(told)}: {each}"
        for told in of_kind(render(overlay), *WORKLOADS)
        for each in image_faults(told)
    ]

    assert found == []


def test_a_scaledobject_is_filled_from_its_overlay(overlay: Path) -> None:
    filled = _variables(BASE) | _variables(overlay)

    for told in of_kind(render(overlay), "ScaledObject"):
        role = told["metadata"]["labels"]["pd-exporter/role"].upper()
        spec = told["spec"]
        query = spec["triggers"][0]["metadata"]["query"]
        assert told["metadata"]["namespace"] == filled["SERVICE_NAMESPACE"]
        assert told["metadata"]["name"] == filled[f"{role}_SCALEDOBJECT"]
        assert spec["scaleTargetRef"] == {
            "apiVersion": filled["TARGET_API_VERSION"],
            "kind": filled["TARGET_KIND"],
            "name": filled[f"{role}_ADAPTER"],
        }
        assert spec["maxReplicaCount"] == int(filled[f"{role}_MAX_REPLICAS"])
        assert spec["minReplicaCount"] == int(filled[f"{role}_MIN_REPLICAS"])
        assert spec["triggers"][0]["metadata"]["threshold"] in _thresholds(filled, role)
        assert spec["triggers"][0]["metadata"]["serverAddress"] == filled["PROMETHEUS_URL"]
        assert f'namespace="{filled["SERVICE_NAMESPACE"]}"' in query
        assert f'group="{filled["SERVICE_GROUP"]}",role="{role.lower()}"' in query


def test_the_exporter_s_pages_keep_the_service_s_labels(objects: Objects) -> None:
    for told in of_kind(objects, "PodMonitor"):
        if told["metadata"]["name"] in ELSEWHERE.monitors:
            continue
        for endpoint in told["spec"]["podMetricsEndpoints"]:
            assert endpoint["honorLabels"]
            assert endpoint["interval"] == "15s"


def test_every_metric_that_rules_read_of_engines_is_scraped() -> None:
    (told,) = (
        each
        for each in render_with(DEPLOY / "components" / "engine-metrics")
        if named(each).endswith("pd-exporter-engines")
    )
    names = {name for metric in FOREIGN for name in metric.names if metric.name.startswith(ENGINES)}

    for endpoint in told["spec"]["podMetricsEndpoints"]:
        (kept,) = endpoint["metricRelabelings"]
        assert {name for name in names if not re.fullmatch(kept["regex"], name)} == set()


@pytest.mark.parametrize("file", LOOSE, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_kubernetes_takes_what_is_applied_by_itself(file: Path) -> None:
    told: list[Any] = []
    if "kind:" in file.read_text() and file.name != "kustomization.yaml":
        told = [each for each in yaml.safe_load_all(file.read_text()) if each]

    assert [f"{named(each)}: {fault}" for each in told for fault in problems(each)] == []


def test_every_component_is_tried() -> None:
    assert OVERLAYS
    assert set().union(*(used_by(folder) for folder in OVERLAYS)) <= {
        each.resolve() for each in COMPONENTS
    }


def _without_fallback(told: Object) -> Object:
    return told | {"spec": {key: told["spec"][key] for key in told["spec"] if key != "fallback"}}


def _thresholds(filled: dict[str, str], role: str) -> set[str]:
    # The query of required workers is a number of replicas as it is.
    own = {filled[name] for name in filled if re.fullmatch(rf"{role}_\w+_THRESHOLD", name)}
    return own | {"1"}


def _variables(folder: Path) -> dict[str, str]:
    lines = [
        line
        for file in sorted(folder.glob("*.env"))
        for line in file.read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    return dict(line.split("=", 1) for line in lines)

"""The RoleBasedGroups that ship: no cluster rejects what is misspelt below their roles."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "rolebasedgroup").glob("*-v1alpha*.yaml"))
NEW = "rbg.workloads.x-k8s.io"
ROLE_FIELDS = {
    "v1alpha1": {"name", "replicas", "scalingAdapter", "workload", "template"},
    "v1alpha2": {"name", "replicas", "scalingAdapter", "standalonePattern"},
}
Object = dict[str, Any]


def of_kind(manifest: Path, kind: str) -> list[Object]:
    documents = yaml.safe_load_all(manifest.read_text())
    return [document for document in documents if document["kind"] == kind]


def group_of(manifest: Path) -> Object:
    (group,) = of_kind(manifest, "RoleBasedGroup")
    return group


def templates(group: Object) -> Iterator[tuple[Object, Object]]:
    """Roles, and what their pods are made from, with the labels that pods have from 0.7 on."""
    for role in group["spec"]["roles"]:
        template = role.get("standalonePattern", role)["template"]
        labels = {f"{NEW}/group-name": group["metadata"]["name"], f"{NEW}/role-name": role["name"]}
        template["metadata"]["labels"] |= labels
        yield role, template


def environment(overlay: str) -> dict[str, str]:
    files = [DEPLOY / "overlays" / overlay / name for name in ("service.env", "scaling.env")]
    lines = [line for file in files for line in file.read_text().splitlines() if "=" in line]
    return dict(line.split("=", 1) for line in lines)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_roles_have_the_fields_of_their_version(manifest: Path) -> None:
    group = group_of(manifest)
    version = group["apiVersion"].rpartition("/")[2]

    assert manifest.stem.endswith(version)
    for role in group["spec"]["roles"]:
        assert set(role) <= ROLE_FIELDS[version]
        assert role.get("scalingAdapter", {"enable": True}) == {"enable": True}
        assert ("scalingAdapter" in role) == (role["name"] in {"prefill", "decode"})


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_services_find_the_pods_of_one_role_and_their_port(manifest: Path) -> None:
    (service,) = of_kind(manifest, "Service")
    found = [
        (role["name"], port["name"])
        for role, template in templates(group_of(manifest))
        if service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
        for container in template["spec"]["containers"]
        for port in container["ports"]
        if port["name"] == service["spec"]["ports"][0]["targetPort"]
    ]

    assert len(found) == 1
    assert found[0][0] in {"processor", "router"}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_pods_name_nothing_that_they_do_not_have(manifest: Path) -> None:
    for _, template in templates(group_of(manifest)):
        spec = template["spec"]
        containers = spec["containers"]
        ports = [port["name"] for container in containers for port in container["ports"]]
        mounts = {mount["name"] for each in containers for mount in each.get("volumeMounts", ())}

        assert len(ports) == len(set(ports))
        assert mounts == {volume["name"] for volume in spec.get("volumes", ())}
        for container in containers:
            probe = container["readinessProbe"]
            own = {port["name"] for port in container["ports"]}
            assert probe.get("httpGet", probe.get("tcpSocket"))["port"] in own


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_workers_use_the_gpus_that_they_have(manifest: Path) -> None:
    configured = of_kind(manifest, "ConfigMap")
    settings = yaml.safe_load(configured[0]["data"]["disagg.yaml"]) if configured else {}
    for role, template in templates(group_of(manifest)):
        (container, *_) = template["spec"]["containers"]
        gpus = container["resources"]["limits"].get("nvidia.com/gpu", 0)
        if role["name"] not in {"prefill", "decode"}:
            assert not gpus
        elif settings:
            worker = settings[container["command"][-1].partition(":")[2]]
            assert worker["tensor-parallel-size"] == worker["ServiceArgs"]["resources"]["gpu"]
            assert worker["tensor-parallel-size"] == gpus
        else:
            command = container["command"]
            assert command[command.index("--tp-size") + 1] == str(gpus)


@pytest.mark.parametrize(
    ("overlay", "manifest"),
    [
        ("tutorial", "dynamo-v1alpha1"),
        ("recommended", "dynamo-v1alpha2"),
        ("rbg-engine", "sglang-v1alpha2"),
    ],
)
def test_overlays_scale_the_adapters_that_are_made(overlay: str, manifest: str) -> None:
    group = group_of(DEPLOY / "rolebasedgroup" / f"{manifest}.yaml")
    values = environment(overlay)
    metadata = group["metadata"]
    names = {f"{metadata['name']}-{role['name']}" for role in group["spec"]["roles"]}

    assert values["SERVICE_NAMESPACE"] == metadata["namespace"]
    assert values["SERVICE_GROUP"] == metadata["name"]
    assert {text for key, text in values.items() if key.endswith("_ADAPTER")} <= names

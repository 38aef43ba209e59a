"""The definitions of kinds are whole, and what checks by them finds what is wrong."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.kinds import KUBERNETES_VERSIONS, OWN, SCHEMAS, Object, problems, scalable
from tests.structural import UnknownWordError
from tests.structural import faults as structural_faults

GENERATED = sorted(SCHEMAS.glob("*/*.json"))


@pytest.mark.parametrize(
    ("value", "schema", "fault"),
    [
        ("ab", {"type": "string", "maxLength": 1}, "too short or too long"),
        ("ab", {"type": "string", "pattern": "^b"}, "does not match"),
        (1.5, {"type": "integer"}, "is no integer"),
        (1.5, {"x-kubernetes-int-or-string": True}, "is no integer or string"),
        (None, {"type": "string"}, "is no string"),
        (
            ["a", "a"],
            {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "has a more than once",
        ),
        (
            {"roles": [{"name": "prefill"}, {"name": "prefill"}]},
            {
                "type": "object",
                "properties": {
                    "roles": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["name"],
                        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    }
                },
            },
            "has prefill more than once",
        ),
    ],
)
def test_a_schema_is_held_to(value: Any, schema: Object, fault: str) -> None:
    (told,) = structural_faults(value, schema)

    assert fault in told


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "multipleOf": 2},
        {"type": "string", "anyOf": [{}]},
        {"type": "string", "x-kubernetes-validations": [{"rule": "self == 'a'"}]},
    ],
)
def test_a_rule_that_is_not_understood_is_not_passed_over(schema: Object) -> None:
    with pytest.raises(UnknownWordError):
        list(structural_faults("a", schema))


@pytest.mark.parametrize(
    "file", [*GENERATED, *OWN], ids=lambda file: f"{file.parent.name}/{file.stem}"
)
def test_a_definition_is_one_that_an_api_server_takes(file: Any) -> None:
    told = yaml.safe_load(file.read_text())
    if file.stem == "triggers":
        assert {"prometheus", "nats-jetstream"} == told["triggers"].keys()
        return

    assert problems(told) == []
    assert sum(version["storage"] for version in told["spec"]["versions"]) == 1
    plural, group = told["spec"]["names"]["plural"], told["spec"]["group"]
    assert told["metadata"]["name"] == f"{plural}.{group}"


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.stem)
def test_a_definition_of_ours_is_structural(file: Any) -> None:
    for version in yaml.safe_load(file.read_text())["spec"]["versions"]:
        for path, node in _nodes(version["schema"]["openAPIV3Schema"]):
            assert "type" in node or "x-kubernetes-int-or-string" in node, path
            assert node.get("type") != "array" or "items" in node, path
            assert not {"properties", "additionalProperties"} <= node.keys(), path
            keys = node.get("x-kubernetes-list-map-keys", [])
            assert set(keys) <= set(node.get("items", {}).get("required", [])), path
        for path in version["subresources"].get("scale", {}).values():
            _, part, name = path.split(".")
            schema = version["schema"]["openAPIV3Schema"]["properties"]
            assert name in schema[part]["properties"]


def _nodes(schema: Object, path: str = "") -> Iterator[tuple[str, Object]]:
    yield path, schema
    for name, each in schema.get("properties", {}).items():
        yield from _nodes(each, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from _nodes(schema[name], f"{path}.{name}")


def test_a_generated_file_says_where_it_is_from() -> None:
    for file in GENERATED:
        told = json.loads(file.read_text())
        source = told.get("source") or told["metadata"]["annotations"]["source"]
        assert "@v" + file.parent.name.rpartition("-")[2] in source


@pytest.mark.parametrize(
    ("told", "is_scalable"),
    [
        ("workloads.x-k8s.io/v1alpha1 RoleBasedGroupScalingAdapter", True),
        ("nvidia.com/v1beta1 DynamoGraphDeploymentScalingAdapter", True),
        ("nvidia.com/v1 DynamoGraphDeploymentScalingAdapter", False),
        ("workloads.x-k8s.io/v1alpha2 RoleBasedGroup", False),
    ],
)
def test_adapters_can_be_scaled(told: str, is_scalable: bool) -> None:
    assert scalable(*told.split()) == is_scalable


def test_a_builtin_kind_is_held_to_all_versions() -> None:
    told = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": 1}}

    found = problems(told)
    assert len(found) == len(KUBERNETES_VERSIONS)
    assert "port" in found[0]

"""What is wrong with an object by the definition of its kind.

Built-in kinds are held against the API of two versions of Kubernetes, other kinds against the
CustomResourceDefinitions in tests/schemas: `make schemas` writes those of KEDA and the Prometheus
operator, those in tests/schemas/crds are written by hand, from published sources.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

from tests.structural import faults

Object = dict[str, Any]

SCHEMAS = Path(__file__).parent / "schemas"
OWN = sorted((SCHEMAS / "crds").glob("*.yaml"))
PROMETHEUS_OPERATOR = "prometheus-operator-0.85.0"

# What both ends have is in all versions between them.
KUBERNETES_VERSIONS = ("1.27", kubernetes_validate.latest_version())

KEDA_VERSIONS = ("2.10.1", "2.16.1", "2.17.3", "2.20.2", "2.21.0")
NEWEST_KEDA = KEDA_VERSIONS[-1]
# Versions before drop `fallback.behavior`, and scale in where the fallback is below what runs.
KEDA_WITH_FALLBACK_BEHAVIOR = KEDA_VERSIONS[2:]


def problems(told: Object, keda: str = NEWEST_KEDA) -> list[str]:
    """What is wrong with an object, each with its path; with KEDA's definitions of a version."""
    group = told["apiVersion"].rpartition("/")[0]
    if (group, told["kind"]) not in _custom(keda):
        return _builtin_faults(json.dumps(told))
    return [*_metadata_faults(told["metadata"]), *_custom_faults(told, keda)]


def scalable(api_version: str, kind: str) -> bool:
    """Whether a kind of ours has a scale subresource in this version."""
    group, _, version = api_version.rpartition("/")
    crd = _custom(NEWEST_KEDA).get((group, kind), {"spec": {"versions": []}})
    return any(
        each["name"] == version and "scale" in each.get("subresources", {})
        for each in crd["spec"]["versions"]
    )


def _custom_faults(told: Object, keda: str) -> Iterator[str]:
    group, _, name = told["apiVersion"].rpartition("/")
    crd = _custom(keda)[group, told["kind"]]
    found = [each for each in crd["spec"]["versions"] if each["name"] == name and each["served"]]
    if not found:
        yield f"apiVersion: {crd['metadata']['name']} has no version {name}"
        return
    schema = found[0]["schema"]["openAPIV3Schema"]
    # These three are the API server's own, whether or not a definition names them.
    own = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
    fields = schema["properties"] | own | {"metadata": {"type": "object"}}
    content = told | {"metadata": {}}
    yield from faults(content, schema | {"properties": fields}, told["kind"])


def _metadata_faults(metadata: Object) -> list[str]:
    return _builtin_faults(
        json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    )


@cache
def _builtin_faults(text: str) -> list[str]:
    """Equal objects, as overlays have many, are looked at once."""
    told = json.loads(text)
    found = []
    for version in KUBERNETES_VERSIONS:
        try:
            kubernetes_validate.validate(told, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            path = ".".join(str(part) for part in error.absolute_path)
            found.append(f"{told['kind']}.{path}: {error.message} (Kubernetes {version})")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(f"{told['kind']}: {error.message}")
    return found


@cache
def _custom(keda: str) -> dict[tuple[str, str], Object]:
    folders = (f"keda-{keda}", PROMETHEUS_OPERATOR)
    files = [
        file
        for folder in folders
        for file in sorted((SCHEMAS / folder).glob("*.json"))
        if file.name != "triggers.json"
    ]
    crds = [json.loads(file.read_text()) for file in files]
    crds += [yaml.safe_load(file.read_text()) for file in OWN]
    return {(crd["spec"]["group"], crd["spec"]["names"]["kind"]): crd for crd in crds}

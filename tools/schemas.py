"""Writes tests/schemas: what KEDA and the Prometheus operator accept, by version.

    make schemas

The definitions come out of Go modules with the ordinary Go toolchain, without descriptions; the
tests then need neither. What is in no module is written by hand and left alone: crds/ and
triggers.yaml.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import yaml

OUT = Path(__file__).resolve().parents[1] / "tests" / "schemas"
KEDA = "github.com/kedacore/keda/v2"
OPERATOR = "github.com/prometheus-operator/prometheus-operator"

# 2.16 is the last without `fallback.behavior`, 2.20 the first with rules of its own in the schema.
KEDA_VERSIONS = ("v2.10.1", "v2.16.1", "v2.17.3", "v2.20.2", "v2.21.0")
KEDA_KINDS = ("scaledobjects", "triggerauthentications", "clustertriggerauthentications")
# The module has the triggers' parameters as data from 2.19 on.
TRIGGERS = "schema/generated/scalers-schema.json"
TRIGGER_TYPES = ("prometheus", "nats-jetstream")
OPERATOR_VERSION = "v0.85.0"
OPERATOR_KINDS = ("podmonitors", "servicemonitors", "prometheusrules")


def main() -> None:
    """Write every file anew."""
    for version in KEDA_VERSIONS:
        folder = module(KEDA, version)
        for kind in KEDA_KINDS:
            path = f"config/crd/bases/keda.sh_{kind}.yaml"
            write_crd(folder, path, f"{KEDA}@{version}", f"keda-{version[1:]}/{kind}.json")
        if (folder / TRIGGERS).exists():
            write_triggers(folder, f"{KEDA}@{version}", f"keda-{version[1:]}/triggers.json")
    folder = module(OPERATOR, OPERATOR_VERSION)
    for kind in OPERATOR_KINDS:
        path = f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
        out = f"prometheus-operator-{OPERATOR_VERSION[1:]}/{kind}.json"
        write_crd(folder, path, f"{OPERATOR}@{OPERATOR_VERSION}", out)


def module(path: str, version: str) -> Path:
    """Folder of a Go module's version, which the Go toolchain fetches where it has to."""
    done = subprocess.run(
        ("go", "mod", "download", "-json", f"{path}@{version}"),
        check=False,
        capture_output=True,
        text=True,
    )
    answer = json.loads(done.stdout or "{}")
    if done.returncode:
        raise SystemExit(f"{path}@{version}: {answer.get('Error') or done.stderr}")
    return Path(answer["Dir"])


def write_crd(folder: Path, path: str, source: str, out: str) -> None:
    """Write a CustomResourceDefinition, complete but for what only people read."""
    told = yaml.safe_load((folder / path).read_text())
    crd = {
        "apiVersion": told["apiVersion"],
        "kind": told["kind"],
        "metadata": {
            "name": told["metadata"]["name"],
            "annotations": {"source": f"{source} {path}"},
        },
        "spec": without_descriptions(told["spec"]),
    }
    write(out, crd)


def write_triggers(folder: Path, source: str, out: str) -> None:
    """Write the parameters of those triggers that are used here."""
    told = json.loads((folder / TRIGGERS).read_text())
    used = {
        scaler["type"]: scaler["parameters"]
        for scaler in told["scalers"]
        if scaler["type"] in TRIGGER_TYPES
    }
    write(out, {"source": f"{source} {TRIGGERS}", "triggers": without_descriptions(used)})


def without_descriptions(node: Any, *, names: bool = False) -> Any:
    """Leave out descriptions, but for fields of that name: with `names`, keys are fields."""
    if isinstance(node, list):
        return [without_descriptions(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: without_descriptions(value, names=key == "properties" and not names)
        for key, value in node.items()
        if names or key != "description"
    }


def write(out: str, content: Any) -> None:
    """Write JSON, a short line a fact."""
    file = OUT / out
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()

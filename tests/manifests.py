"""The manifests in deploy/, rendered by kustomize."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.kinds import Object
from tests.servers import program, run

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
BASE = DEPLOY / "base"
OVERLAYS = sorted(file.parent for file in DEPLOY.glob("overlays/*/kustomization.yaml"))
COMPONENTS = sorted(file.parent for file in DEPLOY.glob("components/*/kustomization.yaml"))

Identity = tuple[str, str, str, str]


def identity(told: Object) -> Identity:
    """What an API server tells objects apart by: group, kind, namespace, name."""
    metadata = told["metadata"]
    group = told["apiVersion"].rpartition("/")[0]
    return group, told["kind"], metadata.get("namespace", ""), metadata["name"]


def named(told: Object) -> str:
    """An object as people name it."""
    _, kind, namespace, name = identity(told)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


@cache
def render(folder: Path) -> tuple[Object, ...]:
    """Objects that a kustomization gives; nobody may change them.

    Raises:
        subprocess.CalledProcessError: kustomize does not render it; its notes say why.
    """
    done = run(program("kustomize"), "build", folder)
    if done.returncode:
        error = subprocess.CalledProcessError(done.returncode, done.args)
        error.add_note(done.stderr)
        raise error
    return tuple(told for told in yaml.safe_load_all(done.stdout) if told)


@cache
def render_with(*components: Path) -> tuple[Object, ...]:
    """Objects of the base with components, where no overlay has them together.

    They are filled with the values of the overlay `recommended`.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        kustomization: dict[str, Any] = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(BASE, folder)],
            "components": [os.path.relpath(component, folder) for component in components],
        }
        values = DEPLOY / "overlays/recommended"
        kustomization["configMapGenerator"] = [
            {
                "name": f"pd-exporter-{name}",
                "namespace": "pd-exporter",
                "behavior": "merge",
                "envs": [Path(shutil.copy(values / f"{name}.env", folder)).name],
            }
            for name in ("service", "scaling")
        ]
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        return render(folder)


def copied(overlay: Path, folder: Path) -> Path:
    """An overlay in a copy of all that it may render from; gives its place there."""
    for part in ("deploy", "rules", "dashboards/generated"):
        shutil.copytree(ROOT / part, folder / part)
    return folder / overlay.relative_to(ROOT)


def take_in_all(overlay: Path) -> None:
    """Let an overlay have the components that are one line away in it."""
    file = overlay / "kustomization.yaml"
    file.write_text(file.read_text().replace("  # - ../../components/", "  - ../../components/"))


@cache
def render_whole(overlay: Path) -> tuple[Object, ...]:
    """Objects of an overlay that has the components too which are one line away in it."""
    with tempfile.TemporaryDirectory() as made:
        folder = copied(overlay, Path(made).resolve())
        take_in_all(folder)
        return render(folder)


def used_by(folder: Path) -> set[Path]:
    """Components that a kustomization takes, those of its components included."""
    told = yaml.safe_load((folder / "kustomization.yaml").read_text())
    taken = {(folder / each).resolve() for each in told.get("components", ())}
    bases = [(folder / each).resolve() for each in told.get("resources", ())]
    below = [each for each in (*taken, *bases) if (each / "kustomization.yaml").exists()]
    return taken.union(*(used_by(each) for each in below))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> Iterator[Object]:
    """Objects of some kinds."""
    return (told for told in objects if told["kind"] in kinds)

"""What is known of a namespace, from objects, and the page that it makes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pd_exporter.collectors.roles.pods import Role, role_pod
from pd_exporter.collectors.roles.roles import read_roles
from pd_exporter.collectors.roles.view import View
from pd_exporter.config import RoleSettings
from pd_exporter.known import Known
from pd_exporter.kube import adapters, autoscalers, coordination
from pd_exporter.reading import Problem
from pd_exporter.scrape import Outcome, Snapshot
from tests.exposition import Page
from tests.fakes.kube_objects import Object

ALIASES = {"decoder": "decode"}
AWAY = Problem("unreachable", "The API is away.", "Bring it back.")
_DECODERS: Mapping[str, tuple[str, Any]] = {
    "Pod": ("pods", lambda _version: role_pod(ALIASES)),
    "RoleBasedGroupScalingAdapter": ("rbg_adapters", adapters.rbg_adapter),
    "DynamoGraphDeploymentScalingAdapter": ("dgd_adapters", adapters.dgd_adapter),
    "HorizontalPodAutoscaler": ("hpas", autoscalers.hpa),
    "ScaledObject": ("scaled_objects", autoscalers.scaled_object),
    "CoordinatedPolicy": ("policies", coordination.policy),
    "RoleBasedGroup": ("groups", coordination.group),
}


def view_of(*objects: Object) -> View:
    """A view in which everything is up to date."""
    found: dict[str, dict[tuple[str, str], Any]] = {part: {} for part, _ in _DECODERS.values()}
    for shown in objects:
        part, decoder = _DECODERS[shown["kind"]]
        shown["metadata"].setdefault("uid", f"uid-of-{shown['metadata']['name']}")
        key, value = decoder(shown["apiVersion"].rpartition("/")[2])(shown, None)
        found[part][key] = value
    return View("default", **{part: Known(values, 1.0) for part, values in found.items()})


def without(view: View, *parts: str) -> View:
    """The same view, of which some parts are not up to date any more."""
    stale = {part: replace(getattr(view, part), problem=AWAY) for part in parts}
    return replace(view, **stale)


def page_of(view: View, *settings: RoleSettings) -> Page:
    readings = read_roles(view, {role_of(each): each for each in settings}, ALIASES)
    return Page(Snapshot([Outcome("roles", 0.0, readings)]))


def problems_of(view: View) -> dict[str, Problem]:
    """What is wrong, by subject."""
    readings = read_roles(view, {}, ALIASES)
    return {each.subject: each.problem for each in readings if each.problem}


def role_of(settings: RoleSettings) -> Role:
    return Role(settings.namespace, settings.group, settings.role)


def values(page: Page, name: str, label: str) -> dict[str, float]:
    """Values of a name by one label."""
    return {each.labels[label]: each.value for each in page.samples if each.name == name}

"""Which roles of a RoleBasedGroup are scaled in step: CoordinatedPolicies, and what was before.

Sources: sgl-project/rbg api/workloads/v1alpha2/coordinatedpolicy_types.go and
api/workloads/v1alpha1/rolebasedgroup_types.go. From 0.7.0 on a policy is an object of its own, and
is followed where it has the group's name; up to 0.6 it is in the group's spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pd_exporter.kube.discovery import Resource
from pd_exporter.kube.watch import Decode

POLICIES = Resource("workloads.x-k8s.io", "coordinatedpolicies", ("v1alpha2",))
GROUPS = Resource("workloads.x-k8s.io", "rolebasedgroups", ("v1alpha1",), unless="v1alpha2")

SCHEDULED = "OrderScheduled"
"""The progression that waits until instances are scheduled; so where none is given."""
READY = "OrderReady"
"""The progression that waits until instances are Ready."""


@dataclass(frozen=True, slots=True)
class ScalingRule:
    """Roles that are scaled in step, and what each step waits for."""

    roles: tuple[str, ...]
    progression: str


@dataclass(frozen=True, slots=True)
class Coordination:
    """How the roles of a group are scaled in step."""

    namespace: str
    group: str
    rules: tuple[ScalingRule, ...]


class _Metadata(BaseModel):
    namespace: str
    name: str


class _Scaling(BaseModel):
    progression: str | None = None


class _Strategy(BaseModel):
    scaling: _Scaling | None = None


class _Rule(BaseModel):
    roles: tuple[str, ...]
    strategy: _Strategy | None = None


class _PolicySpec(BaseModel):
    policies: tuple[_Rule, ...]


class _Policy(BaseModel):
    metadata: _Metadata
    spec: _PolicySpec


class _GroupSpec(BaseModel):
    coordination: tuple[_Rule, ...] | None = None


class _Group(BaseModel):
    metadata: _Metadata
    spec: _GroupSpec


def policy(_version: str) -> Decode[tuple[str, str], Coordination]:
    """Give what decodes CoordinatedPolicies."""

    def decode(
        shown: Mapping[str, Any], _since: float | None
    ) -> tuple[tuple[str, str], Coordination]:
        found = _Policy.model_validate(shown)
        return _coordination(found.metadata, found.spec.policies)

    return decode


def group(_version: str) -> Decode[tuple[str, str], Coordination]:
    """Give what decodes the coordination of RoleBasedGroups of v1alpha1."""

    def decode(
        shown: Mapping[str, Any], _since: float | None
    ) -> tuple[tuple[str, str], Coordination]:
        found = _Group.model_validate(shown)
        return _coordination(found.metadata, found.spec.coordination or ())

    return decode


def _coordination(
    metadata: _Metadata, rules: tuple[_Rule, ...]
) -> tuple[tuple[str, str], Coordination]:
    scaling = tuple(
        ScalingRule(rule.roles, rule.strategy.scaling.progression or SCHEDULED)
        for rule in rules
        if rule.strategy and rule.strategy.scaling
    )
    key = metadata.namespace, metadata.name
    return key, Coordination(*key, scaling)

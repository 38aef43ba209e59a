"""What is known of a namespace, or of the whole cluster, at one moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from pd_exporter.collectors.roles.pods import PodKey, RolePod
from pd_exporter.known import Known
from pd_exporter.kube.adapters import DGD_ADAPTERS, RBG_ADAPTERS, Adapter
from pd_exporter.kube.autoscalers import HPAS, SCALED_OBJECTS, Hpa, ScaledObject
from pd_exporter.kube.coordination import GROUPS, POLICIES, Coordination

_T = TypeVar("_T")
ObjectKey = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class View:
    """Snapshots of all that is watched.

    Attributes:
        namespace: The namespace, as configured.
        pods: Its pods; None for those without a role.
        rbg_adapters: RoleBasedGroupScalingAdapters.
        dgd_adapters: DynamoGraphDeploymentScalingAdapters.
        hpas: HorizontalPodAutoscalers.
        scaled_objects: ScaledObjects.
        policies: CoordinatedPolicies.
        groups: What RoleBasedGroups of v1alpha1 have for that.
    """

    namespace: str
    pods: Known[Mapping[PodKey, RolePod | None]]
    rbg_adapters: Known[Mapping[ObjectKey, Adapter]]
    dgd_adapters: Known[Mapping[ObjectKey, Adapter]]
    hpas: Known[Mapping[ObjectKey, Hpa]]
    scaled_objects: Known[Mapping[ObjectKey, ScaledObject]]
    policies: Known[Mapping[ObjectKey, Coordination]]
    groups: Known[Mapping[ObjectKey, Coordination]]

    def sources(self) -> Mapping[str, Known[object]]:
        """Give all of them by the name of the resource, as kubectl takes it."""
        return {
            "pods": self.pods,
            RBG_ADAPTERS.name: self.rbg_adapters,
            DGD_ADAPTERS.name: self.dgd_adapters,
            HPAS.name: self.hpas,
            SCALED_OBJECTS.name: self.scaled_objects,
            POLICIES.name: self.policies,
            GROUPS.name: self.groups,
        }


def current(known: Known[_T]) -> _T | None:
    """Give what is known only while it is up to date: values are made of nothing else."""
    return known.value if known.problem is None else None

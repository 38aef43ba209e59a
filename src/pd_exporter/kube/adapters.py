"""Scaling adapters: the objects through which a role of a group is scaled.

Sources: sgl-project/rbg api/workloads/v1alpha2/rolebasedgroupscalingadapter_types.go (v1alpha1 has
the same fields), ai-dynamo/dynamo deploy/operator/api/{v1alpha1,v1beta1}/
dynamographdeploymentscalingadapter_types.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pd_exporter.kube.discovery import Resource
from pd_exporter.kube.watch import Decode

RBG_ADAPTERS = Resource(
    "workloads.x-k8s.io", "rolebasedgroupscalingadapters", ("v1alpha2", "v1alpha1")
)
DGD_ADAPTERS = Resource(
    "nvidia.com", "dynamographdeploymentscalingadapters", ("v1beta1", "v1alpha1")
)
RBG_ADAPTER = "RoleBasedGroupScalingAdapter"
DGD_ADAPTER = "DynamoGraphDeploymentScalingAdapter"


@dataclass(frozen=True, slots=True)
class Target:
    """What an autoscaler scales, in the autoscaler's namespace; its API version does not matter."""

    group: str
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Adapter:
    """A scaling adapter.

    Attributes:
        target: The adapter itself, as autoscalers name it.
        version: The version of the API in which it was read.
        group: The RoleBasedGroup or DynamoGraphDeployment.
        part: The role or component of it that is scaled; empty where it is neither.
        replicas: How many are asked for; None where that is not set.
        bound: Whether it is bound to its role; None of Dynamo's, which cannot but be.
        selector_present: Whether the selector of its scale is there, without which an HPA is idle.
    """

    namespace: str
    target: Target
    version: str
    group: str
    part: str
    replicas: int | None
    bound: bool | None
    selector_present: bool

    @property
    def name(self) -> str:
        """Its name in its namespace."""
        return self.target.name


def usable_selector(selector: str | None) -> bool:
    """Tell whether an HPA can use the selector of an adapter's scale.

    For a role of leaders and workers RoleBasedGroup adds a condition to what it found: where that
    was nothing, the selector begins with a comma, and the HPA refuses it like an empty one.
    """
    return bool(selector and not selector.startswith(","))


class _Metadata(BaseModel):
    namespace: str
    name: str


class _Status(BaseModel):
    phase: str | None = None
    selector: str | None = None


class _RoleRef(BaseModel):
    name: str
    role: str


class _RbgSpec(BaseModel):
    replicas: int | None = None
    scaleTargetRef: _RoleRef  # noqa: N815  the API's name


class _RbgAdapter(BaseModel):
    metadata: _Metadata
    spec: _RbgSpec
    status: _Status | None = None


class _ComponentRef(BaseModel):
    name: str
    componentName: str | None = None  # noqa: N815  v1beta1's name
    serviceName: str | None = None  # noqa: N815  v1alpha1's


class _DgdSpec(BaseModel):
    replicas: int | None = None
    dgdRef: _ComponentRef  # noqa: N815  the API's name


class _DgdAdapter(BaseModel):
    metadata: _Metadata
    spec: _DgdSpec
    status: _Status | None = None


def rbg_adapter(version: str) -> Decode[tuple[str, str], Adapter]:
    """Give what decodes RoleBasedGroupScalingAdapters of a version."""

    def decode(shown: Mapping[str, Any], _since: float | None) -> tuple[tuple[str, str], Adapter]:
        found = _RbgAdapter.model_validate(shown)
        status = found.status or _Status()
        adapter = Adapter(
            namespace=found.metadata.namespace,
            target=Target(RBG_ADAPTERS.group, RBG_ADAPTER, found.metadata.name),
            version=version,
            group=found.spec.scaleTargetRef.name,
            part=found.spec.scaleTargetRef.role,
            replicas=found.spec.replicas,
            bound=status.phase == "Bound",
            selector_present=usable_selector(status.selector),
        )
        return (adapter.namespace, adapter.name), adapter

    return decode


def dgd_adapter(version: str) -> Decode[tuple[str, str], Adapter]:
    """Give what decodes DynamoGraphDeploymentScalingAdapters of a version.

    One that scales a group of components (experimental) is of no role, and has an empty part.
    """

    def decode(shown: Mapping[str, Any], _since: float | None) -> tuple[tuple[str, str], Adapter]:
        found = _DgdAdapter.model_validate(shown)
        status = found.status or _Status()
        ref = found.spec.dgdRef
        adapter = Adapter(
            namespace=found.metadata.namespace,
            target=Target(DGD_ADAPTERS.group, DGD_ADAPTER, found.metadata.name),
            version=version,
            group=ref.name,
            part=ref.componentName or ref.serviceName or "",
            replicas=found.spec.replicas,
            bound=None,
            selector_present=bool(status.selector),
        )
        return (adapter.namespace, adapter.name), adapter

    return decode

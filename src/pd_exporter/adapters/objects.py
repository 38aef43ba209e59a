"""What is read of RoleBasedGroup's objects to tell why an adapter has no selector.

Sources: sgl-project/rbg api/workloads/{v1alpha1,v1alpha2}/ rolebasedgroupscalingadapter_types.go,
rolebasedgroup_types.go, helper.go (names of workloads) and api/workloads/constants/annotation.go.
"""

from pydantic import BaseModel, Field

from pd_exporter.kube.adapters import RBG_ADAPTERS, usable_selector
from pd_exporter.kube.discovery import Resource
from pd_exporter.kube.objects import Metadata

API_GROUP = RBG_ADAPTERS.group
GROUPS = Resource(API_GROUP, "rolebasedgroups", RBG_ADAPTERS.versions)
GROUP = "RoleBasedGroup"
BOUND = "Bound"

WORKLOAD_TYPE = "rbg.workloads.x-k8s.io/role-workload-type"
"""Annotation of a role in v1alpha2: API version and kind of its workload, `apps/v1/StatefulSet`."""
STATEFUL_SET = "apps/v1/StatefulSet"
"""What a role of v1alpha1 runs on where it does not say."""
ROLE_INSTANCE_SET = f"{API_GROUP}/v1alpha2/RoleInstanceSet"
"""What a role of v1alpha2 runs on where it does not say."""
LONGEST_WORKLOAD_NAME = 63


class _Target(BaseModel):
    name: str
    role: str


class _AdapterSpec(BaseModel):
    replicas: int | None = None
    target: _Target = Field(alias="scaleTargetRef")


class _AdapterStatus(BaseModel):
    phase: str = ""
    selector: str = ""


class ScalingAdapter(BaseModel):
    """A RoleBasedGroupScalingAdapter."""

    metadata: Metadata
    spec: _AdapterSpec
    status: _AdapterStatus = _AdapterStatus()

    @property
    def name(self) -> str:
        """Its namespace and name."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def bound(self) -> bool:
        """Whether its controller has bound it to its role."""
        return self.status.phase == BOUND

    @property
    def has_selector(self) -> bool:
        """Whether there is a selector that an HPA can use."""
        return usable_selector(self.status.selector)

    @property
    def group_uid(self) -> str | None:
        """Uid of the RoleBasedGroup that made it; None of one that was made by hand."""
        for owner in self.metadata.owners:
            if owner.kind == GROUP and owner.api_version.startswith(f"{API_GROUP}/"):
                return owner.uid
        return None


class _WorkloadRef(BaseModel):
    api_version: str = Field("", alias="apiVersion")
    kind: str = ""


class _ScalingAdapterOfRole(BaseModel):
    enable: bool = False


class Role(BaseModel):
    """A role of a group."""

    name: str
    replicas: int | None = None
    annotations: dict[str, str] | None = None
    workload: _WorkloadRef | None = None
    adapter: _ScalingAdapterOfRole | None = Field(None, alias="scalingAdapter")

    def workload_type(self, version: str) -> str:
        """What it runs on, as API version and kind, by the version in which it was read."""
        annotated = (self.annotations or {}).get(WORKLOAD_TYPE)
        if annotated:
            return annotated
        if self.workload and self.workload.kind:
            return f"{self.workload.api_version}/{self.workload.kind}"
        return STATEFUL_SET if version == "v1alpha1" else ROLE_INSTANCE_SET


class _GroupSpec(BaseModel):
    roles: tuple[Role, ...]


class Group(BaseModel):
    """A RoleBasedGroup."""

    metadata: Metadata
    spec: _GroupSpec

    def role(self, name: str) -> Role | None:
        """Give the role of a name; None where it has none."""
        return next((role for role in self.spec.roles if role.name == name), None)

    def workload_name(self, role: Role) -> str:
        """Name of what the role runs on."""
        whole = f"{self.metadata.name}-{role.name}"
        return whole[:LONGEST_WORKLOAD_NAME].rstrip("-")


class _Selector(BaseModel):
    labels: dict[str, str] | None = Field(None, alias="matchLabels")
    expressions: tuple[dict[str, object], ...] | None = Field(None, alias="matchExpressions")


class _WorkloadSpec(BaseModel):
    selector: _Selector = _Selector(matchLabels=None, matchExpressions=None)


class _WorkloadStatus(BaseModel):
    label_selector: str = Field("", alias="labelSelector")
    pod_selector: str = Field("", alias="hpaPodSelector")


class Workload(BaseModel):
    """What a role runs on: a StatefulSet, a Deployment, a RoleInstanceSet, a LeaderWorkerSet."""

    metadata: Metadata
    spec: _WorkloadSpec = _WorkloadSpec()
    status: _WorkloadStatus = _WorkloadStatus(labelSelector="", hpaPodSelector="")

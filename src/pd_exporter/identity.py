"""From a pod's labels to the role it plays: RoleBasedGroup's and Dynamo's labels, new and old."""

from collections.abc import Mapping
from dataclasses import dataclass

from pd_exporter.kube.pod import Pod

# RoleBasedGroup from 0.7.0 on, and before. A workload that is older than the controller's upgrade
# keeps its labels, so that one cluster may have both.
_RBG = "rbg.workloads.x-k8s.io/"
_OLD_RBG = "rolebasedgroup.workloads.x-k8s.io/"
# ai-dynamo/dynamo: deploy/operator/internal/consts/consts.go
_DYNAMO = "nvidia.com/dynamo-"

_WORKER = "worker"
_PHASES = ("prefill", "decode")

_INSTANCE_NAMES = (
    f"{_RBG}role-instance-name",
    "instance.workloads.x-k8s.io/instance-name",  # RoleBasedGroup 0.5 and 0.6 with InstanceSets
)
# Never RoleBasedGroup's role-instance-index: all pods of a role bear the highest one.
_INSTANCE_INDEXES = (
    ("leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/group-index"),
    ("grove.io/podcliquescalinggroup", "grove.io/podcliquescalinggroup-replica-index"),
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What a pod is to the service that it belongs to, with the pod's namespace.

    Attributes:
        group: RoleBasedGroup or DynamoGraphDeployment.
        role: `prefill`, `decode`, or the role's own name.
        role_instance: What the role is scaled by: a pod, or all pods of a leader-worker replica.
    """

    group: str
    role: str
    role_instance: str


def identify(pod: Pod, aliases: Mapping[str, str]) -> Identity | None:
    """Tell a pod's group, role and role instance by its labels.

    Group and role are of one family of labels: RoleBasedGroup's new ones before its old ones before
    Dynamo's.

    Args:
        pod: The pod.
        aliases: Other names for roles, as in `{"decoder": "decode"}`.

    Returns:
        None for a pod that has no role.
    """
    labels = pod.labels
    families = (
        (labels.get(f"{_RBG}group-name"), labels.get(f"{_RBG}role-name")),
        (labels.get(f"{_OLD_RBG}name"), labels.get(f"{_OLD_RBG}role")),
        (_dynamo_group(labels), _dynamo_role(labels)),
    )
    for group, role in families:
        if group and role:
            return Identity(group, aliases.get(role, role), _role_instance(pod))
    return None


def _dynamo_group(labels: Mapping[str, str]) -> str | None:
    """The DynamoGraphDeployment; Dynamo's own namespace for it where, up to 0.3, it is not told."""
    return labels.get(f"{_DYNAMO}graph-deployment-name") or labels.get(f"{_DYNAMO}namespace")


def _dynamo_role(labels: Mapping[str, str]) -> str | None:
    """Prefill or decode by a component's type, by its sub-type, or by its name; else its name.

    Components that are neither are told apart by name, since a graph may have several workers or
    frontends that scale on their own. Up to 0.5 the type tells no more than `worker`, or is not
    there, and the examples' names say it: VllmPrefillWorker.
    """
    component = labels.get(f"{_DYNAMO}component", "")
    kind = labels.get(f"{_DYNAMO}component-type", "")
    sub_kind = labels.get(f"{_DYNAMO}sub-component-type", "")
    if kind in _PHASES:
        return kind
    if kind in {"", _WORKER}:
        if sub_kind in _PHASES:
            return sub_kind
        named = [phase for phase in _PHASES if phase in component.lower()]
        if len(named) == 1 and not sub_kind:
            return named[0]
    return component or kind or None


def _role_instance(pod: Pod) -> str:
    for key in _INSTANCE_NAMES:
        if name := pod.labels.get(key):
            return name
    for name_key, index_key in _INSTANCE_INDEXES:
        name, index = pod.labels.get(name_key), pod.labels.get(index_key)
        if name and index:
            return f"{name}-{index}"
    return pod.name

"""Pods that play a role, and how many of them make one role instance.

What the labels say, by sgl-project/rbg pkg/reconciler/roleinstanceset_reconciler.go and
pkg/reconciler/roleinstance/utils/instance_utils.go (before 0.7.0: instanceset_reconciler.go): a pod
alone has component-size 1; leader and workers have a component-index, and component-size is the
size of them all; custom components have no index, and component-size is that of each component.
A LeaderWorkerSet annotates its pods with the size of the group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from pd_exporter.catalogue import roles as role_metrics
from pd_exporter.identity import identify
from pd_exporter.kube.podstate import pod_state_of
from pd_exporter.kube.watch import Decode
from pd_exporter.samples import Sample

_NAMES = ("rbg.workloads.x-k8s.io/component-name", "instance.workloads.x-k8s.io/component-name")
_SIZES_AND_INDEXES = (
    ("rbg.workloads.x-k8s.io/component-size", "rbg.workloads.x-k8s.io/component-index"),
    (  # RoleBasedGroup 0.5 and 0.6
        "component.rolebasedgroup.workloads.x-k8s.io/size",
        "component.rolebasedgroup.workloads.x-k8s.io/index",
    ),
)
_GROUP_SIZE = "leaderworkerset.sigs.k8s.io/size"
_ANNOTATIONS = frozenset({_GROUP_SIZE})
_DYNAMO_COMPONENT = "nvidia.com/dynamo-component"

PodKey = tuple[str, str]
"""Namespace and name."""


class Role(NamedTuple):
    """The labels of a role."""

    namespace: str
    group: str
    role: str


@dataclass(frozen=True, slots=True)
class RolePod:
    """A pod that plays a role; a whole cluster's are held, so it has only what is used.

    Attributes:
        role: The role.
        instance: Which instance of it the pod is, or is part of.
        node: Where it is scheduled to; empty before.
        ready: Whether it is Ready and not about to end.
        ready_since: When it became Ready, as Unix time; None where it is not.
        ending: Whether its deletion has been asked for.
        component: Which of its instance's components it belongs to; empty where these are counted
            as one.
        size: Pods that the component has in an instance; None where no label tells.
        dynamo_component: What a DynamoGraphDeployment calls what it is a pod of; else empty.
        info: That it is there.
        readiness: Whether it is Ready. Both are made once and not at every scrape.
    """

    role: Role
    instance: str
    node: str
    ready: bool
    ready_since: float | None
    ending: bool
    component: str
    size: int | None
    dynamo_component: str
    info: Sample
    readiness: Sample


def role_pod(aliases: Mapping[str, str]) -> Decode[PodKey, RolePod | None]:
    """Give what decodes pods; one without a role is None."""

    def decode(shown: Mapping[str, Any], _since: float | None) -> tuple[PodKey, RolePod | None]:
        state = pod_state_of(shown, _ANNOTATIONS)
        pod = state.pod
        key = pod.namespace, pod.name
        identity = identify(pod, aliases)
        if identity is None:
            return key, None
        component, size = _component(pod.labels, pod.annotations)
        role = Role(pod.namespace, identity.group, identity.role)
        labels = {**role._asdict(), "role_instance": identity.role_instance, "pod": pod.name}
        return key, RolePod(
            role=role,
            instance=identity.role_instance,
            node=state.node,
            ready=state.ready,
            ready_since=state.ready_since,
            ending=state.ending,
            component=component,
            size=size,
            dynamo_component=pod.labels.get(_DYNAMO_COMPONENT, ""),
            info=role_metrics.POD_INFO.sample(1, {**labels, "node": state.node}),
            readiness=role_metrics.POD_READY.sample(state.ready, labels),
        )

    return decode


def _component(labels: Mapping[str, str], annotations: Mapping[str, str]) -> tuple[str, int | None]:
    for size_key, index_key in _SIZES_AND_INDEXES:
        if size_key in labels:
            named = next((labels[key] for key in _NAMES if key in labels), "")
            return "" if index_key in labels else named, _number(labels[size_key])
    return "", _number(annotations.get(_GROUP_SIZE, ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None

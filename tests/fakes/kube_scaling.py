"""Pods of roles, and the objects that scale roles, as their controllers write them."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.fakes.kube_objects import Object, pod

RBG = "workloads.x-k8s.io"
DGD = "nvidia.com"
KEDA = "keda.sh"
READY_SINCE = "2026-01-02T03:04:05Z"
READY_SINCE_UNIX = 1767323045

ROLE_LABEL = "rbg.workloads.x-k8s.io"
OLD_ROLE_LABEL = "rolebasedgroup.workloads.x-k8s.io"


def worker(
    role: str,
    index: int,
    *,
    group: str = "dynamo-pd",
    namespace: str = "default",
    ready: str | None = READY_SINCE,
    node: str = "node-a",
) -> Object:
    """A pod of a role with one pod an instance (standalonePattern)."""
    name = f"{group}-{role}-{index}"
    labels = {
        f"{ROLE_LABEL}/group-name": group,
        f"{ROLE_LABEL}/role-name": role,
        f"{ROLE_LABEL}/role-instance-name": name,
        f"{ROLE_LABEL}/role-instance-index": "9",
        f"{ROLE_LABEL}/component-name": role,
        f"{ROLE_LABEL}/component-size": "1",
        f"{ROLE_LABEL}/component-id": "0",
    }
    return pod(name, namespace=namespace, labels=labels, ready=ready, node=node)


def part(
    role: str,
    instance: int,
    index: int,
    *,
    size: int = 2,
    group: str = "dynamo-pd",
    ready: str | None = READY_SINCE,
    node: str = "node-a",
) -> Object:
    """A leader (index 0) or a worker of a leader-worker instance (leaderWorkerPattern)."""
    made = worker(role, instance, group=group, ready=ready, node=node)
    instance_name = made["metadata"]["name"]
    made["metadata"]["name"] = f"{instance_name}-{index}"
    made["metadata"]["labels"] |= {
        f"{ROLE_LABEL}/component-name": "worker" if index else "leader",
        f"{ROLE_LABEL}/component-size": str(size),
        f"{ROLE_LABEL}/component-index": str(index),
    }
    return made


def old_worker(role: str, index: int, group: str = "dynamo-pd", **pod_is: Any) -> Object:
    """A pod of a StatefulSet of RoleBasedGroup up to 0.6."""
    labels = {f"{OLD_ROLE_LABEL}/name": group, f"{OLD_ROLE_LABEL}/role": role}
    return pod(f"{group}-{role}-{index}", labels=labels, **{"ready": READY_SINCE} | pod_is)


def dynamo_worker(
    component: str, index: int, *, graph: str = "vllm-disagg", kind: str = "", **pod_is: Any
) -> Object:
    """A pod of a DynamoGraphDeployment's component."""
    labels = {
        "nvidia.com/dynamo-graph-deployment-name": graph,
        "nvidia.com/dynamo-component": component,
        "nvidia.com/dynamo-component-type": kind,
    }
    name = f"{graph}-{component.lower()}-{index}"
    return pod(name, labels=labels, **{"ready": READY_SINCE} | pod_is)


def ending(shown: Object) -> Object:
    """The same pod, about to end."""
    return shown | {"metadata": shown["metadata"] | {"deletionTimestamp": "2026-01-02T04:00:00Z"}}


def _made(kind: str, version: str, name: str, namespace: str, **content: Any) -> Object:
    metadata = {"name": name, "namespace": namespace, "labels": {}, "uid": f"uid-{kind}-{name}"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


def rbg_adapter(
    role: str,
    replicas: int | None = 1,
    *,
    group: str = "dynamo-pd",
    namespace: str = "default",
    name: str = "",
    phase: str = "Bound",
    selector: str = "role=x",
    version: str = "v1alpha2",
) -> Object:
    """A RoleBasedGroupScalingAdapter, of the name that its controller gives."""
    return _made(
        "RoleBasedGroupScalingAdapter",
        f"{RBG}/{version}",
        name or f"{group}-{role}",
        namespace,
        spec={
            "scaleTargetRef": {"name": group, "role": role},
            **({} if replicas is None else {"replicas": replicas}),
        },
        status={"phase": phase, "replicas": replicas, "selector": selector},
    )


def dgd_adapter(
    ref: Mapping[str, str],
    replicas: int = 1,
    *,
    graph: str = "vllm-disagg",
    name: str = "vllm-disagg-prefill",
    version: str = "v1beta1",
) -> Object:
    """A DynamoGraphDeploymentScalingAdapter."""
    return _made(
        "DynamoGraphDeploymentScalingAdapter",
        f"{DGD}/{version}",
        name,
        "default",
        spec={"replicas": replicas, "dgdRef": {"name": graph, **ref}},
        status={"replicas": replicas, "selector": "role=x"},
    )


def target_of(adapter: Object) -> Object:
    """An adapter as autoscalers name it."""
    name = adapter["metadata"]["name"]
    return {"apiVersion": adapter["apiVersion"], "kind": adapter["kind"], "name": name}


def hpa(
    adapter: Object,
    name: str = "keda-hpa-prefill",
    conditions: Mapping[str, str] | None = None,
    *,
    least: int = 1,
    most: int = 6,
) -> Object:
    """An HPA on an adapter; its conditions with their status."""
    return _made(
        "HorizontalPodAutoscaler",
        "autoscaling/v2",
        name,
        adapter["metadata"]["namespace"],
        spec={"scaleTargetRef": target_of(adapter), "minReplicas": least, "maxReplicas": most},
        status={"conditions": _conditions(conditions)},
    )


def scaled_object(
    adapter: Object,
    name: str = "prefill",
    conditions: Mapping[str, str] | None = None,
    *,
    annotations: Mapping[str, str] | None = None,
    bounds: Mapping[str, int] | None = None,
) -> Object:
    """A ScaledObject on an adapter; its conditions with their status."""
    made = _made(
        "ScaledObject",
        f"{KEDA}/v1alpha1",
        name,
        adapter["metadata"]["namespace"],
        spec={"scaleTargetRef": target_of(adapter), **(bounds or {})},
        status={"conditions": _conditions(conditions)},
    )
    made["metadata"]["annotations"] = dict(annotations or {})
    return made


def policy(*roles: str, name: str = "dynamo-pd", progression: str | None = None) -> Object:
    """A CoordinatedPolicy that scales roles in step."""
    scaling = {"maxSkew": "10%", **({"progression": progression} if progression else {})}
    rule = {"roles": list(roles), "strategy": {"scaling": scaling}}
    version = f"{RBG}/v1alpha2"
    return _made("CoordinatedPolicy", version, name, "default", spec={"policies": [rule]})


def old_group(*roles: str, name: str = "dynamo-pd", progression: str = "OrderReady") -> Object:
    """A RoleBasedGroup of v1alpha1 that scales roles in step."""
    strategy = {"scaling": {"maxSkew": "10%", "progression": progression}}
    rule = {"name": "pd", "roles": list(roles), "strategy": strategy}
    spec = {"roles": [{"name": role} for role in roles], "coordination": [rule]}
    return _made("RoleBasedGroup", f"{RBG}/v1alpha1", name, "default", spec=spec)


def _conditions(told: Mapping[str, str] | None) -> Iterable[Object]:
    return [{"type": name, "status": status} for name, status in (told or {}).items()]

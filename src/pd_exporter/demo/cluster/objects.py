"""The service's objects as the Kubernetes API tells them: pods, and who scales their roles.

Nobody acts on them here: no HPA, no KEDA, no controller of RoleBasedGroups.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

from pd_exporter.demo.cluster.pods import GroupPod
from pd_exporter.demo.plan import DECODE_ROLE, GROUP, NAMESPACE, NODE, ROLE
from pd_exporter.policy import (
    FALLBACK_FAILURE_THRESHOLD,
    KV_DEMAND_THRESHOLD,
    TUTORIAL_MAX_REPLICAS,
)

Object: TypeAlias = dict[str, Any]

RBG_API = "workloads.x-k8s.io/v1alpha2"
_ADAPTER_KIND = "RoleBasedGroupScalingAdapter"
_TRIGGERS = {
    ROLE: ("role:pd_required_workers:sum", "jetstream", 1),
    DECODE_ROLE: ("role:pd_kv_cache_demand:sum", "engine", KV_DEMAND_THRESHOLD),
}
"""Series, its source and the threshold, by role."""


def pod_object(pod: GroupPod) -> Object:
    """Make a pod that has no readiness probe: Ready from its first second."""
    started = _time(pod.created)
    conditions = ("PodScheduled", "Initialized", "ContainersReady", "Ready")
    owner = {"apiVersion": RBG_API, "kind": "RoleInstance", "name": pod.name, "controller": True}
    return _object("v1", "Pod", pod.name, pod.created) | {
        "metadata": _metadata(pod.name, pod.created, pod.labels)
        | {"ownerReferences": [owner | {"uid": f"{pod.name}-instance"}]},
        "spec": {"nodeName": NODE, "containers": [{"name": "engine", "image": "demo"}]},
        "status": {
            "phase": "Running",
            "startTime": started,
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": started}
                for kind in conditions
            ],
        },
    }


def scaling_objects(role: str, replicas: int, since: float, *, active: bool) -> Iterator[Object]:
    """Make a role's scaling adapter, and the ScaledObject and the HPA on it.

    Args:
        role: The role.
        replicas: Role instances that are asked for, all of which are Ready.
        since: When these were made, as Unix time.
        active: Whether the trigger asks for more than none.
    """
    yield _adapter(role, replicas, since)
    yield _scaled_object(role, since, active=active)
    yield _hpa(role, replicas, since)


def _adapter(role: str, replicas: int, since: float) -> Object:
    label = "rbg.workloads.x-k8s.io"
    return _object(RBG_API, _ADAPTER_KIND, _name(role), since) | {
        "spec": {"replicas": replicas, "scaleTargetRef": {"name": GROUP, "role": role}},
        "status": {
            "phase": "Bound",
            "replicas": replicas,
            "readyReplicas": replicas,
            "selector": f"{label}/group-name={GROUP},{label}/role-name={role}",
        },
    }


def _hpa(role: str, replicas: int, since: float) -> Object:
    name = _hpa_name(role)
    conditions = {
        "AbleToScale": ("True", "ReadyForNewScale"),
        "ScalingActive": ("True", "ValidMetricFound"),
        "ScalingLimited": ("False", "DesiredWithinRange"),
    }
    return _object("autoscaling/v2", "HorizontalPodAutoscaler", name, since) | {
        "spec": {
            "scaleTargetRef": _target(role),
            "minReplicas": 1,
            "maxReplicas": _most(replicas),
        },
        "status": {
            "currentReplicas": replicas,
            "desiredReplicas": replicas,
            "conditions": [
                {"type": kind, "status": status, "reason": reason}
                | {"lastTransitionTime": _time(since)}
                for kind, (status, reason) in conditions.items()
            ],
        },
    }


def _scaled_object(role: str, since: float, *, active: bool) -> Object:
    series, source, threshold = _TRIGGERS[role]
    labels = {"namespace": NAMESPACE, "group": GROUP, "role": role, "source": source}
    selector = ",".join(f'{name}="{value}"' for name, value in labels.items())
    trigger = {
        "serverAddress": "http://prometheus.monitoring:9090",
        "query": f"{series}{{{selector}}}",
        "threshold": f"{threshold}",
        "ignoreNullValues": "false",
    }
    conditions = {"Ready": True, "Active": active, "Fallback": False, "Paused": False}
    return _object("keda.sh/v1alpha1", "ScaledObject", _name(role), since) | {
        "spec": {
            "scaleTargetRef": _target(role),
            "minReplicaCount": 1,
            "maxReplicaCount": _most(1),
            "fallback": {
                "failureThreshold": FALLBACK_FAILURE_THRESHOLD,
                "replicas": 2,
                "behavior": "currentReplicasIfHigher",
            },
            "triggers": [{"type": "prometheus", "metadata": trigger}],
        },
        "status": {
            "hpaName": _hpa_name(role),
            "conditions": [
                {"type": kind, "status": str(status)} for kind, status in conditions.items()
            ],
        },
    }


def _object(version: str, kind: str, name: str, since: float) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": _metadata(name, since)}


def _metadata(name: str, since: float, labels: Mapping[str, str] | None = None) -> Object:
    return {
        "namespace": NAMESPACE,
        "name": name,
        "creationTimestamp": _time(since),
        "labels": dict(labels or {}),
    }


def _target(role: str) -> Object:
    return {"apiVersion": RBG_API, "kind": _ADAPTER_KIND, "name": _name(role)}


def _name(role: str) -> str:
    return f"{GROUP}-{role}"


def _hpa_name(role: str) -> str:
    return f"keda-hpa-{_name(role)}"


def _most(replicas: int) -> int:
    return max(replicas, TUTORIAL_MAX_REPLICAS)


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

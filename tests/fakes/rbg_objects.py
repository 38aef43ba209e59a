"""RoleBasedGroups and what their roles run on, as RoleBasedGroup's controllers write them."""

from collections.abc import Mapping
from typing import Any

from tests.fakes.kube_objects import Object
from tests.fakes.kube_scaling import OLD_ROLE_LABEL, RBG, ROLE_LABEL, rbg_adapter

GROUP_UID = "uid-of-the-group"
TYPE = f"{ROLE_LABEL}/role-workload-type"


def role(
    name: str,
    replicas: int | None = 2,
    *,
    runs_on: str = "",
    workload: Mapping[str, str] | None = None,
    adapter: bool = True,
) -> Object:
    """A role of a group; of v1alpha2 by its annotation, of v1alpha1 by its workload."""
    made: Object = {"name": name, "scalingAdapter": {"enable": adapter}}
    if replicas is not None:
        made["replicas"] = replicas
    if runs_on:
        made["annotations"] = {TYPE: runs_on}
    if workload:
        made["workload"] = dict(workload)
    return made


def group(*roles: Object, name: str = "dynamo-pd", version: str = "v1alpha2") -> Object:
    """A RoleBasedGroup."""
    return _made("RoleBasedGroup", f"{RBG}/{version}", name, spec={"roles": list(roles)}) | {
        "status": {}
    }


def bound(role_name: str, replicas: int | None = 2, **adapter_is: Any) -> Object:
    """An adapter that a group made and bound, by default without a selector."""
    made = rbg_adapter(role_name, replicas, **{"selector": ""} | adapter_is)
    made["metadata"]["ownerReferences"] = [
        {
            "apiVersion": f"{RBG}/v1alpha2",
            "kind": "RoleBasedGroup",
            "name": made["spec"]["scaleTargetRef"]["name"],
            "uid": GROUP_UID,
            "blockOwnerDeletion": True,
        }
    ]
    return made


def labels_of(role_name: str, group_name: str = "dynamo-pd") -> dict[str, str]:
    """What a workload selects by, from 0.7 on."""
    return {
        f"{ROLE_LABEL}/group-name": group_name,
        f"{ROLE_LABEL}/group-uid": "5ba93c9db0cff93f52b521d7420e43f6eda2784f",
        f"{ROLE_LABEL}/role-name": role_name,
    }


def old_labels_of(role_name: str, group_name: str = "dynamo-pd") -> dict[str, str]:
    """What a workload selects by that was made before 0.7."""
    return {f"{OLD_ROLE_LABEL}/name": group_name, f"{OLD_ROLE_LABEL}/role": role_name}


def workload(
    role_name: str, labels: Mapping[str, str], kind: str = "StatefulSet", name: str = ""
) -> Object:
    """A StatefulSet or Deployment; neither has a selector in its status."""
    spec = {"selector": {"matchLabels": dict(labels)}}
    return _made(kind, "apps/v1", name or f"dynamo-pd-{role_name}", spec=spec) | {
        "status": {"replicas": 2}
    }


def role_instance_set(role_name: str, selector: str | None = None) -> Object:
    """A RoleInstanceSet; it has the selector in its status soon after it was made."""
    found = f"{ROLE_LABEL}/role-name={role_name}" if selector is None else selector
    labels = {"selector": {"matchLabels": labels_of(role_name)}}
    made = _made("RoleInstanceSet", f"{RBG}/v1alpha2", f"dynamo-pd-{role_name}", spec=labels)
    return made | {"status": {"labelSelector": found} if found else {}}


def leader_worker_set(role_name: str) -> Object:
    """A LeaderWorkerSet."""
    version = "leaderworkerset.x-k8s.io/v1"
    made = _made("LeaderWorkerSet", version, f"dynamo-pd-{role_name}", spec={"replicas": 2})
    return made | {"status": {"hpaPodSelector": "leaderworkerset.sigs.k8s.io/name=x"}}


def _made(kind: str, version: str, name: str, spec: Object) -> Object:
    metadata: Object = {"name": name, "namespace": "default", "labels": {}}
    if kind == "RoleBasedGroup":
        metadata["uid"] = GROUP_UID
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}

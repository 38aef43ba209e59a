"""What is wrong with an adapter, and what cures it: decided from what was read, nothing is asked.

The two faults, and that these are their cures, were found by running RoleBasedGroup's controller
against a real API server and HPA controller (docs/rolebasedgroup.md).
"""

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pd_exporter.adapters.objects import Group, Role, ScalingAdapter, Workload

_ROLE_LABELS = (
    ("rbg.workloads.x-k8s.io/group-name", "rbg.workloads.x-k8s.io/role-name"),
    ("rolebasedgroup.workloads.x-k8s.io/name", "rolebasedgroup.workloads.x-k8s.io/role"),
)
"""Group and role in a selector: from 0.7 on, and before; StatefulSets keep what they began with."""
_NO_SELECTOR = "it is bound and has no selector, so an HPA does not scale it"


@dataclass(frozen=True, slots=True)
class Remedy:
    """What cures an adapter: this selector is written; without one, the adapter is made anew."""

    selector: str | None = None

    def command(self, adapter: ScalingAdapter) -> str:
        """Give the kubectl command that does the same."""
        where = ["kubectl", "-n", adapter.metadata.namespace]
        if self.selector is None:
            return shlex.join([*where, "delete", "rbgsa", adapter.metadata.name])
        patch = json.dumps({"status": {"selector": self.selector}}, separators=(",", ":"))
        how = ["--subresource=status", "--type=merge", "-p", patch]
        return shlex.join([*where, "patch", "rbgsa", adapter.metadata.name, *how])


@dataclass(frozen=True, slots=True)
class Finding:
    """An adapter, and what was found about it.

    Attributes:
        adapter: As it was read.
        runs_on: The kind that its role runs on; empty where that is not known.
        wrong: What is wrong, and where there is no remedy why; empty where nothing is.
        remedy: What cures it; None where nothing is wrong, or nothing here does.
    """

    adapter: ScalingAdapter
    runs_on: str
    wrong: str = ""
    remedy: Remedy | None = None


def apparent(adapter: ScalingAdapter) -> str:
    """Say what is wrong by the adapter alone; empty where that is nothing, or a missing selector.

    Of adapters made by hand it is said whether they work: up to 0.3 there are only those.
    """
    if adapter.metadata.deleted_at:
        return "it is being deleted"
    if not adapter.bound or not adapter.has_selector:
        if adapter.group_uid is None:
            return (
                "it was not made by a RoleBasedGroup, whose controller therefore ignores it: delete"
                " it, set scalingAdapter.enable on the role, and scale what that makes"
            )
        if not adapter.bound:
            return (
                "it is not bound, so what an HPA writes into it changes nothing: see that its group"
                " has the role, and kubectl describe rbgsa"
            )
    if adapter.spec.replicas is None:
        return "its spec.replicas is not set, so an HPA cannot read its scale: set it to the role's"
    return ""


def judge(
    adapter: ScalingAdapter,
    group: Group | None,
    role: Role | None,
    workload: Workload | None,
    workload_type: str,
) -> Finding:
    """Say why a bound adapter has no selector, and what cures it.

    Args:
        adapter: One that is bound, without a selector, and otherwise well (`apparent`).
        group: Its group; None where there is none.
        role: Its role in the group; None where there is none.
        workload: What the role runs on; None where that is not there, or not known here.
        workload_type: API version and kind of that.
    """
    kind = workload_type.rpartition("/")[2]

    def not_cured(why: str) -> Finding:
        return Finding(adapter, kind, f"{_NO_SELECTOR}; not cured here: {why}")

    if group is None or group.metadata.uid != adapter.group_uid:
        return not_cured("the group that made it is gone")
    if role is None:
        return not_cured(f"its group has no role {adapter.spec.target.role}")
    remedy = _REMEDIES.get(workload_type)
    if remedy is None:
        return not_cured(_unknown(workload_type, workload))
    if workload is None:
        return not_cured(f"{kind} {group.workload_name(role)} is not found")
    found = remedy(adapter, role, workload)
    if isinstance(found, str):
        return not_cured(found)
    return Finding(adapter, kind, _NO_SELECTOR, found)


def _own_selector(adapter: ScalingAdapter, _role: Role, workload: Workload) -> Remedy | str:
    """Take the selector of the workload, if it selects this role's pods and no others."""
    selector, target = workload.spec.selector, adapter.spec.target
    labels: Mapping[str, str] = selector.labels or {}
    if selector.expressions or not any(
        (labels.get(group), labels.get(role)) == (target.name, target.role)
        for group, role in _ROLE_LABELS
    ):
        return "the selector of what it runs on does not name both group and role"
    return Remedy(",".join(f"{key}={value}" for key, value in sorted(labels.items())))


def _made_anew(adapter: ScalingAdapter, role: Role, workload: Workload) -> Remedy | str:
    """Let the adapter be made anew, if it then gets a selector and changes nothing else."""
    made = f"{adapter.spec.target.name}-{role.name}"
    if role.adapter is None or not role.adapter.enable or adapter.metadata.name != made:
        return "its role has scalingAdapter.enable not set, so it would not be made anew"
    if not workload.status.label_selector:
        return (
            "the RoleInstanceSet has no status.labelSelector yet, without which an adapter that is"
            " made anew has none either: run this again once it has"
        )
    if role.replicas != adapter.spec.replicas:
        of_group = "none" if role.replicas is None else role.replicas
        return (
            f"it asks for {adapter.spec.replicas} replicas and its group for {of_group}, which it"
            " would take over when made anew: first set the role's replicas in the group"
        )
    return Remedy()


def _unknown(workload_type: str, workload: Workload | None) -> str:
    kind = workload_type.rpartition("/")[2]
    if kind == "LeaderWorkerSet":
        selector = workload.status.pod_selector if workload else ""
        told = f"is {selector}" if selector else "is empty or not there"
        return f"on LeaderWorkerSets it is that of status.hpaPodSelector, which {told}"
    if kind == "InstanceSet":
        return (
            "RoleBasedGroup 0.6, which has InstanceSets, does not notice that an adapter was"
            " deleted: delete it and restart the controller, or update to 0.7"
        )
    return f"its role runs on {workload_type}, which is not known here"


_REMEDIES: Mapping[str, Callable[[ScalingAdapter, Role, Workload], Remedy | str]] = {
    "apps/v1/StatefulSet": _own_selector,
    "apps/v1/Deployment": _own_selector,
    "workloads.x-k8s.io/v1alpha2/RoleInstanceSet": _made_anew,
}

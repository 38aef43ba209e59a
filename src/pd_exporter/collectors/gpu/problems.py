"""What is wrong with a GPU, or with what tells its pods, and what cures it."""

from collections.abc import Mapping, Sequence

from pd_exporter.attribution.holdings import PodKey, Unresolved
from pd_exporter.nvml.device import Failure, Reason
from pd_exporter.reading import Problem

IMPLAUSIBLE = "implausible"
"""Reason of a reading whose processes could not be believed."""

ERROR_REASONS = (*(reason.value for reason in Reason), IMPLAUSIBLE)
"""Why readings of one GPU fail."""

MAX_NAMED = 3
"""Device ids that a problem names; there may be hundreds."""

_CURES: Mapping[Reason, str] = {
    Reason.LOST: "See the node's kernel log for Xid messages; drain the node and reset or replace"
    " the GPU.",
    Reason.UNSUPPORTED: "Where the driver tells no memory there is no signal on it: scale this role"
    " on its engine's KV-cache metrics.",
    Reason.NO_PERMISSION: "Give the exporter's container the driver capability `utility`, and under"
    " MIG the right to read the instances (NVIDIA_MIG_MONITOR_DEVICES=all).",
    Reason.HUNG: "See the node's kernel log for Xid messages and processes in state D; the GPU"
    " counts again as soon as the driver answers.",
    Reason.CHANGED: "The GPUs are enumerated anew; the next scrape has them as they are now.",
    Reason.DRIVER: "Check that the node's driver works (nvidia-smi there), and that the container"
    " gets it: runtimeClassName nvidia, NVIDIA_VISIBLE_DEVICES=all,"
    " NVIDIA_DRIVER_CAPABILITIES=utility.",
    Reason.UNKNOWN: "See the node's kernel log. If every GPU stays so for a minute, the exporter"
    " ends, so that the kubelet makes its container anew.",
}

_UNRESOLVED: Mapping[Unresolved, tuple[str, str]] = {
    Unresolved.SHAPE: (
        "Pods hold devices with ids of a form that the exporter does not know",
        "Report the form; until then only the GPUs' own series have their memory.",
    ),
    Unresolved.DEVICE: (
        "Pods hold devices that NVML does not know",
        "If this lasts, compare nvidia-smi -L on the node and in the exporter's container.",
    ),
    Unresolved.ANNOTATION: (
        "Pods hold shares of a GPU, and no annotation of theirs tells of which",
        "Check the scheduler that writes the annotation, and the way to the Kubernetes API.",
    ),
}


NOT_YET = Problem(
    "starting",
    "It was asked for the first time and has not answered yet.",
    "Wait; if it does not answer within a minute, the reason shows here.",
)


def absent_problem(node: str, absent: Mapping[str, Sequence[PodKey]]) -> Problem:
    """Say that the API has none of the pods to which the kubelet gave GPUs."""
    names = sorted({f"{namespace}/{name}" for keys in absent.values() for namespace, name in keys})
    return Problem(
        "absent",
        f"None of the pods that hold GPUs ({', '.join(names[:MAX_NAMED])}) is among those that the"
        f" Kubernetes API has on node {node}.",
        "Unless they have all ended, which kubelets before 1.34 still list: give as gpu.node this"
        " node's name in Kubernetes (spec.nodeName, by the downward API), which need not be its"
        " hostname.",
    )


def failure_problem(failure: Failure) -> Problem:
    """Say why something was not read."""
    return Problem(failure.reason.value, failure.message, _CURES[failure.reason])


def implausible_problem(why: str) -> Problem:
    """Say why the processes of a shared GPU were not believed."""
    return Problem(
        IMPLAUSIBLE,
        f"The GPU's memory cannot be divided among its pods: {why}.",
        "If this lasts: the exporter has to be in the host's PID namespace (hostPID: true). If it"
        " is, the driver does not tell the memory of processes: only the GPU's series are left.",
    )


def unresolved_problem(unresolved: Mapping[Unresolved, Sequence[str]]) -> Problem | None:
    """Say which device ids name no GPU, the first reason first; None where all do."""
    for reason, ids in unresolved.items():
        what, cure = _UNRESOLVED[reason]
        more = f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else ""
        return Problem(reason.value, f"{what}: {', '.join(ids[:MAX_NAMED])}{more}.", cure)
    return None

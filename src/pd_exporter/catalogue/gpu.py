"""Metrics of the GPU collector: of devices, of pods on them, and of what tells the pods.

A uuid is a whole GPU's (`GPU-…`) or a MIG GPU instance's (`MIG-…`); memory is always in bytes.
"""

from pd_exporter.catalogue.identity import IDENTITY
from pd_exporter.samples import Desc, Kind

DEVICE_LABELS = ("node", "uuid")
POD_LABELS = (*IDENTITY, "pod", "container", "role_instance", "node", "uuid")


def _device(name: str, text: str, *extra_labels: str, kind: Kind = Kind.GAUGE) -> Desc:
    return Desc(f"pd_gpu_{name}", text, kind, (*DEVICE_LABELS, *extra_labels))


def _pod(name: str, text: str, *extra_labels: str, kind: Kind = Kind.GAUGE) -> Desc:
    return Desc(f"pd_pod_gpu_{name}", text, kind, (*POD_LABELS, *extra_labels))


UP = _device(
    "up",
    "Whether the GPU or MIG GPU instance was read during this scrape;"
    " where 0, the values that it would give are absent.",
)
MEMORY_USED = _device(
    "memory_used_bytes",
    "Memory allocated on the GPU or MIG GPU instance, without what is reserved where that is told"
    " apart; absent for a GPU in MIG mode, whose memory is its instances'"
    " (nvmlDeviceGetMemoryInfo).",
)
MEMORY_TOTAL = _device(
    "memory_total_bytes",
    "Memory of the GPU or MIG GPU instance (nvmlDeviceGetMemoryInfo).",
)
MEMORY_RESERVED = _device(
    "memory_reserved_bytes",
    "Memory that driver and firmware keep for themselves; absent where the driver does not tell it"
    " apart, and then it is in what is used (nvmlDeviceGetMemoryInfo_v2).",
)
PODS = _device(
    "pods",
    "Pods that hold the GPU or MIG GPU instance, those without a role included; absent when the"
    " kubelet's allocations are not known.",
)
ERRORS = _device(
    "errors_total",
    "Readings of the GPU that failed in whole or in part, by reason.",
    "reason",
    kind=Kind.COUNTER,
)
INFO = _device(
    "info",
    "Facts about the GPU or MIG GPU instance: the GPU that a MIG instance is part of, NVML's index,"
    " minor number, model, MIG mode and profile, driver version, addressing mode, and whether NVML"
    " or a simulation tells all this.",
    "parent_uuid",
    "index",
    "minor",
    "model",
    "mig",
    "mig_profile",
    "driver",
    "addressing",
    "backend",
    kind=Kind.INFO,
)

POD_MEMORY_USED = _pod(
    "memory_used_bytes",
    "GPU memory of the pod: all of the GPU's where it alone holds it, else the sum of its"
    " processes; absent where neither can be told. Labels group and role are empty for a pod that"
    " has none, or while the Kubernetes API does not tell them.",
)
POD_MEMORY_LIMIT = _pod(
    "memory_limit_bytes",
    "GPU memory that the pod may use: all of the GPU or MIG GPU instance, or its quota of a shared"
    " one.",
)
POD_INFO = _pod(
    "info",
    "Which GPU the pod holds, by which resource, and how its memory is told: by the device, by its"
    " processes, or not at all.",
    "resource",
    "attribution",
    kind=Kind.INFO,
)

NVML_UP = Desc(
    "pd_nvml_up",
    "Whether NVML as a whole worked during this scrape; absent where GPUs are simulated.",
    Kind.GAUGE,
    ("node",),
)
SOURCE_UP = Desc(
    "pd_node_source_up",
    "Whether what gives GPUs their pods is up to date: kubelet (which container holds which"
    " device), kubernetes (pod labels), processes (which pod a process is of; 0 outside the host's"
    " PID namespace).",
    Kind.GAUGE,
    ("node", "source"),
)
SOURCE_REFRESHED = Desc(
    "pd_node_source_refreshed_timestamp_seconds",
    "When the source was last known to be up to date, as Unix time; absent before the first time.",
    Kind.GAUGE,
    ("node", "source"),
)
UNRESOLVED = Desc(
    "pd_gpu_unresolved_device_ids",
    "Device ids that pods of the node hold and that name no known GPU, by reason: shape (the"
    " exporter does not know such ids), device (there is no such GPU), annotation (the pod's"
    " annotation that would tell the GPU is missing or malformed); absent when the kubelet's"
    " allocations are not known.",
    Kind.GAUGE,
    ("node", "reason"),
)

ALL = (
    POD_MEMORY_USED,
    POD_MEMORY_LIMIT,
    POD_INFO,
    UP,
    MEMORY_USED,
    MEMORY_TOTAL,
    MEMORY_RESERVED,
    PODS,
    INFO,
    ERRORS,
    NVML_UP,
    SOURCE_UP,
    SOURCE_REFRESHED,
    UNRESOLVED,
)
"""The GPU collector's metrics."""

FILLS = {MEMORY_USED: MEMORY_TOTAL, POD_MEMORY_USED: POD_MEMORY_LIMIT}
"""What the landing page shows as so much of another metric, with the same labels."""

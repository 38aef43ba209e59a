"""Metrics of the roles collector: pods, role instances, roles and what scales them."""

from pd_exporter.catalogue.identity import IDENTITY
from pd_exporter.samples import Desc, Kind

INSTANCE_LABELS = (*IDENTITY, "role_instance")
POD_LABELS = (*INSTANCE_LABELS, "pod")
GROUP_LABELS = ("namespace", "group")


def _pod(name: str, text: str, *extra_labels: str, kind: Kind = Kind.GAUGE) -> Desc:
    return Desc(f"pd_pod_{name}", text, kind, (*POD_LABELS, *extra_labels))


def _instance(name: str, text: str) -> Desc:
    return Desc(f"pd_role_instance_{name}", text, Kind.GAUGE, INSTANCE_LABELS)


def _role(name: str, text: str, *extra_labels: str, kind: Kind = Kind.GAUGE) -> Desc:
    return Desc(f"pd_role_{name}", text, kind, (*IDENTITY, *extra_labels))


POD_INFO = _pod(
    "info",
    "Which role a pod plays, in which role instance, and on which node; empty before it has one."
    " Engines' and frontends' own series, which tell namespace and pod, are joined to roles by it.",
    "node",
    kind=Kind.INFO,
)
POD_READY = _pod(
    "ready",
    "Whether the pod is Ready and not about to end (condition Ready of its status).",
)
INSTANCE_READY = _instance(
    "ready",
    "Whether all pods of the role instance are there, Ready and not about to end: the pod, or"
    " leader and workers, as many as labels of theirs tell.",
)
INSTANCE_READY_TIMESTAMP = _instance(
    "ready_timestamp_seconds",
    "When the role instance became Ready, which is when the last of its pods did, as Unix time;"
    " absent while it is not. Signs of life from before it are an earlier pod's of the same name.",
)
REPLICAS_DESIRED = _role(
    "replicas_desired",
    "Role instances asked for: spec.replicas of the role's scaling adapter; absent where that is"
    " not set.",
)
REPLICAS_READY = _role(
    "replicas_ready",
    "Role instances that are Ready, counted from their pods (the adapter's own status.replicas is"
    " what is desired); 0 where an adapter names the role and there are none.",
)
REPLICAS_MIN = _role(
    "replicas_min",
    "Fewest role instances that the HPA on the adapter keeps (spec.minReplicas); while there is no"
    " HPA, what the ScaledObject on it says (minReplicaCount).",
)
REPLICAS_MAX = _role(
    "replicas_max",
    "Most role instances that the HPA on the adapter allows (spec.maxReplicas); while there is no"
    " HPA, what the ScaledObject on it says (maxReplicaCount).",
)
ADAPTER_BOUND = _role(
    "adapter_bound",
    "Whether the RoleBasedGroupScalingAdapter is bound to its role (status.phase Bound); absent for"
    " Dynamo's adapters, which are not bound.",
)
ADAPTER_SELECTOR_PRESENT = _role(
    "adapter_selector_present",
    "Whether the scaling adapter's status has a selector; without one the HPA does not scale.",
)
ADAPTER_INFO = _role(
    "adapter_info",
    "The role's scaling adapter, its kind and the API version that it was read in, and the HPA and"
    " ScaledObject on it; empty where there is none.",
    "adapter",
    "kind",
    "version",
    "hpa",
    "scaledobject",
    kind=Kind.INFO,
)
HPA_ACTIVE = _role(
    "hpa_active",
    "Whether the HPA on the adapter computes replicas (condition ScalingActive); absent before it"
    " says so.",
)
SCALEDOBJECT_READY = _role(
    "scaledobject_ready", "Whether KEDA accepts the ScaledObject on the adapter (condition Ready)."
)
SCALEDOBJECT_ACTIVE = _role(
    "scaledobject_active",
    "Whether a trigger of the ScaledObject asks for more than none (condition Active).",
)
SCALEDOBJECT_FALLBACK = _role(
    "scaledobject_fallback",
    "Whether KEDA has fallen back because a trigger cannot be read (condition Fallback).",
)
SCALEDOBJECT_PAUSED = _role(
    "scaledobject_paused",
    "Whether the ScaledObject is paused (condition Paused, or an annotation that asks for it).",
)
COORDINATION_BLOCKED = _role(
    "coordination_blocked",
    "Whether a CoordinatedPolicy keeps the role from its desired replicas because instances of a"
    " role in step with it, which is being scaled up, are not scheduled (OrderScheduled) or not"
    " Ready (OrderReady); absent where no policy coordinates the role's scaling.",
)
STARTUP = _role(
    "startup_seconds",
    "Seconds that a role instance needs after it is Ready until it serves, as configured.",
)
WORKER_CONCURRENCY = _role(
    "worker_concurrency", "Requests that a role instance serves at a time, as configured."
)
SERVICE_PRIOR = _role(
    "service_prior_seconds",
    "Service time of one request to assume until one is measured, as configured.",
)
WAIT_GOAL = _role(
    "wait_goal_seconds", "Seconds that a request may wait for a worker, as configured."
)
TARGET_RATIO = Desc(
    "pd_group_target_prefill_decode_ratio",
    "Role instances of prefill for each one of decode, as configured.",
    Kind.GAUGE,
    GROUP_LABELS,
)
SOURCE_UP = Desc(
    "pd_roles_source_up",
    "Whether the objects of this kind in this namespace (* is all) are watched and up to date;"
    " where 0, what is made of them is absent. A kind that the cluster does not have is up to date:"
    " there are none.",
    Kind.GAUGE,
    ("source_namespace", "resource"),
)

ALL = (
    POD_INFO,
    POD_READY,
    INSTANCE_READY,
    INSTANCE_READY_TIMESTAMP,
    REPLICAS_DESIRED,
    REPLICAS_READY,
    REPLICAS_MIN,
    REPLICAS_MAX,
    ADAPTER_BOUND,
    ADAPTER_SELECTOR_PRESENT,
    ADAPTER_INFO,
    HPA_ACTIVE,
    SCALEDOBJECT_READY,
    SCALEDOBJECT_ACTIVE,
    SCALEDOBJECT_FALLBACK,
    SCALEDOBJECT_PAUSED,
    COORDINATION_BLOCKED,
    STARTUP,
    WORKER_CONCURRENCY,
    SERVICE_PRIOR,
    WAIT_GOAL,
    TARGET_RATIO,
    SOURCE_UP,
)
"""The roles collector's metrics."""

HEADLINES = {REPLICAS_READY: "ready", REPLICAS_DESIRED: "desired"}
"""What the landing page shows large, in short words."""

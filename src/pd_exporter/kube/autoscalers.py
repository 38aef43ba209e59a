"""What scales adapters: HorizontalPodAutoscalers, and KEDA's ScaledObjects which make them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pd_exporter.kube.adapters import Target
from pd_exporter.kube.discovery import Resource
from pd_exporter.kube.watch import Decode

HPAS = Resource("autoscaling", "horizontalpodautoscalers", ("v2", "v2beta2"))
SCALED_OBJECTS = Resource("keda.sh", "scaledobjects", ("v1alpha1",))

_DEFAULT_MIN = 1
"""An HPA's minReplicas where it has none (autoscaling/v2)."""

_DEFAULT_BOUNDS = (0, 100)
"""A ScaledObject's minReplicaCount and maxReplicaCount where it has none (KEDA's defaults)."""

_PAUSED = "autoscaling.keda.sh/paused"
_PAUSED_AT = "autoscaling.keda.sh/paused-replicas"
_NOT_PAUSED = {"0", "f", "F", "FALSE", "false", "False"}
"""What Go takes for false; KEDA takes anything else for a wish to pause."""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """What an HPA and a ScaledObject have in common: what it scales, and between which bounds."""

    namespace: str
    name: str
    target: Target
    min_replicas: int
    max_replicas: int


@dataclass(frozen=True, slots=True)
class Hpa(Autoscaler):
    """A HorizontalPodAutoscaler.

    Attributes:
        active: Whether it computes replicas (condition ScalingActive); None before it says so.
    """

    active: bool | None


@dataclass(frozen=True, slots=True)
class ScaledObject(Autoscaler):
    """A KEDA ScaledObject, with its conditions; None where KEDA does not know.

    Attributes:
        ready: Whether KEDA accepts it.
        active: Whether a trigger asks for more than none.
        fallback: Whether KEDA has fallen back because a trigger cannot be read.
        paused: Whether it is paused.
    """

    ready: bool | None
    active: bool | None
    fallback: bool | None
    paused: bool | None


class _Metadata(BaseModel):
    namespace: str
    name: str
    annotations: dict[str, str] | None = None


class _TargetRef(BaseModel):
    apiVersion: str = "apps/v1"  # noqa: N815  the API's name
    kind: str = "Deployment"
    name: str

    @property
    def target(self) -> Target:
        return Target(self.apiVersion.rpartition("/")[0], self.kind, self.name)


class _Condition(BaseModel):
    type: str
    status: str


class _Status(BaseModel):
    conditions: tuple[_Condition, ...] | None = None
    pausedReplicaCount: int | None = None  # noqa: N815  the API's name

    def holds(self, name: str) -> bool | None:
        """Whether a condition is so; None where it is not there or Unknown."""
        for condition in self.conditions or ():
            if condition.type == name:
                return {"True": True, "False": False}.get(condition.status)
        return None


class _HpaSpec(BaseModel):
    scaleTargetRef: _TargetRef  # noqa: N815  the API's name
    minReplicas: int | None = None  # noqa: N815  the API's name
    maxReplicas: int  # noqa: N815  the API's name


class _Hpa(BaseModel):
    metadata: _Metadata
    spec: _HpaSpec
    status: _Status | None = None


class _ScaledObjectSpec(BaseModel):
    scaleTargetRef: _TargetRef  # noqa: N815  the API's name
    minReplicaCount: int | None = None  # noqa: N815  the API's name
    maxReplicaCount: int | None = None  # noqa: N815  the API's name


class _ScaledObject(BaseModel):
    metadata: _Metadata
    spec: _ScaledObjectSpec
    status: _Status | None = None


def hpa(_version: str) -> Decode[tuple[str, str], Hpa]:
    """Give what decodes HorizontalPodAutoscalers."""

    def decode(shown: Mapping[str, Any], _since: float | None) -> tuple[tuple[str, str], Hpa]:
        found = _Hpa.model_validate(shown)
        least = found.spec.minReplicas
        made = Hpa(
            namespace=found.metadata.namespace,
            name=found.metadata.name,
            target=found.spec.scaleTargetRef.target,
            min_replicas=_DEFAULT_MIN if least is None else least,
            max_replicas=found.spec.maxReplicas,
            active=(found.status or _Status()).holds("ScalingActive"),
        )
        return (made.namespace, made.name), made

    return decode


def scaled_object(_version: str) -> Decode[tuple[str, str], ScaledObject]:
    """Give what decodes ScaledObjects."""

    def decode(
        shown: Mapping[str, Any], _since: float | None
    ) -> tuple[tuple[str, str], ScaledObject]:
        found = _ScaledObject.model_validate(shown)
        status = found.status or _Status()
        least, most = found.spec.minReplicaCount, found.spec.maxReplicaCount
        made = ScaledObject(
            namespace=found.metadata.namespace,
            name=found.metadata.name,
            target=found.spec.scaleTargetRef.target,
            min_replicas=_DEFAULT_BOUNDS[0] if least is None else least,
            max_replicas=_DEFAULT_BOUNDS[1] if most is None else most,
            ready=status.holds("Ready"),
            active=status.holds("Active"),
            fallback=status.holds("Fallback"),
            paused=_paused(found.metadata, status),
        )
        return (made.namespace, made.name), made

    return decode


def _paused(metadata: _Metadata, status: _Status) -> bool | None:
    """Tell by the condition, or where KEDA does not set it by the annotations that ask for it.

    KEDA pauses at a number of replicas once that number is in the status.
    """
    told = status.holds("Paused")
    if told is not None:
        return told
    annotations = metadata.annotations or {}
    if _PAUSED_AT in annotations:
        return True if status.pausedReplicaCount is not None else None
    asked = annotations.get(_PAUSED)
    return True if asked is not None and asked not in _NOT_PAUSED else None

"""Pods of a namespace or of the cluster: what they are, where, and whether they are Ready."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from pd_exporter.kube.collection import Collection
from pd_exporter.kube.pod import Pod
from pd_exporter.kube.pods import pod_of

PAGE_SIZE = 250
"""Whole pods are about 10 kB each, and several times that while they are taken apart."""


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod with what its spec and its status say.

    Attributes:
        pod: Its metadata.
        node: Where it is scheduled to; empty before.
        ready: Whether it is Ready and not about to end.
        ready_since: When it became Ready, as Unix time by its node's clock; None where it is not.
        ending: Whether its deletion has been asked for.
    """

    pod: Pod
    node: str
    ready: bool
    ready_since: float | None
    ending: bool


class _Metadata(BaseModel):
    deletionTimestamp: str | None = None  # noqa: N815  the API's name


class _Spec(BaseModel):
    nodeName: str | None = None  # noqa: N815  the API's name


class _Condition(BaseModel):
    type: str
    status: str
    lastTransitionTime: datetime | None = None  # noqa: N815  the API's name


class _Status(BaseModel):
    conditions: tuple[_Condition, ...] | None = None


class _Object(BaseModel):
    metadata: _Metadata
    spec: _Spec = _Spec()
    status: _Status = _Status()


def running_pods(namespace: str) -> Collection:
    """Choose the pods that have not ended; an empty namespace is the whole cluster."""
    return Collection(
        "v1",
        "pods",
        namespace=namespace,
        field_selector="status.phase!=Succeeded,status.phase!=Failed",
        page_size=PAGE_SIZE,
    )


def pod_state_of(shown: Mapping[str, Any], annotations: frozenset[str] = frozenset()) -> PodState:
    """Make a pod's state of the API's JSON; of its annotations only those that are named.

    Raises:
        ValueError: It is no pod's JSON.
    """
    found = _Object.model_validate(shown)
    ending = found.metadata.deletionTimestamp is not None
    conditions = {each.type: each for each in found.status.conditions or ()}
    condition = conditions.get("Ready")
    ready = condition is not None and condition.status == "True" and not ending
    changed = condition.lastTransitionTime if ready and condition else None
    return PodState(
        pod=pod_of(shown, annotations),
        node=found.spec.nodeName or "",
        ready=ready,
        ready_since=changed.timestamp() if changed else None,
        ending=ending,
    )

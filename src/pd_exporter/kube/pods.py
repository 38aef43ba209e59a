"""The pods of one node, by what their metadata says."""

from collections.abc import AsyncIterator, Container, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from pydantic import BaseModel

from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.collection import Collection
from pd_exporter.kube.pace import PACE, Pace
from pd_exporter.kube.pod import Owner, Pod
from pd_exporter.kube.watch import Mirror, open_mirror

Pods: TypeAlias = Mirror[tuple[str, str], Pod]
"""Pods by namespace and name."""


class _Owner(BaseModel):
    kind: str
    name: str
    controller: bool | None = None


class _Metadata(BaseModel):
    namespace: str
    name: str
    uid: str
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    ownerReferences: tuple[_Owner, ...] | None = None  # noqa: N815  the API's name


class _Object(BaseModel):
    metadata: _Metadata


def pod_of(
    shown: Mapping[str, Any], annotations: Container[str] = (), since: float | None = None
) -> Pod:
    """Make a pod of the API's JSON; of its annotations only those that are named.

    The others are left out because they can be long: kubectl keeps whole manifests there.

    Raises:
        ValueError: It is no pod's JSON.
    """
    metadata = _Object.model_validate(shown).metadata
    kept = {
        name: value for name, value in (metadata.annotations or {}).items() if name in annotations
    }
    return Pod(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        labels=metadata.labels or {},
        annotations=kept,
        owners=tuple(
            Owner(owner.kind, owner.name, bool(owner.controller))
            for owner in metadata.ownerReferences or ()
        ),
        since=since,
    )


@asynccontextmanager
async def open_pods_of_node(
    api: KubeApi, node: str, annotations: Container[str] = (), pace: Pace = PACE
) -> AsyncIterator[Pods]:
    """Know a node's pods while entered, those aside that have ended; never raises.

    A pod that ends no longer meets the selector, and the server then tells it as deleted: so the
    metadata is enough, and the RBAC verbs list and watch of pods.
    """
    collection = Collection(
        "v1",
        "pods",
        field_selector=f"spec.nodeName={node},status.phase!=Succeeded,status.phase!=Failed",
        metadata_only=True,
    )

    def decode(shown: Mapping[str, Any], since: float | None) -> tuple[tuple[str, str], Pod]:
        pod = pod_of(shown, annotations, since)
        return (pod.namespace, pod.name), pod

    async with open_mirror(api, collection, decode, pace) as pods:
        yield pods

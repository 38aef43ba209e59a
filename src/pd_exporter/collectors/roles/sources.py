"""What is watched for the roles of a namespace, or of the whole cluster."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pd_exporter.collectors.roles.pods import PodKey, RolePod, role_pod
from pd_exporter.collectors.roles.view import ObjectKey, View
from pd_exporter.config import EVERYWHERE
from pd_exporter.known import AtHand, Known, Source
from pd_exporter.kube.adapters import DGD_ADAPTERS, RBG_ADAPTERS, Adapter, dgd_adapter, rbg_adapter
from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.autoscalers import HPAS, SCALED_OBJECTS, Hpa, ScaledObject, hpa, scaled_object
from pd_exporter.kube.coordination import GROUPS, POLICIES, Coordination, group, policy
from pd_exporter.kube.discovery import Discovery, Resource
from pd_exporter.kube.pace import Pace
from pd_exporter.kube.podstate import running_pods
from pd_exporter.kube.served import Decoder, open_served
from pd_exporter.kube.watch import open_mirror
from pd_exporter.reading import Problem

RESOURCES = (RBG_ADAPTERS, DGD_ADAPTERS, HPAS, SCALED_OBJECTS, POLICIES, GROUPS)
"""What is watched beside pods, where the cluster has it."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NamespaceSources:
    """Where each part of a view comes from."""

    namespace: str
    pods: Source[Mapping[PodKey, RolePod | None]]
    rbg_adapters: Source[Mapping[ObjectKey, Adapter]]
    dgd_adapters: Source[Mapping[ObjectKey, Adapter]]
    hpas: Source[Mapping[ObjectKey, Hpa]]
    scaled_objects: Source[Mapping[ObjectKey, ScaledObject]]
    policies: Source[Mapping[ObjectKey, Coordination]]
    groups: Source[Mapping[ObjectKey, Coordination]]

    def view(self) -> View:
        """Give what is known now."""
        return View(
            namespace=self.namespace,
            pods=self.pods.known(),
            rbg_adapters=self.rbg_adapters.known(),
            dgd_adapters=self.dgd_adapters.known(),
            hpas=self.hpas.known(),
            scaled_objects=self.scaled_objects.known(),
            policies=self.policies.known(),
            groups=self.groups.known(),
        )

    async def first(self) -> None:
        """Return when all have tried to learn for the first time, well or not."""
        await asyncio.gather(
            self.pods.first(),
            self.rbg_adapters.first(),
            self.dgd_adapters.first(),
            self.hpas.first(),
            self.scaled_objects.first(),
            self.policies.first(),
            self.groups.first(),
        )


@asynccontextmanager
async def open_sources(
    api: KubeApi,
    namespace: str,
    aliases: Mapping[str, str],
    discoveries: Mapping[str, Discovery],
    pace: Pace,
) -> AsyncIterator[NamespaceSources]:
    """Watch a namespace while entered; never raises.

    Args:
        api: The API server.
        namespace: The namespace, as configured.
        aliases: Other names of roles.
        discoveries: What the server has of each group of `RESOURCES`.
        pace: How often to ask.
    """
    within = "" if namespace == EVERYWHERE else namespace
    async with AsyncExitStack() as stack:

        async def served(
            resource: Resource, decoder: Decoder[ObjectKey, _T]
        ) -> Source[Mapping[ObjectKey, _T]]:
            discovery = discoveries[resource.group]
            opened = open_served(api, resource, within, discovery, decoder, pace)
            return await stack.enter_async_context(opened)

        pods = open_mirror(api, running_pods(within), role_pod(aliases), pace)
        yield NamespaceSources(
            namespace=namespace,
            pods=await stack.enter_async_context(pods),
            rbg_adapters=await served(RBG_ADAPTERS, rbg_adapter),
            dgd_adapters=await served(DGD_ADAPTERS, dgd_adapter),
            hpas=await served(HPAS, hpa),
            scaled_objects=await served(SCALED_OBJECTS, scaled_object),
            policies=await served(POLICIES, policy),
            groups=await served(GROUPS, group),
        )


def unknown_sources(namespace: str, problem: Problem) -> NamespaceSources:
    """Give sources that know nothing, and why."""
    unknown: AtHand[Any] = AtHand(lambda: Known(problem=problem))
    return NamespaceSources(
        namespace,
        pods=unknown,
        rbg_adapters=unknown,
        dgd_adapters=unknown,
        hpas=unknown,
        scaled_objects=unknown,
        policies=unknown,
        groups=unknown,
    )

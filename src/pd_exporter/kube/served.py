"""A mirror of a resource that a server may have, in the version that it has now."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from pd_exporter.background import in_background
from pd_exporter.known import Known
from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.collection import Collection
from pd_exporter.kube.discovery import Discovery, Resource
from pd_exporter.kube.pace import PACE, Pace
from pd_exporter.kube.watch import Decode, Mirror, open_mirror

_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")
Decoder = Callable[[str], Decode[_K, _T]]
"""Gives what decodes the objects of a version."""


class ServedMirror(Generic[_K, _T]):
    """What there is of a resource; made by `open_served`."""

    def __init__(
        self,
        api: KubeApi,
        resource: Resource,
        namespace: str,
        discovery: Discovery,
        decoder: Decoder[_K, _T],
        pace: Pace,
    ) -> None:
        self._api = api
        self._resource = resource
        self._namespace = namespace
        self._discovery = discovery
        self._decoder = decoder
        self._pace = pace
        self._mirror: Mirror[_K, _T] | None = None
        self._begun = asyncio.Event()

    def known(self) -> Known[Mapping[_K, _T]]:
        """Give what is known; where the server has no such resource that is: there are none.

        It is never of two versions, which have the same objects.
        """
        if self._mirror is not None:
            return self._mirror.known()
        found = self._discovery.known()
        if found.value is None or found.problem or self._resource.version_of(found.value):
            return Known(None, found.at, found.problem)
        problem = self._resource.unread(found.value)
        return Known(None if problem else {}, found.at, problem)

    async def first(self) -> None:
        """Return when it was first tried to know, well or not."""
        await self._begun.wait()

    async def keep_following(self) -> None:
        """Mirror the version that there is; never ends."""
        while True:
            version = self._version()
            if version is None:
                found = self._discovery.known()
                if found.value is not None or found.problem:
                    self._begun.set()
                await self._discovery.look()
            else:
                await self._follow(version)

    async def _follow(self, version: str) -> None:
        """Mirror a version for as long as it is the one to read."""
        resource = self._resource
        collection = Collection(version, resource.plural, resource.group, self._namespace)
        async with open_mirror(self._api, collection, self._decoder(version), self._pace) as mirror:
            self._mirror = mirror
            try:
                await mirror.first()
                self._begun.set()
                while self._version() == version:
                    await self._discovery.look()
            finally:
                self._mirror = None

    def _version(self) -> str | None:
        served = self._discovery.known().value
        return None if served is None else self._resource.version_of(served)


@asynccontextmanager
async def open_served(
    api: KubeApi,
    resource: Resource,
    namespace: str,
    discovery: Discovery,
    decoder: Decoder[_K, _T],
    pace: Pace = PACE,
) -> AsyncIterator[ServedMirror[_K, _T]]:
    """Keep a mirror of what a server may have while entered; never raises.

    Args:
        api: The API server.
        resource: What to mirror.
        namespace: Of which namespace; empty for the whole cluster.
        discovery: What the server has of the resource's group.
        decoder: Gives what decodes objects, as `open_mirror` takes it.
        pace: How often to ask.
    """
    served = ServedMirror(api, resource, namespace, discovery, decoder, pace)
    async with in_background(served.keep_following, f"watch of {resource.name}"):
        yield served

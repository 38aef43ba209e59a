"""A small Kubernetes API: discovery, and list and watch of the kinds that the demo has.

Resource versions, the ends of watches and bookmarks are as on Kubernetes' page "API Concepts". It
forgets nothing, so no version is too old to be watched from, and nothing is ever deleted.
"""

import asyncio
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from aiohttp import web

from pd_exporter.demo.cluster.objects import Object
from pd_exporter.demo.cluster.selectors import Selector

BOOKMARK_SECONDS = 30.0
"""Silence after which a watch gets a bookmark; API servers take about a minute."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of objects, all of them in namespaces."""

    group: str
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """As objects tell it: `v1`, `autoscaling/v2`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def root(self) -> str:
        """Where its group and version are on the server."""
        return f"/{'apis' if self.group else 'api'}/{self.api_version}"


RESOURCES = (
    Resource("", "v1", "pods", "Pod"),
    Resource("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject"),
    Resource(
        "workloads.x-k8s.io",
        "v1alpha2",
        "rolebasedgroupscalingadapters",
        "RoleBasedGroupScalingAdapter",
    ),
)


@dataclass(frozen=True, slots=True)
class _Change:
    version: int
    type: str
    object: Object

    def line(self) -> bytes:
        return json.dumps({"type": self.type, "object": self.object}).encode() + b"\n"


class KubeApi:
    """The API; `app` is the aiohttp application that serves it.

    Args:
        bookmark_seconds: Silence after which a watch gets a bookmark.
    """

    def __init__(self, bookmark_seconds: float = BOOKMARK_SECONDS) -> None:
        self._bookmark_seconds = bookmark_seconds
        self._version = 1
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._changes: list[_Change] = []
        self._watches: set[asyncio.Queue[_Change]] = set()
        self._collections = {f"{each.root}/{each.plural}": each for each in RESOURCES}
        self._discovery = dict(_discovery(RESOURCES))
        self.app = web.Application()
        self.app.router.add_get("/{path:.*}", self._answer)

    def put(self, made: Object) -> None:
        """Take an object in, in place of one of its name; the same again is no change."""
        metadata = made["metadata"]
        key = (made["kind"], metadata["namespace"], metadata["name"])
        before = self._objects.get(key)
        uid = str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(key)))
        version = str(self._version) if before is None else before["metadata"]["resourceVersion"]
        shown = made | {"metadata": metadata | {"uid": uid, "resourceVersion": version}}
        if shown == before:
            return
        self._version += 1
        shown["metadata"]["resourceVersion"] = str(self._version)
        self._objects[key] = shown
        change = _Change(self._version, "MODIFIED" if before else "ADDED", shown)
        self._changes.append(change)
        for watch in self._watches:
            watch.put_nowait(change)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rstrip("/")
        if path in self._discovery:
            return web.json_response(self._discovery[path])
        before, inside, after = path.partition("/namespaces/")
        namespace, _, plural = after.partition("/")
        resource = self._collections.get(f"{before}/{plural}" if inside else path)
        if resource is None:
            return _refused(404, "NotFound", "the server could not find the requested resource")
        try:
            selector = Selector(resource.kind, namespace, request.query)
            since = int(request.query.get("resourceVersion") or 0)
            seconds = int(request.query.get("timeoutSeconds") or 0) or None
        except ValueError as error:
            return _refused(400, "BadRequest", str(error))
        if request.query.get("watch") in {"1", "true"}:
            return await self._watch(request, resource, selector, since, seconds)
        return self._list(resource, selector)

    def _list(self, resource: Resource, selector: Selector) -> web.Response:
        return web.json_response(
            {
                "kind": f"{resource.kind}List",
                "apiVersion": resource.api_version,
                "metadata": {"resourceVersion": str(self._version)},
                "items": [shown for shown in self._objects.values() if selector.takes(shown)],
            }
        )

    async def _watch(
        self,
        request: web.Request,
        resource: Resource,
        selector: Selector,
        since: int,
        seconds: int | None,
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        changes: asyncio.Queue[_Change] = asyncio.Queue()
        for change in self._changes:
            if change.version > since:
                changes.put_nowait(change)
        self._watches.add(changes)
        bookmarks = request.query.get("allowWatchBookmarks") in {"1", "true"}
        silence = self._bookmark_seconds if bookmarks else None
        try:
            # The time is over, or the other side has gone.
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(seconds):
                    while True:
                        change = await self._next(changes, resource, silence)
                        if change.type == "BOOKMARK" or selector.takes(change.object):
                            await response.write(change.line())
        finally:
            self._watches.remove(changes)
        return response

    async def _next(
        self, changes: "asyncio.Queue[_Change]", resource: Resource, silence: float | None
    ) -> _Change:
        """Wait for a change; after too long a silence give a bookmark."""
        with suppress(TimeoutError):
            async with asyncio.timeout(silence):
                return await changes.get()
        if not changes.empty():  # it came at that very moment
            return changes.get_nowait()
        return _Change(
            self._version,
            "BOOKMARK",
            {
                "kind": resource.kind,
                "apiVersion": resource.api_version,
                "metadata": {"resourceVersion": str(self._version)},
            },
        )


def _discovery(resources: Iterable[Resource]) -> Iterator[tuple[str, Object]]:
    """Give what there is to discover, by path."""
    yield "/api", {"kind": "APIVersions", "versions": ["v1"]}
    groups = []
    for (root, group), found in groupby(resources, lambda each: (each.root, each.group)):
        served = list(found)
        yield (
            root,
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": served[0].api_version,
                "resources": [
                    {
                        "name": each.plural,
                        "singularName": each.kind.lower(),
                        "namespaced": True,
                        "kind": each.kind,
                        "verbs": ["list", "watch"],
                    }
                    for each in served
                ],
            },
        )
        if group:
            version = {"groupVersion": served[0].api_version, "version": served[0].version}
            told = {"name": group, "versions": [version], "preferredVersion": version}
            groups.append(told)
            yield f"/apis/{group}", {"kind": "APIGroup", "apiVersion": "v1"} | told
    yield "/apis", {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _refused(code: int, reason: str, message: str) -> web.Response:
    status: Mapping[str, object] = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }
    return web.json_response(status, status=code)

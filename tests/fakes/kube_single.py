"""Requests for one object, as the API server answers them: get, patch of the status, delete."""

import json
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from tests.fakes.kube_objects import Object, unversioned
from tests.fakes.kube_wire import Fault, failed

_VERBS = {"GET": "get", "PATCH": "patch", "DELETE": "delete"}


class Store(Protocol):
    """What holds the objects."""

    def find(self, path: str, namespace: str, name: str) -> Object | None: ...

    def update(self, changed: Object) -> Object: ...

    def delete(self, gone: Object) -> None: ...


@dataclass(frozen=True)
class Single:
    """One object that is asked about, and as RBAC names what is asked."""

    verb: str
    collection: str
    namespace: str
    name: str
    subresource: str

    @property
    def path(self) -> str:
        """Where the server keeps its kind."""
        before, _, after = self.collection.partition("/namespaces/")
        return unversioned(f"{before}/{after.partition('/')[2]}")


def single_of(request: web.Request) -> Single | None:
    """Tell which object is asked about; None where it is a collection, or what there is."""
    before, _, after = request.path.partition("/namespaces/")
    namespace, plural, name, *rest = [*after.split("/"), "", ""]
    if not name:
        return None
    collection = f"{before}/namespaces/{namespace}/{plural}"
    return Single(_VERBS[request.method], collection, namespace, name, rest[0])


async def answer_single(store: Store, single: Single, request: web.Request) -> web.Response:
    """Do what is asked, or say why not."""
    held = store.find(single.path, single.namespace, single.name)
    if held is None:
        return failed(Fault(404, "NotFound", f'"{single.name}" not found'))
    if single.verb == "get":
        return web.json_response(held)
    sent = json.loads(await request.read())
    condition = sent["preconditions"] if single.verb == "delete" else sent["metadata"]
    if any(held["metadata"][key] != wanted for key, wanted in condition.items()):
        return failed(Fault(409, "Conflict", "the object has been modified"))
    if single.verb == "delete":
        store.delete(held)
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})
    if request.content_type != "application/merge-patch+json" or single.subresource != "status":
        return failed(Fault(415, "UnsupportedMediaType", "a merge patch of the status is wanted"))
    return web.json_response(store.update(held | {"status": held["status"] | sent["status"]}))

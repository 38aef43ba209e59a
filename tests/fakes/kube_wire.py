"""What goes over the connections of the Kubernetes API server of the tests."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from tests.fakes.kube_objects import Object, Selector, partial, status


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    verb: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Change:
    """A past change; no object before is a creation, none after a deletion."""

    version: int
    path: str
    before: Object | None
    after: Object | None


@dataclass(frozen=True)
class Fault:
    """A failed request; the cause is the detail that tells some of them apart."""

    status: int
    reason: str
    message: str
    cause: str = ""
    headers: Mapping[str, str] | None = None


def failed(fault: Fault) -> web.Response:
    body = status(fault.status, fault.reason, fault.message, fault.cause)
    return web.json_response(body, status=fault.status, headers=fault.headers)


class Watch:
    """An open watch; None among its lines ends it."""

    def __init__(self, request: web.Request, selector: Selector, *, partly: bool) -> None:
        self.request = request
        self.selector = selector
        self.muted = False
        self.lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._partly = partly and "as=PartialObjectMetadata;" in request.headers["Accept"]

    def send(self, kind: str, sent: Object) -> None:
        if not self.muted:
            shown = partial(sent) if self._partly and kind != "ERROR" else sent
            self.lines.put_nowait(json.dumps({"type": kind, "object": shown}).encode() + b"\n")

    def tell(self, change: Change) -> None:
        was = change.before is not None and self.selector.takes(change.path, change.before)
        now = change.after is not None and self.selector.takes(change.path, change.after)
        shown = change.after or change.before or {}
        # The real server gives a deleted object the version of its deletion.
        shown = shown | {"metadata": shown["metadata"] | {"resourceVersion": str(change.version)}}
        if was or now:
            self.send("MODIFIED" if was and now else "ADDED" if now else "DELETED", shown)

    def abort(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()

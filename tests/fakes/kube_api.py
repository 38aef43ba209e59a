"""A Kubernetes API server as far as the exporter goes, over real HTTP, with faults at will.

It keeps to what the real one does: resource versions, field and label selectors (an object that
no longer meets them is told as deleted), bookmarks, metadata-only answers, expired versions.
"""

import asyncio
import contextlib
import copy
import itertools
import math
import ssl
from collections.abc import AsyncIterator, Callable, Mapping

from aiohttp import web

from tests.fakes.kube_kinds import Kinds
from tests.fakes.kube_objects import Object, Selector, partial, path_of, status
from tests.fakes.kube_single import Single, answer_single, single_of
from tests.fakes.kube_wire import Asked, Change, Fault, Watch, failed
from tests.servers import free_port

USER = "system:serviceaccount:monitoring:pd-exporter"


class KubeApi:
    """The server; made by `kube_api`.

    Attributes:
        token: What a bearer token must be, where it matters.
        partial: Whether it can give metadata alone.
        gone_as_event: Whether it tells an expired version within a watch that it begins well.
        requests: All that came in.
        kinds: What it has beside the core group.
        expire_rests: How many rests of lists it has forgotten when they are asked for.
        controllers: Are told of each change, as their watches would tell them.
        meanwhile: Is called once, before the next change that somebody asks for.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.token: str | None = None
        self.partial = True
        self.gone_as_event = False
        self.requests: list[Asked] = []
        self.kinds = Kinds()
        self.expire_rests = 0
        self.controllers: list[Callable[[Change], None]] = []
        self.meanwhile: Callable[[], object] | None = None
        self.version = 100
        self._tls = tls
        self._uids = itertools.count(1)
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._changes: list[Change] = []
        self._oldest = self.version
        self._watches: list[Watch] = []
        self._faults: dict[str, Fault] = {}
        self._hung: set[str] = set()
        self._rests: dict[str, tuple[int, list[Object]]] = {}
        self._cut = False
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls).start()

    async def stop(self) -> None:
        self.drop_connections()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # The cluster.

    def create(self, made: Object) -> Object:
        """Create an object, with a new uid unless it brings one."""
        fresh = copy.deepcopy(made)
        fresh["metadata"].setdefault("uid", f"uid-{next(self._uids)}")
        return self._change(fresh, fresh)

    def update(self, changed: Object) -> Object:
        """Put a changed object, found by its namespace and name, in place of the old one."""
        return self._change(changed, copy.deepcopy(changed))

    def delete(self, gone: Object) -> None:
        self._change(gone, None)

    def remove(self, group: str, version: str) -> None:
        """Serve a version of a group no longer, nor the watches of it."""
        self.kinds.remove(group, version)
        for watch in self._watches:
            if watch.request.path.startswith(f"/apis/{group}/{version}/"):
                watch.lines.put_nowait(None)

    def objects(self, path: str) -> list[Object]:
        """All objects of a kind in the cluster."""
        return [shown for (where, _, _), shown in sorted(self._objects.items()) if where == path]

    def find(self, path: str, namespace: str, name: str) -> Object | None:
        """An object as it is; None where there is none."""
        return copy.deepcopy(self._objects.get((path, namespace, name)))

    def compact(self) -> None:
        """Forget the past, to which only those who saw the very latest version can now connect."""
        self.version += 1
        self._oldest = self.version

    def rewind(self) -> None:
        """Be of a past version, as after etcd was restored from a backup."""
        self.version = self._oldest = 10

    def bookmark(self) -> None:
        """Something elsewhere in the cluster changes, and watches hear of the new version."""
        self.version += 1
        for watch in self._watches:
            if watch.request.query.get("allowWatchBookmarks") == "true":
                metadata = {"resourceVersion": str(self.version), "creationTimestamp": None}
                watch.send("BOOKMARK", {"kind": "Pod", "apiVersion": "v1", "metadata": metadata})

    # Faults.

    def fail(
        self, verb: str, code: int, reason: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer that way to each request of a verb (list, watch) from now on."""
        message = f"{reason} for the test's sake"
        self._faults[verb] = Fault(code, reason, message, headers=headers)

    def forbid(self, *verbs: str, plural: str = "pods", namespace: str = "") -> None:
        """Deny verbs as RBAC does; of pods of no namespace it denies them for whatever is asked."""
        where = f"{namespace}/{plural}" if namespace else plural
        for verb in verbs:
            message = f'{plural} is forbidden: User "{USER}" cannot {verb} resource "{plural}"'
            fault = Fault(403, "Forbidden", f'{message} in API group "" at the cluster scope')
            self._faults[verb if where == "pods" else f"{verb} {where}"] = fault

    def hang(self, *verbs: str) -> None:
        """Take requests and never answer."""
        self._hung.update(verbs)

    def heal(self) -> None:
        """End all of fail, forbid and hang."""
        self._faults.clear()
        self._hung.clear()

    def drop_connections(self) -> None:
        for watch in self._watches:
            watch.abort()

    def mute(self) -> None:
        """Let nothing come any more over the connections of now, without closing them."""
        for watch in self._watches:
            watch.muted = True

    def cut_next_event(self) -> None:
        """Send half of the next event, then drop its connection."""
        self._cut = True

    def end_watches(self) -> None:
        """End watches as when their time is over."""
        for watch in self._watches:
            watch.lines.put_nowait(None)

    def send_error(self, code: int, reason: str) -> None:
        """Tell an error within the open watches, and end them."""
        for watch in self._watches:
            watch.send("ERROR", status(code, reason, reason))
        self.end_watches()

    def send_raw(self, line: bytes) -> None:
        """Send anything to the open watches."""
        for watch in self._watches:
            watch.lines.put_nowait(line)

    # What came in.

    def count(self, verb: str) -> int:
        return sum(asked.verb == verb for asked in self.requests)

    @property
    def open_watches(self) -> int:
        return len(self._watches)

    def _change(self, named: Object, after: Object | None) -> Object:
        path, metadata = path_of(named), named["metadata"]
        key = (path, metadata.get("namespace", ""), metadata["name"])
        before = self._objects.pop(key, None)
        self.version += 1
        if after is not None:
            after["metadata"]["resourceVersion"] = str(self.version)
            self._objects[key] = after
        change = Change(self.version, path, before, after)
        self._changes.append(change)
        for watch in self._watches:
            watch.tell(change)
        for tell in self.controllers:
            tell(change)
        return copy.deepcopy(after) if after is not None else {}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        single = single_of(request)
        verb = self._verb(request, single)
        self.requests.append(Asked(verb, request.path, dict(request.query), request.headers))
        if verb in self._hung:
            await asyncio.Event().wait()
        path = single.collection if single else request.path
        selector = Selector(path, request.query)
        if fault := self._fault(verb, path, request.headers, selector):
            return failed(fault)
        if single:
            if single.verb != "get" and self.meanwhile:
                meanwhile, self.meanwhile = self.meanwhile, None
                meanwhile()
            return await answer_single(self, single, request)
        if verb == "discover":
            return self.kinds.answer(request.path)
        if verb == "watch":
            return await self._watch(request, selector)
        return self._list(request, selector)

    def _verb(self, request: web.Request, single: Single | None) -> str:
        if single:
            return single.verb
        if self.kinds.is_discovery(request.path):
            return "discover"
        return "watch" if request.query.get("watch") in {"1", "true"} else "list"

    def _fault(
        self, verb: str, path: str, headers: Mapping[str, str], selector: Selector
    ) -> Fault | None:
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return Fault(401, "Unauthorized", "Unauthorized")
        *_, namespace, plural = path.split("/")
        for what in (verb, f"{verb} {plural}", f"{verb} {namespace}/{plural}"):
            if fault := self._faults.get(what):
                return fault
        if verb != "discover" and not self.kinds.has(path):
            return Fault(404, "NotFound", "the server could not find the resource")
        if selector.unknown:
            return Fault(400, "BadRequest", f"not supported: {selector.unknown}")
        return None

    def _list(self, request: web.Request, selector: Selector) -> web.Response:
        asked_for = int(request.query.get("resourceVersion") or 0)
        if asked_for > self.version:
            message = f"Too large resource version: {asked_for}"
            return failed(Fault(504, "Timeout", message, cause="ResourceVersionTooLarge"))
        found = [
            shown for (path, _, _), shown in self._objects.items() if selector.takes(path, shown)
        ]
        only_metadata = (
            self.partial and "as=PartialObjectMetadataList;" in request.headers["Accept"]
        )
        found, metadata = self._page(found, request.query)
        if metadata is None:
            return failed(Fault(410, "Expired", "The provided continue parameter is too old"))
        answer = {
            "kind": "PartialObjectMetadataList" if only_metadata else "List",
            "apiVersion": "meta.k8s.io/v1" if only_metadata else "v1",
            "metadata": metadata,
            "items": [partial(shown) if only_metadata else shown for shown in found],
        }
        return web.json_response(answer)

    def _page(
        self, found: list[Object], query: Mapping[str, str]
    ) -> tuple[list[Object], Object | None]:
        """Give a page and its metadata: its version, the way to the rest; None if it is too old."""
        limit = int(query.get("limit", 0))
        version = self.version
        if "continue" in query:
            version, found = self._rests.pop(query["continue"], (0, []))
            if version < self._oldest or self.expire_rests:
                self.expire_rests = max(0, self.expire_rests - 1)
                return [], None
        rest: Object = {"resourceVersion": str(version)}
        if limit and len(found) > limit:
            rest |= {"continue": f"rest-{next(self._uids)}"}
            self._rests[rest["continue"]] = version, found[limit:]
            found = found[:limit]
        return found, rest

    async def _watch(self, request: web.Request, selector: Selector) -> web.StreamResponse:
        since = int(request.query.get("resourceVersion") or self.version)
        gone = f"too old resource version: {since} ({self._oldest})"
        if since < self._oldest and not self.gone_as_event:
            return failed(Fault(410, "Expired", gone))
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        watch = Watch(request, selector, partly=self.partial)
        if since < self._oldest:
            watch.send("ERROR", status(410, "Expired", gone))
            watch.lines.put_nowait(None)
        else:
            for change in self._changes:
                if change.version > since:
                    watch.tell(change)
        self._watches.append(watch)
        try:
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(float(request.query.get("timeoutSeconds", math.inf))):
                    await self._send(watch, response)
        finally:
            self._watches.remove(watch)
        return response

    async def _send(self, watch: Watch, response: web.StreamResponse) -> None:
        while (line := await watch.lines.get()) is not None:
            if self._cut:
                self._cut = False
                await response.write(line[: len(line) // 2])
                watch.abort()
                return
            await response.write(line)


@contextlib.asynccontextmanager
async def kube_api(tls: ssl.SSLContext | None = None) -> AsyncIterator[KubeApi]:
    """An API server that runs while entered."""
    api = KubeApi(tls)
    await api.start()
    try:
        yield api
    finally:
        await api.stop()

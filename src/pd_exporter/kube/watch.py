"""A mirror of objects: listed once, watched from then on.

A list costs the API server much and a watch almost nothing, so a list is asked for only at the
start and when the server has forgotten the version from which to go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import structlog

from pd_exporter.background import in_background
from pd_exporter.known import Known
from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.collection import Collection, Event
from pd_exporter.kube.failure import KubeFailure, Reason, status_of
from pd_exporter.kube.pace import PACE, Backoff, Pace

_LIST_AGAIN = {Reason.GONE, Reason.NOT_FOUND, Reason.INVALID_REPLY}
_log = structlog.get_logger(__name__)
_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")
Decode = Callable[[Mapping[str, Any], float | None], tuple[_K, _T]]
"""Makes a key and a value of an object's JSON, and of when it was first told of as Unix time (None
where it was there from the start)."""


@dataclass(slots=True)
class _Held(Generic[_K, _T]):
    """Objects, and since when each is there; None: from the start.

    By uid: where a name is used again, the end of the old object must not end the new one.
    """

    objects: dict[str, tuple[_K, _T]] = field(default_factory=dict)
    since: dict[str, float | None] = field(default_factory=dict)


class Mirror(Generic[_K, _T]):
    """What a collection holds, as far as the server told; made by `open_mirror`."""

    def __init__(
        self,
        api: KubeApi,
        collection: Collection,
        decode: Decode[_K, _T],
        pace: Pace,
    ) -> None:
        self._api = api
        self._collection = collection
        self._decode = decode
        self._pace = pace
        self._backoff = Backoff(pace)
        self._begun = asyncio.Event()
        self._held: _Held[_K, _T] = _Held()
        self._snapshot: Mapping[_K, _T] | None = None
        self._listed = False
        self._version = "0"
        self._at: float | None = None
        self._failure: KubeFailure | None = None
        self._told_garbage = False

    def known(self) -> Known[Mapping[_K, _T]]:
        """Give what is known, as a snapshot that no later event changes.

        It stays while the API server is away, with the problem beside it; it is None before the
        first list.
        """
        if self._snapshot is None and self._at is not None:
            self._snapshot = MappingProxyType(dict(self._held.objects.values()))
        problem = None if self._failure is None else self._failure.problem
        return Known(self._snapshot, self._at, problem)

    async def first(self) -> None:
        """Return when the first attempt to list has ended, well or not."""
        await self._begun.wait()

    async def keep_watching(self) -> None:
        """List when there is need, and watch; never ends."""
        if not self._begun.is_set():
            await self._pace.pause(self._pace.start * self._pace.chance())
        while True:
            asked_for = 0.0
            try:
                if not self._listed:
                    await self._list()
                self._begun.set()
                await self._watch()
            except KubeFailure as failure:
                self._fail(failure)
                self._begun.set()
                asked_for = failure.retry_after
            except Exception as error:
                # Whatever it is, it is logged and the work begun anew where this is called; until
                # that helps, what is known is not up to date.
                self._fail(self._failed(Reason.FAILED, f"{type(error).__name__}"))
                self._begun.set()
                raise
            await self._pace.pause(self._backoff.next(asked_for))

    async def _list(self) -> None:
        held: _Held[_K, _T] = _Held()
        now = None if self._at is None else time.time()
        version = self._version
        try:
            async with aclosing(self._api.list_objects(self._collection, version)) as pages:
                async for page in pages:
                    for listed in page.objects:
                        self._put(held, listed, self._held.since, now)
                    version = page.version
        except KubeFailure as failure:
            if failure.reason is Reason.GONE:
                self._version = ""  # the cache has no such version: ask for the latest
            raise
        self._held = held
        self._version = version
        self._listed = True
        self._confirm()

    async def _watch(self) -> None:
        """Take events until they end."""
        seconds = self._pace.watch_seconds()
        loop = asyncio.get_running_loop()
        async with self._api.watch_objects(self._collection, self._version, seconds) as events:
            settling = loop.call_later(self._pace.settled, self._settle)
            try:
                async for event in events:
                    self._take(event)
            finally:
                settling.cancel()
        if self._backoff.lasting:
            raise self._failed(
                Reason.UNREACHABLE, "the server ends each watch as soon as it has begun"
            )

    def _take(self, event: Event) -> None:
        if event.type == "ERROR":
            status = status_of(event.object)
            self._listed = False
            raise self._failed(status.failure_reason, status.message)
        if event.type in {"ADDED", "MODIFIED"}:
            self._put(self._held, event.object, self._held.since, time.time())
        elif event.type == "DELETED":
            self._held.objects.pop(event.uid, None)
            self._held.since.pop(event.uid, None)
        self._version = event.version or self._version
        self._confirm()

    def _put(
        self,
        held: _Held[_K, _T],
        shown: Mapping[str, Any],
        before: Mapping[str, float | None],
        now: float | None,
    ) -> None:
        """Take an object in; one that cannot be read is not known, whatever it was before."""
        uid = ""
        try:
            uid = str(shown["metadata"]["uid"])
            held.since[uid] = before.get(uid, now)
            held.objects[uid] = self._decode(shown, held.since[uid])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            held.objects.pop(uid, None)
            if not self._told_garbage:
                self._told_garbage = True
                _log.warning(
                    "object left out, as are others like it",
                    resource=self._collection.resource,
                    uid=uid,
                    error=type(error).__name__,
                )

    def _confirm(self) -> None:
        self._snapshot = None
        self._at = time.time()

    def _settle(self) -> None:
        """Note that the watch has begun well."""
        self._at = time.time()
        self._backoff.reset()
        if self._failure is not None:
            resource = self._collection.resource
            _log.info("kubernetes watched again", resource=resource, reason=self._failure.reason)
            self._failure = None

    def _fail(self, failure: KubeFailure) -> None:
        self._listed = self._listed and failure.reason not in _LIST_AGAIN
        if failure.reason is Reason.GONE and not self._backoff.lasting:
            return  # as happens after each restart of an API server: a list cures it
        before, self._failure = self._failure, failure
        if before is None or before.reason is not failure.reason:
            problem = failure.problem
            _log.warning("kubernetes not watched", reason=problem.reason, why=str(problem))

    def _failed(self, reason: Reason, why: str) -> KubeFailure:
        asked = self._collection.asked("watch")
        message = f"Cannot watch {asked.resource}: {why.rstrip('.')}."
        return KubeFailure(reason, message, asked.resource, namespace=asked.namespace)


@asynccontextmanager
async def open_mirror(
    api: KubeApi,
    collection: Collection,
    decode: Decode[_K, _T],
    pace: Pace = PACE,
) -> AsyncIterator[Mirror[_K, _T]]:
    """Keep a mirror up to date while entered, for as long as that takes; never raises.

    Args:
        api: The API server.
        collection: What to mirror.
        decode: Raises AttributeError, KeyError, TypeError or ValueError where it cannot. Such an
            object is left out, and the first is logged.
        pace: How often to ask.
    """
    mirror = Mirror(api, collection, decode, pace)
    async with in_background(mirror.keep_watching, f"watch of {collection.resource}"):
        yield mirror

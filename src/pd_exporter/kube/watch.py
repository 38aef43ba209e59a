"""A mirror of objects: listed once, watched from then on.

A list costs the API server much and a watch almost nothing, so a list is asked for only at the
start and when the server has forgotten the version from which to go on.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
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
        # By uid: where a name is used again, the end of the old object must not end the new one.
        self._objects: dict[str, tuple[_K, _T]] = {}
        self._since: dict[str, float | None] = {}
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
            self._snapshot = MappingProxyType(dict(self._objects.values()))
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
            await self._pace.pause(self._backoff.next(asked_for))

    async def _list(self) -> None:
        try:
            listing = await self._api.list_objects(self._collection, self._version)
        except KubeFailure as failure:
            if failure.reason is Reason.GONE:
                self._version = ""  # the cache has no such version: ask for the latest
            raise
        before, self._since = self._since, {}
        now = None if self._at is None else time.time()
        self._objects.clear()
        for listed in listing.objects:
            self._put(listed, before, now)
        self._version = listing.version
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
            why = "the server ends each watch as soon as it has begun"
            raise KubeFailure(Reason.UNREACHABLE, self._message(why), self._collection.resource)

    def _take(self, event: Event) -> None:
        if event.type == "ERROR":
            status = status_of(event.object)
            self._listed = False
            message = self._message(status.message)
            raise KubeFailure(status.failure_reason, message, self._collection.resource)
        if event.type in {"ADDED", "MODIFIED"}:
            self._put(event.object, self._since, time.time())
        elif event.type == "DELETED":
            self._objects.pop(event.uid, None)
            self._since.pop(event.uid, None)
        self._version = event.version or self._version
        self._confirm()

    def _put(
        self, shown: Mapping[str, Any], before: Mapping[str, float | None], now: float | None
    ) -> None:
        """Take an object in; one that cannot be read is not known, whatever it was before."""
        uid = ""
        try:
            uid = str(shown["metadata"]["uid"])
            self._since[uid] = before.get(uid, now)
            self._objects[uid] = self._decode(shown, self._since[uid])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            self._objects.pop(uid, None)
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

    def _message(self, why: str) -> str:
        return f"Cannot watch {self._collection.resource}: {why.rstrip('.')}."


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

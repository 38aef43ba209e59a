"""Which resources a server has, in which versions: asked at the start and now and then.

What brings a resource may be installed, upgraded or removed while the exporter runs.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from pd_exporter.background import in_background
from pd_exporter.known import Known
from pd_exporter.kube.api import KubeApi
from pd_exporter.kube.failure import KubeFailure, Reason
from pd_exporter.kube.pace import PACE, Backoff, Pace
from pd_exporter.reading import Problem

LOOK_AGAIN_SECONDS = 60.0
"""How often the server is asked again what it has."""

_CURE = "See that the ClusterRole system:discovery is bound to system:authenticated, as usual."
_log = structlog.get_logger(__name__)
Served = Mapping[str, Collection[str]]
"""Plurals of the resources of a group, by the version that the server has them in."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource that a server may have.

    Attributes:
        group: API group: `keda.sh`.
        plural: Its name in URLs: `scaledobjects`.
        versions: Those that can be read, the best first.
        unless: A version with which there is no need of it, as another resource tells the same.
    """

    group: str
    plural: str
    versions: tuple[str, ...]
    unless: str = ""

    @property
    def name(self) -> str:
        """Its name as kubectl takes it."""
        return f"{self.plural}.{self.group}"

    def version_of(self, served: Served) -> str | None:
        """Choose the version to read it in; None where there is none, or no need of it.

        One version has the objects of all.
        """
        if self.plural in served.get(self.unless, ()):
            return None
        readable = (each for each in self.versions if self.plural in served.get(each, ()))
        return next(readable, None)

    def unread(self, served: Served) -> Problem | None:
        """Tell that there are objects which cannot be read: None where they can be, or need not."""
        found = sorted(each for each, plurals in served.items() if self.plural in plurals)
        if not found or self.unless in found or self.version_of(served):
            return None
        return Problem(
            "unknown_version",
            f"The cluster has {self.name} as {', '.join(found)}, of which none can be read here.",
            f"Use a pd-exporter that reads one of them; this one reads {', '.join(self.versions)}.",
        )


class _Version(BaseModel):
    version: str


class _Group(BaseModel):
    versions: tuple[_Version, ...]


class _Named(BaseModel):
    name: str


class _Resources(BaseModel):
    resources: tuple[_Named, ...]


_Document = TypeVar("_Document", _Group, _Resources)


async def ask_served(api: KubeApi, group: str) -> Served:
    """Ask what a server has of an API group now; empty where it does not know the group.

    Raises:
        KubeFailure: There is no answer.
    """
    found = await _read(api, group, f"/apis/{group}", _Group)
    served = {}
    for each in found.versions if found else ():
        listed = await _read(api, group, f"/apis/{group}/{each.version}", _Resources)
        served[each.version] = {named.name for named in listed.resources} if listed else set()
    return served


async def _read(api: KubeApi, group: str, path: str, form: type[_Document]) -> _Document | None:
    """Read a document of the server; None where it has none."""
    try:
        return form.model_validate_json(await api.discover(path, group))
    except ValidationError as error:
        message = f"Cannot discover {group}: what is at {path} is no answer to that."
        raise KubeFailure(Reason.INVALID_REPLY, message, group) from error
    except KubeFailure as failure:
        if failure.reason is not Reason.NOT_FOUND:
            raise
        return None


class Discovery:
    """What a server has of one API group; made by `open_discovery`."""

    def __init__(self, api: KubeApi, group: str, pace: Pace, again_seconds: float) -> None:
        self._api = api
        self._group = group
        self._pace = pace
        self._again_seconds = again_seconds
        self._backoff = Backoff(pace)
        self._known: Known[Served] = Known()
        self._looked = asyncio.Event()

    def known(self) -> Known[Served]:
        """What the server has; empty where it does not know the group.

        What it once had stays while it cannot be asked, with the problem beside it.
        """
        return self._known

    async def look(self) -> None:
        """Return when the server has been asked once more, well or not."""
        await self._looked.wait()

    async def keep_looking(self) -> None:
        """Ask now and then; never ends."""
        while True:
            pause = self._again_seconds
            try:
                self._known = Known(await ask_served(self._api, self._group), time.time())
                self._backoff.reset()
            except KubeFailure as failure:
                self._fail(failure)
                pause = self._backoff.next(failure.retry_after)
            looked, self._looked = self._looked, asyncio.Event()
            looked.set()
            await self._pace.pause(pause)

    def _fail(self, failure: KubeFailure) -> None:
        problem = failure.problem
        if failure.reason is Reason.FORBIDDEN:
            problem = Problem(problem.reason, problem.message, _CURE)
        before = self._known.problem
        if before is None or before.reason != problem.reason:
            _log.warning("kubernetes not asked", reason=problem.reason, why=str(problem))
        self._known = Known(self._known.value, self._known.at, problem)


@asynccontextmanager
async def open_discovery(
    api: KubeApi, group: str, pace: Pace = PACE, again_seconds: float = LOOK_AGAIN_SECONDS
) -> AsyncIterator[Discovery]:
    """Know what a server has of a group while entered; never raises."""
    discovery = Discovery(api, group, pace, again_seconds)
    async with in_background(discovery.keep_looking, f"discovery of {group}"):
        yield discovery

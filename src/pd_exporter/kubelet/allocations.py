"""The node's device allocations, kept up to date beside the scrapes.

The kubelet answers only so many PodResources requests a second, so no scrape asks it. While the
kubelet is away nothing on the node can be allocated, so what it last told stays true for a while:
a new pod cannot start, and of one that ends, the processes are gone from the GPU.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from pd_exporter.background import in_background
from pd_exporter.known import Known
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.failure import PodResourcesFailure
from pd_exporter.kubelet.podresources import list_allocations
from pd_exporter.reading import Problem

JITTER = 0.1
"""The pause between polls varies by this part of it, lest the node's agents ask in step."""

_log = structlog.get_logger(__name__)


class Allocations:
    """What the kubelet last told; made by `open_allocations`."""

    def __init__(
        self,
        socket: Path,
        refresh_seconds: float,
        max_age_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._socket = socket
        self._refresh_seconds = refresh_seconds
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._value: tuple[Allocation, ...] | None = None
        self._at: float | None = None
        self._problem: Problem | None = None
        self._polled = asyncio.Event()

    def known(self) -> Known[tuple[Allocation, ...]]:
        """Give the allocations as last told, and the problem of the last poll.

        The value is None until the kubelet has told it once, and again when it is too old. Until
        the first poll has ended there is no problem either.
        """
        # An age below 0 is a clock that was set back: how far, nobody knows.
        old = self._at is None or abs(self._clock() - self._at) > self._max_age_seconds
        return Known(None if old else self._value, self._at, self._problem)

    async def first(self) -> None:
        """Return when the first poll has ended, well or not."""
        await self._polled.wait()

    async def keep_polling(self) -> None:
        """Poll again and again; never ends."""
        while True:
            await self._poll()
            self._polled.set()
            jitter = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  no secret
            await asyncio.sleep(self._refresh_seconds * jitter)

    async def _poll(self) -> None:
        asked_at = self._clock()
        try:
            value = await list_allocations(self._socket)
        except PodResourcesFailure as failure:
            self._tell(failure.problem)
        else:
            self._value, self._at = value, asked_at
            self._tell(None)

    def _tell(self, problem: Problem | None) -> None:
        """Keep the last poll's problem, and log when it comes, changes and goes."""
        before, self._problem = self._problem, problem
        if problem is None:
            if before is not None:
                _log.info("allocations read again", socket=str(self._socket), reason=before.reason)
        elif before is None or before.reason != problem.reason:
            _log.warning(
                "allocations not read",
                socket=str(self._socket),
                reason=problem.reason,
                why=str(problem),
            )


@asynccontextmanager
async def open_allocations(
    socket: Path,
    *,
    refresh_seconds: float = 5.0,
    max_age_seconds: float = 300.0,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Allocations]:
    """Keep the node's allocations up to date while entered; never raises.

    Args:
        socket: The kubelet's PodResources socket.
        refresh_seconds: About how often to ask.
        max_age_seconds: How long the last answer counts while there is no newer one.
        clock: Gives Unix time.
    """
    allocations = Allocations(socket, refresh_seconds, max_age_seconds, clock)
    async with in_background(allocations.keep_polling, "allocations"):
        yield allocations

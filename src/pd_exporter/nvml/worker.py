"""Threads for calls that may hang for ever."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from pd_exporter.nvml.errors import HungError

HUNG_SECONDS = 2.0
"""How long a call may take before it counts as hung: a scrape is not to wait for it longer.

Once a GPU was touched, calls take microseconds.
"""

_T = TypeVar("_T")


class Worker:
    """A thread that makes blocking calls, one after the other.

    A call that hangs in the driver cannot be ended, so nothing waits for the thread: neither who
    asked, once the time is over, nor the end of the process.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._now: Future[Any] | None = None
        self._began = 0.0
        self._given_up: Future[Any] | None = None
        threading.Thread(target=self._work, name=name, daemon=True).start()

    @property
    def hung(self) -> bool:
        """Whether it has long been in a call that was given up."""
        return self.patience <= 0

    @property
    def patience(self) -> float:
        """Seconds until a call that was given up counts as hung; infinite where there is none.

        Who gave it up may only have been in a hurry, which is to cost nobody else the GPU.
        """
        if self._given_up is None or self._given_up.done():
            return math.inf
        return self._began + HUNG_SECONDS - time.monotonic()

    def submit(self, call: Callable[[], _T]) -> asyncio.Future[_T]:
        """Have a call made after those before it; if cancelled before its turn it is not made."""
        future: Future[_T] = Future()
        self._calls.put((future, call))
        return asyncio.wrap_future(future)

    def give_up(self) -> None:
        """Count the call that it is in as hung, until it comes back."""
        self._given_up = self._now

    def end(self) -> None:
        """Have the thread end once it has made its calls."""
        self._calls.put(None)

    def _work(self) -> None:
        while (asked := self._calls.get()) is not None:
            future, call = asked
            if not future.set_running_or_notify_cancel():
                continue
            self._began = time.monotonic()
            self._now = future
            try:
                future.set_result(call())
            except Exception as error:  # noqa: BLE001  it is given to whoever waits for the result
                future.set_exception(error)


async def answers(
    calls: Sequence[tuple[Worker, Callable[[], _T]]], seconds: float
) -> list[_T | BaseException]:
    """Have workers make calls side by side, and give what each came to.

    Args:
        calls: Each with its worker. One that still hangs in an earlier call is not asked.
        seconds: How long to wait for all.

    Returns:
        In the order of the calls: the result, what it raised, or HungError.
    """
    asked = [(worker, None if worker.hung else worker.submit(call)) for worker, call in calls]
    try:
        await _wait({future: worker for worker, future in asked if future is not None}, seconds)
        return [_outcome(future) for _, future in asked]
    finally:
        for worker, future in asked:
            if future is not None and future.cancel():
                worker.give_up()


async def _wait(pending: Mapping[asyncio.Future[Any], Worker], seconds: float) -> None:
    """Wait for answers, though not for those of workers that turn out to hang."""
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    while pending and (left := end - clock()) > 0:
        least = min(worker.patience for worker in pending.values())
        await asyncio.wait(pending, timeout=max(0.0, min(left, least)))
        pending = {
            future: worker
            for future, worker in pending.items()
            if not future.done() and not worker.hung
        }


def _outcome(future: asyncio.Future[Any] | None) -> Any:
    if future is None or not future.done():
        return HungError()
    return future.exception() or future.result()

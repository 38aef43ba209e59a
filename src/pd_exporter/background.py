"""Work that goes on beside other work, and its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import structlog

AGAIN_SECONDS = 1.0
"""Pause before work that failed is begun anew."""
CANCEL_AGAIN_SECONDS = 1.0
"""How long a task may take to end before it is told again."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def in_background(work: Callable[[], Awaitable[None]], name: str) -> AsyncIterator[None]:
    """Have endless work done while entered.

    A fault in it is logged, and the work is begun anew: nothing that goes on in the background may
    end silently, or end the process.
    """

    async def keep_working() -> None:
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001  whatever it is, the work has to go on
                _log.exception("background work failed", work=name)
            await asyncio.sleep(AGAIN_SECONDS)

    task = asyncio.create_task(keep_working(), name=name)
    try:
        yield
    finally:
        await cancel([task])


async def cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until they have ended.

    Before Python 3.12 `asyncio.wait_for`, which nats-py uses everywhere, forgets a cancellation
    that comes at the moment when what it waits for is there, so it is said again.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_SECONDS)

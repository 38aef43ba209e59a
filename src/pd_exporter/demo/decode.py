"""The Decode pods: what was prefilled is decoded there for a while, beside others."""

import asyncio
import math
from collections.abc import Sequence

from pd_exporter.background import cancel
from pd_exporter.demo.engines import MOST_SEQUENCES
from pd_exporter.demo.plan import Plan

DECODE_SECONDS = 4.0
"""For a sequence, whose end comes later than the next scrape: so no burst is missed."""
FEWEST_PODS = 2
"""So that there is something to sum up."""
MOST_PODS = 64
"""With more, the exporter's page would be what takes the time."""

_FULL = 0.75


def decode_pods(plan: Plan) -> int:
    """Give the pods that a burst needs, none of them quite full."""
    sequences = min(plan.requests, plan.workers / plan.service_seconds * DECODE_SECONDS)
    needed = math.ceil(sequences / (MOST_SEQUENCES * _FULL))
    return min(max(FEWEST_PODS, needed), MOST_PODS)


class Decoding:
    """Sequences on pods; one for which no pod has room waits until there is.

    Args:
        pods: How many there are.
        seconds: What each sequence takes.
    """

    def __init__(self, pods: int, seconds: float = DECODE_SECONDS) -> None:
        self._seconds = seconds
        self._sequences = [0] * pods
        self._room = asyncio.Semaphore(pods * MOST_SEQUENCES)
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Take over a sequence whose prompt has been prefilled."""
        task = asyncio.create_task(self._decode(), name="sequence")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def unfinished(self) -> int:
        """Count the sequences that are not yet at their end, those that wait included."""
        return len(self._tasks)

    def sequences(self) -> Sequence[int]:
        """Count the sequences on each pod."""
        return tuple(self._sequences)

    async def close(self) -> None:
        """End all sequences now."""
        await cancel(self._tasks)

    async def _decode(self) -> None:
        async with self._room:
            emptiest = self._sequences.index(min(self._sequences))
            self._sequences[emptiest] += 1
            try:
                await asyncio.sleep(self._seconds)
            finally:
                self._sequences[emptiest] -= 1

"""The Decode pods: what was prefilled is decoded there for a while, beside others."""

import asyncio
import math
from collections.abc import Sequence

from pd_exporter.demo.plan import Plan
from pd_exporter.demo.service.engines import MOST_SEQUENCES, kv_cache_utilization

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


class DecodeEngine:
    """A pod's engine, with room for `MOST_SEQUENCES` at a time.

    Args:
        seconds: What each sequence takes.

    Attributes:
        running: Sequences that are decoded now.
        waiting: Sequences that wait for room.
        finished: Sequences that came to their end.
        peak: Most sequences that it had at once, those that waited included.
    """

    def __init__(self, seconds: float) -> None:
        self.running = self.waiting = self.finished = self.peak = 0
        self._seconds = seconds

    @property
    def held(self) -> int:
        """Sequences that it has, those that wait included."""
        return self.running + self.waiting

    def begin(self) -> None:
        """Take over a sequence; it waits where there is no room."""
        if self.running < MOST_SEQUENCES:
            self._decode()
        else:
            self.waiting += 1
        self.peak = max(self.peak, self.held)

    def _decode(self) -> None:
        self.running += 1
        asyncio.get_running_loop().call_later(self._seconds, self._finish)

    def _finish(self) -> None:
        self.running -= 1
        self.finished += 1
        if self.waiting:
            self.waiting -= 1
            self._decode()


class Decoding:
    """Sequences on pods, each on the one that has fewest.

    Args:
        pods: How many there are.
        seconds: What each sequence takes.

    Attributes:
        engines: The pods' engines.
    """

    def __init__(self, pods: int, seconds: float = DECODE_SECONDS) -> None:
        self.engines: Sequence[DecodeEngine] = tuple(DecodeEngine(seconds) for _ in range(pods))

    def begin(self) -> None:
        """Take over a sequence whose prompt has been prefilled."""
        min(self.engines, key=lambda engine: engine.held).begin()

    def unfinished(self) -> int:
        """Count the sequences that are not yet at their end, those that wait included."""
        return sum(engine.held for engine in self.engines)

    def finished(self) -> int:
        """Count the sequences that came to their end."""
        return sum(engine.finished for engine in self.engines)

    def kv_demand(self) -> float:
        """Give the share of a KV cache that all sequences ask for, summed over the pods."""
        return sum(kv_cache_utilization(engine.held) for engine in self.engines)

    def peak_kv_demand(self) -> float:
        """Give the most that each pod was asked for, summed over the pods."""
        return sum(kv_cache_utilization(engine.peak) for engine in self.engines)

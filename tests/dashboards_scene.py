"""An hour of the service default/dynamo-pd, by arithmetic: a burst takes prefill 1, 4, 6, 1."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

STEP = 15
"""Seconds between two moments."""
LENGTH = 3600
BURST = range(15 * 60, 36 * 60)
"""Seconds from the beginning on when there are more requests."""
SERVICE_SECONDS = 0.4
GPU_LOST = 45 * 60
"""When a GPU of the second node falls off the bus."""
ENGINES_SILENT = range(38 * 60, 48 * 60)
"""When too few engines report for the KV cache's sums."""
QUEUE_LOST = range(29 * 60, 30 * 60)
"""When the queue cannot be read."""


@dataclass(slots=True)
class Moment:
    """The state at one time; counters since the beginning."""

    time: int = 0
    arriving: float = 0.0
    pending: float = 0.0
    enqueued: float = 0.0
    delivered: float = 0.0
    taken: float = 0.0
    head_age: float = 0.0
    required: float = 0.0
    desired: int = 1
    ready: int = 1
    serving: int = 1
    decode: int = 2
    decode_desired: int = 2
    occupancy: float = 0.4
    asked: list[float] = field(default_factory=list)

    @property
    def offered(self) -> float:
        return self.arriving * SERVICE_SECONDS

    @property
    def busy(self) -> float:
        return self.taken * SERVICE_SECONDS


def moments() -> Iterator[Moment]:
    """The hour, a moment every 15 s; it is one object that changes."""
    now = Moment()
    grown = [1] * 30
    decode = [2] * 30
    for now.time in range(0, LENGTH + 1, STEP):
        now.arriving = (7.5 if now.time in BURST else 0.3) + math.sin(now.time / 130) / 8
        capacity = now.serving / SERVICE_SECONDS
        now.taken = min(capacity, now.arriving + now.pending / STEP)
        now.pending = max(0.0, now.pending + (now.arriving - now.taken) * STEP)
        now.enqueued += now.arriving * STEP
        now.delivered += now.taken * STEP
        now.head_age = now.pending / now.taken
        drain = now.pending * SERVICE_SECONDS / 120
        now.required = now.offered + 1.9 * math.sqrt(now.offered) + drain
        now.asked.append(now.required)
        held = max(now.asked[-40:])  # 10 minutes of them
        at_most = 4 if now.time < BURST.start + 120 else 6
        now.desired = min(at_most, max(1, math.ceil(held)))
        grown.append(now.desired)
        now.ready, now.serving = (min(now.desired, grown[-behind]) for behind in (6, 14))
        now.occupancy = 0.35 + 0.45 * (now.time in BURST) + 0.05 * math.sin(now.time / 200)
        now.decode_desired = 3 if BURST.start + 120 < now.time < BURST.stop + 660 else 2
        decode.append(now.decode_desired)
        now.decode = min(now.decode_desired, decode[-8])
        yield now

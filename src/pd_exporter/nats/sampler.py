"""The background task that samples streams about once a second, to date their messages.

Nothing that it reads is ever published as a value; it gives the values read at a scrape their
meaning: since when the oldest message waits, and whether skipped messages had expired.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pd_exporter.nats.arrivals import ArrivalHistory
from pd_exporter.nats.connection import Connection
from pd_exporter.nats.failure import JetStreamFailure
from pd_exporter.nats.jetstream import stream_info

INTERVAL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SampledStream:
    """A stream, and the histories that its samples go to."""

    connection: Connection
    stream: str
    histories: Sequence[ArrivalHistory]


async def keep_sampling(streams: Sequence[SampledStream]) -> None:
    """Sample streams again and again; never ends."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + INTERVAL_SECONDS
        await asyncio.gather(*(_sample(stream, due) for stream in streams))
        await asyncio.sleep(max(0.0, due - clock()))


async def _sample(sampled: SampledStream, deadline: float) -> None:
    asked_at = time.time()
    try:
        info = await stream_info(sampled.connection, sampled.stream, deadline)
    except JetStreamFailure:
        return  # the next scrape meets the same failure, counts it and tells it
    for history in sampled.histories:
        history.observe(info, asked_at)

"""The service's side of a queue, as Dynamo 0.3.2 or an ordinary worker plays it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import nats.errors
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StreamConfig

from pd_exporter.background import cancel

STREAM = "dynamo_prefill_queue"
CONSUMER = "worker-group"


async def make_queue(
    client: Client,
    *,
    stream: str = STREAM,
    retention: RetentionPolicy = RetentionPolicy.LIMITS,
    max_age: float = 600,
    filter_subject: str | None = None,
) -> None:
    """Make stream and consumer; by default exactly Dynamo's."""
    js = client.jetstream()
    await js.add_stream(
        StreamConfig(name=stream, subjects=[f"{stream}.*"], max_age=max_age, retention=retention)
    )
    await make_consumer(client, stream=stream, filter_subject=filter_subject)


async def make_consumer(
    client: Client, *, stream: str = STREAM, filter_subject: str | None = None
) -> None:
    await client.jetstream().add_consumer(
        stream,
        ConsumerConfig(
            durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT, filter_subject=filter_subject
        ),
    )


@dataclass
class Truth:
    """What happened at the queue, by those who did it: begun and known to be done."""

    publishing: int = 0
    published: int = 0
    received: int = 0
    acking: int = 0
    acked: int = 0
    waits: list[float] = field(default_factory=list)


class Service:
    """Producers and workers on one queue; `ack_after_work` or, like Dynamo, at once."""

    def __init__(self, client: Client, *, ack_after_work: bool, stream: str = STREAM) -> None:
        self.truth = Truth()
        self._client = client
        self._ack_after_work = ack_after_work
        self._stream = stream

    async def publish(self, count: int = 1) -> None:
        for _ in range(count):
            self.truth.publishing += 1
            await self._client.jetstream().publish(f"{self._stream}.queue", b"{}")
            self.truth.published += 1

    async def produce(self, interval: float) -> None:
        while True:
            await self.publish()
            await asyncio.sleep(interval)

    async def work(self, seconds: float) -> None:
        pulls = await self._client.jetstream().pull_subscribe_bind(CONSUMER, self._stream)
        while True:
            try:
                (message,) = await pulls.fetch(1, timeout=1)
            except nats.errors.TimeoutError:
                continue
            self.truth.received += 1
            if self._ack_after_work:
                await asyncio.sleep(seconds)
            self.truth.acking += 1
            await message.ack_sync()
            self.truth.acked += 1
            if not self._ack_after_work:
                await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def running(
        self, *, producers: int = 0, workers: int = 0, interval: float = 0.02, seconds: float = 0.05
    ) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.produce(interval)) for _ in range(producers)]
        tasks += [asyncio.create_task(self.work(seconds)) for _ in range(workers)]
        try:
            yield
        finally:
            await cancel(tasks)
            for task in tasks:
                if not task.cancelled():
                    task.result()

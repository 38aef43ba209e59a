"""Dynamo's prefill queue, made and used with the calls of Dynamo 0.3.2."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

from pd_exporter.demo.plan import CONSUMER, MODEL, PROMPT_TOKENS, STREAM
from pd_exporter.demo.programs.processes import DemoError

MAX_AGE_SECONDS = 600
FETCH_SECONDS = 1.0

_CLOSE_SECONDS = 2.0


class PrefillQueue:
    """The queue as producers and workers see it."""

    def __init__(self, jetstream: JetStreamContext) -> None:
        self._jetstream = jetstream

    async def enqueue(self, request_id: str) -> None:
        """Send a prefill request of a usual size and wait until the stream has it.

        Raises:
            DemoError: The stream did not take it.
        """
        request = {
            "request_id": request_id,
            "model": MODEL,
            "prompt_token_ids": random.choices(range(150_000), k=PROMPT_TOKENS),  # noqa: S311
        }
        with _told():
            await self._jetstream.publish(f"{STREAM}.queue", json.dumps(request).encode())

    async def subscribe(self) -> "WorkerSubscription":
        """Give one worker's access to the consumer that all workers share."""
        with _told():
            pull = await self._jetstream.pull_subscribe_bind(consumer=CONSUMER, stream=STREAM)
            return WorkerSubscription(pull)


class WorkerSubscription:
    """One worker's access to the queue."""

    def __init__(self, pull: JetStreamContext.PullSubscription) -> None:
        self._pull = pull

    async def dequeue(self) -> str | None:
        """Give the next request's id, or None when there was none within a second.

        It is acknowledged before the work: if the worker dies then, the request is lost.

        Raises:
            DemoError: The queue cannot be read.
        """
        with _told():
            try:
                (message,) = await self._pull.fetch(1, timeout=FETCH_SECONDS)
            except NatsTimeoutError:
                return None
            await message.ack()
        try:
            return str(json.loads(message.data)["request_id"])
        except (ValueError, LookupError, TypeError):
            return ""  # somebody else's message; it is worked on like any other


@asynccontextmanager
async def open_prefill_queue(url: str) -> AsyncIterator[PrefillQueue]:
    """Connect, and make stream and consumer as the first Dynamo process does.

    Raises:
        DemoError: The server refuses.
    """
    client = Client()
    with _told():
        await client.connect(url, name="pd-exporter demo", allow_reconnect=False, error_cb=_ignore)
    try:
        jetstream = client.jetstream()
        stream = StreamConfig(
            name=STREAM,
            subjects=[f"{STREAM}.*"],
            max_age=MAX_AGE_SECONDS,
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
        )
        with _told():
            await jetstream.add_stream(stream)
            await jetstream.add_consumer(STREAM, ConsumerConfig(durable_name=CONSUMER))
        yield PrefillQueue(jetstream)
    finally:
        with suppress(NatsError, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await client.close()


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except (NatsError, OSError, TimeoutError) as error:
        raise DemoError(f"NATS: {error!r}") from error


async def _ignore(_error: Exception) -> None:
    """Keep nats-py from logging what the call that meets it raises as well."""

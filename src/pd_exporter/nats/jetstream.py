"""Questions to JetStream: asked again at once where the answer may get better in time."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from pd_exporter.nats import replies
from pd_exporter.nats.connection import Answer, Connection
from pd_exporter.nats.failure import JetStreamFailure, Reason
from pd_exporter.nats.replies import ConsumerInfo, StreamInfo

TRY_SECONDS = 2.0
"""How long one request may go unanswered before it is sent again."""
PAUSE_SECONDS = (0.02, 0.05, 0.1, 0.25)
"""Pauses before asking again; the last one repeats."""

_CONFIRMED_ONCE = {Reason.STREAM_MISSING, Reason.CONSUMER_MISSING, Reason.DISCONNECTED}
_TRANSIENT = {Reason.NO_LEADER, Reason.TIMEOUT}

_InfoT = TypeVar("_InfoT")


async def consumer_info(
    connection: Connection, stream: str, consumer: str, deadline: float
) -> ConsumerInfo:
    """Read a consumer; `deadline` is by the event loop's clock.

    Raises:
        JetStreamFailure: There was no answer to be trusted until the deadline.
    """

    def accept(answer: Answer) -> ConsumerInfo:
        return replies.consumer_info(answer.body, stream, consumer, clustered=answer.clustered)

    subject = f"$JS.API.CONSUMER.INFO.{stream}.{consumer}"
    return await _ask(connection, subject, accept, deadline)


async def stream_info(connection: Connection, stream: str, deadline: float) -> StreamInfo:
    """Read a stream; arguments and errors as of `consumer_info`."""

    def accept(answer: Answer) -> StreamInfo:
        return replies.stream_info(answer.body, stream, clustered=answer.clustered)

    return await _ask(connection, f"$JS.API.STREAM.INFO.{stream}", accept, deadline)


async def _ask(
    connection: Connection, subject: str, accept: Callable[[Answer], _InfoT], deadline: float
) -> _InfoT:
    clock = asyncio.get_running_loop().time
    last: JetStreamFailure | None = None
    attempt = 0
    while True:
        try:
            until = min(deadline, clock() + TRY_SECONDS)
            return accept(await connection.request(subject, b"", until))
        except JetStreamFailure as failure:
            same = last is not None and last.reason is failure.reason
            final = failure.reason not in _TRANSIENT | _CONFIRMED_ONCE or (
                failure.reason in _CONFIRMED_ONCE and same
            )
            pause = PAUSE_SECONDS[min(attempt, len(PAUSE_SECONDS) - 1)]
            if final or clock() + pause >= deadline:
                if failure.reason is Reason.TIMEOUT and last is not None:
                    raise last from None  # silence at the end says less than what came before
                raise
            last = failure
        attempt += 1
        await asyncio.sleep(pause)

"""JetStream queues: what waits, what is in work, since when, and what was lost."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from pd_exporter.background import in_background
from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.config import Config, QueueConfig
from pd_exporter.nats.arrivals import ArrivalHistory
from pd_exporter.nats.connection import Connection, open_connection
from pd_exporter.nats.failure import JetStreamFailure, Reason
from pd_exporter.nats.jetstream import consumer_info, stream_info
from pd_exporter.nats.losses import LossCounter
from pd_exporter.nats.replies import ConsumerInfo, StreamInfo, unix
from pd_exporter.nats.sampler import SampledStream, keep_sampling
from pd_exporter.reading import Reading
from pd_exporter.samples import Sample

HEAD_UNCERTAINTY_SECONDS = 2.5
"""The head's arrival is given if it is known at least this well: two samples and some delay."""


class Queue:
    """One configured queue, with what is remembered of it between scrapes."""

    def __init__(self, config: QueueConfig, connection: Connection) -> None:
        self.config = config
        self.connection = connection
        self.history = ArrivalHistory()
        self._losses = LossCounter()
        self._errors = dict.fromkeys(Reason, 0)
        self._labels = {
            "namespace": config.namespace,
            "group": config.group,
            "role": config.role,
            "stream": config.stream,
            "consumer": config.consumer,
        }

    async def read(self, deadline: float) -> Reading:
        """Read consumer and stream; never raises, a failure is in the reading and is counted."""
        config = self.config
        sampled = self.history.latest  # from before the consumer is asked
        asked_at = time.time()
        consumer, stream = await asyncio.gather(
            consumer_info(self.connection, config.stream, config.consumer, deadline),
            stream_info(self.connection, config.stream, deadline),
            return_exceptions=True,
        )
        failures = _failure(consumer), _failure(stream)
        failure = failures[0] or failures[1]
        samples = [queue_metrics.UP.sample(isinstance(consumer, ConsumerInfo), self._labels)]
        if isinstance(stream, StreamInfo):
            self.history.observe(stream, asked_at)
        if isinstance(consumer, ConsumerInfo):
            samples += self._of_consumer(consumer)
            if isinstance(stream, StreamInfo):
                samples += self._of_both(consumer, stream, sampled, asked_at)
        if failure is not None:
            self._errors[failure.reason] += 1
        samples += self._counted_errors()
        samples += self._configured()
        return Reading(
            subject=f"{config.namespace}/{config.group}/{config.role}",
            details={"nats": config.nats, "stream": config.stream, "consumer": config.consumer},
            samples=samples,
            problem=failure.problem if failure else None,
        )

    def _configured(self) -> Iterator[Sample]:
        values = {
            queue_metrics.WORKER_CONCURRENCY: self.config.worker_concurrency,
            queue_metrics.SERVICE_PRIOR: self.config.service_prior_seconds,
            queue_metrics.CAP: self.config.cap_messages,
        }
        for desc, value in values.items():
            if value is not None:
                yield desc.sample(value, self._labels)

    def _of_consumer(self, consumer: ConsumerInfo) -> Iterator[Sample]:
        values = {
            queue_metrics.PENDING: consumer.num_pending,
            queue_metrics.ACK_PENDING: consumer.num_ack_pending,
            queue_metrics.REDELIVERED: consumer.num_redelivered,
            queue_metrics.WAITING_PULLS: consumer.num_waiting,
            queue_metrics.DELIVERED: consumer.delivered.consumer_seq,
            queue_metrics.ACK_FLOOR: consumer.ack_floor.stream_seq,
            queue_metrics.CREATED_TIMESTAMP: unix(consumer.created),
        }
        for desc, value in values.items():
            yield desc.sample(value, self._labels)

    def _of_both(
        self,
        consumer: ConsumerInfo,
        stream: StreamInfo,
        sampled: StreamInfo | None,
        asked_at: float,
    ) -> Iterator[Sample]:
        facts = {
            "nats": self.config.nats,
            "ack": self.config.ack.value,
            "retention": stream.config.retention,
            "filtered": str(consumer.filtered).lower(),
        }
        yield queue_metrics.INFO.sample(1, self._labels | facts)
        if consumer.filtered:
            return
        yield queue_metrics.ENQUEUED.sample(stream.state.last_seq, self._labels)
        now = unix(consumer.ts) if consumer.ts else asked_at
        lost = self._losses.observe(consumer, sampled, self.history, now)
        if lost is not None:
            yield queue_metrics.EXPIRED.sample(lost, self._labels)
        # What expired undelivered is still to be dated, by the next reading's count of losses.
        self.history.forget_before(consumer.delivered.stream_seq + 1)
        head = max(consumer.delivered.stream_seq + 1, stream.state.first_seq)
        arrival = self.history.arrival(head) if consumer.num_pending else None
        if arrival and arrival.latest - arrival.earliest <= HEAD_UNCERTAINTY_SECONDS:
            yield queue_metrics.HEAD_TIMESTAMP.sample(arrival.estimate, self._labels)

    def _counted_errors(self) -> Iterator[Sample]:
        for reason, count in self._errors.items():
            yield queue_metrics.ERRORS.sample(count, self._labels | {"reason": reason.value})


def _failure(answer: ConsumerInfo | StreamInfo | BaseException) -> JetStreamFailure | None:
    if isinstance(answer, BaseException) and not isinstance(answer, JetStreamFailure):
        raise answer
    return answer if isinstance(answer, JetStreamFailure) else None


class QueueCollector:
    """Reads every configured queue at once."""

    name = "queue"
    metrics = queue_metrics.ALL

    def __init__(self, queues: Sequence[Queue]) -> None:
        self._queues = queues

    async def collect(self, deadline: float) -> Sequence[Reading]:
        """Read all queues before the deadline, by the event loop's clock."""
        return await asyncio.gather(*(queue.read(deadline) for queue in self._queues))


@asynccontextmanager
async def open_queues(config: Config) -> AsyncIterator[QueueCollector]:
    """Keep the connections and the sampler of the configured queues while entered."""
    async with AsyncExitStack() as stack:
        connections = {
            name: await stack.enter_async_context(open_connection(name, config.nats[name]))
            for name in dict.fromkeys(queue.nats for queue in config.queues)
        }
        queues = [Queue(queue, connections[queue.nats]) for queue in config.queues]
        sampling = partial(keep_sampling, list(_streams(queues)))
        await stack.enter_async_context(in_background(sampling, "stream sampler"))
        yield QueueCollector(queues)


def _streams(queues: Sequence[Queue]) -> Iterator[SampledStream]:
    histories: dict[tuple[Connection, str], list[ArrivalHistory]] = {}
    for queue in queues:
        histories.setdefault((queue.connection, queue.config.stream), []).append(queue.history)
    for (connection, stream), group in histories.items():
        yield SampledStream(connection, stream, group)

"""The played service: clients that wait for their prefill, workers that serve one at a time."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pd_exporter.background import cancel
from pd_exporter.demo.decode import Decoding
from pd_exporter.demo.dynamo import PrefillQueue, WorkerSubscription
from pd_exporter.demo.plan import Plan


@dataclass(frozen=True, slots=True)
class Truth:
    """What the workload knows of itself at a moment, with no help from NATS or the exporter.

    Attributes:
        sent: Requests on their way to the stream or in it.
        enqueued: Requests that the stream confirmed.
        dequeued: Requests that workers took.
        done: Requests that were prefilled.
        decoding: Of these, those that are not yet decoded.
        oldest_wait: Seconds that the longest waiting request has waited; 0 when none waits.
        workers: Workers that serve or wait for work.
        peak_waiting: Most requests that waited at once, so far.
        longest_wait: Longest wait that has ended, in seconds.
        mean_wait: Mean of the waits that have ended, in seconds.
    """

    sent: int
    enqueued: int
    dequeued: int
    done: int
    decoding: int
    oldest_wait: float
    workers: int
    peak_waiting: int
    longest_wait: float
    mean_wait: float

    @property
    def waiting(self) -> int:
        """Requests sent and not yet taken."""
        return self.sent - self.dequeued


class Tally:
    """Counts as things happen."""

    def __init__(self) -> None:
        self._sent_at: dict[str, float] = {}
        self._waits: list[float] = []
        self._sent = self._enqueued = self._done = self._peak_waiting = 0

    def sent(self, request_id: str) -> None:
        """Note a request that goes out."""
        self._sent += 1
        self._sent_at[request_id] = time.monotonic()
        self._peak_waiting = max(self._peak_waiting, len(self._sent_at))

    def enqueued(self) -> None:
        """Note a request that the stream has confirmed."""
        self._enqueued += 1

    def dequeued(self, request_id: str) -> None:
        """Note a request that a worker has taken."""
        self._waits.append(time.monotonic() - self._sent_at.pop(request_id))

    def done(self) -> None:
        """Note a request that a worker has served."""
        self._done += 1

    def truth(self, workers: int, decoding: int) -> Truth:
        """Give the counts of now."""
        oldest = next(iter(self._sent_at.values()), None)
        return Truth(
            sent=self._sent,
            enqueued=self._enqueued,
            dequeued=len(self._waits),
            done=self._done,
            decoding=decoding,
            oldest_wait=0.0 if oldest is None else time.monotonic() - oldest,
            workers=workers,
            peak_waiting=self._peak_waiting,
            longest_wait=max(self._waits, default=0.0),
            mean_wait=sum(self._waits) / len(self._waits) if self._waits else 0.0,
        )


class Workload:
    """Clients and workers of one queue, and what comes after it."""

    def __init__(self, queue: PrefillQueue, plan: Plan, decoding: Decoding) -> None:
        self._queue = queue
        self._plan = plan
        self._decoding = decoding
        self._tally = Tally()
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._workers: list[Worker] = []
        self._failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def truth(self) -> Truth:
        """Tell what happened until now."""
        return self._tally.truth(len(self._workers), self._decoding.unfinished())

    async def add_worker(self) -> None:
        """Start a worker."""
        worker = Worker(self, await self._queue.subscribe(), self._plan.service_seconds)
        worker.ended.add_done_callback(self._note_failure)
        self._workers.append(worker)

    async def close(self) -> None:
        """End all workers now, whatever is in work."""
        await cancel([worker.ended for worker in self._workers])

    async def burst(self) -> float:
        """Send all requests of the plan, wait for their answers, and give the seconds it took.

        Raises:
            DemoError: The queue or a worker failed.
        """
        began = time.monotonic()
        numbers = iter(range(self._plan.requests))  # shared: each client takes the next
        clients = [
            asyncio.create_task(self._client(numbers), name=f"client {index}")
            for index in range(self._plan.concurrency)
        ]
        for client in clients:
            client.add_done_callback(self._note_failure)
        served = asyncio.create_task(asyncio.wait(clients), name="burst served")
        try:
            await asyncio.wait((served, self._failure), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel(clients)
            await served
        if self._failure.done():
            raise self._failure.result()
        return time.monotonic() - began

    async def _client(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            request_id = f"request-{number}"
            answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._answers[request_id] = answer
            self._tally.sent(request_id)
            await self._queue.enqueue(request_id)
            self._tally.enqueued()
            await answer

    def take(self, request_id: str) -> None:
        """Note that a worker has taken a request; strangers' requests are not counted."""
        if request_id in self._answers:
            self._tally.dequeued(request_id)

    def finish(self, request_id: str) -> None:
        """Give a request its answer, and what was prefilled to a Decode pod."""
        answer = self._answers.pop(request_id, None)
        if answer is not None:
            self._tally.done()
            self._decoding.begin()
            if not answer.done():
                answer.set_result(None)

    def _note_failure(self, ended: asyncio.Task[None]) -> None:
        """Note why a worker or a client ended, or others would wait for it for ever."""
        error = None if ended.cancelled() else ended.exception()
        if error is not None and not self._failure.done():
            self._failure.set_result(error)


class Worker:
    """A prefill worker: strictly serial, fetches one request, acknowledges, works, and again."""

    def __init__(
        self, workload: Workload, subscription: WorkerSubscription, service_seconds: float
    ) -> None:
        self._workload = workload
        self._subscription = subscription
        self._service_seconds = service_seconds
        self.ended = asyncio.create_task(self._run(), name="worker")

    async def _run(self) -> None:
        while True:
            request_id = await self._subscription.dequeue()
            if request_id is None:
                continue
            self._workload.take(request_id)
            await asyncio.sleep(self._service_seconds)
            self._workload.finish(request_id)

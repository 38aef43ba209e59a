"""The played service: clients that wait for their prefill, workers that serve one at a time."""

import asyncio
import time
from collections.abc import Iterator

from pd_exporter.background import cancel
from pd_exporter.demo.plan import Plan
from pd_exporter.demo.service.decode import Decoding
from pd_exporter.demo.service.dynamo import PrefillQueue, WorkerSubscription
from pd_exporter.demo.service.tally import Tally, Truth


class Workload:
    """Clients and workers of one queue, and what comes after it.

    Attributes:
        decoding: What comes after it.
        workers: The workers.
    """

    def __init__(self, queue: PrefillQueue, plan: Plan, decoding: Decoding) -> None:
        self._queue = queue
        self._plan = plan
        self.decoding = decoding
        self.workers: list[Worker] = []
        self._tally = Tally(plan.service_seconds)
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    def truth(self) -> Truth:
        """Tell what happened until now."""
        return self._tally.truth(len(self.workers), self.decoding)

    async def add_worker(self) -> None:
        """Start a worker."""
        worker = Worker(self, await self._queue.subscribe(), self._plan.service_seconds)
        worker.ended.add_done_callback(self._note_failure)
        self.workers.append(worker)

    async def close(self) -> None:
        """End all workers now, whatever is in work."""
        await cancel([worker.ended for worker in self.workers])

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

    def finish(self, request_id: str, seconds: float) -> None:
        """Give a request that took so long its answer, and what was prefilled to a Decode pod."""
        answer = self._answers.pop(request_id, None)
        if answer is not None:
            self._tally.done(seconds)
            self.decoding.begin()
            if not answer.done():
                answer.set_result(None)

    def _note_failure(self, ended: asyncio.Task[None]) -> None:
        """Note why a worker or a client ended, or others would wait for it for ever."""
        error = None if ended.cancelled() else ended.exception()
        if error is not None and not self._failure.done():
            self._failure.set_result(error)


class Worker:
    """A prefill worker: strictly serial, fetches one request, acknowledges, works, and again.

    Attributes:
        running: Requests that it serves now: none or one.
        finished: Requests that it has served.
        ended: The task that it is.
    """

    def __init__(
        self, workload: Workload, subscription: WorkerSubscription, service_seconds: float
    ) -> None:
        self.running = self.finished = 0
        self._workload = workload
        self._subscription = subscription
        self._service_seconds = service_seconds
        self.ended = asyncio.create_task(self._run(), name="worker")

    async def _run(self) -> None:
        while True:
            request_id = await self._subscription.dequeue()
            if request_id is None:
                continue
            began = time.monotonic()
            self.running = 1
            self._workload.take(request_id)
            await asyncio.sleep(self._service_seconds)
            self.running = 0
            self.finished += 1
            self._workload.finish(request_id, time.monotonic() - began)

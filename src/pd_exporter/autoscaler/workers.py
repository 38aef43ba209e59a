"""A queue and the workers that take from it, replayed request by request."""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from heapq import heapify, heappush, heapreplace
from itertools import count
from math import inf, nan


class Workers:
    """Workers of equal concurrency that take requests from one queue, first come, first served.

    A worker serves `startup` seconds after it was asked for, except those of the beginning. The
    newest go first when there are too many, as a StatefulSet's ordinals do: what has not started is
    given up, what works finishes what it holds and takes no more.

    Args:
        arrivals: seconds, never falling.
        service: seconds that each request occupies one slot of a worker.
        concurrency: slots of a worker.
        startup: seconds from creation to the first request.
        initial: workers that serve from the beginning.
    """

    def __init__(
        self,
        arrivals: Sequence[float],
        service: Sequence[float],
        *,
        concurrency: int,
        startup: float,
        initial: int,
    ) -> None:
        self._arrivals = arrivals
        self._service = service
        self._concurrency = concurrency
        self._startup = startup
        self._ids = count()
        self.starts = array("d", [nan]) * len(arrivals)
        """When each request was taken by a worker; NaN for those not taken yet."""
        self.started = 0
        self._slots: list[tuple[float, int]] = []  # heap of (free from, worker)
        self._begins: dict[int, float] = {}  # when each worker serves, oldest worker first
        self._leaving: list[float] = []  # ends of requests whose worker was removed
        self._add(initial, -inf)

    @property
    def replicas(self) -> int:
        """Workers that exist, serving or not."""
        return len(self._begins)

    def advance(self, until: float) -> None:
        """Let the workers take every request that they would take before `until`."""
        index, slots = self.started, self._slots
        arrivals, service, starts = self._arrivals, self._service, self.starts
        end = len(arrivals)
        while index < end and slots:
            free, worker = slots[0]
            start = arrivals[index]
            if free > start:  # noqa: PLR1730 - a call of max() here costs a fifth of a replay
                start = free
            if start >= until:
                break
            starts[index] = start
            heapreplace(slots, (start + service[index], worker))
            index += 1
        self.started = index

    def resize(self, replicas: int, now: float) -> None:
        """Add workers, which serve `startup` seconds from now, or remove the newest."""
        if replicas > self.replicas:
            self._add(replicas - self.replicas, now + self._startup)
        elif replicas < self.replicas:
            gone = set(list(self._begins)[replicas:])
            serving = {worker for worker in gone if self._begins.pop(worker) <= now}
            self._leaving = [end for end in self._leaving if end > now]
            self._leaving += [
                free for free, worker in self._slots if worker in serving and free > now
            ]
            self._slots = [slot for slot in self._slots if slot[1] not in gone]
            heapify(self._slots)

    def arrived(self, now: float) -> int:
        """Requests that arrived until `now`."""
        return bisect_right(self._arrivals, now)

    def serving(self, now: float) -> int:
        """Workers that have started up."""
        return sum(begin <= now for begin in self._begins.values())

    def busy_slots(self, now: float) -> int:
        """Slots of serving workers that hold a request."""
        loading = self.replicas - self.serving(now)
        return sum(free > now for free, _ in self._slots) - loading * self._concurrency

    def in_service(self, now: float) -> int:
        """Requests that workers hold, those included that are being removed."""
        return self.busy_slots(now) + sum(end > now for end in self._leaving)

    def _add(self, workers: int, begin: float) -> None:
        # A slot that is free from the worker's beginning on needs no event when that comes.
        for _ in range(workers):
            worker = next(self._ids)
            self._begins[worker] = begin
            for _ in range(self._concurrency):
                heappush(self._slots, (begin, worker))

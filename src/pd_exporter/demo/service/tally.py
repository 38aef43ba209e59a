"""What the workload counts of itself, with no help from NATS or the exporter."""

import time
from bisect import bisect_left
from dataclasses import dataclass

from pd_exporter.autoscaler.laws import arrival_rate, required_workers
from pd_exporter.demo.service.decode import Decoding
from pd_exporter.policy import FAST_WINDOW_SECONDS, REQUIRED_WORKERS, SLOW_WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Truth:
    """What is the case at a moment, and what was until then.

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
        service_seconds: Mean time that workers took for a request; as planned before the first.
        required_workers: What the shipped law gives for these counts.
        kv_demand: Share of a KV cache that is asked for, summed over the Decode pods.
        peak_kv_demand: The highest of each pod so far, summed.
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
    service_seconds: float
    required_workers: float
    kv_demand: float
    peak_kv_demand: float

    @property
    def waiting(self) -> int:
        """Requests sent and not yet taken."""
        return self.sent - self.dequeued


class Tally:
    """Counts as things happen.

    Args:
        service_seconds: What a request takes as planned.
    """

    def __init__(self, service_seconds: float) -> None:
        self._planned_seconds = service_seconds
        self._sent_at: list[float] = []
        self._waiting_since: dict[str, float] = {}
        self._waits: list[float] = []
        self._enqueued = self._done = self._peak_waiting = 0
        self._served_seconds = 0.0

    def sent(self, request_id: str) -> None:
        """Note a request that goes out."""
        now = time.monotonic()
        self._sent_at.append(now)
        self._waiting_since[request_id] = now
        self._peak_waiting = max(self._peak_waiting, len(self._waiting_since))

    def enqueued(self) -> None:
        """Note a request that the stream has confirmed."""
        self._enqueued += 1

    def dequeued(self, request_id: str) -> None:
        """Note a request that a worker has taken."""
        self._waits.append(time.monotonic() - self._waiting_since.pop(request_id))

    def done(self, seconds: float) -> None:
        """Note a request that a worker has served, and how long that took."""
        self._done += 1
        self._served_seconds += seconds

    def truth(self, workers: int, decoding: Decoding) -> Truth:
        """Give the counts of now."""
        oldest = next(iter(self._waiting_since.values()), None)
        service_seconds = self._served_seconds / self._done if self._done else self._planned_seconds
        return Truth(
            sent=len(self._sent_at),
            enqueued=self._enqueued,
            dequeued=len(self._waits),
            done=self._done,
            decoding=decoding.unfinished(),
            oldest_wait=0.0 if oldest is None else time.monotonic() - oldest,
            workers=workers,
            peak_waiting=self._peak_waiting,
            longest_wait=max(self._waits, default=0.0),
            mean_wait=sum(self._waits) / len(self._waits) if self._waits else 0.0,
            service_seconds=service_seconds,
            required_workers=self._required(service_seconds),
            kv_demand=decoding.kv_demand(),
            peak_kv_demand=decoding.peak_kv_demand(),
        )

    def _required(self, service_seconds: float) -> float:
        fast, slow = self._rate(FAST_WINDOW_SECONDS), self._rate(SLOW_WINDOW_SECONDS)
        arrivals = arrival_rate(fast, slow, REQUIRED_WORKERS.confidence) or 0.0
        waiting = len(self._waiting_since)
        return required_workers(arrivals, service_seconds, waiting, 1, REQUIRED_WORKERS)

    def _rate(self, seconds: float) -> float:
        """Requests sent per second of the last ones."""
        before = bisect_left(self._sent_at, time.monotonic() - seconds)
        return (len(self._sent_at) - before) / seconds

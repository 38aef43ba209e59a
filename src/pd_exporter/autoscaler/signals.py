"""What scrapes leave in Prometheus of one role's queue, and what the recording rules read of it."""

from dataclasses import dataclass
from enum import StrEnum

from pd_exporter.autoscaler import laws
from pd_exporter.autoscaler.series import Series
from pd_exporter.autoscaler.workers import Workers
from pd_exporter.policy import FAST_WINDOW_SECONDS, FRESH_SECONDS, SLOW_WINDOW_SECONDS


class Ack(StrEnum):
    """When a worker acknowledges a request."""

    ON_DEQUEUE = "on_dequeue"
    AFTER_WORK = "after_work"

    @property
    def words(self) -> str:
        """For people."""
        return "as they take a request" if self is Ack.ON_DEQUEUE else "when the work is done"


@dataclass(frozen=True, slots=True)
class Observer:
    """What the rules know of the service beside its queue.

    Attributes:
        ack: When workers acknowledge.
        concurrency: Slots of a worker.
        prior_seconds: The configured mean service time; None where none is configured.
        rule_seconds: Between two evaluations of the recording rules.
        evidence: Whether a replica counts as serving only once it shows that it does. Without,
            every replica is taken for a worker from its first second, as if it had no probe.
    """

    ack: Ack
    concurrency: int
    prior_seconds: float | None
    rule_seconds: float
    evidence: bool


class Signals:
    """The series of one queue; each method takes the time in seconds.

    Attributes:
        enqueued: Requests that arrived, a counter.
        delivered: Requests that workers have taken, a counter.
        busy: Slots that hold a request.
        deliveries: Requests taken per second, ``role:pd_deliveries:rate1m`` as recorded.
    """

    def __init__(self, workers: Workers, observer: Observer) -> None:
        self._workers = workers
        self.observer = observer
        self.enqueued = Series()
        self.delivered = Series()
        self._pending = Series()
        self._ack_pending = Series()
        self.busy = Series()
        self.deliveries = Series()

    def scrape(self, now: float) -> None:
        """Read the queue, as a scrape of the exporter does."""
        workers = self._workers
        workers.advance(now)
        arrived = workers.arrived(now)
        after_work = self.observer.ack is Ack.AFTER_WORK
        self.enqueued.append(now, arrived)
        self.delivered.append(now, workers.started)
        self._pending.append(now, arrived - workers.started)
        self._ack_pending.append(now, workers.in_service(now) if after_work else 0)
        self.busy.append(now, self._busy_slots(now))

    def miss(self) -> None:
        """Fail to scrape: Prometheus ends the series until the next scrape."""
        for series in (self.enqueued, self.delivered, self._pending, self._ack_pending):
            series.end()

    def record(self, now: float) -> None:
        """Evaluate the rules whose recorded series others read."""
        deliveries = self.delivered.rate(FAST_WINDOW_SECONDS, now)
        if deliveries is not None and self.delivered.last(now, FRESH_SECONDS) is not None:
            self.deliveries.append(now, deliveries)

    def pending(self, now: float) -> float | None:
        """``role:pd_pending_requests:sum``."""
        return self._pending.last(now, FRESH_SECONDS)

    def lag(self, now: float) -> float | None:
        """``role:pd_lag_messages:sum``."""
        pending, ack_pending = self.pending(now), self._ack_pending.last(now, FRESH_SECONDS)
        if pending is None or ack_pending is None:
            return None
        return laws.lag(pending, ack_pending)

    def arrivals(self, now: float) -> tuple[float | None, float | None]:
        """``role:pd_arrivals:rate1m`` and ``rate5m``."""
        if self.enqueued.last(now, FRESH_SECONDS) is None:
            return None, None
        return (
            self.enqueued.rate(FAST_WINDOW_SECONDS, now),
            self.enqueued.rate(SLOW_WINDOW_SECONDS, now),
        )

    def service_seconds(self, now: float, window: float) -> float | None:
        """Mean service time over the window, completed by the prior; None where nothing is known.

        What was seen for less than two minutes does not count: the deliveries' own rate falls
        short until its window is full.
        """
        prior = self.observer.prior_seconds
        seen = self.deliveries.count(window, now) * self.observer.rule_seconds
        busy, deliveries = self.busy.average(window, now), self.deliveries.average(window, now)
        if not busy or not deliveries or seen < 2 * FAST_WINDOW_SECONDS:
            return prior
        if prior is None:
            return busy / deliveries
        return laws.service_seconds(busy, deliveries, prior, min(seen / window, 1.0))

    def _busy_slots(self, now: float) -> int:
        workers, observer = self._workers, self.observer
        if observer.ack is Ack.AFTER_WORK:
            return workers.in_service(now)
        if observer.evidence:
            return workers.busy_slots(now)
        # Dynamo's queue shows who waits for work; the rest of all replicas is taken to be busy.
        waiting = workers.serving(now) * observer.concurrency - workers.busy_slots(now)
        return workers.replicas * observer.concurrency - waiting

"""A role's load from one source, and what follows from it in the same way for every source."""

from collections.abc import Iterator
from dataclasses import dataclass

from pd_exporter.autoscaler import laws
from pd_exporter.autoscaler.promql import Promql
from pd_exporter.catalogue import roles
from pd_exporter.policy import (
    FAST_WINDOW_SECONDS,
    REQUIRED_WORKERS,
    RULE_SECONDS,
    SERVICE_MEMORY_SECONDS,
    SERVICE_SAMPLES,
)
from pd_exporter.rules.rule import ROLE, RecordingRule, highest, recorded, selected, window

SERVICE = "role:pd_service_seconds:avg1h"
MEASURED = "role:pd_service_seconds:measured1h"
_SAMPLES = "role:pd_service_samples:count1h"
_SEEN = "role:pd_service_seconds:seen1h"
BUSY = "role:pd_busy_workers:sum"
LAG = "role:pd_lag_messages:sum"
PENDING = "role:pd_pending_requests:sum"
OFFERED = "role:pd_offered_workers:sum"
DELIVERIES = "role:pd_deliveries:rate1m"
REQUIRED = "role:pd_required_workers:sum"


@dataclass(frozen=True, slots=True)
class Told:
    """An expression by namespace, group and role, and what it is in words."""

    expression: str
    comment: str


@dataclass(frozen=True, slots=True)
class Load:
    """What a source tells of roles.

    Attributes:
        source: Its name, the label of what is recorded.
        before: Rules that come first.
        pending: Requests that no worker has begun.
        lag: Those, and the ones in service that are not acknowledged.
        wait: Seconds.
        arrivals_fast: Requests per second over a minute.
        arrivals_slow: The same over five.
        deliveries: Requests that workers take per second, over a minute.
        busy: Workers' worth of slots in use.
        concurrency: Slots of a worker, as configured.
        prior: Seconds of service to assume until it is measured, as configured.
    """

    source: str
    pending: Told
    lag: Told
    wait: Told
    arrivals_fast: Told
    arrivals_slow: Told
    deliveries: Told
    busy: Told
    concurrency: str
    prior: str
    before: tuple[RecordingRule, ...] = ()

    def rules(self) -> Iterator[RecordingRule]:
        """What is recorded of it, in an order in which each rule finds what it reads."""
        yield from self.before
        told = {
            PENDING: self.pending,
            LAG: self.lag,
            DELIVERIES: self.deliveries,
            "role:pd_wait_seconds:max": self.wait,
            "role:pd_arrivals:rate1m": self.arrivals_fast,
            "role:pd_arrivals:rate5m": self.arrivals_slow,
            BUSY: self.busy,
        }
        for record, each in told.items():
            yield RecordingRule(record, each.expression, each.comment, self.source)
        yield from self._service()
        yield from self._workers()

    @property
    def scraped_required(self) -> str:
        """Required workers by scraped series and the recorded service time.

        For where recorded series come late; only the service time may be of the past. It is
        `laws.required_of` with its offered load written once, as (sqrt(o) + h/2)^2 - h^2/4: a
        query of a trigger is sent in a URL.
        """
        arrivals = laws.arrival_query(
            _whole(self.arrivals_fast), _whole(self.arrivals_slow), REQUIRED_WORKERS.confidence
        )
        service = Promql(f"max by ({ROLE}) ({selected(SERVICE, self.source)})")
        offered = arrivals * service / Promql(self.concurrency)
        slots = Promql(self.concurrency) * REQUIRED_WORKERS.drain_seconds
        backlog = _whole(self.pending) * service / slots
        half = REQUIRED_WORKERS.headroom / 2
        return f"(sqrt({offered}) + {half:.12g}) ^ 2 - {half**2:.12g} + {backlog}"

    def _recorded(self, name: str) -> Promql:
        return Promql(recorded(name, self.source))

    def _service(self) -> Iterator[RecordingRule]:
        busy, deliveries = selected(BUSY, self.source), selected(DELIVERIES, self.source)
        hour = window(REQUIRED_WORKERS.service_window_seconds)
        ranged = f"[{hour}:{window(RULE_SECONDS)}]"
        # Over the same minute as the rate, or a burst would be busy before it has deliveries.
        minute = f"avg_over_time({busy}[{window(FAST_WINDOW_SECONDS)}])"
        # Both at the same instants: where none is taken, work may hang, or its workers be gone.
        at_work = f"avg_over_time(({minute} and {deliveries} > 0){ranged})"
        taken = f"avg_over_time(({deliveries} > 0 and {minute}){ranged})"
        samples = f"count_over_time(({busy} > 0 and {deliveries} > 0){ranged})"
        yield RecordingRule(
            _SAMPLES,
            f"max by ({ROLE}) ({samples})",
            "Samples of the last hour in which workers were busy, and some requests taken in the"
            " minute before.",
            self.source,
        )
        yield RecordingRule(
            _SEEN,
            f"max by ({ROLE}) ({at_work} / {taken}) * {self.concurrency}"
            f" and {self._recorded(_SAMPLES)} >= {SERVICE_SAMPLES / 2:g}",
            "Mean service time over an hour, in seconds, by Little's law: requests in service"
            " divided by requests taken per second, over the samples in whose last minute some were"
            " taken. Those of workers that hang or are gone would raise it without end.",
            self.source,
        )
        yield RecordingRule(
            MEASURED,
            f"{self._recorded(_SEEN)} and {self._recorded(_SAMPLES)} >= {SERVICE_SAMPLES:g}",
            f"The same where {SERVICE_SAMPLES} samples tell it, or the first seconds of a burst"
            " would be a service time that stays.",
            self.source,
        )
        memory = window(SERVICE_MEMORY_SECONDS)
        last = f"last_over_time({selected(MEASURED, self.source)}[{memory}])"
        measured = Promql(f"max by ({ROLE}) ({last})")
        # Minutes, of the last day's, in which workers were seen; an hour of them is all.
        seen = f"clamp_max(max by ({ROLE}) (count_over_time({busy}[1d:1m])) / 60, 1)"
        completed = laws.completed(measured, Promql(self.prior), Promql(seen))
        known = f"{completed} or {self.prior} or {measured} or {self._recorded(_SEEN)}"
        yield RecordingRule(
            SERVICE,
            f"({known}) and {self.concurrency}",
            "Mean service time of a request, in seconds, as it is used: the measured one, in its"
            " first hour completed by the configured one for the part that was not seen; through"
            " idle hours the last that was measured; else the configured one; and where there is"
            " none, what half as many samples tell. It is the one number here that may come from"
            " the past.",
            self.source,
        )

    def _workers(self) -> Iterator[RecordingRule]:
        arrivals = laws.arrival_query(
            self._recorded("role:pd_arrivals:rate1m"),
            self._recorded("role:pd_arrivals:rate5m"),
            REQUIRED_WORKERS.confidence,
        )
        service, concurrency = self._recorded(SERVICE), Promql(self.concurrency)
        yield RecordingRule(
            OFFERED,
            str(arrivals * service / concurrency),
            "Workers that would be busy on average if nobody waited: arrivals times service time."
            " The last minute's arrivals count where chance does not explain that they exceed those"
            " of 5 minutes; either rate alone where the other is absent, as after a counter fell.",
            self.source,
        )
        pending = self._recorded(PENDING)
        required = laws.required_of(
            self._recorded(OFFERED), service, pending, concurrency, REQUIRED_WORKERS
        )
        yield RecordingRule(
            REQUIRED,
            str(required),
            "Workers that serve the load with little waiting: those offered, headroom by their"
            " root, and what works the backlog off in time. The recommended signal for Prefill,"
            " with a threshold of 1. Absent where arrivals, backlog or service time are not known.",
            self.source,
        )
        yield RecordingRule(
            "role:pd_headroom_workers:sum",
            str(Promql(highest(ROLE, roles.REPLICAS_MAX.name)) - self._recorded(REQUIRED)),
            "Workers that may still be added up to maxReplicas, beyond those required; below 0, so"
            " many are missing even there.",
            self.source,
        )


def _whole(told: Told) -> Promql:
    return Promql(f"({told.expression})")

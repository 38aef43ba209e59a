"""What a ScaledObject's trigger asks for: a law applied to a queue's signals, and its threshold."""

from dataclasses import dataclass
from typing import Protocol

from pd_exporter.autoscaler import laws
from pd_exporter.autoscaler.hpa import ExternalMetric
from pd_exporter.autoscaler.keda import quantity_milli
from pd_exporter.autoscaler.promql import Promql
from pd_exporter.autoscaler.signals import Signals
from pd_exporter.policy import FRESH_SECONDS, REQUIRED_WORKERS, RequiredWorkers


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recorded series of one role.

    Attributes:
        selector: Label matchers that leave one series of each name.
        concurrency: Slots of a worker.
    """

    selector: str
    concurrency: int

    def series(self, name: str) -> Promql:
        """The role's series of a name."""
        return Promql(f"{name}{{{self.selector}}}")


class Trigger(Protocol):
    """A trigger of type AverageValue."""

    @property
    def metric(self) -> ExternalMetric:
        """The HPA metric that KEDA makes of it."""
        ...

    def value(self, signals: Signals, now: float) -> float | None:
        """The query's result at `now` (seconds); None where it is empty."""
        ...

    def query(self, recorded: Recorded) -> str:
        """The query that KEDA sends; its result is empty once its series are no longer recorded."""
        ...


@dataclass(frozen=True, slots=True)
class Lag:
    """Messages pending or unacknowledged; `threshold` of them are one replica's share."""

    threshold: float

    @property
    def metric(self) -> ExternalMetric:
        """The threshold, in thousandths of a message."""
        return ExternalMetric(quantity_milli(self.threshold))

    def value(self, signals: Signals, now: float) -> float | None:
        """The lag; None without a fresh sample."""
        return signals.lag(now)

    def query(self, recorded: Recorded) -> str:
        """The recorded lag."""
        lag = recorded.series("role:pd_lag_messages:sum")
        return _while_recorded(lag, lag)


@dataclass(frozen=True, slots=True)
class Required:
    """Required workers; a replica is one of them.

    Attributes:
        parameters: Of the law.
        service_seconds: The mean service time, as a constant of the query; None takes what the
            rules measure.
    """

    parameters: RequiredWorkers = REQUIRED_WORKERS
    service_seconds: float | None = None

    @property
    def metric(self) -> ExternalMetric:
        """One worker."""
        return ExternalMetric(1000)

    def value(self, signals: Signals, now: float) -> float | None:
        """The workers; None where arrivals, service time or backlog are unknown."""
        parameters = self.parameters
        arrivals = laws.arrival_rate(*signals.arrivals(now), parameters.confidence)
        service = self.service_seconds
        if service is None:
            service = signals.service_seconds(now, parameters.service_window_seconds)
        pending = signals.pending(now)
        if arrivals is None or service is None or pending is None:
            return None
        return laws.required_workers(
            arrivals, service, pending, signals.observer.concurrency, parameters
        )

    def query(self, recorded: Recorded) -> str:
        """The recorded workers; with other parameters or a constant, the law over its inputs."""
        if self.service_seconds is None and self.parameters == REQUIRED_WORKERS:
            required = recorded.series("role:pd_required_workers:sum")
            return _while_recorded(required, required)
        pending = recorded.series("role:pd_pending_requests:sum")
        arrivals = laws.arrival_query(
            recorded.series("role:pd_arrivals:rate1m"),
            recorded.series("role:pd_arrivals:rate5m"),
            self.parameters.confidence,
        )
        service = recorded.series("role:pd_service_seconds:avg1h")
        if self.service_seconds is not None:
            service = Promql(f"{self.service_seconds:.4g}")
        workers = laws.required_workers(
            arrivals, service, pending, recorded.concurrency, self.parameters
        )
        return _while_recorded(workers, pending)


def _while_recorded(value: Promql, series: Promql) -> str:
    # Selectors hold no spaces, so these are the formula's own.
    lines = str(value).replace(" or ", "\nor ").replace(" + ", "\n+ ")
    # After a restart Prometheus reads recorded series of up to five minutes ago as current.
    return f"{lines}\nand time() - timestamp({series}) < {FRESH_SECONDS:g}\n"

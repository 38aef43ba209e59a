"""The control laws, each written once: the same formulas compute numbers and write PromQL.

What a law gives is for a trigger of type AverageValue: lag counts messages, and its threshold is
how many of them one replica is to have; required workers are replicas, and their threshold is 1.
"""

from pd_exporter.autoscaler.promql import Promql, Term, at_least, first, root
from pd_exporter.policy import FAST_WINDOW_SECONDS, RequiredWorkers


def lag(pending: Term, ack_pending: Term) -> Term:
    """Messages that wait or are not acknowledged, as KEDA's nats-jetstream trigger counts them."""
    return pending + ack_pending


def beyond_chance(fast: Term, confidence: float) -> Term:
    """What is left of a minute's arrival rate when chance is taken off, in requests per second.

    A Poisson count over a window strays from its mean by its root, so the rate does by the root
    of rate / window; `confidence` is how many times that.
    """
    return fast - confidence * root(fast / FAST_WINDOW_SECONDS)


def arrival_rate(fast: float | None, slow: float | None, confidence: float) -> float | None:
    """Arrivals per second to be ready for, of the rates over 1 and 5 minutes.

    The slow rate is steady and taken as it is; the fast one stands in where chance does not
    explain that it is higher, or where the slow one is absent. None where both are.
    """
    if fast is None or slow is None:
        return fast if slow is None else slow
    return max(beyond_chance(fast, confidence), slow)


def arrival_query(fast: Promql, slow: Promql, confidence: float) -> Promql:
    """What `arrival_rate` gives, as a query."""
    return first(at_least(beyond_chance(fast, confidence), slow), slow, fast)


def service_seconds(busy: Term, deliveries: Term, prior: Term, seen: Term) -> Term:
    """Mean service time by Little's law: requests in service / requests served per second.

    Args:
        busy: Mean number of busy slots over the window.
        deliveries: Mean deliveries per second over it, above 0.
        prior: Seconds, taken for the part of the window that has not been seen.
        seen: The part that has, 0 to 1.
    """
    return completed(busy / deliveries, prior, seen)


def completed(measured: Term, prior: Term, seen: Term) -> Term:
    """A mean over a window of which the part `seen` was measured; a prior stands for the rest."""
    return measured * seen + prior * (1 - seen)


def required_workers(
    arrivals: Term,
    service: Term,
    pending: Term,
    concurrency: Term | float,
    parameters: RequiredWorkers,
) -> Term:
    """Workers that serve the load with little waiting, of arrivals in requests per second.

    The offered load is the mean number of busy workers (Little); the rest is `required_of`'s.
    """
    offered = arrivals * service / concurrency
    return required_of(offered, service, pending, concurrency, parameters)


def required_of(
    offered: Term,
    service: Term,
    pending: Term,
    concurrency: Term | float,
    parameters: RequiredWorkers,
) -> Term:
    """Workers that serve an offered load: square-root staffing, plus the backlog.

    That the load strays around its mean by its root makes the headroom a multiple of the root:
    small services get more of it for their size than large ones. The backlog adds what works it
    off within the drain time.

    Args:
        offered: Workers that are busy on average.
        service: Seconds a request occupies a slot.
        pending: Requests that no worker has yet.
        concurrency: Slots of a worker.
        parameters: Headroom and drain time.
    """
    backlog = pending * service / (concurrency * parameters.drain_seconds)
    return offered + parameters.headroom * root(offered) + backlog

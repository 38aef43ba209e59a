"""What scrapes and rules leave of a queue, against counts by hand; and what triggers make of it."""

import math
from array import array
from random import Random

import pytest

from pd_exporter.autoscaler.hpa import ExternalMetric
from pd_exporter.autoscaler.signals import Ack, Observer, Signals
from pd_exporter.autoscaler.triggers import Lag, Required, Trigger
from pd_exporter.autoscaler.workers import Workers
from pd_exporter.autoscaler.workload import service_by_distribution
from pd_exporter.policy import RequiredWorkers

NEVER = 1e9


def observed(
    workers: Workers,
    ack: Ack = Ack.AFTER_WORK,
    *,
    concurrency: int = 1,
    prior: float | None = None,
    evidence: bool = True,
) -> Signals:
    return Signals(workers, Observer(ack, concurrency, prior, 15, evidence))


def watch(signals: Signals, start: int, end: int) -> None:
    """Scrape and record every 15 s, from `start` to `end`."""
    for now in range(start, end + 1, 15):
        signals.scrape(now)
        signals.record(now)


def each_second(until: int, *, concurrency: int = 1) -> Workers:
    """A request half a second after each second; each scrape finds it in service."""
    arrivals = [second + 0.5 for second in range(until)]
    return Workers(arrivals, [0.75] * until, concurrency=concurrency, startup=NEVER, initial=1)


def four(initial: int = 2) -> Workers:
    """Requests that arrive in seconds 1, 2, 3 and 4, and take 10 s each."""
    return Workers([1, 2, 3, 4], [10] * 4, concurrency=1, startup=NEVER, initial=initial)


# --- the queue's own numbers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "pending", "ack_pending"),
    [(1, 1, 0), (1.5, 0, 1), (3.5, 1, 2), (5, 2, 2), (11, 2, 1), (11.5, 1, 2), (12.5, 0, 2)],
)
def test_lag_has_the_unacknowledged_only_where_acks_come_after_work(
    now: float, pending: int, ack_pending: int
) -> None:
    after_work, on_dequeue = observed(four()), observed(four(), Ack.ON_DEQUEUE)
    after_work.scrape(now)
    on_dequeue.scrape(now)

    assert after_work.pending(now) == on_dequeue.pending(now) == pending
    assert after_work.lag(now) == pending + ack_pending
    assert on_dequeue.lag(now) == pending


def test_before_the_first_scrape_there_is_nothing() -> None:
    signals = observed(four(), prior=3)
    signals.record(5)

    assert signals.pending(5) is None
    assert signals.lag(5) is None
    assert signals.arrivals(5) == (None, None)
    assert signals.service_seconds(5, 3600) == 3


def test_arrivals_are_rates_as_prometheus_extrapolates_them() -> None:
    signals = observed(each_second(900))
    watch(signals, 15, 15)
    assert signals.arrivals(15) == (None, None)  # one sample

    watch(signals, 30, 60)
    # 15 to 60 at scrapes from 15 to 60 s. The minute lacks no scrape, and so is all covered; of
    # the 5 minutes 45 s are sampled, and 7.5 s more are taken to be.
    assert signals.arrivals(60) == pytest.approx((1, 52.5 / 300))

    watch(signals, 75, 600)
    assert signals.arrivals(600) == pytest.approx((1, 1))


def test_values_are_absent_from_a_missed_scrape_to_the_next() -> None:
    signals = observed(each_second(900))
    watch(signals, 15, 60)
    signals.miss()

    assert signals.pending(60) is None
    assert signals.lag(60) is None
    assert signals.arrivals(60) == (None, None)

    signals.scrape(75)
    assert signals.pending(75) == 0
    assert signals.lag(75) == 1
    assert signals.arrivals(75) == pytest.approx((1, 67.5 / 300))


def test_values_are_absent_once_the_last_scrape_is_45_seconds_old() -> None:
    signals = observed(each_second(900))
    watch(signals, 15, 60)

    assert signals.pending(104.9) == 0
    assert signals.lag(104.9) == 1
    assert None not in signals.arrivals(104.9)[1:]
    assert signals.pending(105) is None
    assert signals.lag(105) is None
    assert signals.arrivals(105) == (None, None)


# --- service time ---------------------------------------------------------------------------------


def seen_mixture(records: int) -> float:
    """A mean of 1 s over the deliveries' first records, in a window of 1200 s, and a prior of 10.

    The first two records fall short of a delivery a second, with 15 s sampled and 7.5 s more taken
    to be on one side, then 30 s and 7.5 s of a minute.
    """
    deliveries = (22.5 / 60 + 37.5 / 60 + (records - 2)) / records
    seen = records * 15 / 1200
    return 1 / deliveries * seen + 10 * (1 - seen)


def test_service_time_is_the_prior_until_two_minutes_were_seen_and_then_a_mixture() -> None:
    signals = observed(each_second(900), prior=10)

    watch(signals, 15, 120)  # a rate needs two scrapes: 7 records
    assert signals.service_seconds(120, 1200) == 10
    watch(signals, 135, 135)
    assert signals.service_seconds(135, 1200) == pytest.approx(seen_mixture(8))
    watch(signals, 150, 600)
    assert signals.service_seconds(600, 1200) == pytest.approx(seen_mixture(39))
    assert signals.service_seconds(600, 300) == pytest.approx(1)
    # 20 records are in a window of 290 s too: no more than all of it is seen.
    assert signals.service_seconds(600, 290) == pytest.approx(1)


def test_service_time_without_prior_is_what_was_measured_or_nothing() -> None:
    signals = observed(each_second(900))

    watch(signals, 15, 120)
    assert signals.service_seconds(120, 1200) is None
    watch(signals, 135, 600)
    assert signals.service_seconds(600, 1200) == pytest.approx(39 / 38)
    assert signals.service_seconds(600, 300) == pytest.approx(1)


@pytest.mark.parametrize("prior", [None, 10])
def test_service_time_of_an_idle_service_is_the_prior(prior: float | None) -> None:
    signals = observed(
        Workers([5000], [1], concurrency=1, startup=0, initial=1),
        prior=prior,
    )
    watch(signals, 15, 600)

    assert signals.service_seconds(600, 1200) == prior


@pytest.mark.parametrize("prior", [None, 10])
def test_service_time_too_short_for_any_scrape_is_the_prior(prior: float | None) -> None:
    arrivals = [second + 0.5 for second in range(900)]
    signals = observed(
        Workers(arrivals, [0.01] * 900, concurrency=1, startup=0, initial=1), prior=prior
    )
    watch(signals, 15, 600)

    assert signals.service_seconds(600, 300) == prior


@pytest.mark.parametrize(
    ("missed", "records", "sum_of_deliveries"),
    [
        pytest.param(True, 19, 1 + 17, id="missed"),
        # At 315 s the minute is still covered, at 330 s 22.5 s of it are not; 345 s is too late.
        pytest.param(False, 21, 1 + 17 + 1 + 37.5 / 60, id="late"),
    ],
)
def test_nothing_more_is_seen_while_scrapes_fail(
    missed: bool, records: int, sum_of_deliveries: float
) -> None:
    signals = observed(each_second(900), prior=10)
    watch(signals, 15, 300)
    if missed:
        signals.miss()
    for now in range(315, 600, 15):
        signals.record(now)

    measured, seen = records / sum_of_deliveries, records * 15 / 1200
    expected = measured * seen + 10 * (1 - seen)
    assert signals.service_seconds(600, 1200) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ack", "evidence", "busy"),
    [
        pytest.param(Ack.AFTER_WORK, True, 1, id="unacknowledged"),
        pytest.param(Ack.AFTER_WORK, False, 1, id="unacknowledged whatever replicas show"),
        pytest.param(Ack.ON_DEQUEUE, True, 1, id="busy replicas"),
        pytest.param(Ack.ON_DEQUEUE, False, 1 + 2 * 2, id="loading replicas taken for busy"),
    ],
)
def test_busy_slots_are_what_replicas_show(ack: Ack, evidence: bool, busy: int) -> None:
    workers = each_second(900, concurrency=2)
    workers.resize(3, 0)  # two load for the whole time
    signals = observed(workers, ack, concurrency=2, evidence=evidence)
    watch(signals, 15, 600)

    assert signals.service_seconds(600, 300) == pytest.approx(busy)  # at 1 delivery per second


@pytest.mark.parametrize(
    ("ack", "evidence", "busy"),
    [(Ack.AFTER_WORK, True, 2), (Ack.ON_DEQUEUE, True, 1), (Ack.ON_DEQUEUE, False, 1)],
)
def test_a_replica_that_is_going_is_busy_only_by_what_it_has_to_acknowledge(
    ack: Ack, evidence: bool, busy: int
) -> None:
    arrivals = [0, 0] + [second + 0.5 for second in range(900)]
    service = [0.1, NEVER] + [0.75] * 900
    workers = Workers(arrivals, service, concurrency=1, startup=0, initial=2)
    workers.advance(0.25)
    workers.resize(1, 0.25)
    signals = observed(workers, ack, evidence=evidence)
    watch(signals, 15, 600)

    assert signals.service_seconds(600, 300) == pytest.approx(busy)


@pytest.mark.parametrize("ack", Ack)
@pytest.mark.parametrize("evidence", [True, False])
@pytest.mark.parametrize(("initial", "concurrency"), [(6, 1), (2, 4)])
def test_little_measures_the_mean_service_time(
    ack: Ack, evidence: bool, initial: int, concurrency: int
) -> None:
    hours = 8
    mean, rate = 1.7, 2.0
    random = Random(7)  # noqa: S311 - to be reproduced
    arrivals = array("d")
    time = 0.0
    while (time := time + random.expovariate(rate)) < hours * 3600:
        arrivals.append(time)
    service = service_by_distribution(len(arrivals), mean, 1, seed=8)
    workers = Workers(arrivals, service, concurrency=concurrency, startup=0, initial=initial)
    signals = observed(workers, ack, concurrency=concurrency, prior=30, evidence=evidence)
    watch(signals, 15, hours * 3600)

    last = signals.service_seconds(hours * 3600, (hours - 1) * 3600)

    assert last == pytest.approx(mean, rel=0.05)
    assert last == pytest.approx(math.fsum(service) / len(service), rel=0.05)


# --- triggers -------------------------------------------------------------------------------------


def with_backlog(prior: float | None = None) -> Signals:
    """A request a second, 1 s each by Little, and 7 more just as the last scrape comes."""
    arrivals = [second + 0.5 for second in range(600)] + [600] * 7
    workers = Workers(arrivals, [0.75] * 607, concurrency=2, startup=NEVER, initial=1)
    signals = observed(workers, concurrency=2, prior=prior)
    watch(signals, 15, 600)
    return signals


def test_the_lag_trigger_asks_for_the_lag() -> None:
    assert Lag(2.5).value(with_backlog(), 600) == 8
    assert Lag(2.5).metric == ExternalMetric(2500)


@pytest.mark.parametrize("parameters", [RequiredWorkers(1.5, 60, 3, 300), RequiredWorkers(0, 7)])
def test_required_workers_are_those_of_the_law(parameters: RequiredWorkers) -> None:
    value = Required(parameters).value(with_backlog(), 600)

    rate = (19 * 15 + 7) / 285  # of 5 minutes; the last one's excess is within chance
    # 39 records of the deliveries, the first two short.
    service = 39 / 38 if parameters.service_window_seconds > 600 else 1
    offered = rate * service / 2
    backlog = 7 * service / (2 * parameters.drain_seconds)
    assert value == pytest.approx(offered + parameters.headroom * math.sqrt(offered) + backlog)
    assert Required(parameters).metric == ExternalMetric(1000)


def test_a_minute_beyond_chance_counts_at_once() -> None:
    parameters = RequiredWorkers(0, 7, 0.1, 300)
    value = Required(parameters).value(with_backlog(), 600)

    fast = 52 / 45
    rate = fast - 0.1 * math.sqrt(fast / 60)
    assert value == pytest.approx(rate / 2 + 7 / (2 * 7))


@pytest.mark.parametrize("trigger", [Lag(5), Required()])
def test_a_trigger_has_no_value_where_its_signals_have_none(trigger: Trigger) -> None:
    signals = with_backlog(prior=1)
    assert trigger.value(signals, 600) is not None
    signals.miss()

    assert trigger.value(signals, 600) is None
    assert trigger.value(observed(four(), prior=1), 0) is None


def test_required_workers_need_a_service_time() -> None:
    signals, informed = observed(each_second(900)), observed(each_second(900), prior=1)
    watch(signals, 15, 60)
    watch(informed, 15, 60)

    assert Required().value(signals, 60) is None
    assert Required().value(informed, 60) is not None

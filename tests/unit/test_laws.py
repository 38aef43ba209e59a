"""The control laws on numbers; that their queries say the same is tested on a real Prometheus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler import laws
from pd_exporter.policy import REQUIRED_WORKERS, RequiredWorkers

rates = st.floats(0, 1e5)
confidences = st.floats(0, 10)
services = st.floats(0.001, 600)
backlogs = st.integers(0, 10**6).map(float)
slots = st.integers(1, 64)
laws_parameters = st.builds(
    RequiredWorkers, headroom=st.floats(0, 5), drain_seconds=st.floats(1, 3600)
)


def test_lag_counts_what_waits_and_what_is_not_acknowledged() -> None:
    assert laws.lag(3.0, 4.0) == 7


@pytest.mark.parametrize(
    ("fast", "slow", "confidence", "arrivals"),
    [
        (None, None, 3, None),
        (None, 2.0, 3, 2),
        (None, 0.0, 3, 0),
        (15.0, None, 3, 15),
        (0.0, None, 3, 0),
        (15.0, 10.0, 3, 13.5),  # 900 in a minute, strayed by 30: 0.5/s
        (15.0, 13.5, 3, 13.5),
        (15.0, 14.0, 3, 14),
        (15.0, 14.0, 0, 15),
        (15.0, 14.0, 1, 14.5),
        (14.0, 15.0, 0, 15),
        (0.0, 0.0, 3, 0),
        (0.1, 0.0, 3, 0),
        (0.0, 4.0, 3, 4),
    ],
)
def test_arrival_rate(
    fast: float | None, slow: float | None, confidence: float, arrivals: float | None
) -> None:
    assert laws.arrival_rate(fast, slow, confidence) == arrivals


@given(rates, rates, confidences)
def test_arrivals_lie_between_the_slow_rate_and_the_higher_one(
    fast: float, slow: float, confidence: float
) -> None:
    arrivals = laws.arrival_rate(fast, slow, confidence)

    assert arrivals is not None
    assert slow <= arrivals <= max(fast, slow)
    assert laws.arrival_rate(fast, slow, 0) == max(fast, slow)
    if arrivals > slow:
        assert arrivals == laws.beyond_chance(fast, confidence)


@given(rates, rates, confidences, confidences)
def test_more_confidence_asks_for_fewer_arrivals(
    fast: float, slow: float, one: float, other: float
) -> None:
    low, high = (laws.arrival_rate(fast, slow, each) for each in (max(one, other), min(one, other)))

    assert low is not None
    assert high is not None
    assert low <= high


@pytest.mark.parametrize(("seen", "seconds"), [(0.0, 10), (0.25, 8.25), (0.5, 6.5), (1.0, 3)])
def test_service_time_goes_from_the_prior_to_what_was_measured(seen: float, seconds: float) -> None:
    """6 busy slots that take 2 requests per second hold each for 3 s; the prior is 10 s."""
    assert laws.service_seconds(6.0, 2.0, 10.0, seen) == seconds


@given(rates, st.floats(0.001, 1e5), services, st.floats(0, 1))
def test_service_time_lies_between_the_two(
    busy: float, deliveries: float, prior: float, seen: float
) -> None:
    low, high = sorted([busy / deliveries, prior])
    service = laws.service_seconds(busy, deliveries, prior, seen)

    assert low * (1 - 1e-9) <= service <= high * (1 + 1e-9)


@pytest.mark.parametrize(
    ("arrivals", "service", "pending", "concurrency", "workers"),
    [
        (8.0, 2.0, 30.0, 4, 4 + 1.5 * 2 + 0.25),
        (8.0, 2.0, 0.0, 4, 7),
        (2.0, 2.0, 0.0, 4, 2.5),
        (9.0, 1.0, 0.0, 1, 13.5),
        (0.0, 2.0, 30.0, 4, 0.25),
        (0.0, 2.0, 0.0, 4, 0),
        (0.0, 30.0, 240.0, 1, 120),
    ],
)
def test_required_workers(
    arrivals: float, service: float, pending: float, concurrency: int, workers: float
) -> None:
    parameters = RequiredWorkers(headroom=1.5, drain_seconds=60)

    assert laws.required_workers(arrivals, service, pending, concurrency, parameters) == workers


@given(rates, services, slots)
def test_without_headroom_and_backlog_the_load_is_what_is_offered(
    arrivals: float, service: float, concurrency: int
) -> None:
    parameters = RequiredWorkers(headroom=0)
    workers = laws.required_workers(arrivals, service, 0.0, concurrency, parameters)

    assert workers * concurrency == pytest.approx(arrivals * service, rel=1e-12)


@given(services, backlogs, slots, laws_parameters)
def test_the_workers_for_a_backlog_work_it_off_in_the_drain_time(
    service: float, pending: float, concurrency: int, parameters: RequiredWorkers
) -> None:
    workers = laws.required_workers(0.0, service, pending, concurrency, parameters)
    served = workers * concurrency / service * parameters.drain_seconds

    assert served == pytest.approx(pending, rel=1e-9)


@given(rates, services, backlogs, slots, laws_parameters, st.floats(1, 10))
def test_more_of_anything_needs_no_fewer_workers(
    arrivals: float,
    service: float,
    pending: float,
    concurrency: int,
    parameters: RequiredWorkers,
    factor: float,
) -> None:
    workers = laws.required_workers(arrivals, service, pending, concurrency, parameters)
    least = workers * (1 - 1e-12)

    def required(
        *, more_arrivals: float = 1, more_service: float = 1, more_pending: float = 1
    ) -> float:
        return laws.required_workers(
            arrivals * more_arrivals,
            service * more_service,
            pending * more_pending,
            concurrency,
            parameters,
        )

    assert workers >= 0
    assert required(more_arrivals=factor) >= least
    assert required(more_service=factor) >= least
    assert required(more_pending=factor) >= least
    assert laws.required_workers(
        arrivals, service, pending, concurrency + 1, parameters
    ) <= workers * (1 + 1e-12)


@given(st.floats(0.01, 1e4), st.floats(1.01, 100), services, slots)
def test_small_services_get_more_headroom_for_their_size(
    arrivals: float, factor: float, service: float, concurrency: int
) -> None:
    def headroom(rate: float) -> float:
        workers = laws.required_workers(rate, service, 0.0, concurrency, REQUIRED_WORKERS)
        return workers * concurrency / (rate * service) - 1

    assert headroom(arrivals) == pytest.approx(headroom(arrivals * factor) * factor**0.5, rel=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {"headroom": -0.1},
        {"confidence": -0.1},
        {"drain_seconds": 0.0},
        {"service_window_seconds": 0.0},
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RequiredWorkers(**wrong)

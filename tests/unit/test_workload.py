from array import array
from statistics import fmean, pstdev

import pytest

from pd_exporter.autoscaler.traces import Trace
from pd_exporter.autoscaler.workload import (
    Workload,
    service_by_distribution,
    service_by_tokens,
)

ARRIVALS = array("d", [0, 5, 20])


def test_a_prompt_takes_its_tokens_at_the_slots_speed_and_the_overhead() -> None:
    trace = Trace("t", ARRIVALS, array("q", [0, 100, 1000]), None)

    assert list(service_by_tokens(trace, 200, 0.25)) == [0.25, 0.75, 5.25]


def test_without_tokens_the_error_says_what_to_give() -> None:
    trace = Trace("no-tokens.csv", ARRIVALS, None, array("q", [1, 1, 1]))

    with pytest.raises(
        ValueError, match=r"^no-tokens\.csv has no input tokens: give .* service time .* trace"
    ):
        service_by_tokens(trace, 200, 0.25)


@pytest.mark.parametrize("variation", [0.3, 1, 2])
def test_distribution_has_its_mean_and_variation(variation: float) -> None:
    service = service_by_distribution(200_000, 4.2, variation, seed=1)

    assert len(service) == 200_000
    assert min(service) > 0
    assert fmean(service) == pytest.approx(4.2, rel=0.02)
    assert pstdev(service) / fmean(service) == pytest.approx(variation, rel=0.05)


def test_distribution_is_its_seeds() -> None:
    assert service_by_distribution(9, 2, 1, seed=1) == service_by_distribution(9, 2, 1, seed=1)
    assert service_by_distribution(9, 2, 1, seed=1) != service_by_distribution(9, 2, 1, seed=2)
    assert list(service_by_distribution(3, 2.5, 0, seed=1)) == [2.5, 2.5, 2.5]


def test_offered_workers_are_the_work_over_time_and_slots() -> None:
    service = array("d", [10, 20, 30])

    assert Workload(ARRIVALS, service).duration == 20
    assert Workload(ARRIVALS, service).mean_service_seconds == 20
    assert Workload(ARRIVALS, service).offered_workers == 3
    assert Workload(ARRIVALS, service, concurrency=2).offered_workers == 1.5


def test_a_burst_at_once_has_no_rate_and_so_offers_no_workers() -> None:
    burst = Workload(array("d", [0] * 32), array("d", [10] * 32))

    assert burst.duration == 0
    assert burst.offered_workers == 0


@pytest.mark.parametrize(("concurrency", "initial"), [(0, 4), (1, 0)])
def test_a_service_that_could_never_serve_is_refused(concurrency: int, initial: int) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Workload(ARRIVALS, array("d", [1] * 3), concurrency=concurrency, initial_replicas=initial)

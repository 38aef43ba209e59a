"""Scores of replays, against counts by hand."""

from array import array

import pytest

from pd_exporter.autoscaler.setting import static
from pd_exporter.autoscaler.simulate import Run, simulate
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure
from pd_exporter.autoscaler.workload import Workload

TTFT = Goal(Measure.TTFT, 2.0, 0.9)
WAIT = Goal(Measure.WAIT, 1.0, 0.9)


def workload(*requests: tuple[float, float]) -> Workload:
    arrivals, service = zip(*requests, strict=True)
    return Workload(array("d", arrivals), array("d", service))


FOUR = workload((0, 1), (10, 1), (20, 3), (30, 2))


def run(*starts: float, replica_seconds: float = 7200, peak: int = 3) -> Run:
    return Run(array("d", starts), replica_seconds, peak, None)


def test_ttft_is_wait_and_service_and_a_goal_is_met_on_its_bound() -> None:
    score = Judge((FOUR,), TTFT).score(FOUR, run(1, 11.5, 20, 30))

    # 1 + 1 is within 2 s, 1.5 + 1 is not, nor is a service of 3 s without any wait; 0 + 2 is.
    assert score.attainment == 0.5


def test_wait_leaves_the_service_out() -> None:
    score = Judge((FOUR,), WAIT).score(FOUR, run(1, 11.5, 20, 30))

    assert score.attainment == 0.75


def test_what_comes_early_is_not_scored_but_its_replica_hours_count() -> None:
    judge = Judge((FOUR,), WAIT, unscored_seconds=10)

    score = judge.score(FOUR, run(9, 10, 25, 31, replica_seconds=5400, peak=4))

    assert score.attainment == pytest.approx(2 / 3)
    assert score.replica_hours == 1.5
    assert score.peak_replicas == 4


def test_the_95th_percentile_of_100_waits_is_the_95th() -> None:
    hundred = workload(*((float(second), 0.1) for second in range(100)))
    late = [arrival + arrival / 10 for arrival in hundred.arrivals]

    assert Judge((hundred,), WAIT).score(hundred, run(*late)).wait_p95 == pytest.approx(9.4)


def test_the_ceiling_is_what_the_service_time_leaves() -> None:
    assert Judge((FOUR,), TTFT).ceiling() == 0.75
    assert Judge((FOUR,), WAIT).ceiling() == 1
    assert Judge((FOUR,), TTFT, unscored_seconds=15).ceiling() == 0.5


def test_the_ceiling_of_several_draws_is_their_mean() -> None:
    slow = workload((0, 3), (10, 3))

    assert Judge((FOUR, slow), TTFT).ceiling() == 0.375


def test_each_seed_takes_the_next_draw() -> None:
    other = workload((0, 5), (10, 5))
    judge = Judge((FOUR, other), WAIT)

    result = judge.result(static(1), range(6))

    # A fixed size has no phases: once a draw says it all.
    assert result.scores == tuple(
        judge.score(load, simulate(load, static(1), 0)) for load in (FOUR, other)
    )
    assert [judge.workload(seed) for seed in (2, 3)] == [FOUR, other]


def test_a_spread_has_mean_deviation_and_bounds() -> None:
    judge = Judge((FOUR, workload((0, 30), (10, 1), (20, 1))), WAIT)

    spread = judge.result(static(1), range(2)).attainment

    assert spread.mean == pytest.approx((1 + 1 / 3) / 2)
    assert spread.deviation == pytest.approx(1 / 3)
    assert spread.least == pytest.approx(1 / 3)
    assert spread.most == 1


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_goal_has_a_length(seconds: float) -> None:
    with pytest.raises(ValueError, match="give more than 0"):
        Goal(Measure.TTFT, seconds)


@pytest.mark.parametrize("share", [0, 1, 1.5, float("nan")])
def test_a_goal_s_share_leaves_some_out(share: float) -> None:
    with pytest.raises(ValueError, match="less than 1"):
        Goal(Measure.TTFT, 1, share)


def test_something_must_be_scored() -> None:
    with pytest.raises(ValueError, match="ends after 30 s, and the first 30 s are not scored"):
        Judge((FOUR,), TTFT, 30)

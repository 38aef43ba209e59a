"""An HPA's arithmetic without behavior, against Kubernetes' own vectors and a real run."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler.hpa import (
    Behavior,
    ExternalMetric,
    HorizontalPodAutoscaler,
    Reason,
    Scale,
    ScalingRules,
    Spec,
    TargetType,
    Tolerances,
    proposal,
)
from pd_exporter.autoscaler.limits import legacy_limit

TENTH = Tolerances(0.1, 0.1)
ONE_PERCENT_UP = Tolerances(0.1, 0.01)
INT32 = 2**31 - 1
INT64 = 2**63 - 1
FILLED_IN = Behavior(scale_down=ScalingRules())
"""A behavior of which the API server fills in everything."""


def tutorial(behavior: Behavior | None = None, **others: float) -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler(Spec((ExternalMetric(5000),), 1, 6, behavior, **others))


def follow(hpa: HorizontalPodAutoscaler, times: Sequence[float], lag: int, start: int) -> list[int]:
    """Sync at each time under constant lag, the target following at once."""
    replicas, course = start, []
    for now in times:
        replicas = hpa.sync(now, Scale(replicas, replicas), [lag * 1000]).replicas
        course.append(replicas)
    return course


# --- one metric -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "usage", "status", "tolerances", "expected"),
    [
        # replica_calculator_test.go and horizontal_test.go, v1.36: external metrics per pod.
        pytest.param(2150, 8600, 3, TENTH, 4, id="up"),
        pytest.param(2867, 8600, 5, TENTH, 3, id="down"),
        pytest.param(2900, 8600, 3, TENTH, 3, id="within tolerance"),
        pytest.param(2800, 8600, 3, ONE_PERCENT_UP, 4, id="above a smaller tolerance up"),
        pytest.param(1, INT64, 1, TENTH, INT32, id="replicas overflow"),
        pytest.param(INT64, INT64, 1, TENTH, 1, id="usage at its greatest"),
        pytest.param(2222, 8600, 3, TENTH, 4, id="controller up"),
        pytest.param(3000, 8600, 5, TENTH, 3, id="controller down"),
        pytest.param(2200, 8600, 4, TENTH, 4, id="controller within tolerance"),
        # facts/keda.md section 4
        pytest.param(5000, 18_000, 4, TENTH, 4, id="the band's lower end belongs to it"),
        pytest.param(5000, 17_999, 4, TENTH, 4, id="below the band, rounded up again"),
        pytest.param(5000, 22_000, 4, TENTH, 4, id="the band's upper end belongs to it"),
        pytest.param(5000, 22_001, 4, TENTH, 5, id="above the band"),
        pytest.param(5000, 0, 0, TENTH, 0, id="nothing for none"),
        pytest.param(5000, 5001, 0, TENTH, 2, id="from a status of none"),
        pytest.param(5000, 18_000, 1, TENTH, 4, id="status lags, far from it"),
        pytest.param(5000, 5000, 1, TENTH, 1, id="status lags and is adopted"),
        pytest.param(5000, 95_000, 20, TENTH, 20, id="status is inflated and adopted"),
        pytest.param(5000, -1, 3, TENTH, INT32, id="negative is taken for an overflow"),
    ],
)
def test_average_value_goes_by_the_reported_count(
    target: int, usage: int, status: int, tolerances: Tolerances, expected: int
) -> None:
    assert proposal(ExternalMetric(target), usage, Scale(4, status), tolerances) == expected


@pytest.mark.parametrize(
    ("target", "usage", "spec", "ready", "tolerances", "expected"),
    [
        # replica_calculator_test.go and horizontal_test.go, v1.36: external metrics as a whole.
        pytest.param(4400, 8600, 1, 1, TENTH, 2, id="up"),
        pytest.param(4400, 8600, 3, 1, TENTH, 2, id="pods not ready are left out"),
        pytest.param(14_334, 8600, 5, 5, TENTH, 3, id="down"),
        pytest.param(8888, 8600, 3, 3, TENTH, 3, id="within tolerance"),
        pytest.param(8800, 8900, 3, 3, ONE_PERCENT_UP, 4, id="above a smaller tolerance up"),
        pytest.param(INT64, INT64, 3, 3, TENTH, 3, id="usage at its greatest"),
        pytest.param(6666, 8600, 3, 3, TENTH, 4, id="controller up"),
        pytest.param(14_400, 8600, 5, 5, TENTH, 3, id="controller down"),
        pytest.param(8666, 8600, 4, 4, TENTH, 4, id="controller within tolerance"),
        # facts/keda.md sections 4 and 7
        pytest.param(5000, 12_000, 3, None, TENTH, None, id="no pods is an error"),
        pytest.param(5000, 12_000, 3, 0, TENTH, 0, id="pods of which none is ready are not"),
        pytest.param(5000, 5000, 3, None, TENTH, 3, id="within tolerance no pods are needed"),
        pytest.param(5000, 12_000, 0, None, TENTH, 3, id="from none no pods are needed"),
        pytest.param(1, INT64, 3, 3, TENTH, INT32, id="replicas overflow"),
    ],
)
def test_value_goes_by_the_wanted_count_and_ready_pods(
    target: int,
    usage: int,
    spec: int,
    ready: int | None,
    tolerances: Tolerances,
    expected: int | None,
) -> None:
    metric = ExternalMetric(target, TargetType.VALUE)

    assert proposal(metric, usage, Scale(spec, 7, ready), tolerances) == expected


def test_more_load_can_ask_for_fewer_while_pods_start() -> None:
    metric = ExternalMetric(5000, TargetType.VALUE)

    assert proposal(metric, 5000, Scale(10, 10, 2), TENTH) == 10
    assert proposal(metric, 7500, Scale(10, 10, 2), TENTH) == 3


# --- facts/keda.md section 4: target 5, 1 to 6 replicas, from 1, lag held ------------------------


@pytest.mark.parametrize(
    ("lag", "raw", "without", "filled_in"),
    [
        (0, 0, [1, 1, 1], [1, 1, 1]),
        (1, 1, [1, 1, 1], [1, 1, 1]),
        (5, 1, [1, 1, 1], [1, 1, 1]),
        (6, 2, [2, 2, 2], [2, 2, 2]),
        (12, 3, [3, 3, 3], [3, 3, 3]),
        (18, 4, [4, 4, 4], [4, 4, 4]),
        (25, 5, [4, 5, 5], [5, 5, 5]),
        (32, 7, [4, 6, 6], [5, 6, 6]),
        (100, 20, [4, 6, 6], [5, 6, 6]),
    ],
)
def test_table_of_constant_lag(
    lag: int, raw: int, without: list[int], filled_in: list[int]
) -> None:
    for behavior, course in ((None, without), (FILLED_IN, filled_in)):
        assert tutorial(behavior).sync(0, Scale(1, 1), [lag * 1000]).proposal == raw
        assert follow(tutorial(behavior), [0, 15, 30], lag, 1) == course


@pytest.mark.parametrize("behavior", [None, FILLED_IN], ids=["without", "filled in"])
def test_down_from_six_in_one_step_after_the_window(behavior: Behavior | None) -> None:
    hpa = tutorial(behavior)
    assert follow(hpa, [0], 26, 6) == [6]

    assert follow(hpa, range(15, 300, 15), 0, 6) == [6] * 19
    # At 300 s the last higher recommendation is exactly as old as the window.
    assert follow(hpa, [300, 315], 0, 6) == ([6, 1] if behavior is None else [1, 1])


@pytest.mark.parametrize(
    ("replicas", "lowest", "highest"),
    [(1, 0, 5), (2, 6, 11), (3, 11, 16), (4, 16, 22), (5, 21, 27), (6, 26, 40)],
)
def test_bands_of_lag_that_hold(replicas: int, lowest: int, highest: int) -> None:
    holding = [
        lag
        for lag in range(41)
        if set(follow(tutorial(), range(0, 450, 15), lag, replicas)) == {replicas}
    ]

    assert holding == list(range(lowest, highest + 1))


def test_stale_status_is_adopted() -> None:
    at_once = tutorial(Behavior(scale_down=ScalingRules(stabilization_window_seconds=0)))

    assert at_once.sync(0, Scale(4, 1), [18_000]).replicas == 4
    assert at_once.sync(15, Scale(4, 1), [5_000]).replicas == 1


# --- facts/keda.md section 7: what a real controller did, as (second, replicas) -------------------


@pytest.mark.parametrize(
    ("behavior", "lag", "rescales"),
    [
        (None, 0, []),
        (None, 1, []),
        (None, 5, []),
        (None, 6, [(16, 2)]),
        (None, 12, [(16, 3)]),
        (None, 18, [(18, 4)]),
        (None, 25, [(18, 4), (33, 5)]),
        (None, 32, [(18, 4), (33, 6)]),
        (None, 100, [(18, 4), (33, 6)]),
        (FILLED_IN, 18, [(19, 4)]),
        (FILLED_IN, 25, [(20, 5)]),
        (FILLED_IN, 32, [(20, 5), (35, 6)]),
        (FILLED_IN, 100, [(20, 5), (35, 6)]),
    ],
)
def test_real_run(behavior: Behavior | None, lag: int, rescales: list[tuple[int, int]]) -> None:
    first = rescales[0][0] if rescales else 16
    times = range(first, 110, 15)
    course = follow(tutorial(behavior), times, lag, 1)

    changed = [
        (now, count)
        for now, before, count in zip(times, [1, *course], course, strict=False)
        if count != before
    ]
    assert changed == rescales


# --- without behavior -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("current", "wanted", "low", "high", "expected"),
    [
        # horizontal_test.go, TestConvertDesiredReplicasWithRules, v1.36
        (5, 7, 3, 8, (7, Reason.WITHIN_RANGE)),
        (3, 1, 2, 8, (2, Reason.TOO_FEW)),
        (1, 0, 0, 10, (0, Reason.WITHIN_RANGE)),
        (20, 1000, 1, 10, (10, Reason.TOO_MANY)),
        (3, 1000, 1, 2000, (6, Reason.UP_LIMIT)),
        # the limit's own corner, where both limits meet, and on a limit
        (1, 1000, 1, 2000, (4, Reason.UP_LIMIT)),
        (3, 1000, 1, 6, (6, Reason.TOO_MANY)),
        (3, 6, 1, 2000, (6, Reason.WITHIN_RANGE)),
        (3, 2, 2, 2000, (2, Reason.WITHIN_RANGE)),
    ],
)
def test_old_limiter(
    current: int, wanted: int, low: int, high: int, expected: tuple[int, Reason]
) -> None:
    assert legacy_limit(current, wanted, low, high) == expected


@pytest.mark.parametrize(
    ("history", "wanted", "stabilized"),
    [
        # horizontal_test.go, TestNormalizeDesiredReplicas, v1.36: (age, recommendation)
        pytest.param([(120, 4), (60, 5)], 3, 5, id="held by a higher one"),
        pytest.param([(120, 1), (60, 2)], 3, 3, id="lower ones hold nothing"),
        pytest.param([(600, 10), (540, 9)], 3, 3, id="old ones hold nothing"),
        pytest.param([(600, 10), (540, 9), (120, 5), (60, 4)], 3, 5, id="old and recent"),
        pytest.param([(300, 9)], 3, 9, id="exactly as old as the window"),
        pytest.param([(300.001, 9)], 3, 3, id="just older"),
    ],
)
def test_recent_recommendations_hold(
    history: list[tuple[float, int]], wanted: int, stabilized: int
) -> None:
    hpa = HorizontalPodAutoscaler(Spec((ExternalMetric(1000),)))
    for age, count in history:
        hpa.sync(1000 - age, Scale(count, count), [count * 1000])

    decision = hpa.sync(1000, Scale(8, 8), [wanted * 1000])

    assert (decision.proposal, decision.stabilized) == (wanted, stabilized)
    assert decision.reason == (
        "DesiredWithinRange" if stabilized == wanted else "ScaleDownStabilized"
    )


def test_a_passed_peak_still_raises() -> None:
    hpa = tutorial()

    assert hpa.sync(0, Scale(1, 1), [100_000]).replicas == 4
    assert hpa.sync(15, Scale(4, 4), [0]) == (6, Reason.TOO_MANY, 0, 20, 0)


def test_a_controller_just_started_does_not_scale_down() -> None:
    assert tutorial().sync(0, Scale(5, 5), [0]) == (5, Reason.DOWN_STABILIZED, 0, 5, 0)


# --- the order of things, and unknown metrics -----------------------------------------------------


@pytest.mark.parametrize("value", [None, 100_000], ids=["unknown", "known"])
@pytest.mark.parametrize("behavior", [None, FILLED_IN], ids=["without", "filled in"])
@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (0, (0, Reason.SCALING_DISABLED)),
        (9, (6, Reason.ABOVE_MAX)),
        (1, (2, Reason.BELOW_MIN)),
    ],
)
def test_bounds_come_before_metrics(
    current: int, expected: tuple[int, Reason], behavior: Behavior | None, value: int | None
) -> None:
    hpa = HorizontalPodAutoscaler(Spec((ExternalMetric(5000),), 2, 6, behavior))

    assert hpa.sync(0, Scale(current, current), [value]) == (*expected, None, None, 0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([20, 10], (4, Reason.WITHIN_RANGE, 4, 4, 0), id="the higher wins"),
        pytest.param([10, 20], (4, Reason.WITHIN_RANGE, 4, 4, 0), id="wherever it stands"),
        pytest.param([None, 20], (4, Reason.WITHIN_RANGE, 4, 4, 1), id="one unknown, up"),
        pytest.param([15, None], (3, Reason.WITHIN_RANGE, 3, 3, 1), id="one unknown, same"),
        pytest.param([10, None], (3, Reason.NO_METRIC, None, None, 1), id="one unknown, down"),
        pytest.param([None, None], (3, Reason.NO_METRIC, None, None, 2), id="all unknown"),
    ],
)
def test_several_metrics(values: list[int | None], expected: tuple[object, ...]) -> None:
    rules = Behavior(scale_down=ScalingRules(stabilization_window_seconds=0))
    hpa = HorizontalPodAutoscaler(Spec((ExternalMetric(5000),) * 2, 1, 6, rules))

    assert hpa.sync(0, Scale(3, 3), [v and v * 1000 for v in values]) == expected


def test_a_value_metric_without_pods_is_unknown() -> None:
    hpa = HorizontalPodAutoscaler(Spec((ExternalMetric(5000, TargetType.VALUE),), 1, 6))

    assert hpa.sync(0, Scale(1, 1), [100_000]) == (1, Reason.NO_METRIC, None, None, 1)


def test_two_syncs_may_share_an_instant() -> None:
    assert follow(tutorial(), [0, 0], 32, 1) == [4, 6]


def test_a_negative_value_metric_asks_for_none() -> None:
    hpa = HorizontalPodAutoscaler(Spec((ExternalMetric(5000, TargetType.VALUE),), 1, 6))

    assert hpa.sync(0, Scale(1, 1, 1), [-8000]) == (1, Reason.DOWN_STABILIZED, 0, 1, 0)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(lambda: ExternalMetric(0), "positive", id="target"),
        pytest.param(lambda: Spec(()), "at least one", id="no metric"),
        pytest.param(lambda: Spec((ExternalMetric(1),), 0), "KEDA's part", id="min 0"),
        pytest.param(lambda: Spec((ExternalMetric(1),), 3, 2), "3 and 2", id="max below min"),
        pytest.param(lambda: tutorial().sync(0, Scale(1, 1), []), "0 values for 1", id="values"),
        pytest.param(lambda: follow(tutorial(), [5, 4], 0, 1), "back to 4", id="clock"),
    ],
)
def test_what_no_controller_would_see_is_refused(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=message):
        build()


# --- properties -----------------------------------------------------------------------------------


@given(
    start=st.integers(1, 10),
    usage=st.integers(0, 80_000),
    more=st.integers(0, 40_000),
    past=st.lists(st.integers(0, 80_000), max_size=8),
)
def test_more_usage_never_means_fewer_replicas(
    start: int, usage: int, more: int, past: list[int]
) -> None:
    results = []
    for last in (usage, usage + more):
        hpa = HorizontalPodAutoscaler(
            Spec((ExternalMetric(5000),), 1, 10, downscale_stabilization_seconds=45)
        )
        replicas = start
        for step, value in enumerate([*past, last]):
            replicas = hpa.sync(15 * step, Scale(replicas, replicas), [value]).replicas
        results.append(replicas)
    assert results == sorted(results)


@given(start=st.integers(1, 10), usage=st.integers(0, 80_000))
def test_constant_usage_comes_to_rest(start: int, usage: int) -> None:
    hpa = HorizontalPodAutoscaler(Spec((ExternalMetric(5000),), 1, 10))
    replicas, course = start, []
    for step in range(40):
        replicas = hpa.sync(15 * step, Scale(replicas, replicas), [usage]).replicas
        course.append(replicas)
    assert len(set(course[25:])) == 1

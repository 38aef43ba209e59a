"""An HPA's behavior: windows, policies and events, against Kubernetes' own vectors (v1.36)."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler.hpa import (
    Behavior,
    Decision,
    ExternalMetric,
    HorizontalPodAutoscaler,
    PolicyType,
    Reason,
    Scale,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    Spec,
)
from pd_exporter.autoscaler.pace import SECOND, Rate, ScaleEvents

EACH = (ExternalMetric(1000),)
"""A target of 1: usage in thousands is the count asked for."""

LEAST, NONE = SelectPolicy.MIN, SelectPolicy.DISABLED


def pods(value: int, period: int) -> ScalingPolicy:
    return ScalingPolicy(PolicyType.PODS, value, period)


def percent(value: int, period: int) -> ScalingPolicy:
    return ScalingPolicy(PolicyType.PERCENT, value, period)


def rules(
    *policies: ScalingPolicy, select: SelectPolicy | None = None, window: int = 0
) -> ScalingRules:
    return ScalingRules(window, select, policies or None)


def autoscaler(
    up: ScalingRules | None = None,
    down: ScalingRules | None = None,
    low: int = 1,
    high: int = 1000,
) -> HorizontalPodAutoscaler:
    return HorizontalPodAutoscaler(Spec(EACH, low, high, Behavior(up, down)))


def ask(hpa: HorizontalPodAutoscaler, now: float, current: int, wanted: int) -> Decision:
    return hpa.sync(now, Scale(current, current), [wanted * 1000])


# --- defaults -------------------------------------------------------------------------------------

FILLED_UP = ScalingRules(0, SelectPolicy.MAX, (pods(4, 15), percent(100, 15)))
FILLED_DOWN = ScalingRules(None, SelectPolicy.MAX, (percent(100, 15),))


@pytest.mark.parametrize(
    ("given_", "stored"),
    [
        pytest.param(Behavior(), Behavior(FILLED_UP, FILLED_DOWN), id="nothing"),
        pytest.param(
            Behavior(ScalingRules(select_policy=NONE), ScalingRules(60, tolerance=0.0)),
            Behavior(
                ScalingRules(0, NONE, FILLED_UP.policies),
                ScalingRules(60, SelectPolicy.MAX, FILLED_DOWN.policies, 0.0),
            ),
            id="some fields",
        ),
        pytest.param(
            Behavior(rules(pods(1, 60), select=LEAST, window=7)),
            Behavior(ScalingRules(7, LEAST, (pods(1, 60),)), FILLED_DOWN),
            id="a whole direction",
        ),
    ],
)
def test_api_server_fills_in(given_: Behavior, stored: Behavior) -> None:
    assert given_.defaulted() == stored
    assert stored.defaulted() == stored


@pytest.mark.parametrize(("flag", "held_until"), [(60.0, 60), (45.9, 45)])
def test_the_flag_fills_the_down_window_in_whole_seconds(flag: float, held_until: int) -> None:
    hpa = HorizontalPodAutoscaler(
        Spec(EACH, behavior=Behavior(), downscale_stabilization_seconds=flag)
    )

    assert ask(hpa, 0, 4, 1).replicas == 4
    assert ask(hpa, held_until - 0.001, 4, 1).replicas == 4
    assert ask(hpa, held_until, 4, 1).replicas == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        pytest.param(lambda: pods(0, 15), "value is 0", id="no pods"),
        pytest.param(lambda: pods(1, 0), "Give 1 to 1800", id="no period"),
        pytest.param(lambda: pods(1, 1801), "is 1801", id="long period"),
        pytest.param(lambda: ScalingRules(-1), "is -1", id="negative window"),
        pytest.param(lambda: ScalingRules(3601), "0 to 3600", id="long window"),
        pytest.param(lambda: ScalingRules(policies=()), "empty", id="no policy"),
        pytest.param(lambda: ScalingRules(tolerance=-0.1), "0 or more", id="tolerance"),
    ],
)
def test_what_the_api_server_rejects(build: object, message: str) -> None:
    assert callable(build)
    with pytest.raises(ValueError, match=message):
        build()


def test_the_api_servers_limits_are_accepted() -> None:
    assert pods(1, 1800).period_seconds == 1800
    assert ScalingRules(3600, tolerance=0).tolerance == 0


@pytest.mark.parametrize(
    ("usage", "expected"), [(8_999, 9), (9_000, 10), (10_000, 10), (10_001, 11)]
)
def test_each_direction_has_its_tolerance(usage: int, expected: int) -> None:
    behavior = Behavior(ScalingRules(tolerance=0), ScalingRules(0, tolerance=0.1))
    hpa = HorizontalPodAutoscaler(Spec(EACH, behavior=behavior, tolerance=0.5))

    assert hpa.sync(0, Scale(10, 10), [usage]).replicas == expected


@pytest.mark.parametrize(
    ("usage", "expected"), [(4_999, 5), (5_000, 10), (15_000, 10), (15_001, 16)]
)
def test_the_flag_is_the_tolerance_of_both(usage: int, expected: int) -> None:
    behavior = Behavior(None, ScalingRules(0))
    hpa = HorizontalPodAutoscaler(Spec(EACH, behavior=behavior, tolerance=0.5))

    assert hpa.sync(0, Scale(10, 10), [usage]).replicas == expected


# --- limits without a past: horizontal_test.go, TestScalingWithRules -----------------------------


@pytest.mark.parametrize(
    ("up", "current", "wanted", "low", "high", "expected", "reason"),
    [
        pytest.param(None, 5, 7, 3, 8, 7, Reason.WITHIN_RANGE, id="within range"),
        pytest.param(None, 100, 1000, 100, 150, 150, Reason.TOO_MANY, id="max"),
        pytest.param(
            rules(percent(1, 60)), 3, 1000, 1, 2000, 4, Reason.UP_LIMIT, id="1% rounds up"
        ),
        pytest.param(None, 10, 50, 1, 1000, 20, Reason.UP_LIMIT, id="defaults"),
        pytest.param(
            rules(pods(100, 60), percent(100, 60)),
            *(10, 500, 1, 1000, 110, Reason.UP_LIMIT),
            id="pods exceed percent",
        ),
        pytest.param(
            rules(pods(2, 60), percent(100, 60)),
            *(10, 500, 1, 1000, 20, Reason.UP_LIMIT),
            id="percent exceeds pods",
        ),
        pytest.param(
            rules(pods(100, 60)), 10, 50, 1, 1000, 50, Reason.WITHIN_RANGE, id="many pods"
        ),
        pytest.param(
            rules(pods(10_000, 60)), 10, 50, 1, 1000, 50, Reason.WITHIN_RANGE, id="more pods"
        ),
        pytest.param(rules(pods(30, 60)), 10, 50, 1, 1000, 40, Reason.UP_LIMIT, id="pods"),
        pytest.param(rules(percent(200, 60)), 10, 50, 1, 1000, 30, Reason.UP_LIMIT, id="percent"),
        pytest.param(rules(percent(700, 60)), 3, 60, 1, 100, 24, Reason.UP_LIMIT, id="700%"),
        pytest.param(rules(percent(700, 60)), 3, 60, 1, 20, 20, Reason.TOO_MANY, id="700%, max"),
        pytest.param(rules(select=NONE), 3, 60, 1, 20, 3, Reason.UP_LIMIT, id="disabled"),
        pytest.param(rules(pods(2, 60)), 3, 60, 1, 5, 5, Reason.TOO_MANY, id="limit meets max"),
    ],
)
def test_up_without_a_past(
    up: ScalingRules | None,
    current: int,
    wanted: int,
    low: int,
    high: int,
    expected: int,
    reason: Reason,
) -> None:
    decision = ask(autoscaler(up, rules(), low, high), 0, current, wanted)

    assert decision == (expected, reason, wanted, wanted, 0)


@pytest.mark.parametrize(
    ("down", "current", "wanted", "low", "expected", "reason"),
    [
        pytest.param(rules(), 3, 1, 2, 2, Reason.TOO_FEW, id="min"),
        pytest.param(rules(pods(20, 60)), 1000, 3, 3, 980, Reason.DOWN_LIMIT, id="20 of many"),
        pytest.param(
            rules(pods(20, 60), percent(1, 60)), 100, 2, 1, 80, Reason.DOWN_LIMIT, id="pods exceed"
        ),
        pytest.param(
            rules(pods(2, 60), percent(1, 60)), 100, 2, 1, 98, Reason.DOWN_LIMIT, id="2 pods exceed"
        ),
        pytest.param(rules(pods(100, 60)), 10, 0, 1, 1, Reason.TOO_FEW, id="pods, min"),
        pytest.param(rules(percent(100, 60)), 10, 2, 5, 5, Reason.TOO_FEW, id="percent, min"),
        pytest.param(rules(pods(5, 60)), 10, 2, 1, 5, Reason.DOWN_LIMIT, id="pods"),
        pytest.param(rules(percent(50, 60)), 10, 5, 1, 5, Reason.WITHIN_RANGE, id="percent"),
        pytest.param(rules(percent(10, 60)), 9, 1, 1, 8, Reason.DOWN_LIMIT, id="8.1 is cut off"),
        pytest.param(rules(select=NONE), 9, 1, 1, 9, Reason.DOWN_LIMIT, id="disabled"),
        pytest.param(rules(pods(2, 60)), 9, 1, 7, 7, Reason.TOO_FEW, id="limit meets min"),
    ],
)
def test_down_without_a_past(
    down: ScalingRules, current: int, wanted: int, low: int, expected: int, reason: Reason
) -> None:
    decision = ask(autoscaler(None, down, low), 0, current, wanted)

    assert decision == (expected, reason, wanted, wanted, 0)


# --- limits with a past: the same, events as (age, change) ----------------------------------------

GREW = [(100, 1), (60, 5), (20, 9)]


@pytest.mark.parametrize(
    ("policies", "select", "current", "added", "removed", "up", "down"),
    [
        pytest.param([pods(300, 60)], None, 100, GREW, [], 391, -209, id="only the last minute"),
        pytest.param([percent(10_000, 60)], None, 100, GREW, [], 9191, -9009, id="10000 %"),
        pytest.param([pods(5, 120)], None, 100, GREW, [], 90, 80, id="more grew than permitted"),
        pytest.param([pods(150, 120)], None, 100, GREW, [], 235, -65, id="pods"),
        pytest.param([percent(200, 120)], None, 100, GREW, [], 255, -85, id="percent"),
        pytest.param([percent(300, 300)], None, 6, [(60, 4)], [(60, 2)], 16, -8, id="both ways"),
        pytest.param([pods(115, 120)], None, 100, [], GREW, 230, 0, id="pods down"),
        pytest.param([pods(130, 120)], None, 100, [], GREW, 245, -15, id="pods down, far"),
        pytest.param([percent(100, 120)], None, 100, [], GREW, 230, 0, id="100 % down"),
        pytest.param([pods(5, 120)], None, 100, [], GREW, 120, 110, id="more fell than permitted"),
        pytest.param(
            [percent(50, 120)], None, 100, [], [(100, 2), (60, 4), (20, 6)], 168, 56, id="50 % down"
        ),
        pytest.param([percent(50, 180)], None, 10, [(60, 2)], [(60, 4)], 18, 6, id="both, down"),
        pytest.param(
            [percent(10, 120)], None, 100, [], [(100, 10), (60, 10), (20, 10)], 143, 117, id="117"
        ),
        pytest.param(
            [percent(1000, 120)],
            None,
            10,
            [],
            [(100, 10), (60, 10), (20, 10)],
            440,
            -360,
            id="-360",
        ),
        pytest.param(
            [pods(1000, 120), percent(100, 60)],
            *(None, 100, [(105, 8), (75, 12), (45, 9), (15, 11)], [], 1060, -940),
            id="two periods",
        ),
        pytest.param([pods(2, 60), percent(50, 60)], LEAST, 1, [], [], 2, 0, id="least, from 1"),
        pytest.param([pods(2, 60), percent(50, 60)], LEAST, 5, [], [], 7, 3, id="least, from 5"),
        pytest.param([pods(2, 60), percent(50, 60)], NONE, 5, GREW, [], 5, 5, id="disabled"),
        pytest.param([pods(5, 20)], None, 100, GREW, [], 105, 95, id="exactly a period ago"),
        pytest.param([pods(5, 21)], None, 100, GREW, [], 96, 86, id="less than a period ago"),
        pytest.param([percent(10, 60)], None, 9, [], [], 10, 8, id="9.9 up, 8.1 down"),
        pytest.param([percent(150, 60)], None, 5, [], [], 13, -2, id="12.5 up, -2.5 down"),
        pytest.param([percent(10, 60)], None, 100, [], [], 111, 90, id="110.00000000000001 up"),
    ],
)
def test_limits_with_a_past(
    policies: list[ScalingPolicy],
    select: SelectPolicy | None,
    current: int,
    added: list[tuple[int, int]],
    removed: list[tuple[int, int]],
    up: int,
    down: int,
) -> None:
    now = 1000 * SECOND
    limits = ScalingRules(None, select, tuple(policies))
    past = ScaleEvents(limits), ScaleEvents(limits)
    for events, changes in zip(past, (added, removed), strict=True):
        for age, change in changes:
            events.store(now - age * SECOND, change)

    assert Rate(limits, *past).highest(current, now) == up
    assert Rate(limits, *past).lowest(current, now) == down


# --- events: horizontal_test.go, TestStoreScaleEvents, in order of time --------------------------


@pytest.mark.parametrize(
    ("policies", "past", "last_minute", "remembered"),
    [
        pytest.param([pods(10, 60), percent(100, 60)], [], 0, 5, id="none"),
        pytest.param([pods(10, 60), percent(100, 60)], [(61, 7)], 0, 5, id="replaced"),
        pytest.param([pods(10, 60), percent(100, 60)], [(58, 7)], 7, 12, id="kept"),
        pytest.param([pods(10, 60), percent(100, 60)], [(60, 7)], 0, 12, id="kept on the edge"),
        pytest.param([pods(10, 60)], [(61, 7), (59, 6)], 6, 11, id="one of two"),
        pytest.param(
            [pods(10, 60), percent(100, 30)],
            *([(61, 7), (61, 9), (59, 6), (29, 8)], 14, 26),
            id="the later of two",
        ),
        pytest.param([pods(10, 120), percent(100, 30)], [(59, 6), (58, 7)], 13, 18, id="both kept"),
    ],
)
def test_one_outdated_event_is_replaced(
    policies: list[ScalingPolicy], past: list[tuple[int, int]], last_minute: int, remembered: int
) -> None:
    now = 1000 * SECOND
    events = ScaleEvents(rules(*policies))
    for age, change in past:
        events.store(now - age * SECOND, change)

    assert events.within(now, 60) == last_minute
    events.store(now, 5)
    assert events.within(now, 1800) == remembered


def test_rescales_count_against_the_policy_until_a_period_has_passed() -> None:
    hpa = autoscaler(rules(pods(4, 60)), rules(pods(1, 30)))

    course = [ask(hpa, 0, 2, 50).replicas]
    for now in (15, 30, 45, 59.999, 60, 75):
        course.append(ask(hpa, now, course[-1], 50).replicas)
    assert course == [6, 6, 6, 6, 6, 10, 10]
    for now in (90, 105, 120):
        course.append(ask(hpa, now, course[-1], 1).replicas)
    # The last four came 45 s before the end: outside the 30 s of scaling down.
    assert course[-3:] == [9, 9, 8]


def test_a_tie_in_decimals_is_a_tie() -> None:
    for tenths in range(200):
        hpa = autoscaler(rules(pods(4, 60)))
        assert ask(hpa, tenths / 10, 2, 50).replicas == 6
        assert ask(hpa, (tenths + 600) / 10, 6, 50).replicas == 10


def test_coming_into_bounds_counts_against_the_policy() -> None:
    hpa = autoscaler(rules(pods(4, 60)), None, low=50)

    assert ask(hpa, 0, 1, 60) == (50, Reason.BELOW_MIN, None, None, 0)
    # A minute ago there was one replica, from which four more would be five.
    assert ask(hpa, 15, 50, 60) == (50, Reason.UP_LIMIT, 60, 60, 0)
    assert ask(hpa, 60, 50, 60).replicas == 54


def test_falling_into_bounds_counts_against_the_policy() -> None:
    hpa = autoscaler(None, rules(pods(4, 60)), high=50)

    assert ask(hpa, 0, 90, 10) == (50, Reason.ABOVE_MAX, None, None, 0)
    assert ask(hpa, 15, 50, 10) == (50, Reason.DOWN_LIMIT, 10, 10, 0)
    assert ask(hpa, 60, 50, 10).replicas == 46


def test_a_longer_period_of_the_other_direction_misses_replaced_events() -> None:
    hpa = autoscaler(None, rules(pods(1, 300)))
    assert ask(hpa, 0, 1, 5).replicas == 5
    assert ask(hpa, 30, 5, 7).replicas == 7

    # All six came within 300 s, but the first four are forgotten: 7 - 2 - 1, and not 7 - 6 - 1.
    assert ask(hpa, 45, 7, 1).replicas == 4


# --- windows: horizontal_test.go, TestNormalizeDesiredReplicasWithBehavior, in order of time -----


@pytest.mark.parametrize(
    ("history", "current", "wanted", "up", "down", "stabilized"),
    [
        pytest.param([], 100, 5, 0, 0, 5, id="no past, down"),
        pytest.param([(120, 4), (60, 5)], 100, 3, 0, 180, 5, id="down is held"),
        pytest.param([(120, 4), (60, 5)], 1, 7, 300, 0, 4, id="up is held"),
        pytest.param([(120, 1), (60, 2)], 100, 3, 300, 0, 3, id="up window leaves down"),
        pytest.param([(120, 4), (60, 5)], 1, 3, 0, 300, 3, id="down window leaves up"),
        pytest.param([(600, 10), (540, 9)], 100, 3, 0, 0, 3, id="no window, down"),
        pytest.param([(600, 10), (540, 9)], 1, 100, 0, 0, 100, id="no window, up"),
        pytest.param(
            [(600, 10), (540, 9), (120, 5), (60, 4)], 100, 3, 0, 180, 5, id="old ones, down"
        ),
        pytest.param(
            [(6000, 10), (180, 9), (120, 5), (60, 6)], 1, 100, 300, 0, 5, id="old ones, up"
        ),
        pytest.param([(6000, 2), (180, 3)], 2, 1, 300, 300, 2, id="neither, going down"),
        pytest.param([(6000, 2), (180, 1)], 2, 3, 300, 300, 2, id="neither, going up"),
        pytest.param([(180, 9)], 100, 3, 0, 180, 3, id="exactly as old as the window, down"),
        pytest.param([(179.999, 9)], 100, 3, 0, 180, 9, id="just within the window, down"),
        pytest.param([(180, 2)], 1, 7, 180, 0, 7, id="exactly as old as the window, up"),
        pytest.param([(179.999, 2)], 1, 7, 180, 0, 2, id="just within the window, up"),
        pytest.param([(90, 6), (60, 8), (30, 7)], 100, 3, 0, 75, 8, id="the highest of several"),
        pytest.param([(90, 2), (60, 4), (30, 4)], 1, 7, 75, 0, 4, id="the lowest of several"),
    ],
)
def test_windows(
    history: list[tuple[float, int]],
    current: int,
    wanted: int,
    up: int,
    down: int,
    stabilized: int,
) -> None:
    hpa = autoscaler(rules(pods(1000, 15), window=up), rules(window=down))
    for age, count in history:
        ask(hpa, 10_000 - age, count, count)

    decision = ask(hpa, 10_000, current, wanted)

    held = Reason.UP_STABILIZED if wanted >= current else Reason.DOWN_STABILIZED
    assert decision[2:4] == (wanted, stabilized)
    assert decision[:2] == (stabilized, Reason.WITHIN_RANGE if stabilized == wanted else held)


# --- properties -----------------------------------------------------------------------------------

policies = st.builds(
    ScalingPolicy, st.sampled_from(PolicyType), st.integers(1, 150), st.sampled_from((15, 30, 60))
)
directions = st.none() | st.builds(
    ScalingRules,
    st.sampled_from((None, 0, 15, 60)),
    st.none() | st.sampled_from(SelectPolicy),
    st.none() | st.lists(policies, min_size=1, max_size=3).map(tuple),
    st.none() | st.sampled_from((0.0, 0.1, 0.3)),
)
behaviors = st.none() | st.builds(Behavior, directions, directions)
usages = st.lists(st.integers(0, 20_000), min_size=1, max_size=30)


def course(hpa: HorizontalPodAutoscaler, start: int, usage: list[int]) -> list[int]:
    replicas = [start]
    for step, value in enumerate(usage):
        scale = Scale(replicas[-1], replicas[-1])
        replicas.append(hpa.sync(15 * step, scale, [value]).replicas)
    return replicas


@given(behaviors, st.integers(0, 30), st.integers(0, 30), usages)
def test_within_bounds_always(
    behavior: Behavior | None, start: int, status: int, usage: list[int]
) -> None:
    hpa = HorizontalPodAutoscaler(Spec(EACH, 3, 12, behavior))
    replicas = start
    for step, value in enumerate(usage):
        replicas = hpa.sync(15 * step, Scale(replicas, status), [value]).replicas
        assert 3 <= replicas <= 12 or start == replicas == 0


@given(behaviors, st.integers(1, 12), st.integers(0, 20_000))
def test_constant_usage_comes_to_rest(behavior: Behavior | None, start: int, usage: int) -> None:
    hpa = HorizontalPodAutoscaler(Spec(EACH, 1, 12, behavior, downscale_stabilization_seconds=60))
    # Twelve replicas, one each 60 s, after a window of 60 s.
    assert len(set(course(hpa, start, [usage] * 90)[60:])) == 1


@given(behaviors, st.integers(1, 12), usages, st.integers(0, 20_000))
def test_more_usage_never_means_fewer_replicas(
    behavior: Behavior | None, start: int, usage: list[int], more: int
) -> None:
    lower, higher = (
        course(HorizontalPodAutoscaler(Spec(EACH, 1, 12, behavior)), start, [*usage[:-1], last])
        for last in (usage[-1], usage[-1] + more)
    )
    assert lower[-1] <= higher[-1]


@given(behaviors, st.integers(1, 12), st.lists(st.none() | st.integers(0, 20_000), max_size=20))
def test_an_unknown_metric_never_lets_it_down(
    behavior: Behavior | None, start: int, usage: list[int | None]
) -> None:
    hpa = HorizontalPodAutoscaler(Spec(EACH * 2, 1, 12, behavior))
    replicas = start
    for step, value in enumerate(usage):
        before = replicas
        replicas = hpa.sync(15 * step, Scale(before, before), [None, value]).replicas
        assert replicas >= before


@given(directions, st.booleans(), st.integers(1, 12), usages)
def test_a_disabled_direction_stands_still(
    other: ScalingRules | None, up: bool, start: int, usage: list[int]
) -> None:
    behavior = Behavior(rules(select=NONE), other) if up else Behavior(other, rules(select=NONE))
    replicas = course(HorizontalPodAutoscaler(Spec(EACH, 1, 12, behavior)), start, usage)
    assert replicas == sorted(replicas, reverse=up)


@given(policies, policies, st.integers(1, 40), st.lists(st.integers(0, 90_000), max_size=40))
def test_no_policy_is_exceeded_in_any_period(
    up: ScalingPolicy, down: ScalingPolicy, start: int, usage: list[int]
) -> None:
    replicas = course(autoscaler(rules(up), rules(down)), start, usage)
    for at, (before, after) in enumerate(pairwise(replicas), start=1):
        policy = up if after > before else down
        change = policy.value if after > before else -policy.value
        then = replicas[max(at - policy.period_seconds // 15, 0)]
        limit = then + change if policy.type is PolicyType.PODS else then * (1 + change / 100)
        if after > before:
            assert after <= math.ceil(limit)
        elif after < before:
            assert after >= max(math.trunc(limit), 1)

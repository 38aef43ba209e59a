"""Samples and range functions: borders, values worked by hand, and the rules in exact fractions."""

import itertools
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler.series import Series

Samples = Sequence[tuple[int, int]]
"""Milliseconds and values."""


def series_of(*samples: tuple[float, float]) -> Series:
    """A series of times in seconds and values."""
    series = Series()
    for time, value in samples:
        series.append(time, value)
    return series


def of_milliseconds(samples: Samples) -> Series:
    return series_of(*((time / 1000, value) for time, value in samples))


def steady(begin: int, end: int, per_second: int = 4, at_zero: int = 10_000) -> Series:
    """A counter sampled each 15 s, far from zero."""
    return series_of(*((t, at_zero + per_second * t) for t in range(begin, end + 1, 15)))


# --- borders --------------------------------------------------------------------------------------


def test_without_samples_there_is_nothing() -> None:
    empty = Series()

    assert empty.last(0) is empty.rate(60, 0) is empty.average(60, 0) is None
    assert empty.resets(60, 0) == empty.count(60, 0) == 0


def test_one_sample_has_no_rate() -> None:
    one = series_of((100, 7))

    assert one.rate(60, 110) is None
    assert (one.last(110), one.average(60, 110), one.count(60, 110)) == (7, 7, 1)
    assert one.resets(60, 110) == 0


def test_a_window_is_open_on_its_left_and_closed_on_its_right() -> None:
    series = series_of((40, 100), (70, 130), (100, 190))

    assert series.count(60, 100) == 2
    assert series.average(60, 100) == 160
    assert series.rate(60, 100) == pytest.approx(60 / 30 * (30 + 30) / 60)
    assert series.count(60.001, 100) == series.count(60, 99.999) + 1 == 3
    assert series.average(60, 160) is series.rate(60, 130) is None
    assert series.average(60, 159.999) == 190


@pytest.mark.parametrize("milliseconds", range(1, 70_000, 997))
def test_borders_are_met_to_the_millisecond(milliseconds: int) -> None:
    series = of_milliseconds([(milliseconds, 0), (milliseconds + 1, 5)])
    end = (milliseconds + 60_000) / 1000

    assert series.count(60, end) == 1
    assert series.count(60, milliseconds / 1000) == 1
    assert series.last((milliseconds + 1 + 45_000) / 1000, 45) is None
    assert series.last((milliseconds + 45_000) / 1000, 45) == 5


@pytest.mark.parametrize("phase", [0.123, 0.5, 3.3333, 7.77])
def test_a_clock_that_adds_up_its_interval_meets_borders_too(phase: float) -> None:
    series, counts = Series(), []
    now = phase
    for _ in range(2000):
        series.append(now, 1)
        counts.append(series.count(3600, now))
        now += 15.0

    assert counts == [*range(1, 240), *[240] * 1761]


def test_earlier_instants_see_no_later_samples() -> None:
    series = series_of((10, 1), (20, 5), (30, 2), (40, 9))

    assert (series.count(60, 29), series.average(60, 29), series.resets(60, 29)) == (2, 3, 0)
    assert series.resets(60, 30) == 1
    assert series.rate(60, 29) == series_of((10, 1), (20, 5)).rate(60, 29)
    assert series.count(60, 9.999) == series.resets(5, 29) == 0


def test_the_last_sample_is_seen_for_the_lookback() -> None:
    series = series_of((0, 3), (100, 7))

    assert series.last(100) == series.last(399.999) == 7
    assert series.last(400) is None
    assert series.last(144.999, 45) == 7
    assert series.last(145, 45) is None


def test_an_ended_series_has_no_last_sample_until_the_next_and_keeps_its_windows() -> None:
    series = series_of((0, 10), (15, 25))
    whole = series.rate(60, 20), series.average(60, 20), series.count(60, 20)
    series.end()
    series.end()

    assert series.last(16) is None
    assert (series.rate(60, 20), series.average(60, 20), series.count(60, 20)) == whole

    series.append(60, 40)

    assert series.last(61) == 40
    assert series.count(61, 61) == 2
    assert series.count(61.001, 61) == 3


def test_a_series_that_begins_with_its_end_is_empty_until_a_sample() -> None:
    series = Series()
    series.end()

    assert series.last(0) is None

    series.append(1, 0)

    assert series.last(1) == 0


# --- values worked by hand ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begin", "end", "rates"),
    [
        (-600, 0, (4, 4)),
        (-595, -25, (4 * 42.5 / 60, 4 * 282.5 / 300)),
        (-595, -40, (4 * 27.5 / 60, 4 * 267.5 / 300)),
        (-15, 0, (4 * 22.5 / 60, 4 * 22.5 / 300)),
        (-40, -10, (4 * 47.5 / 60, 4 * 47.5 / 300)),
    ],
    ids=["all", "one missed", "newest 40 s old", "began 15 s ago", "began 40 s ago"],
)
def test_rates_of_steady_arrivals_are_those_of_the_design(
    begin: int, end: int, rates: tuple[float, float]
) -> None:
    """The table in docs/design/0003: 4 arrivals per second, over windows that are not full."""
    series = steady(begin, end)

    assert (series.rate(60, 0), series.rate(300, 0)) == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize(
    ("first", "to_zero"),
    [
        (0, 0),
        (4, 4),
        (7, 7),
        (8, 7.5),  # from here on to 16.5, Prometheus before 2.51 went to zero
        (10, 7.5),
        (16, 7.5),
        (17, 7.5),
        (1000, 7.5),
    ],
)
def test_a_counter_near_zero_is_not_extrapolated_below_it(first: int, to_zero: float) -> None:
    """1/s since 70, in a window since 40: to zero, if that is nearer than half a spacing."""
    series = series_of((70, first), (85, first + 15), (100, first + 30))

    assert series.rate(60, 100) == pytest.approx((30 + to_zero) / 60, rel=1e-12)


@pytest.mark.parametrize(("first", "to_start"), [(0, 0), (4, 4), (9, 9), (10, 10), (11, 10)])
def test_a_counter_near_zero_and_near_the_start(first: int, to_start: float) -> None:
    """1/s since 50, in a window since 40."""
    series = series_of((50, first), (75, first + 25), (100, first + 50))

    assert series.rate(60, 100) == pytest.approx((50 + to_start) / 60, rel=1e-12)


@pytest.mark.parametrize(("gap", "extrapolated"), [(16.499, 16.499), (16.5, 7.5), (16.501, 7.5)])
def test_a_tenth_more_than_the_spacing_is_still_near(gap: float, extrapolated: float) -> None:
    series = series_of((0, 1000), (15, 1015), (30, 1030))

    assert series.rate(30 + 2 * gap, 30 + gap) == pytest.approx(
        (30 + 2 * extrapolated) / (30 + 2 * gap), rel=1e-12
    )


def test_a_fall_counts_what_came_after_it() -> None:
    series = series_of((0, 100), (15, 130), (30, 6), (45, 16))

    # 30 until the fall, 6 after it, then 10: 46 in 45 s; to both ends there are 7 s.
    assert series.rate(59, 52) == pytest.approx(46 * 59 / 45 / 59, rel=1e-12)
    assert series.resets(59, 52) == 1


def test_a_fall_into_the_windows_first_sample_is_not_in_it() -> None:
    series = series_of((0, 100), (15, 60), (30, 70), (45, 80), (60, 3), (75, 2))

    assert series.resets(60, 60) == 1
    assert series.resets(45, 60) == series.resets(45.001, 60) == 1
    assert series.resets(40, 45) == 0
    assert series.rate(40, 50) == pytest.approx(20 / 30 * 40 / 40, rel=1e-12)
    assert series.resets(75, 75) == 2
    assert series.resets(75.001, 75) == 3
    assert series.resets(15, 75) == 0
    assert series.resets(15.001, 75) == 1


@pytest.mark.parametrize("value", [0, 17])
def test_a_counter_that_stands_still_has_rate_zero(value: int) -> None:
    series = series_of((0, value), (15, value), (30, value))

    assert series.rate(60, 31) == 0
    assert series.resets(60, 31) == 0


def test_a_gauge_below_zero_has_an_average_and_no_clamp() -> None:
    series = series_of((40, -30), (70, -10), (100, 10))

    assert series.average(100, 100) == -10
    assert series.rate(90, 100) == pytest.approx(40 * (60 + 30) / 60 / 90, rel=1e-12)


def test_what_came_before_a_window_does_not_change_it() -> None:
    series = series_of((0, 10**12), (15, 3), (300, 1), (315, 8), (330, 3))

    assert series.average(60, 330) == 4
    # 7 until the fall, 3 after it; at 10 in 30 s the counter was zero 3 s before the first sample.
    assert series.rate(60, 330) == pytest.approx(10 * 33 / 30 / 60, rel=1e-12)


# --- properties -----------------------------------------------------------------------------------


def samples_of(values: st.SearchStrategy[int], spread: int) -> st.SearchStrategy[Samples]:
    """Samples at most `spread` milliseconds apart."""
    gaps = st.one_of(st.just(15_000), st.integers(1, spread))
    return st.lists(st.tuples(gaps, values), max_size=30).map(
        lambda drawn: list(
            zip(
                itertools.accumulate(gap for gap, _ in drawn),
                (value for _, value in drawn),
                strict=True,
            )
        )
    )


counters = samples_of(st.one_of(st.integers(0, 20), st.integers(0, 10**9)), 60_000)
gauges = samples_of(st.integers(-1000, 1000), 60_000)
windows = st.one_of(st.sampled_from([30_000, 60_000, 300_000]), st.integers(1, 600_000))
instants = st.one_of(st.integers(0, 50).map(lambda n: n * 15_000), st.integers(0, 1_000_000))


def inside(samples: Samples, window: int, now: int) -> Samples:
    return [each for each in samples if now - window < each[0] <= now]


def rate_by_the_rules(samples: Samples, window: int, now: int) -> Fraction | None:
    """Per second, with the moments to which the increase is stretched, in exact milliseconds."""
    found = inside(samples, window, now)
    if len(found) < 2:
        return None
    (begin, low), (end, _) = found[0], found[-1]
    increase = Fraction(0)
    for (_, before), (_, after) in itertools.pairwise(found):
        increase += after if after < before else after - before
    spacing = Fraction(end - begin, len(found) - 1)
    # Where a gap is just the bound, the floats of Prometheus decide.
    bound = (end - begin) / 1000 / (len(found) - 1) * 1.1
    stretched_to = Fraction(now) if (now - end) / 1000 < bound else end + spacing / 2
    start = now - window
    stretched_from = Fraction(start) if (begin - start) / 1000 < bound else begin - spacing / 2
    if increase > 0 and low >= 0:
        stretched_from = max(stretched_from, begin - (end - begin) * low / increase)
    return increase / (end - begin) * (stretched_to - stretched_from) / window * 1000


@given(counters, windows, instants)
def test_rate_follows_the_rules(samples: Samples, window: int, now: int) -> None:
    expected = rate_by_the_rules(samples, window, now)
    rate = of_milliseconds(samples).rate(window / 1000, now / 1000)

    assert rate == (None if expected is None else pytest.approx(float(expected), rel=1e-9))


@given(gauges, windows, instants)
def test_rate_of_what_is_no_counter_follows_them_too(
    samples: Samples, window: int, now: int
) -> None:
    expected = rate_by_the_rules(samples, window, now)
    rate = of_milliseconds(samples).rate(window / 1000, now / 1000)

    assert rate == (None if expected is None else pytest.approx(float(expected), rel=1e-9))


@given(gauges, windows, instants)
def test_average_count_and_resets_are_those_of_the_window(
    samples: Samples, window: int, now: int
) -> None:
    series, found = of_milliseconds(samples), inside(samples, window, now)
    values = [value for _, value in found]
    average = series.average(window / 1000, now / 1000)

    assert series.count(window / 1000, now / 1000) == len(found)
    falls = sum(after < before for before, after in itertools.pairwise(values))
    assert series.resets(window / 1000, now / 1000) == falls
    if average is None:
        assert not values
    else:
        assert average == pytest.approx(sum(values) / len(values), rel=1e-12)
        assert min(values) <= average <= max(values)


@given(counters, windows, instants)
def test_later_samples_change_nothing(samples: Samples, window: int, now: int) -> None:
    whole = of_milliseconds(samples)
    until = of_milliseconds([sample for sample in samples if sample[0] <= now])
    at = window / 1000, now / 1000

    assert whole.rate(*at) == until.rate(*at)
    assert whole.resets(*at) == until.resets(*at)
    assert whole.average(*at) == until.average(*at)
    assert whole.count(*at) == until.count(*at)


@given(counters, windows, instants, st.integers(-8, 8))
def test_the_rate_of_a_counter_is_not_negative_and_scales_with_it(
    samples: Samples, window: int, now: int, exponent: int
) -> None:
    rate = of_milliseconds(samples).rate(window / 1000, now / 1000)
    scaled = Series()
    for time, value in samples:
        scaled.append(time / 1000, value * 2.0**exponent)

    if rate is None:
        assert scaled.rate(window / 1000, now / 1000) is None
    else:
        assert rate >= 0
        assert scaled.rate(window / 1000, now / 1000) == rate * 2.0**exponent


@given(st.integers(1, 10**6), st.integers(60_000, 3_600_000), st.integers(0, 14_999))
def test_a_full_window_of_a_steady_counter_has_its_slope(
    per_second: int, window: int, phase: int
) -> None:
    series = steady(-3600, 0, per_second, at_zero=10_000 * per_second)

    assert series.rate(window / 1000, phase / 1000 - 15) == pytest.approx(per_second, rel=1e-9)

import math
import re
from collections.abc import Callable
from itertools import pairwise
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.autoscaler import generated
from pd_exporter.autoscaler.generated import (
    Tokens,
    diurnal,
    gamma_bursts,
    generate,
    poisson,
    step,
)
from pd_exporter.autoscaler.traces import Trace, TraceError

EXAMPLES = (
    "poisson:rate=5,duration=1h",
    "gamma:rate=2.5,cv=13,duration=1h",
    "diurnal:low=1,high=8,period=1h,duration=2h",
    "step:before=2,after=10,at=10m,duration=30m",
)
ONE = Tokens(1, 0, 1, 0)


def count(trace: Trace, start: float, end: float) -> int:
    return sum(start <= time < end for time in trace.arrivals)


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_seed_gives_one_trace_in_order(text: str) -> None:
    trace = generate(text, seed=7)

    assert trace == generate(text, seed=7)
    assert trace.arrivals != generate(text, seed=8).arrivals
    assert trace.arrivals == generate(f"{text},input=10,output_cv=0", seed=7).arrivals
    assert trace.name == text
    assert trace.arrivals[0] >= 0
    assert all(earlier <= later for earlier, later in pairwise(trace.arrivals))
    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert len(trace.input_tokens) == len(trace.output_tokens) == len(trace)
    assert min(trace.input_tokens) >= 1
    assert min(trace.output_tokens) >= 1


def test_poisson_has_its_rate_and_a_variation_of_one() -> None:
    trace = poisson(5, 10_000, ONE, seed=1)

    assert len(trace) == pytest.approx(50_000, abs=4 * math.sqrt(50_000))
    assert trace.arrival_cv == pytest.approx(1, abs=0.02)
    assert trace.duration_seconds < 10_000
    # Independent of each other: counts of disjoint seconds vary as their mean.
    counts = [count(trace, first, first + 1) for first in range(0, 10_000, 100)]
    assert pstdev(counts) ** 2 / fmean(counts) == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize(("cv", "tolerance"), [(0.1, 0.01), (0.5, 0.02), (3, 0.2), (13, 2)])
def test_bursts_have_their_rate_and_variation(cv: float, tolerance: float) -> None:
    trace = gamma_bursts(20, cv, 10_000, ONE, seed=2)

    assert trace.arrival_cv == pytest.approx(cv, abs=tolerance)
    assert len(trace) == pytest.approx(200_000, abs=4 * cv * math.sqrt(200_000))


def test_bursts_begin_as_if_they_had_always_been() -> None:
    # Of short traces the mean over many seeds; starting in a burst would give 5 + 12 requests.
    counts = []
    for seed in range(3000):
        try:
            counts.append(len(gamma_bursts(1, 5, 5, ONE, seed)))
        except TraceError:
            counts.append(0)

    assert fmean(counts) == pytest.approx(5, abs=1)
    assert counts.count(0) > 1000


def test_a_diurnal_trace_is_a_wave_from_low_to_high() -> None:
    trace = diurnal(1, 9, 1000, 20_000, ONE, seed=3)
    # Over the eighth of a wave around its end and its middle.
    eighths = [
        [count(trace, wave + at, wave + at + 125) for at in range(0, 1000, 125)]
        for wave in range(0, 20_000, 1000)
    ]
    rates = [fmean(counts) / 125 for counts in zip(*eighths, strict=True)]

    wanted = [
        5 - 4 * (math.sin(math.tau * (at + 1) / 8) - math.sin(math.tau * at / 8)) * 8 / math.tau
        for at in range(8)
    ]
    assert rates == pytest.approx(wanted, abs=0.25)
    assert trace.rate == pytest.approx(5, rel=0.02)


def test_a_diurnal_trace_may_fall_to_nothing_and_be_flat() -> None:
    assert count(diurnal(0, 10, 1000, 1000, ONE, seed=4), 0, 10) <= 1
    assert diurnal(5, 5, 1000, 1000, ONE, seed=4).rate == pytest.approx(5, rel=0.1)


def test_a_step_changes_the_rate_at_its_second() -> None:
    trace = step(2, 10, 3000, 6000, ONE, seed=5)

    assert count(trace, 0, 3000) == pytest.approx(6000, abs=4 * math.sqrt(6000))
    assert count(trace, 3000, 6000) == pytest.approx(30_000, abs=4 * math.sqrt(30_000))
    assert count(trace, 2900, 3000) < 300
    assert count(trace, 3000, 3100) > 700


def test_a_step_may_be_from_or_to_nothing() -> None:
    assert step(0, 10, 100, 200, ONE, seed=6).arrivals[0] >= 100
    assert step(10, 0, 100, 200, ONE, seed=6).duration_seconds < 100


def test_tokens_have_their_mean_and_variation() -> None:
    trace = poisson(10, 10_000, Tokens(2048, 1, 200, 0.25), seed=8)

    assert trace.input_tokens is not None
    assert trace.output_tokens is not None
    assert fmean(trace.input_tokens) == pytest.approx(2048, rel=0.02)
    assert pstdev(trace.input_tokens) == pytest.approx(2048, rel=0.05)
    assert fmean(trace.output_tokens) == pytest.approx(200, rel=0.01)
    assert pstdev(trace.output_tokens) == pytest.approx(50, rel=0.02)
    # Log-normal: the median is below the mean by this factor.
    middle = sorted(trace.input_tokens)[len(trace) // 2]
    assert middle == pytest.approx(2048 / math.sqrt(2), rel=0.03)


def test_tokens_of_no_variation_are_all_equal_and_never_less_than_one() -> None:
    constant = poisson(10, 10, Tokens(7.6, 0, 1, 0), seed=9)
    assert set(constant.input_tokens or ()) == {8}
    assert set(constant.output_tokens or ()) == {1}

    assert min(poisson(100, 10, Tokens(1, 5, 1, 5), seed=9).input_tokens or ()) == 1


def test_units_and_defaults_of_the_form() -> None:
    in_seconds = generate("poisson:rate=5,duration=3600", seed=1)

    for text in ("poisson:rate=5e0,duration=1h", "poisson: duration = 60m , rate = 5.0,"):
        assert generate(text, seed=1).arrivals == in_seconds.arrivals
    assert in_seconds.arrivals == poisson(5, 3600, Tokens(), seed=1).arrivals
    assert in_seconds.input_tokens == poisson(5, 3600, Tokens(), seed=1).input_tokens
    given = generate("poisson:rate=5,duration=1h,input=9,input_cv=1,output=5,output_cv=.5", seed=1)
    assert given.input_tokens == poisson(5, 3600, Tokens(9, 1, 5, 0.5), seed=1).input_tokens
    assert given.output_tokens == poisson(5, 3600, Tokens(9, 1, 5, 0.5), seed=1).output_tokens


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"no kind of trace is called ''; write {' or '.join(EXAMPLES)}"),
        ("poison:rate=5,duration=1h", "no kind of trace is called 'poison'; write poisson:rate=5"),
        ("poisson", "missing: rate, duration; write for example poisson:rate=5,duration=1h"),
        ("gamma:rate=5,duration=1h", "missing: cv; write for example gamma:rate=2.5,cv=13,"),
        ("diurnal:low=1,high=8,duration=1h", "missing: period; write for example diurnal:low=1"),
        ("step:before=2,after=1,duration=1h", "missing: at; write for example step:before=2"),
        (
            "poisson:rat=5,duration=1h",
            "unknown key 'rat': the keys are rate, duration, input, input_cv, output, output_cv;",
        ),
        ("poisson:rate=5,cv=1,duration=1h", "unknown key 'cv': the keys are rate, duration,"),
        ("poisson:rate=5,rate=6,duration=1h", "rate is given twice"),
        ("poisson:rate,duration=1h", "rate is '', not a number"),
        ("poisson:rate=5m,duration=1h", "rate is '5m', not a number"),
        ("poisson:rate=nan,duration=1h", "rate is 'nan', not a number"),
        ("poisson:rate=-5,duration=1h", "rate is '-5', not a number"),
        ("poisson:rate=5,duration=1d", "duration is '1d', not a duration such as 90, 90s, 10m or"),
        ("poisson:rate=0,duration=1h", "rate is 0, and must be more than 0"),
        ("poisson:rate=1e999,duration=1h", "rate is inf, and must be more than 0 and finite"),
        ("poisson:rate=5,duration=0", "duration is 0, and must be more than 0"),
        (
            "poisson:rate=1e5,duration=1h",
            "rate * duration is 3.6e+08 requests, over the 20,000,000",
        ),
        ("step:before=0,after=1e5,at=0,duration=1h", "the higher rate * duration is 3.6e+08"),
        ("step:before=0,after=0,at=1,duration=1h", "the higher rate is 0, and must be more than 0"),
        ("step:before=1,after=2,at=2h,duration=1h", "at is 7200, and must be from 0 to 3600"),
        ("diurnal:low=9,high=8,period=1h,duration=1h", "low is 9, and must be from 0 to 8"),
        ("diurnal:low=1,high=8,period=0,duration=1h", "period is 0, and must be 0.001 or more"),
        ("gamma:rate=5,cv=0,duration=1h", "cv is 0, and must be from 0.01 to 100"),
        ("gamma:rate=5,cv=101,duration=1h", "cv is 101, and must be from 0.01 to 100"),
        ("poisson:rate=5,duration=1h,input=0", "input is 0, and must be from 1 to 1e+08"),
        ("poisson:rate=5,duration=1h,output=0.5", "output is 0.5, and must be from 1 to 1e+08"),
        ("poisson:rate=5,duration=1h,input_cv=101", "input_cv is 101, and must be from 0 to 100"),
        ("poisson:rate=5,duration=1h,output_cv=1e3", "output_cv is 1000, and must be from 0 to"),
        ("poisson:rate=1e-9,duration=1", "has no request at all: raise the rate, or the duration"),
    ],
)
def test_a_wrong_form_is_told_with_a_right_one(text: str, message: str) -> None:
    with pytest.raises(TraceError, match=f"^{re.escape(text)}: ") as caught:
        generate(text, seed=1)

    assert message in str(caught.value)
    assert re.search(r"; write .*\w+:\w+=", str(caught.value))


@pytest.mark.parametrize(
    "call",
    [
        lambda: poisson(math.nan, 1, ONE, 1),
        lambda: poisson(-1, 1, ONE, 1),
        lambda: gamma_bursts(1, math.nan, 1, ONE, 1),
        lambda: step(-1, 2, 1, 2, ONE, 1),
        lambda: step(2, -1, 1, 2, ONE, 1),
        lambda: step(math.nan, 2, 1, 2, ONE, 1),
        lambda: step(2, math.nan, 1, 2, ONE, 1),
        lambda: diurnal(math.nan, 2, 1, 2, ONE, 1),
        lambda: diurnal(1, 2, math.inf, 2, ONE, 1),
        lambda: Tokens(math.inf, 0, 1, 0),
        lambda: Tokens(1, -1, 1, 0),
    ],
)
def test_arguments_out_of_range_are_told(call: Callable[[], object]) -> None:
    with pytest.raises(TraceError, match=r" is (nan|inf|-1), and must be "):
        call()


def test_a_trace_that_grows_beyond_what_was_expected_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generated, "MOST_REQUESTS", 50)

    # 48 requests are expected, and bursts bring more or fewer.
    def told(seed: int) -> str:
        try:
            return str(len(generate("gamma:rate=4.8,cv=2,duration=10", seed)))
        except TraceError as error:
            return str(error)

    assert any("has over 50 requests: lower the rate or the cv" in told(seed) for seed in range(9))


@given(
    kind=st.sampled_from(["poisson", "gamma", "diurnal", "step"]),
    keys=st.dictionaries(
        st.sampled_from(
            ["rate", "duration", "cv", "low", "high", "period", "at", "before", "after"]
        ),
        st.floats().map(str) | st.sampled_from(["1", "5m", "0", "1e-320", ""]),
    ),
)
def test_any_form_gives_a_trace_or_tells(kind: str, keys: dict[str, str]) -> None:
    text = f"{kind}:" + ",".join(f"{key}={value}" for key, value in keys.items())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(generated, "MOST_REQUESTS", 1000)
        try:
            trace = generate(text, seed=1)
        except TraceError as error:
            assert text in str(error)  # noqa: PT017 - a trace is as right as an error
        else:
            assert len(trace) > 0

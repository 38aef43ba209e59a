"""Generated request traces: Poisson, bursts, a daily wave and a step, reproducible by their seed.

Arrivals are drawn before any token, so traces that differ only in `Tokens` have the same arrivals.
"""

import math
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from random import Random
from typing import NamedTuple

from pd_exporter.autoscaler.traces import Trace, TraceError

MOST_REQUESTS = 20_000_000
"""Requests a generated trace may have: about half a gigabyte of memory."""

_MOST_MEAN = 1e8  # tokens
_MOST_CV = 100.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """Log-normal numbers of tokens, drawn for each request alone; at least 1, and whole.

    The defaults are the mean and the coefficient of variation (standard deviation over mean) in
    the Azure LLM inference trace 2023, conversations: 19,366 requests. A coefficient of 0 makes
    all equal.

    Raises:
        TraceError: A mean is not from 1 to 1e8, or a coefficient not from 0 to 100.
    """

    input_mean: float = 1155
    input_cv: float = 0.96
    output_mean: float = 211
    output_cv: float = 0.77

    def __post_init__(self) -> None:
        _check("input", self.input_mean, 1, _MOST_MEAN)
        _check("output", self.output_mean, 1, _MOST_MEAN)
        _check("input_cv", self.input_cv, 0, _MOST_CV)
        _check("output_cv", self.output_cv, 0, _MOST_CV)


def poisson(rate: float, duration: float, tokens: Tokens, seed: int) -> Trace:
    """Requests that come independently of each other, `rate` a second for `duration` seconds.

    Raises:
        TraceError: An argument is out of range, or there would be no or too many requests.
    """
    _check_load("rate", rate, duration)
    random = _random(seed)
    arrivals = _poisson(random, rate, 0.0, duration)
    return _trace(f"poisson:rate={rate:g},duration={duration:g}", arrivals, tokens, random)


def gamma_bursts(rate: float, cv: float, duration: float, tokens: Tokens, seed: int) -> Trace:
    """Requests in bursts: the times between them are Gamma distributed, of mean 1 / `rate`.

    `cv` is the coefficient of variation of those times: 1 is Poisson, below it is more even,
    above it are bursts with silences between. The trace starts at a random moment of a process
    that has always run, so `rate` is the mean over seeds. One trace strays from it: the number of
    requests has a standard deviation of about `cv` times the root of its mean.

    Raises:
        TraceError: As of `poisson`; `cv` goes from 0.01 to 100.
    """
    _check_load("rate", rate, duration)
    _check("cv", cv, 0.01, _MOST_CV)
    random = _random(seed)
    shape = cv**-2
    scale = 1 / rate / shape

    def arrivals() -> Iterator[float]:
        # A random moment falls into a gap with a chance in proportion to its length, which makes
        # that gap Gamma(shape + 1), and anywhere in it. Starting with an ordinary gap instead
        # would add (cv * cv - 1) / 2 requests on average.
        time = random.random() * random.gammavariate(shape + 1, scale)
        while time < duration:
            yield time
            time += random.gammavariate(shape, scale)

    name = f"gamma:rate={rate:g},cv={cv:g},duration={duration:g}"
    return _trace(name, arrivals(), tokens, random)


def diurnal(
    low: float, high: float, period: float, duration: float, tokens: Tokens, seed: int
) -> Trace:
    """Poisson requests whose rate is a cosine wave, from `low` at the start to `high` and back.

    Rates are requests per second; `period` (of one wave) and `duration` are seconds.

    Raises:
        TraceError: As of `poisson`; `low` may be 0, and `high` not below it.
    """
    _check_load("high", high, duration)
    _check("low", low, 0, high)
    _check("period", period, 1e-3, math.inf)
    random = _random(seed)

    def arrivals() -> Iterator[float]:
        # Thinning (Lewis and Shedler, 1979): of requests at the highest rate, keep a share.
        for time in _poisson(random, high, 0.0, duration):
            rate = low + (high - low) * (1 - math.cos(math.tau * time / period)) / 2
            if random.random() * high < rate:
                yield time

    name = f"diurnal:low={low:g},high={high:g},period={period:g},duration={duration:g}"
    return _trace(name, arrivals(), tokens, random)


def step(
    before: float, after: float, at: float, duration: float, tokens: Tokens, seed: int
) -> Trace:
    """Poisson requests, `before` a second up to second `at` and `after` a second from then on.

    Raises:
        TraceError: As of `poisson`; one of the rates may be 0, and `at` is within the duration.
    """
    _check_load("the higher rate", max(before, after), duration)
    _check("before", before, 0, math.inf)
    _check("after", after, 0, math.inf)
    _check("at", at, 0, duration)
    random = _random(seed)
    arrivals = chain(_poisson(random, before, 0.0, at), _poisson(random, after, at, duration))
    name = f"step:before={before:g},after={after:g},at={at:g},duration={duration:g}"
    return _trace(name, arrivals, tokens, random)


class _Form(NamedTuple):
    generator: Callable[..., Trace]
    keys: tuple[str, ...]
    example: str


_FORMS = {
    "poisson": _Form(poisson, ("rate", "duration"), "poisson:rate=5,duration=1h"),
    "gamma": _Form(gamma_bursts, ("rate", "cv", "duration"), "gamma:rate=2.5,cv=13,duration=1h"),
    "diurnal": _Form(
        diurnal,
        ("low", "high", "period", "duration"),
        "diurnal:low=1,high=8,period=1h,duration=2h",
    ),
    "step": _Form(
        step,
        ("before", "after", "at", "duration"),
        "step:before=2,after=10,at=10m,duration=30m",
    ),
}
_TOKEN_KEYS = {
    "input": "input_mean",
    "input_cv": "input_cv",
    "output": "output_mean",
    "output_cv": "output_cv",
}
_DURATIONS = {"duration", "period", "at"}
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def generate(text: str, seed: int) -> Trace:
    """Generate a trace from a command line's form, ``kind:key=value,...``; it is named so.

    The kinds are ``poisson:rate=5,duration=1h``, ``gamma:rate=2.5,cv=13,duration=1h``,
    ``diurnal:low=1,high=8,period=1h,duration=2h`` and
    ``step:before=2,after=10,at=10m,duration=30m``; their keys are the arguments of the functions
    here, all required. Any takes ``input``, ``input_cv``, ``output`` and ``output_cv`` too, the
    means and coefficients of variation of `Tokens` with its defaults. Rates are requests per
    second; durations are seconds, or have a unit: ``s``, ``m`` or ``h``.

    Raises:
        TraceError: The form is wrong, or an argument out of range; with a right example.
    """
    kind, _, rest = text.partition(":")
    form = _FORMS.get(kind)
    if form is None:
        examples = " or ".join(known.example for known in _FORMS.values())
        raise TraceError(f"{text}: no kind of trace is called {kind!r}; write {examples}")
    try:
        values = _values(rest, (*form.keys, *_TOKEN_KEYS))
        missing = [key for key in form.keys if key not in values]
        if missing:
            raise ValueError(f"missing: {', '.join(missing)}")
        tokens = {_TOKEN_KEYS[key]: values.pop(key) for key in _TOKEN_KEYS if key in values}
        trace = form.generator(**values, tokens=Tokens(**tokens), seed=seed)
    except ValueError as error:
        raise TraceError(f"{text}: {error}; write for example {form.example}") from error
    return replace(trace, name=text)


def _values(text: str, known: tuple[str, ...]) -> dict[str, float]:
    values: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if key not in known:
            raise ValueError(f"unknown key {key!r}: the keys are {', '.join(known)}")
        if key in values:
            raise ValueError(f"{key} is given twice")
        number = re.fullmatch(r"(\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)([smh]?)", value, re.ASCII)
        if not equals or not number or (number[2] and key not in _DURATIONS):
            wanted = "a duration such as 90, 90s, 10m or 1h" if key in _DURATIONS else "a number"
            raise ValueError(f"{key} is {value!r}, not {wanted}")
        values[key] = float(number[1]) * _UNITS[number[2]]
    return values


def _check(name: str, value: float, least: float, most: float) -> None:
    if not (least <= value <= most and math.isfinite(value)):
        limit = (
            f"from {least:g} to {most:g}"
            if math.isfinite(most)
            else f"{least:g} or more, and finite"
        )
        raise TraceError(f"{name} is {value:g}, and must be {limit}")


def _check_load(name: str, highest: float, duration: float) -> None:
    """Check the highest rate of a trace and its duration before time is spent on it."""
    for key, value in ((name, highest), ("duration", duration)):
        if not (value > 0 and math.isfinite(value)):
            raise TraceError(f"{key} is {value:g}, and must be more than 0 and finite")
    if highest * duration > MOST_REQUESTS:
        raise TraceError(
            f"{name} * duration is {highest * duration:.3g} requests, over the"
            f" {MOST_REQUESTS:,} that fit in memory: lower one of them"
        )


def _random(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - to be reproduced, not to be secret


def _poisson(random: Random, rate: float, start: float, end: float) -> Iterator[float]:
    time = start
    while rate and (time := time + random.expovariate(rate)) < end:
        yield time


def _trace(name: str, arrivals: Iterator[float], tokens: Tokens, random: Random) -> Trace:
    # Bursts may bring a multiple of what was expected.
    times = array("d", islice(arrivals, MOST_REQUESTS + 1))
    if not times:
        raise TraceError(f"{name} has no request at all: raise the rate, or the duration")
    if len(times) > MOST_REQUESTS:
        raise TraceError(f"{name} has over {MOST_REQUESTS:,} requests: lower the rate or the cv")
    inputs = _lognormal(random, tokens.input_mean, tokens.input_cv, len(times))
    outputs = _lognormal(random, tokens.output_mean, tokens.output_cv, len(times))
    return Trace(name, times, inputs, outputs)


def _lognormal(random: Random, mean: float, cv: float, count: int) -> "array[int]":
    if not cv:
        return array("q", [round(mean)]) * count
    variance = math.log1p(cv * cv)
    middle = math.log(mean) - variance / 2
    deviation = math.sqrt(variance)
    draws = (random.lognormvariate(middle, deviation) for _ in range(count))
    return array("q", (max(1, round(draw)) for draw in draws))

"""`Series` against a real Prometheus that holds the same samples."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import pytest

from pd_exporter.autoscaler.series import Series
from tests.prometheus import Labels, Prometheus, Sample, labels, prometheus
from tests.servers import program, run

BEGIN = 1_700_000_100_000
"""Milliseconds since 1970 at which the samples' own time is 0."""
LENGTH = 6_000_000
"""Milliseconds over which there are samples."""
WINDOWS = {"1m": 60, "5m": 300, "10m": 600, "1h": 3600}
RANDOM = Random(20261123)  # noqa: S311  the same samples in each run

# All sample times are even, so that odd instants meet no sample and no window's border.


def even(low: int, high: int) -> int:
    return RANDOM.randrange(low, high, 2)


def regular(spacing: int = 15_000, begin: int = 0, end: int = LENGTH) -> list[int]:
    return list(range(begin + even(0, spacing), end, spacing))


def irregular() -> list[int]:
    gaps = (even(1_000, 40_000) for _ in range(1000))
    return [time for time in itertools.accumulate(gaps) if time < LENGTH]


def with_outages() -> list[int]:
    outages = [(begin, begin + even(60_000, 1_200_000)) for begin in regular(1_500_000)]
    return [time for time in regular() if not any(begin < time < end for begin, end in outages)]


TIMES = {
    "regular": regular,
    "every minute": lambda: regular(60_000),
    "jitter": lambda: [time + even(0, 400) for time in regular()],
    "irregular": irregular,
    "missed": lambda: [time for time in regular() if RANDOM.random() < 0.75],
    "outages": with_outages,
    "short": lambda: regular(15_000, even(0, 3_000_000), even(3_100_000, 4_000_000)),
    "few": lambda: sorted(even(0, LENGTH) for _ in range(RANDOM.randrange(1, 4))),
}


def counter(count: int, first: float = 0, steps: Sequence[float] = (0, 1, 5, 40)) -> list[float]:
    return list(itertools.accumulate(RANDOM.choices(steps, k=count - 1), initial=first))


def resetting(count: int) -> list[float]:
    values: list[float] = []
    while len(values) < count:
        values += counter(RANDOM.randrange(1, 40), RANDOM.choice([0, 3, 100]))
    return values[:count]


def with_bursts(count: int) -> list[float]:
    steps = [0] * 30 + [200]
    return counter(count, 7, steps)


def wandering(count: int) -> list[float]:
    return list(itertools.accumulate((RANDOM.gauss(0, 20) for _ in range(count - 1)), initial=5.5))


VALUES = {
    "from zero": counter,
    "from one": lambda count: counter(count, 1),
    "resets": resetting,
    "bursts": with_bursts,
    "large": lambda count: counter(count, 10**12, (0, 10**9, 12_345_678_901)),
    "fractions": lambda count: counter(count, 0.75, (0, 0.1, 1 / 3, 2.5)),
    "wandering": wandering,
    "unchanged": lambda count: [RANDOM.choice([0, 17])] * count,
}


def sampled(times: Sequence[int], values: Sequence[float]) -> Sequence[Sample]:
    return list(zip(times, values, strict=True))


SAMPLES: Mapping[Labels, Sequence[Sample]] = {
    labels(times=when, values=what): sampled(chosen, make(len(chosen)))
    for (when, choose), (what, make) in itertools.product(TIMES.items(), VALUES.items())
    for chosen in [choose()]
} | {labels(times="one", values="one"): [(3_000_000, 42.0)]}

SHORT = SAMPLES[labels(times="short", values="from one")]
INSTANTS = sorted(
    {
        *(even(0, LENGTH + 400_000) + 1 for _ in range(13)),  # amid samples
        *(RANDOM.choice(RANDOM.choice(list(SAMPLES.values())))[0] for _ in range(8)),  # at one
        SHORT[0][0] + 60_000 - 16_500,  # as far from the window's start as counts as near it
        SHORT[0][0] + 60_000 - 16_502,
        SHORT[-1][0] + 16_500,  # and from its end
        SHORT[-1][0] + 16_498,
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    stored = {
        ("samples_total", of): [(BEGIN + time, value) for time, value in samples]
        for of, samples in SAMPLES.items()
    }
    with prometheus(tmp_path_factory.mktemp("series"), stored) as running:
        yield running


def replay() -> Iterator[tuple[int, Mapping[Labels, Series]]]:
    """Each instant in turn, and the series as they are then."""
    series = {of: Series() for of in SAMPLES}
    coming = {of: iter(samples) for of, samples in SAMPLES.items()}
    ahead = {of: next(samples, None) for of, samples in coming.items()}
    for instant in INSTANTS:
        for of in SAMPLES:
            while (sample := ahead[of]) and sample[0] <= instant:
                series[of].append(sample[0] / 1000, sample[1])
                ahead[of] = next(coming[of], None)
        yield instant, series


def in_window(of: Labels, instant: int, window: int) -> Sequence[Sample]:
    """The samples of a window that is closed on both sides."""
    start = instant - window * 1000
    return [sample for sample in SAMPLES[of] if start <= sample[0] <= instant]


def zero_rules_differ(samples: Sequence[Sample], start: int) -> bool:
    """Whether `rate` came out differently before Prometheus 2.51 (pull request 13725).

    Where the first sample is far from the window's start, half a spacing was the bound of the way
    to a counter's zero only if that lay far too.
    """
    if len(samples) < 2:
        return False
    (begin, low), (end, high) = samples[0], samples[-1]
    falls = [before for (_, before), (_, after) in itertools.pairwise(samples) if after < before]
    increase = high - low + sum(falls)
    if increase <= 0 or low < 0:
        return False
    spacing = (end - begin) / (len(samples) - 1)
    to_zero = (end - begin) * (low / increase)
    return spacing / 2 < to_zero < 1.1 * spacing <= begin - start


def equal(found: Mapping[Labels, float], expected: Mapping[Labels, float]) -> bool:
    return found == pytest.approx(expected, rel=1e-9, abs=1e-9)


def known(values: Mapping[Labels, float | None]) -> dict[Labels, float]:
    return {of: value for of, value in values.items() if value is not None}


@pytest.mark.parametrize("name", WINDOWS)
def test_rate(server: Prometheus, name: str) -> None:
    window, compared, left_out = WINDOWS[name], 0, 0
    closed = server.version() < (3, 0)
    earlier_rule = server.version() < (2, 51)
    for instant, series in replay():
        found = dict(server.query(f"rate(samples_total[{name}])", BEGIN + instant))
        expected = known({of: each.rate(window, instant / 1000) for of, each in series.items()})
        start = instant - window * 1000
        for of in SAMPLES:
            samples = in_window(of, instant, window)
            at_border = closed and samples and samples[0][0] == start
            if at_border or (earlier_rule and zero_rules_differ(samples, start)):
                left_out += 1
                found.pop(of, None)
                expected.pop(of, None)

        assert equal(found, expected), (instant, found, expected)
        compared += len(found)

    assert compared > 600
    assert left_out < compared / 8  # none of a server since 3.0


@pytest.mark.parametrize("name", WINDOWS)
def test_resets_average_and_count(server: Prometheus, name: str) -> None:
    compared = fallen = 0
    # Windows that are closed on the left are a millisecond longer, as times are in milliseconds.
    window = WINDOWS[name] + (0.001 if server.version() < (3, 0) else 0)
    for instant, series in replay():
        now, at = instant / 1000, BEGIN + instant
        some = {of: each for of, each in series.items() if each.count(window, now)}
        average = known({of: each.average(window, now) for of, each in series.items()})
        resets = {of: each.resets(window, now) for of, each in some.items()}
        count = {of: each.count(window, now) for of, each in some.items()}

        assert equal(server.query(f"avg_over_time(samples_total[{name}])", at), average)
        assert server.query(f"resets(samples_total[{name}])", at) == resets
        assert server.query(f"count_over_time(samples_total[{name}])", at) == count
        compared += 3 * len(some)
        fallen += sum(map(bool, resets.values()))

    assert compared > 2200
    assert fallen > 100


def test_last(server: Prometheus) -> None:
    compared = absent = 0
    lookback = 300 + (0.001 if server.version() < (3, 0) else 0)
    for instant, series in replay():
        now, at = instant / 1000, BEGIN + instant
        last = known({of: each.last(now, lookback) for of, each in series.items()})
        fresh = known({of: each.last(now, 45) for of, each in series.items()})

        assert server.query("samples_total", at) == last
        assert server.query("samples_total and time() - timestamp(samples_total) < 45", at) == fresh
        compared += len(last) + len(fresh)
        absent += sum(bool(each.values) for each in series.values()) - len(fresh)

    assert compared > 1500
    assert absent > 300


def test_a_staleness_marker_ends_a_series_until_its_next_sample(tmp_path: Path) -> None:
    """Import knows no such markers; promtool's tests do."""
    values: Sequence[float | None] = [300, 305, None, None, 309, 302, None, 302, 308, 308]
    series = Series()
    tests = []
    for index, value in enumerate(values):
        if value is None:
            series.end()
        else:
            series.append(index * 15, value)
        now = index * 15 + 7
        expected = {
            "x": series.last(now),
            "count_over_time(x[1m])": series.count(60, now),
            "resets(x[1m])": series.resets(60, now),
            # After a fall the first value is so near zero that versions differ.
            "(rate(x[1m]) unless resets(x[1m]) > 0)": (
                None if series.resets(60, now) else series.rate(60, now)
            ),
            "avg_over_time(x[1m])": series.average(60, now),
        }
        tests += [
            {
                "expr": f"round({query}, 1e-6)",
                "eval_time": f"{now}s",
                "exp_samples": [] if answer is None else [{"value": round(answer, 6)}],
            }
            for query, answer in expected.items()
        ]
    written = " ".join("stale" if value is None else f"{value}" for value in values)
    case = {
        "interval": "15s",
        "input_series": [{"series": "x", "values": written}],
        "promql_expr_test": tests,
    }
    file = tmp_path / "stale.test.yaml"
    file.write_text(json.dumps({"evaluation_interval": "1s", "tests": [case]}))

    check = run(program("promtool"), "test", "rules", file)

    assert check.returncode == 0, check.stdout + check.stderr

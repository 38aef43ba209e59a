"""Samples of one series, and what Prometheus's range functions make of them, exactly."""

from bisect import bisect_left, bisect_right

LOOKBACK_SECONDS = 300.0
"""How long an instant selector sees a series' last sample where no staleness marker ended it."""


class Series:
    """Samples of one series, in the order of time.

    A counter's resets are told as the samples come in, so that each function costs a binary search
    and no walk through its window. Windows are open on the left, as since Prometheus 3.0; before,
    a sample at the very start of a window counted too. Times are kept in whole milliseconds, as
    Prometheus keeps them: a difference of seconds as floats would miss a window's start by an ulp.
    """

    def __init__(self) -> None:
        self.times: list[int] = []  # milliseconds
        self.values: list[float] = []
        self._grown: list[float] = []  # the value, plus what was lost at all resets before it
        self._lost = 0.0
        self._resets: list[int] = []  # indices of samples below the one before them
        self._sums: list[float] = [0.0]  # of all values before each index
        self._stale = False

    def append(self, time: float, value: float) -> None:
        """Add a sample, a millisecond or more later than all others (seconds)."""
        if self.values and value < self.values[-1]:
            self._lost += self.values[-1]
            self._resets.append(len(self.values))
        self.times.append(_milliseconds(time))
        self.values.append(value)
        self._grown.append(value + self._lost)
        self._sums.append(self._sums[-1] + value)
        self._stale = False

    def end(self) -> None:
        """Write a staleness marker: the scrape failed, or the rule had no result."""
        self._stale = True

    def last(self, now: float, max_age: float = LOOKBACK_SECONDS) -> float | None:
        """The instant selector's value, if the sample is younger than `max_age` seconds.

        `now` is not before the last sample; the range functions also take earlier instants.
        """
        if self._stale or not self.times:
            return None
        if _milliseconds(now) - self.times[-1] >= _milliseconds(max_age):
            return None
        return self.values[-1]

    def rate(self, window: float, now: float) -> float | None:
        """`rate(x[window])` at `now`: increase per second, extrapolated to the window's ends.

        None with fewer than two samples in the window. The rules are those of Prometheus 2.51 to
        3.x, extrapolatedRate in promql/functions.go; older ones differ only where the first sample
        in the window stands near zero and far from the window's start.
        """
        start, end = _bounds(window, now)
        first, after = self._between(start, end)
        if after - first < 2:
            return None
        last = after - 1
        sampled = (self.times[last] - self.times[first]) / 1000
        increase = self._grown[last] - self._grown[first]
        spacing = sampled / (last - first)
        # A sample is missed where one would be expected: then the series is taken to begin or end
        # half a spacing beyond its outermost sample, else at the window's own end.
        to_start = (self.times[first] - start) / 1000
        if to_start >= 1.1 * spacing:
            to_start = spacing / 2
        if increase > 0 and self.values[first] >= 0:  # no counter was ever below zero
            to_start = min(to_start, sampled * self.values[first] / increase)
        to_end = (end - self.times[last]) / 1000
        if to_end >= 1.1 * spacing:
            to_end = spacing / 2
        return increase * (sampled + to_start + to_end) / sampled / window

    def resets(self, window: float, now: float) -> int:
        """`resets(x[window])` at `now`; 0 also where Prometheus has no result."""
        first, after = self._between(*_bounds(window, now))
        if after - first < 2:
            return 0
        # A sample's predecessor must be in the window too.
        return bisect_left(self._resets, after) - bisect_left(self._resets, first + 1)

    def average(self, window: float, now: float) -> float | None:
        """`avg_over_time(x[window])` at `now`; None without a sample in the window."""
        first, after = self._between(*_bounds(window, now))
        if first >= after:
            return None
        return (self._sums[after] - self._sums[first]) / (after - first)

    def count(self, window: float, now: float) -> int:
        """`count_over_time(x[window])` at `now`; 0 where Prometheus has no result."""
        first, after = self._between(*_bounds(window, now))
        return after - first

    def _between(self, start: int, end: int) -> tuple[int, int]:
        after = len(self.times)
        if after and self.times[-1] > end:
            after = bisect_right(self.times, end)
        return bisect_right(self.times, start, 0, after), after


def _bounds(window: float, now: float) -> tuple[int, int]:
    end = _milliseconds(now)
    return end - _milliseconds(window), end


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

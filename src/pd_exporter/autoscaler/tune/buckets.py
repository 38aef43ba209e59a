"""What a figure over time shows: replays in buckets, few enough to be drawn."""

import math
from array import array
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise

from pd_exporter.autoscaler.simulate import Timeline

_BUCKETS = (30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400)  # seconds
_MOST_BUCKETS = 240
_MOST_ROWS = 600


@dataclass(frozen=True, slots=True)
class Clock:
    """A trace's time axis, in minutes or hours, and its buckets; what it is given are seconds.

    Attributes:
        duration: Seconds.
        bucket: Seconds of a bucket: as few of a round number as keep buckets drawable.
        unit: Seconds of the axis' unit.
        unit_word: For people.
    """

    duration: float
    bucket: int
    unit: float
    unit_word: str

    @classmethod
    def of(cls, duration: float) -> "Clock":
        """Choose what suits a duration in seconds."""
        fitting = (bucket for bucket in _BUCKETS if duration / bucket <= _MOST_BUCKETS)
        unit, word = (60, "min") if duration <= 3 * 3600 else (3600, "h")
        return cls(duration, next(fitting, _BUCKETS[-1]), unit, word)

    @property
    def bucket_words(self) -> str:
        """A bucket's width, for people."""
        return f"{self.bucket} s" if self.bucket < 300 else f"{self.bucket / 60:g} min"

    def _edges(self) -> list[float]:
        count = math.ceil(self.duration / self.bucket)
        return [*(float(index * self.bucket) for index in range(count)), self.duration]

    def _parts(self, arrivals: "array[float]") -> list[slice]:
        places = [*(bisect_left(arrivals, edge) for edge in self._edges()[:-1]), len(arrivals)]
        return list(map(slice, places, places[1:]))

    def rates(self, arrivals: "array[float]") -> tuple[list[float], list[float]]:
        """Give where buckets begin, and arrivals per second from there on; the end repeats."""
        edges = self._edges()
        rates = [
            (part.stop - part.start) / (end - start)
            for part, start, end in zip(self._parts(arrivals), edges, edges[1:], strict=False)
        ]
        return [edge / self.unit for edge in edges], [*rates, rates[-1]]

    def percentiles(
        self, arrivals: "array[float]", times: "array[float]"
    ) -> tuple[list[float], list[float]]:
        """Give the middles of buckets, and the 95th percentile in each; NaN in an empty one."""
        edges = self._edges()
        ordered = [sorted(times[part]) for part in self._parts(arrivals)]
        return (
            [(start + end) / 2 / self.unit for start, end in pairwise(edges)],
            [part[math.ceil(0.95 * len(part)) - 1] if part else math.nan for part in ordered],
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """A timeline up to the trace's end; of a long one, means over a few of its rows each.

    Attributes:
        times: In the clock's unit.
        wanted: Replicas.
        serving: Replicas.
        waiting: Requests.
        merged: Rows of the timeline in each of these.
    """

    times: list[float]
    wanted: list[float]
    serving: list[float]
    waiting: list[float]
    merged: int

    @classmethod
    def of(cls, timeline: Timeline, clock: Clock) -> "Rows":
        """Take from a timeline what is to be drawn."""
        end = bisect_left(timeline.seconds, clock.duration)
        merged = max(math.ceil(end / _MOST_ROWS), 1)

        def means(column: "array[float] | array[int]") -> list[float]:
            parts = (column[start : min(start + merged, end)] for start in range(0, end, merged))
            return [sum(part) / len(part) for part in parts]

        return cls(
            [seconds / clock.unit for seconds in timeline.seconds[:end:merged]],
            means(timeline.replicas),
            means(timeline.serving),
            means(timeline.waiting),
            merged,
        )

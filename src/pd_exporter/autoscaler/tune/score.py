"""How well a setting served: share of requests within the goal, replica-hours, waits."""

import math
import statistics
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.simulate import Run, simulate
from pd_exporter.autoscaler.workload import Workload


class Measure(StrEnum):
    """What a goal is about."""

    TTFT = "ttft"
    WAIT = "wait"

    @property
    def words(self) -> str:
        """For people."""
        return "time to first token" if self is Measure.TTFT else "wait in the queue"


@dataclass(frozen=True, slots=True)
class Goal:
    """A share of requests is to have a time to first token, or a wait, of at most so long.

    The time to first token is the wait and the service time: prefill ends with the first token.

    Attributes:
        measure: Time to first token, or wait.
        seconds: At most so long.
        share: Of the requests, 0 to 1.

    Raises:
        ValueError: A bound is out of range.
    """

    measure: Measure
    seconds: float
    share: float = 0.99

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf:
            raise ValueError(f"the goal is {self.seconds:g} s; give more than 0")
        if not 0 < self.share < 1:
            raise ValueError(
                f"the goal's share is {self.share:g}; give more than 0 and less than 1"
            )

    def __str__(self) -> str:
        share = f"{100 * self.share:g} %"
        return f"{self.measure.words} of at most {self.seconds:g} s for {share} of the requests"


class Score(NamedTuple):
    """What one replay gives.

    Attributes:
        attainment: Share of the requests that are scored within the goal, 0 to 1.
        replica_hours: Wanted replicas, integrated over the trace.
        wait_p95: Seconds that 95 % of the requests wait at most.
        peak_replicas: The most that were wanted.
    """

    attainment: float
    replica_hours: float
    wait_p95: float
    peak_replicas: float


class Spread(NamedTuple):
    """Mean over replays, population standard deviation, least and greatest."""

    mean: float
    deviation: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Result:
    """A setting's scores over several phases."""

    setting: Setting
    scores: tuple[Score, ...]

    @property
    def attainment(self) -> Spread:
        """Share of requests within the goal."""
        return _spread([score.attainment for score in self.scores])

    @property
    def replica_hours(self) -> Spread:
        """Replica-hours of the trace."""
        return _spread([score.replica_hours for score in self.scores])

    @property
    def wait_p95(self) -> Spread:
        """Seconds."""
        return _spread([score.wait_p95 for score in self.scores])

    @property
    def peak_replicas(self) -> Spread:
        """Replicas."""
        return _spread([score.peak_replicas for score in self.scores])


@dataclass(frozen=True, slots=True)
class Judge:
    """What replays are scored by.

    Attributes:
        workloads: What is replayed: the replay of a seed takes the one of that number, and begins
            again with the first after the last. Generated requests come in several draws, so that
            nothing is fitted to the chances of one.
        goal: What is wanted.
        unscored_seconds: Requests that arrive before are not scored: the replay begins with a
            size that nothing has chosen yet. Their replica-hours count.

    Raises:
        ValueError: No request is scored.
    """

    workloads: tuple[Workload, ...]
    goal: Goal
    unscored_seconds: float = 0.0

    def __post_init__(self) -> None:
        shortest = min(workload.duration for workload in self.workloads)
        if self.unscored_seconds >= shortest:
            raise ValueError(
                f"the trace ends after {shortest:g} s, and the first {self.unscored_seconds:g} s"
                " are not scored: give a longer trace, or leave less of it unscored"
            )

    def workload(self, seed: int) -> Workload:
        """What the replay of a seed takes."""
        return self.workloads[seed % len(self.workloads)]

    def ceiling(self) -> float:
        """The share that attains the goal where nobody ever waits: more no autoscaler can do."""
        return statistics.fmean(
            self._attainment(workload, array("d", [0.0]) * len(workload.arrivals))
            for workload in self.workloads
        )

    def score(self, workload: Workload, run: Run) -> Score:
        """Score one replay."""
        waits = array("d", map(float.__sub__, run.starts, workload.arrivals))
        scored = sorted(waits[self._first_scored(workload) :])
        return Score(
            self._attainment(workload, waits),
            run.replica_seconds / 3600,
            scored[math.ceil(0.95 * len(scored)) - 1],
            run.peak_replicas,
        )

    def result(self, setting: Setting, seeds: Sequence[int]) -> Result:
        """Replay a setting once a seed; a fixed size has no phases, so once a workload will do."""
        used = seeds if setting.triggers else seeds[: len(self.workloads)]
        scores = []
        for seed in used:
            workload = self.workload(seed)
            scores.append(self.score(workload, simulate(workload, setting, seed)))
        return Result(setting, tuple(scores))

    def _first_scored(self, workload: Workload) -> int:
        return bisect_left(workload.arrivals, self.unscored_seconds)

    def _attainment(self, workload: Workload, waits: "array[float]") -> float:
        first = self._first_scored(workload)
        times = waits[first:]
        if self.goal.measure is Measure.TTFT:
            times = array("d", map(float.__add__, times, workload.service[first:]))
        limit = self.goal.seconds
        return sum(time <= limit for time in times) / len(times)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.fmean(values), statistics.pstdev(values), min(values), max(values))

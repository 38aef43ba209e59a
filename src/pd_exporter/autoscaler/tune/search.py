"""The search for the setting that meets a goal at the least replica-hours."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from pd_exporter.autoscaler.setting import (
    Setting,
    SignalPath,
    by_lag,
    by_required_workers,
    named,
    scale_down_after,
    static,
)
from pd_exporter.autoscaler.triggers import Required
from pd_exporter.autoscaler.tune.replays import Progress, replays
from pd_exporter.autoscaler.tune.score import Judge, Result
from pd_exporter.policy import REQUIRED_WORKERS

LAG_PER_SLOT = (0.7, 0.85, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0)
HEADROOMS = (0.5, 1.0, 1.25, 1.5, 1.75, 1.9, 2.25, 2.5, 3.0, 4.0)
DRAINS = (30.0, 60.0, 120.0, 240.0)
CONFIDENCES = (1.0, 3.0)
WINDOWS = (300, 450, 600, 900)
"""What the search tries: lag thresholds by slots of a worker, the law's parameters, and scale-in
stabilization windows in seconds; for lag an HPA without behavior, too."""

SCREENING_PHASES = 2
FINALISTS = 16
BATCH = 8


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a search.

    Attributes:
        judge: Workload and goal.
        max_replicas: The most replicas that there may be.
        path: How the signal comes.
        service_seconds: The mean service time that queries hold as a constant; None where the
            rules measure it.
        intervals: Scrape and rule intervals to try with the chosen setting, in seconds.
        phases: Replays of each finalist, and of what it is compared with.
        seed: The first phase.
    """

    judge: Judge
    max_replicas: int
    path: SignalPath
    service_seconds: float | None = None
    intervals: tuple[float, ...] = ()
    phases: int = 8
    seed: int = 0

    @property
    def target(self) -> float:
        """The share to attain: the goal's, or half a percent below the ceiling if that is lower."""
        ceiling = self.judge.ceiling()
        return self.judge.goal.share if ceiling >= self.judge.goal.share else ceiling - 0.005

    @property
    def names(self) -> tuple[str, ...]:
        """The settings that a search compares with, beside the best fixed size."""
        lag = f"lag:{self.judge.workloads[0].concurrency}"
        return "tutorial", "keda-default", lag, "recommended"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found.

    Attributes:
        question: What was asked.
        compared: The settings that have names, and the best fixed size in hindsight, last.
        finalists: The best of the search, at the path that was asked for, cheapest first.
        intervals: The chosen setting with other scrape and rule intervals.
        chosen: What to use.
        tried: Settings that were replayed.
    """

    question: Question
    compared: tuple[Result, ...]
    finalists: tuple[Result, ...]
    intervals: tuple[Result, ...]
    chosen: Result
    tried: int

    @property
    def front(self) -> tuple[Result, ...]:
        """Those than which no other attains more for as few replica-hours, cheapest first."""
        return pareto((*self.finalists, *self.compared))


def search(question: Question, progress: Progress, processes: int) -> Answer:
    """Replay every candidate, the promising ones again in all phases, and choose.

    The shipped setting is chosen unless it misses the target, or another attains it with at least
    3 % fewer replica-hours: what fits one trace by a hair fits the next one worse.

    Args:
        question: What is asked.
        progress: Told of every setting's replays.
        processes: How many to use; 1 replays in this one.
    """
    first = candidates(question)
    seeds = range(question.seed, question.seed + question.phases)
    stages = FINALISTS + len(question.names) + len(question.intervals) + question.max_replicas
    total = len(first) * SCREENING_PHASES + stages * len(seeds)
    with replays(question.judge, partial(progress, total), processes) as replay:
        screened = replay(first, seeds[:SCREENING_PHASES])
        compared = replay(_named(question, question.names), seeds)
        finalists = _finalists(question.target, screened, lambda settings: replay(settings, seeds))
        fixed = replay([static(size + 1) for size in range(question.max_replicas)], seeds)
        chosen = _choose(compared, finalists, question.target)
        others = [path for path in _paths(question) if path != question.path]
        intervals = replay([replace(chosen.setting, path=path) for path in others], seeds)
    return Answer(
        question,
        (*compared, best_fixed(fixed, question.target)),
        pareto(finalists),
        tuple(sorted((chosen, *intervals), key=lambda each: each.setting.path.scrape_seconds)),
        chosen,
        len(first),
    )


def score(
    question: Question, names: Sequence[str], progress: Progress, processes: int
) -> list[Result]:
    """Replay settings by name, and search nothing.

    Raises:
        ValueError: There is no setting of a name.
    """
    settings = _named(question, names)
    seeds = range(question.seed, question.seed + question.phases)
    total = len(settings) * len(seeds)
    with replays(question.judge, partial(progress, total), processes) as replay:
        return replay(settings, seeds)


def attains(result: Result, target: float) -> bool:
    """Whether the share is attained, and not by luck: a standard deviation below the mean too."""
    return result.attainment.mean - result.attainment.deviation >= target


def best_fixed(sizes: Sequence[Result], target: float) -> Result:
    """The smallest fixed size that attains the target; where none does, the best of them."""
    for size in sizes:
        if attains(size, target):
            return size
    return max(sizes, key=lambda size: (size.attainment.mean, -size.replica_hours.mean))


def pareto(results: Iterable[Result]) -> tuple[Result, ...]:
    """Those that no other beats in attainment at no more replica-hours, cheapest first."""
    front: list[Result] = []
    for result in sorted(
        results, key=lambda each: (each.replica_hours.mean, -each.attainment.mean)
    ):
        if not front or result.attainment.mean > front[-1].attainment.mean:
            front.append(result)
    return tuple(front)


def _named(question: Question, names: Iterable[str]) -> list[Setting]:
    return [
        named(name, question.max_replicas, question.path, question.service_seconds)
        for name in names
    ]


def _finalists(
    target: float,
    screened: Sequence[Result],
    replay: Callable[[Sequence[Setting]], list[Result]],
) -> list[Result]:
    """Replay what may be the cheapest that attains the target, and some from along the front.

    What seems to attain it, or to miss it by chance, is replayed from the cheapest on until some
    do attain it: nothing cheaper is left untried then.
    """
    front = pareto(screened)
    spaced = {*front[:: max(len(front) * 4 // FINALISTS, 1)], *front[-1:]}
    finalists = replay([each.setting for each in front if each in spaced])
    promising = sorted(
        (each for each in screened if each.attainment.most >= target and each not in spaced),
        key=lambda each: each.replica_hours.mean,
    )
    for begin in range(0, len(promising), BATCH):
        batch = promising[begin : begin + BATCH]
        cheapest = min(
            (each.replica_hours.mean for each in finalists if attains(each, target)),
            default=math.inf,
        )
        if batch[0].replica_hours.mean > cheapest:
            break
        finalists += replay([each.setting for each in batch])
    return finalists


def _choose(compared: Sequence[Result], finalists: Sequence[Result], target: float) -> Result:
    *_, shipped = compared
    attaining = [each for each in (*compared, *finalists) if attains(each, target)]
    if not attaining:
        return max((*compared, *finalists), key=lambda each: each.attainment.mean)
    cheapest = min(attaining, key=lambda each: each.replica_hours.mean)
    worth_it = cheapest.replica_hours.mean <= 0.97 * shipped.replica_hours.mean
    return cheapest if worth_it or not attains(shipped, target) else shipped


def _paths(question: Question) -> list[SignalPath]:
    return [
        replace(question.path, scrape_seconds=seconds, rule_seconds=seconds)
        for seconds in question.intervals
    ]


def candidates(question: Question) -> list[Setting]:
    """Every setting that the search tries first."""
    most, path = question.max_replicas, question.path
    concurrency = question.judge.workloads[0].concurrency
    settings = []
    for share, window in product(LAG_PER_SLOT, (None, *WINDOWS)):
        plain = by_lag(share * concurrency, most, path)
        behavior = None if window is None else scale_down_after(window)
        name = plain.name if window is None else f"{plain.name} window={window}"
        settings.append(replace(plain, name=name, behavior=behavior))
    for headroom, drain, confidence, window in product(HEADROOMS, DRAINS, CONFIDENCES, WINDOWS):
        parameters = replace(
            REQUIRED_WORKERS, headroom=headroom, drain_seconds=drain, confidence=confidence
        )
        name = (
            f"required headroom={headroom:g} drain={drain:g} confidence={confidence:g}"
            f" window={window}"
        )
        trigger = Required(parameters, question.service_seconds)
        settings.append(by_required_workers(name, trigger, window, most, path))
    return settings

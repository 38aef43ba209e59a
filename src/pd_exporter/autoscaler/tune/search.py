"""The search for the setting that meets a goal at the least replica-hours."""

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import product, repeat
from multiprocessing import get_context

from pd_exporter.autoscaler.setting import (
    Setting,
    SignalPath,
    by_lag,
    by_required_workers,
    named,
    scale_down_after,
    static,
)
from pd_exporter.autoscaler.tune.score import Judge, Result
from pd_exporter.policy import REQUIRED_WORKERS

LAG_PER_SLOT = (0.7, 0.85, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0)
HEADROOMS = (0.5, 1.0, 1.25, 1.5, 1.75, 1.9, 2.25, 2.5, 3.0, 4.0)
DRAINS = (30.0, 60.0, 120.0, 240.0)
CONFIDENCES = (1.0, 3.0)
WINDOWS = (300, 450, 600, 900)
"""What the search tries: lag thresholds by slots of a worker, the law's parameters, and scale-in
stabilization windows in seconds; None beside them is an HPA without behavior."""

SCREENING_PHASES = 2
FINALISTS = 16

Progress = Callable[[int, int], None]
"""Told of how many replays how many are done."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a search.

    Attributes:
        judge: Workload and goal.
        max_replicas: The most replicas that there may be.
        path: How the signal comes.
        intervals: Scrape and rule intervals to try with the best settings, in seconds.
        phases: Replays of each finalist, and of what it is compared with.
        seed: The first phase.
    """

    judge: Judge
    max_replicas: int
    path: SignalPath
    intervals: tuple[float, ...] = ()
    phases: int = 8
    seed: int = 0

    @property
    def target(self) -> float:
        """The share to attain: the goal's, or as near to it as the workload allows.

        Where even without any wait fewer attain it, half a percent below that.
        """
        return min(self.judge.goal.share, self.judge.ceiling() - 0.005)

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
        ceiling: The share that attains the goal where nobody waits, 0 to 1.
        compared: The settings that have names, and the best fixed size in hindsight, last.
        finalists: The best of the search, at the path that was asked for, cheapest first.
        intervals: The chosen setting with other scrape and rule intervals.
        chosen: What to use.
        tried: Settings that were replayed.
    """

    question: Question
    ceiling: float
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
    """Replay every candidate, the best of them again in more phases, and choose.

    The shipped setting is chosen unless another attains the target with at least 3 % fewer
    replica-hours, or it misses the target where another does not: what fits one trace by a hair
    fits the next one worse.

    Args:
        question: What is asked.
        progress: Told of every replay.
        processes: How many to use; 1 replays in this one.
    """
    first = candidates(question)
    seeds = range(question.seed, question.seed + question.phases)
    total = (
        len(first) * SCREENING_PHASES
        + (FINALISTS + len(question.names) + len(question.intervals)) * len(seeds)
        + question.max_replicas
    )
    with _replays(question.judge, partial(progress, total), processes) as replay:
        screened = replay(first, seeds[:SCREENING_PHASES])
        finalists = replay(_finalists(screened, question.target), seeds)
        compared = replay(_named(question, question.names), seeds)
        fixed = replay([static(size + 1) for size in range(question.max_replicas)], seeds)
        chosen = _choose(compared[-1], finalists, question.target)
        others = [path for path in _paths(question) if path != question.path]
        intervals = replay([replace(chosen.setting, path=path) for path in others], seeds)
    return Answer(
        question,
        question.judge.ceiling(),
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
    with _replays(question.judge, partial(progress, total), processes) as replay:
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
    return [named(name, question.max_replicas, question.path) for name in names]


def _finalists(screened: Sequence[Result], target: float) -> list[Setting]:
    """The cheapest that attain the target, and as many from along the front."""
    attaining = sorted(
        (each for each in screened if each.attainment.mean >= target),
        key=lambda each: each.replica_hours.mean,
    )
    front = pareto(screened)
    spaced = front[:: max(len(front) * 2 // FINALISTS, 1)]
    chosen = dict.fromkeys(each.setting for each in (*attaining[: FINALISTS // 2], *spaced))
    return list(chosen)[:FINALISTS]


def _choose(shipped: Result, finalists: Sequence[Result], target: float) -> Result:
    attaining = [each for each in finalists if attains(each, target)]
    if not attaining:
        return max((shipped, *finalists), key=lambda each: each.attainment.mean)
    cheapest = min(attaining, key=lambda each: each.replica_hours.mean)
    worth_it = cheapest.replica_hours.mean <= 0.97 * shipped.replica_hours.mean
    return cheapest if worth_it or not attains(shipped, target) else shipped


def _paths(question: Question) -> list[SignalPath]:
    return [
        replace(question.path, scrape_seconds=seconds, rule_seconds=seconds)
        for seconds in question.intervals
    ]


_Replay = Callable[[Sequence[Setting], Sequence[int]], list[Result]]


@contextmanager
def _replays(judge: Judge, progress: Callable[[int], None], processes: int) -> Iterator[_Replay]:
    """Give what replays settings, in other processes where there are to be several."""
    done = 0
    executor = _executor(judge, processes) if processes > 1 else None

    def replay(settings: Sequence[Setting], seeds: Sequence[int]) -> list[Result]:
        nonlocal done
        results = []
        given = (
            executor.map(_result, settings, repeat(seeds), chunksize=4)
            if executor
            else map(judge.result, settings, repeat(seeds))
        )
        for result in given:
            results.append(result)
            done += len(seeds) if result.setting.triggers else 1
            progress(done)
        return results

    try:
        yield replay
    finally:
        if executor:
            executor.shutdown(cancel_futures=True)


_judge: Judge  # of this process, where it is one of a search's


def _executor(judge: Judge, processes: int) -> Executor:
    # Spawned and not forked: whoever shows the progress may have threads.
    return ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_begin, initargs=(judge,)
    )


def _begin(judge: Judge) -> None:
    global _judge  # noqa: PLW0603 - a process of a pool has no other place of its own
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    _judge = judge


def _result(setting: Setting, seeds: Sequence[int]) -> Result:
    return _judge.result(setting, seeds)


def candidates(question: Question) -> list[Setting]:
    """Every setting that the search tries first."""
    most, path = question.max_replicas, question.path
    concurrency = question.judge.workloads[0].concurrency
    settings = []
    for share, window in product(LAG_PER_SLOT, (None, *WINDOWS)):
        plain = by_lag(max(share * concurrency, 1.0), most, path)
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
        settings.append(by_required_workers(name, parameters, window, most, path))
    return list({setting.name: setting for setting in settings}.values())

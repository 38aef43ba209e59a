"""A scrape: run every collector at once, inside the scraper's time, one by one accountable.

A collector that fails or hangs costs its own series only. A scrape joins a run that is on its
way and has about as much time, never one that has ended: no value is older than its scrape.
"""

import asyncio
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric

from pd_exporter import __version__
from pd_exporter.catalogue import own
from pd_exporter.reading import Problem, Reading
from pd_exporter.samples import Desc, Sample, SampleError, check_unique, families

JOIN_SECONDS = 2.0
"""A scrape joins a run that gives up this much before its own time is over, at most."""

_log = structlog.get_logger(__name__)
_process = ProcessCollector(registry=None)


class Collector(Protocol):
    """Reads one kind of source."""

    @property
    def name(self) -> str:
        """Value of the label ``collector``."""

    @property
    def metrics(self) -> Sequence[Desc]:
        """All that its samples may be of."""

    async def collect(self, deadline: float) -> Sequence[Reading]:
        """Read everything before a deadline by the event loop's clock; must not block the loop.

        What could not be read is a reading with a problem. What is raised fails the collector.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one collector did in one scrape; `problem` where it gave no readings at all."""

    collector: str
    duration: float
    readings: Sequence[Reading] = ()
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class PastProblem:
    """The last problem that a subject had, and when it was last met (Unix seconds)."""

    problem: Problem
    at: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one scrape saw; renders as a prometheus_client collector.

    Attributes:
        outcomes: One for each collector.
        past: Problems by collector and subject, those of this scrape included.
    """

    outcomes: Sequence[Outcome]
    past: Mapping[tuple[str, str], PastProblem] = field(default_factory=dict)

    def samples(self) -> Iterator[Sample]:
        """All samples of the page but process_*."""
        build = {"version": __version__, "python": platform.python_version()}
        yield own.BUILD_INFO.sample(1, build)
        for outcome in self.outcomes:
            label = {"collector": outcome.collector}
            yield own.COLLECTOR_SUCCESS.sample(outcome.problem is None, label)
            yield own.COLLECTOR_DURATION.sample(outcome.duration, label)
        for outcome in self.outcomes:
            for reading in outcome.readings:
                yield from reading.samples

    def collect(self) -> Iterator[Metric]:
        """Metric families for prometheus_client's encoders."""
        yield from families(self.samples())
        yield from _process.collect()


@dataclass(frozen=True, slots=True)
class _Run:
    """One collector's run; times by the event loop's clock."""

    collector: str
    started: float
    ends: float
    task: asyncio.Task[Outcome]


def subject_key(collector: str, reading: Reading) -> tuple[str, str]:
    """Name a subject among those of all collectors."""
    return collector, " ".join((reading.subject, *reading.details.values()))


class Scraper:
    """Runs collectors for whoever asks.

    Raises:
        ValueError: Two collectors claim one metric.
    """

    def __init__(self, collectors: Sequence[Collector]) -> None:
        names = [desc.name for collector in collectors for desc in collector.metrics]
        if len(names) != len(set(names)):
            raise ValueError("a metric belongs to one collector")
        self._collectors = collectors
        self._runs: dict[str, list[_Run]] = {}
        self._past: dict[tuple[str, str], PastProblem] = {}
        self._present: dict[tuple[str, str], Problem] = {}

    async def scrape(self, budget: float) -> Snapshot:
        """Run or join every collector, and give what is there after `budget` seconds at most."""
        now = asyncio.get_running_loop().time()
        runs = [self._run(collector, now, budget) for collector in self._collectors]
        waiting = [run.task for run in runs if now < run.ends]
        if waiting:
            await asyncio.wait(waiting, timeout=budget)
        outcomes = [run.task.result() if run.task.done() else _late(run) for run in runs]
        for outcome in outcomes:
            self._remember(outcome)
        return Snapshot(outcomes, dict(self._past))

    def _run(self, collector: Collector, now: float, budget: float) -> _Run:
        """Give a run to wait for: one on its way that ends in time, or a new one."""
        ends = now + budget
        runs = [run for run in self._runs.get(collector.name, ()) if not run.task.done()]
        self._runs[collector.name] = runs
        for run in runs:
            outlived = run.ends <= now  # and would not be stopped: another would hang beside it
            if outlived or ends - JOIN_SECONDS <= run.ends <= ends:
                return run
        task = asyncio.create_task(_collect(collector, now, ends), name=collector.name)
        runs.append(_Run(collector.name, now, ends, task))
        return runs[-1]

    def _remember(self, outcome: Outcome) -> None:
        """Note and log problems that come, change and go; forget subjects that are gone."""
        found = {(outcome.collector, ""): outcome.problem}
        for reading in outcome.readings:
            found[subject_key(outcome.collector, reading)] = reading.problem
        for key, problem in found.items():
            before = self._present.pop(key, None)
            if problem is not None:
                self._present[key] = problem
                self._past[key] = PastProblem(problem, time.time())
                if before is None or before.reason != problem.reason:
                    _log.warning(
                        "not read", **_subject(key), reason=problem.reason, why=str(problem)
                    )
            elif before is not None:
                _log.info("read again", **_subject(key), reason=before.reason)
        if outcome.problem is None:
            for key in [key for key in self._past if key[0] == outcome.collector]:
                if key not in found:
                    del self._past[key]
                    self._present.pop(key, None)


def _subject(key: tuple[str, str]) -> dict[str, str]:
    collector, subject = key
    return {"collector": collector} | ({"subject": subject} if subject else {})


async def _collect(collector: Collector, started: float, ends: float) -> Outcome:
    """Run a collector; whatever goes wrong in it is its outcome."""
    clock = asyncio.get_running_loop().time
    try:
        # The collector's own deadline is a little earlier, so that it can tell what was late.
        async with asyncio.timeout_at(ends):
            readings = await collector.collect(ends - min(0.25, (ends - started) / 10))
        if clock() > ends:
            raise TimeoutError  # it would not be stopped: who knows when it read what it gives
        samples = [sample for reading in readings for sample in reading.samples]
        strangers = {sample.desc.name for sample in samples}.difference(
            desc.name for desc in collector.metrics
        )
        if strangers:
            raise SampleError(f"not among the collector's metrics: {sorted(strangers)}")
        check_unique(samples)
    except TimeoutError:
        return Outcome(collector.name, clock() - started, problem=_timeout(clock() - started))
    except Exception as error:  # noqa: BLE001  one collector's fault must not cost the others
        _log.exception("collector failed", collector=collector.name)
        problem = Problem(
            "failed",
            f"The collector failed: {type(error).__name__}: {error}.",
            "This is a fault of the exporter: report it with the log of this moment.",
        )
        return Outcome(collector.name, clock() - started, problem=problem)
    return Outcome(collector.name, clock() - started, readings)


def _late(run: _Run) -> Outcome:
    duration = asyncio.get_running_loop().time() - run.started
    return Outcome(run.collector, duration, problem=_timeout(duration))


def _timeout(duration: float) -> Problem:
    return Problem(
        "timeout",
        f"The collector was not done after {duration:.1f} s.",
        "See what its source is waiting for; if it is only slow, raise the scrape timeout.",
    )

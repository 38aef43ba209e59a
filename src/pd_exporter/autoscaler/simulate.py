"""Replay of a workload under a setting: queue, scrapes, rules, KEDA and the HPA, event by event."""

import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from pd_exporter.autoscaler.fallback import TriggerHealth
from pd_exporter.autoscaler.hpa import HorizontalPodAutoscaler, Scale, Spec
from pd_exporter.autoscaler.keda import quantity_milli
from pd_exporter.autoscaler.series import Series
from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.signals import Observer, Signals
from pd_exporter.autoscaler.workers import Workers
from pd_exporter.autoscaler.workload import Workload
from pd_exporter.policy import FRESH_SECONDS

TYPICAL_SEED = 5
"""A replay whose signal is about as old as on average: for whoever looks at one alone."""

POLL_SECONDS = 30.0
"""KEDA's pollingInterval where a ScaledObject names none."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What the service looked like at each sync of the HPA; columns of one length."""

    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    replicas: "array[int]" = field(default_factory=lambda: array("q"))
    serving: "array[int]" = field(default_factory=lambda: array("q"))
    waiting: "array[int]" = field(default_factory=lambda: array("q"))

    def note(self, now: float, workers: Workers) -> None:
        """Add a row."""
        self.seconds.append(now)
        self.replicas.append(workers.replicas)
        self.serving.append(workers.serving(now))
        self.waiting.append(workers.arrived(now) - workers.started)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of one replay.

    Attributes:
        starts: When each request was taken by a worker, in seconds.
        replica_seconds: Wanted replicas, integrated from the beginning to the last arrival.
        peak_replicas: The most that were wanted.
        timeline: Where it was asked for.
    """

    starts: "array[float]"
    replica_seconds: float
    peak_replicas: int
    timeline: Timeline | None


def simulate(workload: Workload, setting: Setting, seed: int, *, timeline: bool = False) -> Run:
    """Replay a workload under a setting, until all requests have been taken.

    Scrapes, rules, the HPA's syncs and KEDA's polling each begin somewhere in their interval;
    `seed` decides where, and which scrapes fail. The phases of seeds that follow each other cover
    all combinations evenly, so that a mean over a few says as much as one over many at random.
    """
    service = _Service(workload, setting, Timeline() if timeline else None)
    loop = _ControlLoop(service, workload, setting, seed)
    if not setting.triggers and not timeline:
        service.workers.advance(math.inf)
    while service.waited_for:
        loop.step()
    return service.run()


def phases(seed: int) -> list[float]:
    """Phases of the four clocks, each 0 to 1: point `seed` of an evenly spread sequence.

    A Kronecker sequence whose steps are powers of the root of x**6 = x + 1 (M. Roberts, 2018). That
    of x**5 = x + 1, for four dimensions, has a first step near 6/7: it would come around too soon.
    At the first point all clocks tick together, so the signal has no age at all; at `TYPICAL_SEED`
    it has about the mean one.
    """
    root = 1.1347241384015194
    return [(0.5 + seed * root**-power) % 1.0 for power in range(1, 5)]


class _Service:
    """The workers, and the account that is kept of them."""

    def __init__(self, workload: Workload, setting: Setting, timeline: Timeline | None) -> None:
        initial = setting.fixed_replicas or workload.initial_replicas
        self.workers = Workers(
            workload.arrivals,
            workload.service,
            concurrency=workload.concurrency,
            startup=workload.startup_seconds,
            initial=initial,
        )
        self._requests = len(workload.arrivals)
        self._duration = workload.duration
        self._peak = initial
        self._replica_seconds = 0.0
        self._counted_to = 0.0
        self._timeline = timeline

    @property
    def waited_for(self) -> bool:
        """Whether there are requests that no worker has yet."""
        return self.workers.started < self._requests

    def note(self, now: float) -> None:
        if self._timeline:
            self._timeline.note(now, self.workers)

    def resize(self, replicas: int, now: float) -> None:
        self._count_to(now)
        self.workers.resize(replicas, now)
        self._peak = max(self._peak, replicas)

    def run(self) -> Run:
        self._count_to(math.inf)
        return Run(self.workers.starts, self._replica_seconds, self._peak, self._timeline)

    def _count_to(self, now: float) -> None:
        end = min(now, self._duration)
        self._replica_seconds += self.workers.replicas * max(end - self._counted_to, 0.0)
        self._counted_to = end


class _ControlLoop:
    """Prometheus, KEDA and the HPA, each by its own clock."""

    def __init__(self, service: _Service, workload: Workload, setting: Setting, seed: int) -> None:
        self._service, self._setting = service, setting
        self._random = Random(seed)  # noqa: S311 - to be reproduced, not to be secret
        path = setting.path
        observer = Observer(
            workload.ack,
            workload.concurrency,
            workload.prior_seconds,
            path.rule_seconds,
            workload.evidence,
        )
        self._signals = Signals(service.workers, observer)
        self._recorded = [Series() for _ in setting.triggers]
        self._health = [TriggerHealth() for _ in setting.triggers]
        self._hpa = self._autoscaler()
        self._clocks: list[tuple[float, Callable[[float], None]]] = [
            (path.scrape_seconds, self._scrape),
            (path.rule_seconds, self._evaluate),
            (path.sync_seconds, self._sync),
        ]
        if setting.fallback:
            self._clocks.append((POLL_SECONDS, self._poll))
        self._due = [
            interval * phase
            for (interval, _), phase in zip(self._clocks, phases(seed), strict=False)
        ]

    def step(self) -> None:
        """Go on to the next tick of any clock."""
        now = min(self._due)
        clock = self._due.index(now)
        interval, tick = self._clocks[clock]
        self._due[clock] = now + interval
        tick(now)

    def _autoscaler(self) -> HorizontalPodAutoscaler | None:
        setting = self._setting
        if not setting.triggers:
            return None
        metrics = tuple(trigger.metric for trigger in setting.triggers)
        bounds = setting.min_replicas, setting.max_replicas
        return HorizontalPodAutoscaler(Spec(metrics, *bounds, setting.behavior))

    def _scrape(self, now: float) -> None:
        missed = self._setting.path.missed_scrapes
        if missed and self._random.random() < missed:
            self._signals.miss()
        else:
            self._signals.scrape(now)

    def _evaluate(self, now: float) -> None:
        self._signals.record(now)
        if self._setting.path.recorded:
            for trigger, series in zip(self._setting.triggers, self._recorded, strict=True):
                value = trigger.value(self._signals, now)
                if value is None:
                    series.end()
                else:
                    series.append(now, value)

    def _values(self, now: float) -> list[int | None]:
        """What KEDA's scalers give, in thousandths; None for an empty result, which is an error."""
        if self._setting.path.recorded:
            values = [series.last(now, FRESH_SECONDS) for series in self._recorded]
        else:
            values = [trigger.value(self._signals, now) for trigger in self._setting.triggers]
        replicas = self._service.workers.replicas
        return [
            health.observe(
                None if value is None else quantity_milli(value),
                fallback=self._setting.fallback,
                target=trigger.metric,
                current_replicas=replicas,
            )
            for value, trigger, health in zip(
                values, self._setting.triggers, self._health, strict=True
            )
        ]

    def _poll(self, now: float) -> None:
        self._values(now)  # with at least one replica, polling only counts failures

    def _sync(self, now: float) -> None:
        service = self._service
        service.workers.advance(now)
        if self._hpa:
            replicas = service.workers.replicas
            # The adapter's status.replicas is the count that was wanted last.
            decision = self._hpa.sync(now, Scale(replicas, replicas), self._values(now))
            if decision.replicas != replicas:
                service.resize(decision.replicas, now)
        service.note(now)

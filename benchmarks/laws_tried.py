"""The control laws that were tried, side by side, each at its best price for an attainment.

Usage: ``python -m benchmarks.laws_tried --azure FILE --mooncake FILE`` prints the tables of
``docs/design/0004-the-law-for-prefill.md``; the traces are those of `benchmarks.replay_traces`.

Each law is swept over the one number that buys attainment for replica-hours, and its price for a
given attainment is read off the sweep. Bursts are Gamma arrivals that nothing can foresee: there a
law is held against the fixed size that costs as much.
"""

import argparse
import math
import os
import statistics
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from benchmarks.replay_traces import CASES, PATHS
from pd_exporter.autoscaler.generated import generate
from pd_exporter.autoscaler.hpa import ExternalMetric
from pd_exporter.autoscaler.setting import Setting, scale_down_after, static
from pd_exporter.autoscaler.signals import Signals
from pd_exporter.autoscaler.triggers import Lag, Recorded, Required, Trigger
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure
from pd_exporter.autoscaler.workload import Workload, service_by_tokens
from pd_exporter.policy import REQUIRED_WORKERS, SCALE_DOWN_WINDOW_SECONDS

SEEDS = range(12)
BURSTS = ("gamma:rate=2.5,cv=13,duration=1h", "gamma:rate=8,cv=10,duration=1h")
HEADROOMS = (1.0, 1.25, 1.5, 1.75, 1.9, 2.0, 2.25, 2.5, 3.0)


@dataclass(frozen=True)
class Tried:
    """A law that is not shipped: what it is made of, to choose from.

    Attributes:
        headroom: Workers above the offered load, in the unit of `root`, `deviation` or the load.
        windows: Of the arrival rates, in seconds; the highest counts.
        service_window: Of the mean service time, in seconds; measured alone after two minutes.
        drain: Seconds to work off a backlog.
        unit: What headroom is counted in.
    """

    headroom: float
    windows: tuple[float, ...] = (60, 300)
    service_window: float = 600
    drain: float = 60
    unit: str = "root"

    @property
    def metric(self) -> ExternalMetric:
        """One worker."""
        return ExternalMetric(1000)

    def value(self, signals: Signals, now: float) -> float | None:
        """Give the workers; None where an input is unknown."""
        rates = [signals.enqueued.rate(window, now) for window in self.windows]
        known = [rate for rate in rates if rate is not None]
        pending, service = signals.pending(now), self._service(signals, now)
        if not known or service is None or pending is None:
            return None
        offered = max(known) * service
        backlog = pending * service / self.drain
        return offered + self.headroom * self._stray(signals, now, offered) + backlog

    def _service(self, signals: Signals, now: float) -> float | None:
        window = self.service_window
        busy, served = signals.busy.average(window, now), signals.deliveries.average(window, now)
        return busy / served if busy and served and now > 120 else signals.observer.prior_seconds

    def _stray(self, signals: Signals, now: float, offered: float) -> float:
        if self.unit == "load":
            return offered
        if self.unit == "root" or now < 120:
            return math.sqrt(offered)
        seen = signals.busy.count(900, now)
        columns = signals.enqueued.values, signals.delivered.values, signals.busy.values
        rows = zip(*(column[-seen:] for column in columns), strict=True)
        in_system = [arrived - taken + busy for arrived, taken, busy in rows]
        return max(math.sqrt(offered), float(statistics.pstdev(in_system)))

    def query(self, recorded: Recorded) -> str:
        """Not shipped, so never asked for."""
        raise LookupError(recorded)


def shipped(headroom: float) -> Trigger:
    """The shipped law with another headroom."""
    return Required(replace(REQUIRED_WORKERS, headroom=headroom))


LAWS: dict[str, tuple[Callable[[float], Trigger], int, Sequence[float]]] = {
    "lag": (Lag, 300, (0.6, 0.8, 1, 1.25, 1.5, 2, 3)),
    "utilisation by rate1m": (
        partial(Tried, windows=(60,), unit="load"), 300, (0.25, 0.4, 0.55, 0.7, 0.85, 1, 1.2, 1.5)
    ),
    "root of load, higher rate, S over 10 min": (Tried, 600, HEADROOMS),
    "the same by rate5m": (partial(Tried, windows=(300,)), 600, HEADROOMS),
    "the same by rate5m and rate15m": (partial(Tried, windows=(300, 900)), 600, HEADROOMS),
    "the same, drain 20 s": (partial(Tried, drain=20), 600, HEADROOMS),
    "deviation of requests in the system": (
        partial(Tried, unit="deviation"), 600, (0.5, 0.75, *HEADROOMS)
    ),
    "S over 1 h, no prior": (partial(Tried, service_window=3600), 600, HEADROOMS),
    "shipped": (shipped, SCALE_DOWN_WINDOW_SECONDS, HEADROOMS),
}  # fmt: skip
"""Each law by what buys attainment, its scale-in window in seconds, and the sweep."""

ASKED = [
    (path, trace, share)
    for path, shares in zip(PATHS, ((0.993, 0.954), (0.993, 0.963)), strict=True)
    for trace, share in zip(CASES, shares, strict=True)
]
"""Scrape and rule intervals, trace, and the share to attain."""

_judges: dict[str, Judge] = {}


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in CASES:
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", required=True)
    files = vars(parser.parse_args())
    with ProcessPoolExecutor(os.cpu_count(), initializer=begin, initargs=(files,)) as pool:
        asked = [f"{name} {path.label} {100 * share:g} %" for path, name, share in ASKED]
        print(f"| law | {' | '.join(asked)} | CV 13 | CV 10 |")
        print("|---|---|---|---|---|---|---|")
        for law, cells in zip(LAWS, pool.map(row, LAWS), strict=True):
            print(f"| {law} | {' | '.join(cells)} |")


def begin(files: dict[str, Path]) -> None:
    """Read the traces and draw the bursts, once a process."""
    for name, case in CASES.items():
        _judges[name] = case.judge(files[name])
    for spec in BURSTS:
        workloads = []
        for seed in range(4):
            trace = generate(spec + ",input=2048,input_cv=0.9", seed)
            service = service_by_tokens(trace, 2628, 0.02)
            mean = sum(service) / len(service)
            workloads.append(Workload(trace.arrivals, service, prior_seconds=mean))
        _judges[spec] = Judge(tuple(workloads), Goal(Measure.TTFT, 2), 600)


def row(name: str) -> list[str]:
    """Give a law's prices on the traces, and its distance from fixed sizes on the bursts."""
    law, window, sweep = LAWS[name]
    cells = []
    for path, trace, share in ASKED:
        points = []
        for value in sweep:
            behavior = scale_down_after(window)
            setting = Setting("", (law(value),), behavior, max_replicas=32, path=path)
            result = _judges[trace].result(setting, SEEDS)
            points.append((result.attainment.mean, result.replica_hours.mean))
        cells.append(price(points, share))
    return [*cells, *(distance(spec, law, window, sweep) for spec in BURSTS)]


def price(points: Sequence[tuple[float, float]], share: float) -> str:
    """Give the replica-hours at which a sweep first attains the share."""
    for (below, cheap), (above, dear) in pairwise(sorted(points, key=lambda point: point[1])):
        if below < share <= above:
            return f"{cheap + (dear - cheap) * (share - below) / (above - below):.2f}"
    return "-"


def distance(
    spec: str, law: Callable[[float], Trigger], window: int, sweep: Sequence[float]
) -> str:
    """Give how many percent more attain the goal than with a fixed size of the same price."""
    judge = _judges[spec]
    fixed = [judge.result(static(size), SEEDS) for size in range(2, 65)]
    line = [(size.replica_hours.mean, size.attainment.mean) for size in fixed]
    gains = []
    for value in sweep:
        setting = Setting("", (law(value),), scale_down_after(window), max_replicas=64)
        result = judge.result(setting, SEEDS)
        gains.append(100 * (result.attainment.mean - at(line, result.replica_hours.mean)))
    return f"{statistics.fmean(gains):+.1f}"


def at(line: Sequence[tuple[float, float]], hours: float) -> float:
    """Read the line at a price."""
    for (left, low), (right, high) in pairwise(line):
        if left <= hours <= right:
            return low + (high - low) * (hours - left) / (right - left)
    raise ValueError(f"{hours} replica-hours are outside of what fixed sizes cost")


if __name__ == "__main__":
    main()

"""Draw the figures about tuning, from generated traces alone.

Usage: ``python docs/figures.py`` writes them and their numbers to ``docs/tuning``; with
``--check`` it writes nothing and fails if a number differs from the committed ones, or a figure
is missing. Numbers are compared and not drawings, which differ by version of matplotlib.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pd_exporter.autoscaler.generated import Tokens, gamma_bursts, poisson
from pd_exporter.autoscaler.setting import (
    Setting,
    SignalPath,
    by_lag,
    by_required_workers,
    named,
    static,
)
from pd_exporter.autoscaler.simulate import TYPICAL_SEED, Timeline, simulate
from pd_exporter.autoscaler.triggers import Required
from pd_exporter.autoscaler.tune.canvas import (
    COLOURS,
    DASHES,
    INK,
    SOFT,
    blank,
    drawing,
    lay_out,
    place_labels,
    svg,
)
from pd_exporter.autoscaler.tune.plots import timeline
from pd_exporter.autoscaler.tune.score import Goal, Judge, Measure, Result
from pd_exporter.autoscaler.workload import Workload, service_by_distribution
from pd_exporter.policy import REQUIRED_WORKERS, SCALE_DOWN_WINDOW_SECONDS

FOLDER = Path(__file__).parent / "tuning"
NUMBERS = FOLDER / "figures.json"

# What all replays have in common: four workers are busy on average, a prefill takes a second.
OFFERED_WORKERS = 4
SERVICE_SECONDS, SERVICE_CV = 1.0, 0.8
DURATION_SECONDS, UNSCORED_SECONDS = 3600.0, 600.0
GOAL = Goal(Measure.WAIT, 1.0)
MAX_REPLICAS = 32
DRAWS = 5
LOADS = {"steady (Poisson)": 1.0, "bursts (CV of the times between requests 4)": 4.0}
NAMES = ("tutorial", "lag:1", "recommended")

THRESHOLDS = (0.5, 1, 1.5, 2, 3, 5, 7, 10)
HEADROOMS = (0, 0.5, 1, 1.5, 1.9, 2.5, 3, 4, 5)
FIXED_SIZES = (4, 5, 6, 7, 8, 10, 12, 14, 16, 18, 20)
INTERVALS = (5, 10, 15, 20, 30)
STARTUPS = (30, 60, 120, 180, 240, 300)


class Point(NamedTuple):
    """What a setting gives at one value of what is varied, rounded as it is committed."""

    x: float
    attainment_percent: float
    replica_hours: float
    wait_p95_seconds: float


Lines = dict[str, list[Point]]
Numbers = dict[str, Any]


@cache
def judge(load: str, concurrency: int = 1, startup: float = 120.0) -> Judge:
    """Make the draws of a load."""
    rate = OFFERED_WORKERS * concurrency / SERVICE_SECONDS
    workloads = []
    for seed in range(DRAWS):
        if LOADS[load] == 1:
            trace = poisson(rate, DURATION_SECONDS, Tokens(), seed)
        else:
            trace = gamma_bursts(rate, LOADS[load], DURATION_SECONDS, Tokens(), seed)
        service = service_by_distribution(len(trace), SERVICE_SECONDS, SERVICE_CV, seed)
        workloads.append(
            Workload(
                trace.arrivals,
                service,
                concurrency=concurrency,
                startup_seconds=startup,
                initial_replicas=OFFERED_WORKERS,
                prior_seconds=SERVICE_SECONDS,
            )
        )
    return Judge(tuple(workloads), GOAL, UNSCORED_SECONDS)


def point(x: float, load: Judge, setting: Setting) -> Point:
    """Replay a setting on each draw."""
    result: Result = load.result(setting, range(DRAWS))
    numbers = (
        100 * result.attainment.mean,
        result.replica_hours.mean,
        result.wait_p95.mean,
    )
    return Point(x, *(round(number, 3) for number in numbers))


def limit_cycle() -> tuple[Figure, Numbers]:
    """Lag 5 and required workers over time, on a load that does not change."""
    steady = judge(next(iter(LOADS)))
    settings = {"lag threshold 5": "tutorial", "required workers": "recommended"}
    chosen = {label: named(name, MAX_REPLICAS, SignalPath()) for label, name in settings.items()}
    numbers = {label: _swings(steady, setting) for label, setting in chosen.items()}
    return timeline(steady, chosen, TYPICAL_SEED), numbers


def _swings(load: Judge, setting: Setting) -> dict[str, float]:
    workload = load.workload(TYPICAL_SEED)
    run = simulate(workload, setting, TYPICAL_SEED, timeline=True)
    rows = run.timeline or Timeline()
    times = zip(rows.seconds, rows.replicas, strict=True)
    scored = [size for time, size in times if UNSCORED_SECONDS <= time <= workload.duration]
    rises = sum(before <= OFFERED_WORKERS < after for before, after in pairwise(scored))
    score = load.score(workload, run)
    return {
        "least_replicas": min(scored),
        "most_replicas": max(scored),
        "rises_above_offered": rises,
        "attainment_percent": round(100 * score.attainment, 3),
        "replica_hours": round(score.replica_hours, 3),
        "wait_p95_seconds": round(score.wait_p95, 3),
    }


def lag_threshold() -> tuple[Figure, Numbers]:
    """Lag thresholds below and above what a worker serves at once."""
    numbers: Numbers = {}
    for load in LOADS:
        numbers[load] = {}
        for concurrency in (1, 4):
            served = judge(load, concurrency)
            numbers[load][f"lag, concurrency {concurrency}"] = [
                point(x, served, by_lag(x * concurrency, MAX_REPLICAS, SignalPath()))
                for x in THRESHOLDS
            ]
        shipped = point(0, judge(load), named("recommended", MAX_REPLICAS, SignalPath()))
        numbers[load]["required workers, concurrency 1"] = [
            shipped._replace(x=x) for x in THRESHOLDS
        ]
    figure = sweep("lag threshold / a worker's concurrency", numbers)
    with drawing():
        for axes in figure.axes:
            axes.axvline(1, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        figure.axes[0].annotate("threshold = concurrency", (1.1, 10))
    return figure, numbers


def signal_path() -> tuple[Figure, Numbers]:
    """Scrape and rule intervals, equal to each other."""
    numbers: Numbers = {
        load: {
            name: [
                point(x, judge(load), named(name, MAX_REPLICAS, SignalPath(x, x)))
                for x in INTERVALS
            ]
            for name in NAMES
        }
        for load in LOADS
    }
    return sweep("scrape interval and rule interval, each (s)", numbers), numbers


def startup_time() -> tuple[Figure, Numbers]:
    """From a replica's creation until it serves."""
    numbers: Numbers = {
        load: {
            name: [
                point(x, judge(load, 1, x), named(name, MAX_REPLICAS, SignalPath()))
                for x in STARTUPS
            ]
            for name in NAMES
        }
        for load in LOADS
    }
    return sweep("start-up time of a replica (s)", numbers), numbers


def sweep(varied: str, numbers: Mapping[str, Lines]) -> Figure:
    """Draw attainment above replica-hours, a column a load, a line a setting."""
    with drawing():
        figure = blank(11, 6)
        grid = figure.subplots(2, len(numbers), sharex=True, sharey="row")
        for column, (load, lines) in zip(grid.T, numbers.items(), strict=True):
            for (name, points), color, dash in zip(lines.items(), COLOURS, DASHES, strict=False):
                x, attainment, hours, _ = zip(*points, strict=True)
                look = {"color": color, "linestyle": dash, "marker": "o", "markersize": 4}
                column[0].plot(x, attainment, label=name, **look)
                column[1].plot(x, hours, **look)
            column[0].set_title(f"Load: {load}")
            column[1].set_xlabel(varied)
        grid[0, 0].set_ylabel(f"requests that wait {GOAL.seconds:g} s or less (%)")
        grid[1, 0].set_ylabel("replica-hours of an hour")
        grid[0, 0].set_ylim(0, 103)
        grid[1, 0].set_ylim(0, MAX_REPLICAS)
        handles = grid[0, 0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3)
        lay_out(figure)
    return figure


def headroom() -> tuple[Figure, Numbers]:
    """Headroom of the required workers, beside fixed sizes."""
    numbers: Numbers = {}
    for load in LOADS:
        served = judge(load)
        numbers[load] = {
            "required workers, by headroom (the number at the point)": [
                point(x, served, _with_headroom(x)) for x in HEADROOMS
            ],
            "fixed sizes (of as many replicas as replica-hours)": [
                point(x, served, static(x)) for x in FIXED_SIZES
            ],
        }
    return _cost_curves(numbers), numbers


def _with_headroom(value: float) -> Setting:
    trigger = Required(replace(REQUIRED_WORKERS, headroom=value))
    return by_required_workers(
        f"headroom {value:g}", trigger, SCALE_DOWN_WINDOW_SECONDS, MAX_REPLICAS, SignalPath()
    )


def _cost_curves(numbers: Mapping[str, Lines]) -> Figure:
    with drawing():
        figure = blank(11, 4.8)
        panels = figure.subplots(1, len(numbers), sharey=True)
        for axes, (load, lines) in zip(panels, numbers.items(), strict=True):
            for (name, points), color, marker in zip(
                lines.items(), (COLOURS[1], SOFT), "os", strict=True
            ):
                hours, attainment = _places(points)
                axes.plot(hours, attainment, marker=marker, markersize=4, color=color, label=name)
            axes.set_title(f"Load: {load}")
            axes.set_xlabel("replica-hours of an hour")
            axes.set_ylim(0, 108)
        panels[0].set_ylabel(f"requests that wait {GOAL.seconds:g} s or less (%)")
        handles = panels[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=2)
        lay_out(figure)
        for axes, lines in zip(panels, numbers.values(), strict=True):
            _name_points(axes, *lines.values())
    return figure


def _places(points: Iterable[Point]) -> tuple[list[float], list[float]]:
    found = [(each.replica_hours, each.attainment_percent) for each in points]
    return [hours for hours, _ in found], [attainment for _, attainment in found]


def _name_points(axes: Axes, named_points: Sequence[Point], others: Sequence[Point]) -> None:
    labels = [(f"{each.x:g}", each.replica_hours, each.attainment_percent) for each in named_points]
    kept_free = list(zip(*_places([*named_points, *others]), strict=True))
    place_labels(axes, labels, kept_free, [])


FIGURES = {
    "limit-cycle": limit_cycle,
    "lag-threshold": lag_threshold,
    "headroom": headroom,
    "signal-path": signal_path,
    "startup-time": startup_time,
}


def main() -> int:
    """Write or check every figure; the exit status is 1 where a check finds a difference."""
    drawn = {name: draw() for name, draw in FIGURES.items()}
    policy = {**asdict(REQUIRED_WORKERS), "scale_down_window_seconds": SCALE_DOWN_WINDOW_SECONDS}
    table = {"policy": policy, **{name: numbers for name, (_, numbers) in drawn.items()}}
    numbers = json.dumps(table, indent=1) + "\n"
    if "--check" in sys.argv:
        files = [NUMBERS, *(FOLDER / f"{name}.svg" for name in FIGURES)]
        if all(map(Path.exists, files)) and NUMBERS.read_text(encoding="utf-8") == numbers:
            return 0
        print("docs/tuning is out of date; run make figures", file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    NUMBERS.write_text(numbers, encoding="utf-8")
    for name, (figure, _) in drawn.items():
        (FOLDER / f"{name}.svg").write_text(svg(figure), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

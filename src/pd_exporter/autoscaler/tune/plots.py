"""A figure of replays over time: arrivals, requests that wait, times, and replicas."""

import math
from array import array
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.simulate import Run, Timeline, simulate
from pd_exporter.autoscaler.tune.buckets import Clock, Rows
from pd_exporter.autoscaler.tune.canvas import (
    COLOURS,
    DASHES,
    INK,
    SOFT,
    blank,
    drawing,
    lay_out,
)
from pd_exporter.autoscaler.tune.score import Judge, Measure
from pd_exporter.autoscaler.workload import Workload

_OFFERED: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 3))}


def timeline(judge: Judge, settings: Mapping[str, Setting], seed: int) -> Figure:
    """Draw one replay of each setting over time, below the arrivals that all of them get.

    Args:
        judge: Workload and goal.
        settings: By the label that each is to have; up to five.
        seed: Of the replays.
    """
    workload = judge.workload(seed)
    clock = Clock.of(workload.duration)
    heights = [0.7, 1.4, 1.4, *[1.0] * len(settings)]
    with drawing():
        figure = blank(11, 5 + 1.25 * len(settings))
        arrivals, waiting, times, *replicas = figure.subplots(
            len(heights), sharex=True, height_ratios=heights
        )
        _draw_arrivals(arrivals, clock, workload, judge.unscored_seconds)
        for (label, setting), panel, color, dash in zip(
            settings.items(), replicas, COLOURS, DASHES, strict=False
        ):
            run = simulate(workload, setting, seed, timeline=True)
            rows = Rows.of(run.timeline or Timeline(), clock)
            waiting.plot(rows.times, rows.waiting, color=color, linestyle=dash, label=label)
            middles, longest = clock.percentiles(workload.arrivals, _times(judge, workload, run))
            times.plot(middles, longest, color=color, linestyle=dash)
            _draw_replicas(panel, rows, color, workload.offered_workers)
            score = judge.score(workload, run)
            panel.set_title(
                f"Replicas: {label} ({score.replica_hours:.1f} replica-hours,"
                f" {score.attainment * 100:.1f} % within the goal)"
            )
            panel.sharey(replicas[0])
        _finish_waiting(waiting, rows.merged)
        _finish_times(times, clock, judge)
        replicas[0].set_ylim(bottom=0)
        replicas[-1].set_xlabel(f"time since the beginning ({clock.unit_word})")
        replicas[-1].set_xlim(0, clock.duration / clock.unit)
        figure.legend(*waiting.get_legend_handles_labels(), loc="outside upper left", ncols=3)
        figure.legend(handles=_replica_keys(), loc="outside lower right", ncols=3)
        figure.align_ylabels()
        lay_out(figure)
    return figure


def _times(judge: Judge, workload: Workload, run: Run) -> "array[float]":
    """What the goal is about, of each request."""
    waits = array("d", map(float.__sub__, run.starts, workload.arrivals))
    if judge.goal.measure is Measure.WAIT:
        return waits
    return array("d", map(float.__add__, waits, workload.service))


def _draw_arrivals(axes: Axes, clock: Clock, workload: Workload, unscored: float) -> None:
    times, rates = clock.rates(workload.arrivals)
    axes.fill_between(times, rates, step="post", color=SOFT, alpha=0.55, linewidth=0)
    axes.set_title(f"Arrivals, mean of each {clock.bucket_words}")
    axes.set_ylabel("requests/s")
    axes.set_ylim(0, 1.3 * max(rates))  # with room for words
    if unscored:
        axes.axvspan(0, unscored / clock.unit, color=SOFT, alpha=0.15, linewidth=0)
        axes.annotate(
            "not scored",
            (0, 1),
            (4, -3),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=8,
        )


def _draw_replicas(axes: Axes, rows: Rows, color: str, offered: float) -> None:
    axes.fill_between(rows.times, rows.serving, step="post", color=color, alpha=0.3, linewidth=0)
    axes.step(rows.times, rows.wanted, where="post", color=color)
    axes.axhline(offered, **_OFFERED)
    axes.set_ylabel("replicas")


def _replica_keys() -> list[Line2D | Patch]:
    return [
        Line2D([], [], color=SOFT, label="replicas wanted, and paid for"),
        Patch(color=SOFT, alpha=0.4, linewidth=0, label="replicas serving"),
        Line2D([], [], **_OFFERED, label="workers busy on average if nobody waited"),
    ]


def _finish_waiting(axes: Axes, merged: int) -> None:
    means = f" (each point the mean of {merged} syncs of the HPA)" if merged > 1 else ""
    axes.set_title(f"Requests waiting for a worker{means}")
    axes.set_ylabel("requests")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, max(axes.get_ylim()[1], 1))
    _plain_ticks(axes)


def _finish_times(axes: Axes, clock: Clock, judge: Judge) -> None:
    goal = judge.goal
    axes.set_title(
        f"{goal.measure.words.capitalize()}: at most so long for 95 % of the requests of each"
        f" {clock.bucket_words}"
    )
    axes.set_ylabel("seconds")
    axes.axhline(goal.seconds, color=INK, linewidth=1)
    axes.annotate(
        f"goal\n{goal.seconds:g} s",
        (1, goal.seconds),
        (4, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va="center",
    )
    if goal.measure is Measure.TTFT:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    else:
        axes.set_yscale("symlog", linthresh=10.0 ** (math.floor(math.log10(goal.seconds)) - 1))
        axes.set_ylim(bottom=0)
    _plain_ticks(axes)


def _plain_ticks(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())

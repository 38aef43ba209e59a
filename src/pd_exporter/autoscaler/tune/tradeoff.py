"""A figure of settings: the share of requests within the goal against replica-hours."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pd_exporter.autoscaler.tune.canvas import (
    COLOURS,
    INK,
    SOFT,
    blank,
    drawing,
    lay_out,
    place_labels,
)
from pd_exporter.autoscaler.tune.score import Judge, Result
from pd_exporter.autoscaler.tune.search import pareto

_SHARES = (0.0, 0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 1.0)
_MORE_SHARES = sorted(
    1 - miss * 10.0**-power
    for miss, power in product((0, 1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 2, 3))
)
_HOURS = [hours * 10.0**power for power in range(-3, 7) for hours in (1, 1.5, 2, 3, 4, 5, 6, 8)]
_SMALLEST_MISS = 0.0005  # a share of 1 has to be somewhere on a scale of misses
_LEVEL: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 3)), "zorder": 1}


def tradeoff(
    judge: Judge,
    compared: Sequence[Result],
    finalists: Sequence[Result] = (),
    chosen: Result | None = None,
) -> Figure:
    """Draw the share of requests within the goal against replica-hours.

    Where several are near the goal, they are drawn again beside, and named there.

    Args:
        judge: Goal and ceiling.
        compared: The settings to name.
        finalists: Others.
        chosen: Marked, and named too.
    """
    named = {each.setting.name: each for each in compared}
    if chosen:
        known = named.pop(chosen.setting.name, None)
        named[f"{chosen.setting.name} (chosen)" if known else "chosen"] = chosen
    levels = {"goal": judge.goal.share, "if nobody waited": judge.ceiling()}
    everything = [*finalists, *named.values()]
    near = _near(everything, min(levels.values()))
    parts = [everything, near] if near else [everything]
    with drawing():
        figure = blank(11, 5)
        panels = figure.subplots(1, len(parts), squeeze=False)[0]
        for axes, part in zip(panels, parts, strict=True):
            _draw(axes, finalists, compared, chosen)
            _scale(axes, part, levels)
        panels[-1].set_title("The same near the goal")
        panels[0].set_title("Requests within the goal, and what they cost")
        panels[0].set_ylabel(
            f"requests with a {judge.goal.measure.words} of {judge.goal.seconds:g} s or less"
        )
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        notes = [[_level(axes, *level) for level in _placed(levels)] for axes in panels]
        lay_out(figure)
        for axes, part, kept_free in zip(panels, parts, notes, strict=True):
            here = [each for each in part if part is near or each not in near]
            place_labels(
                axes,
                [(name, *_mean(each)) for name, each in named.items() if each in here],
                [_mean(each) for each in everything],
                [note.get_window_extent() for note in kept_free],
            )
    return figure


def _near(results: Sequence[Result], target: float) -> list[Result]:
    """Those about as good as the target at about the least replica-hours; none if they are few."""
    good = [each for each in results if 1 - each.attainment.mean <= 2 * (1 - target)]
    least = min((each.replica_hours.mean for each in good), default=0.0)
    near = [each for each in good if each.replica_hours.mean <= 2 * least]
    return near if 2 < len(near) < len(results) else []


def _mean(result: Result) -> tuple[float, float]:
    return result.replica_hours.mean, result.attainment.mean


def _draw(
    axes: Axes, finalists: Sequence[Result], compared: Sequence[Result], chosen: Result | None
) -> None:
    front = pareto((*finalists, *compared))
    columns = list(zip(*map(_mean, front), strict=True))
    axes.plot(*columns, color=SOFT, linewidth=1, zorder=1, label="best at their cost")
    _points(axes, finalists, "others that were tried", marker="o", color=SOFT, markersize=4)
    _points(axes, compared, "compared", marker="D", color=COLOURS[0], markersize=5.5)
    if chosen:
        _points(axes, [chosen], "chosen", marker="*", color=COLOURS[1], markersize=14)
    axes.set_xlabel("replica-hours of the whole trace")


def _points(axes: Axes, results: Sequence[Result], label: str, **look: Any) -> None:
    """Draw results with bars of a standard deviation each way."""
    if results:
        hours, shares = zip(*map(_mean, results), strict=True)
        axes.plot(hours, shares, linestyle="none", markeredgewidth=0, label=label, **look)
        axes.errorbar(
            hours,
            shares,
            xerr=[each.replica_hours.deviation for each in results],
            yerr=[each.attainment.deviation for each in results],
            fmt="none",
            ecolor=look["color"],
            elinewidth=0.8,
            alpha=0.45,
        )


def _height(share: Any) -> Any:
    """Where a share is drawn: half the misses are one step higher, wherever that happens."""
    return -np.log(np.maximum(1 + _SMALLEST_MISS - share, _SMALLEST_MISS / 2))


def _share(height: Any) -> Any:
    return 1 + _SMALLEST_MISS - np.exp(-height)


def _scale(axes: Axes, part: Sequence[Result], levels: Mapping[str, float]) -> None:
    """Show a part of the results, and the levels."""
    shares = [each.attainment.mean for each in part] + list(levels.values())
    low, high = _height(min(shares)), _height(max(shares))
    margin = 0.08 * (high - low) or 0.1
    low, high = _share(low - margin), _share(high + margin)
    few = [share for share in _SHARES if low <= share <= high]
    axes.set_yscale("function", functions=(_height, _share))
    axes.yaxis.set_major_locator(FixedLocator(few if len(few) > 4 else _MORE_SHARES))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:g} %"))
    axes.set_ylim(low, high)
    hours = [each.replica_hours.mean for each in part]
    low, high = min(hours), max(hours)
    if high < 3 * low:
        margin = 0.12 * (high - low) or 0.1 * low
        axes.set_xlim(low - margin, high + margin)
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_HOURS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda hours, _: f"{hours:g}"))
    axes.set_xlim(low * (low / high) ** 0.12, high * (high / low) ** 0.12)


def _placed(levels: Mapping[str, float]) -> list[tuple[str, float, bool]]:
    """The levels, each with whether its name goes above its line: the higher one's does."""
    return [(name, share, share >= max(levels.values())) for name, share in levels.items()]


def _level(axes: Axes, name: str, share: float, above: bool) -> Annotation:
    axes.axhline(share, **_LEVEL)
    return axes.annotate(
        f"{name}: {share * 100:.4g} %",
        (1, share),
        (-2, 2 if above else -2),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        ha="right",
        va="bottom" if above else "top",
        fontsize=8,
    )

"""How every figure looks, how it is written, and where its labels go.

Figures are objects of their own: nothing here leaves a global state of matplotlib changed, and
the same input gives the same SVG to the byte.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from itertools import product
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

COLOURS = ("#d55e00", "#0072b2", "#009e73", "#aa4499", "#7f6000")
"""Of settings, in order; told apart by colour-blind people too (Okabe and Ito, with two added)."""

DASHES = ("-", (0, (5, 1)), (0, (1.5, 1)), (0, (6, 1, 1.5, 1)), (0, (3, 2)))
"""Line styles in the same order, for print without colour."""

INK, SOFT, GRID = "#1c232b", "#55606c", "#e3e7eb"
"""Of text and thin lines, of what stands back, and of the grid."""

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "text.color": INK,
    "text.parse_math": False,  # a $ in a name is a $
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.borderaxespad": 0.0,
    "lines.linewidth": 1.4,
    "svg.fonttype": "path",  # glyphs as shapes: the same everywhere, whatever fonts there are
    "svg.hashsalt": "pd-exporter",  # the same ids each time
}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_DIRECTIONS = (0.125, 0.875, 0.625, 0.375, 0.0, 0.75, 0.25, 0.5)  # of a turn, from the right up


@contextmanager
def drawing() -> Iterator[None]:
    """Have figures that are made and written within look alike, whatever the user configured."""
    with style.context(["default", _STYLE]):
        yield


def blank(width: float, height: float) -> Figure:
    """Make a figure of so many inches; a pixel of it is a point, as in its SVG."""
    return Figure((width, height), dpi=72, layout="constrained")


def lay_out(figure: Figure) -> None:
    """Put everything in its place for good: each drawing would move it by a hair again."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def svg(figure: Figure) -> str:
    """Write a figure as an SVG document."""
    text = StringIO()
    with drawing():
        figure.savefig(text, format="svg", metadata=_NO_METADATA)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def place_labels(
    axes: Axes,
    labels: Sequence[tuple[str, float, float]],
    points: Sequence[tuple[float, float]],
    kept_free: Sequence[Bbox],
) -> None:
    """Write labels near their points: off each other, off all points and off what is kept free.

    Args:
        axes: Laid out already: positions are computed as they stand.
        labels: Text, x and y.
        points: The x and y of what no label may cover.
        kept_free: Nor these, in pixels.
    """
    taken = [_around(x, y, 5, 5) for x, y in axes.transData.transform(points)]
    taken += kept_free
    for text, x, y in sorted(labels, key=lambda label: label[1:]):
        note = axes.annotate(
            text,
            (x, y),
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            arrowprops={"arrowstyle": "-", "color": SOFT, "lw": 0.7, "shrinkA": 0, "shrinkB": 5},
            bbox={"color": "white", "alpha": 0.8, "pad": 1},
        )
        note.set_in_layout(False)
        offset, boxes = _free_place(axes, note, taken)
        note.set_position(offset)
        taken += boxes


def _free_place(
    axes: Axes, note: Annotation, taken: Sequence[Bbox]
) -> tuple[tuple[float, float], list[Bbox]]:
    """Find how far off its point a label is free, and what it and its line take up there."""
    x, y = axes.transData.transform(note.xy)
    size = note.get_window_extent()
    half_width, half_height = size.width / 2 + 3, size.height / 2 + 1
    others = [box for box in taken if not box.contains(x, y)]
    for right, up in _offsets(half_width, half_height):
        label = _around(x + right, y + up, half_width, half_height)
        line = [_around(x + right * part, y + up * part, 1, 1) for part in (0.2, 0.4, 0.6)]
        crossed = any(place.count_overlaps(others) for place in line)
        within = axes.bbox.count_contains(label.corners()) == 4
        if within and not crossed and not label.count_overlaps(taken):
            break
    return (right, up), [label, *line]


def _around(x: float, y: float, half_width: float, half_height: float) -> Bbox:
    return Bbox.from_extents(x - half_width, y - half_height, x + half_width, y + half_height)


def _offsets(half_width: float, half_height: float) -> Iterator[tuple[float, float]]:
    """Places of a label's middle around its point, the nearest first."""
    for distance, turn in product(range(8, 160, 8), _DIRECTIONS):
        right, up = math.cos(turn * math.tau), math.sin(turn * math.tau)
        yield (
            right * distance + math.copysign(half_width, right) * (abs(right) > 0.1),
            up * distance + math.copysign(half_height, up) * (abs(up) > 0.1),
        )

"""A small bar chart in text."""

from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"


def chart(values: Sequence[float | None], width: int, height: int) -> list[str]:
    """Draw the last `width` values as bars in `height` lines, scaled to the highest of them.

    A value that is missing leaves a gap; one above 0 is always seen.
    """
    shown = values[-width:]
    top = max((value for value in shown if value is not None), default=0.0) or 1.0
    steps = len(_BLOCKS) - 1
    bars = [0 if not value else max(1, round(value / top * height * steps)) for value in shown]
    lines = []
    for line in reversed(range(height)):
        cells = [_BLOCKS[min(max(bar - line * steps, 0), steps)] for bar in bars]
        lines.append("".join(cells).ljust(width))
    return lines

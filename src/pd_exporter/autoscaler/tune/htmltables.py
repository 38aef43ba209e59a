"""Tables of results for the report, and what a setting does in words."""

from collections.abc import Sequence
from html import escape

from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.triggers import Lag, Required
from pd_exporter.autoscaler.tune.score import Result, Spread
from pd_exporter.autoscaler.tune.search import attains


def results_table(
    title: str,
    results: Sequence[Result],
    *,
    target: float,
    chosen: Setting | None = None,
    cost: float | None = None,
    by_path: bool = False,
) -> str:
    """Render settings with their scores, under a heading.

    Args:
        title: The heading.
        results: Its rows.
        target: The share to attain, 0 to 1.
        chosen: Marked.
        cost: Of a replica-hour; None leaves the column out.
        by_path: Whether rows are told apart by scrape and rule interval, and not by setting.
    """
    first = "scrape/rule" if by_path else "setting"
    heads = [first, "within goal, %", "replica-hours", "p95 wait, s", "most replicas", "attains"]
    if cost is not None:
        heads.insert(3, "cost")
    head = "".join(f'<th scope="col">{text}</th>' for text in heads)
    rows = []
    for result in results:
        setting = result.setting
        name = escape(setting.path.label if by_path else setting.name)
        words = "" if by_path else f"<small>{escape(in_words(setting))}</small>"
        cells = [f"{name}{words}", *_numbers(result, cost), _yes_or_no(attains(result, target))]
        mark = ' class="chosen"' if setting == chosen else ""
        rows.append(f"<tr{mark}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    return "\n".join(
        [
            f'<h3>{title}</h3>\n<div class="wide" tabindex="0" role="region" aria-label="{title}">',
            f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>",
            *rows,
            "</tbody>\n</table>\n</div>",
        ]
    )


def _numbers(result: Result, cost: float | None) -> list[str]:
    return [
        _cell(result.attainment, 100),
        _cell(result.replica_hours),
        *([] if cost is None else [_cell(result.replica_hours, cost)]),
        _cell(result.wait_p95),
        _cell(result.peak_replicas, digits=1),
    ]


def _cell(spread: Spread, factor: float = 1, digits: int = 2) -> str:
    mean, deviation, least, most = (f"{factor * value:.{digits}f}" for value in spread)
    return f"{mean} ± {deviation}<small>{least} … {most}</small>"


def _yes_or_no(attained: bool) -> str:
    return '<span class="yes">yes</span>' if attained else '<span class="no">no</span>'


def in_words(setting: Setting) -> str:
    """Say what a setting does."""
    if setting.fixed_replicas:
        return f"always {setting.fixed_replicas} replicas"
    parts = []
    for trigger in setting.triggers:
        match trigger:
            case Lag(threshold):
                parts.append(f"workers = lag / {threshold:g}")
            case Required(parameters):
                parts.append(
                    f"workers = load + {parameters.headroom:g} √load + backlog /"
                    f" {parameters.drain_seconds:g} s"
                )
    rules = setting.behavior.scale_down if setting.behavior else None
    window = rules.stabilization_window_seconds if rules else None
    parts.append("no behavior" if window is None else f"scale-in window {window} s")
    return "; ".join(parts)

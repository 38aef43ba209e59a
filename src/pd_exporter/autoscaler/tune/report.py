"""The tuner's report: one HTML file with the answer, its figures and its numbers.

It needs nothing else: no script, no font, no image from elsewhere.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from importlib.resources import files
from pathlib import Path

from matplotlib.figure import Figure

from pd_exporter import __version__
from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.simulate import TYPICAL_SEED
from pd_exporter.autoscaler.tune.canvas import svg
from pd_exporter.autoscaler.tune.htmltables import in_words, results_table
from pd_exporter.autoscaler.tune.plots import timeline
from pd_exporter.autoscaler.tune.score import Result
from pd_exporter.autoscaler.tune.search import Question, attains, pareto
from pd_exporter.autoscaler.tune.tradeoff import tradeoff

_STYLE = files("pd_exporter.autoscaler.tune").joinpath("report.css").read_text(encoding="utf-8")
_MOST_OVER_TIME = 4

_TRADEOFF = """Each point is a setting: the further up, the more of the requests within the goal;
the further left, the fewer replica-hours. Bars reach one standard deviation to each side, over
replays that differ in when scrapes, rules and syncs fall. The line joins the settings that none
beats at their cost. No autoscaler gets above the dashed line "if nobody waited": it cannot shorten
a request that is long by itself. Going up, each halving of the misses is as high as the one before,
and where costs lie far apart, each doubling is as wide."""
_TIMELINE = """One replay of each setting, on the same requests. Where the outline of the replicas
runs ahead of the filled area, replicas are paid for and still start. A setting that asks for
replicas only once requests wait, and lets go of them as soon as none do, swings between too few
and too many even where the arrivals hardly change. Waiting requests and times are drawn by decades,
so that spells of a hundred and of one can be told apart on one scale."""
_TABLE = """Mean ± standard deviation, and below them the least and the greatest. A setting attains
the target if its mean less one standard deviation does. Replica-hours count what was wanted,
whether it served already or not. In the formulas, lag counts requests that wait or are not
acknowledged, load is how many workers are busy on average (arrivals per second times service time,
over a worker's concurrency), and backlog is the work that waits."""


def _percent(share: float) -> str:
    return f"{share * 100:.2f} %"


_HEADLINES: dict[str, Callable[[Result], str]] = {
    "of the requests within the goal": lambda result: _percent(result.attainment.mean),
    "replica-hours": lambda result: f"{result.replica_hours.mean:.2f}",
    "at most waited by 95 % of the requests": lambda result: f"{result.wait_p95.mean:.2f} s",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What a report tells.

    Attributes:
        title: The trace's name.
        question: What was asked.
        facts: The same for people: name and words.
        compared: Settings with names.
        finalists: The best that a search found.
        intervals: The chosen setting with other scrape and rule intervals.
        chosen: What the search chose; None where there was none.
        scaled_object: The manifest that puts the chosen one into force.
        notes: Knobs, and what each does not do.
        cost: Of a replica-hour, in any currency.
    """

    title: str
    question: Question
    facts: Mapping[str, str]
    compared: Sequence[Result]
    finalists: Sequence[Result] = ()
    intervals: Sequence[Result] = ()
    chosen: Result | None = None
    scaled_object: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    cost: float | None = None

    @property
    def best(self) -> Result:
        """What was chosen; where nothing was, the cheapest that attains the target or is next."""
        if self.chosen:
            return self.chosen
        attaining = [each for each in self.compared if attains(each, self.question.target)]
        if attaining:
            return min(attaining, key=lambda each: each.replica_hours.mean)
        return max(self.compared, key=lambda each: each.attainment.mean)

    @property
    def tutorial(self) -> Result | None:
        """The tutorial's setting, where it is compared with and is not the best itself."""
        found = (each for each in self.compared if each.setting.name == "tutorial")
        return next((each for each in found if each.setting != self.best.setting), None)


def write_report(report: Report, path: Path) -> None:
    """Write a report as HTML, whole or not at all.

    Raises:
        OSError: The file cannot be written.
    """
    unfinished = path.with_name(f".{os.getpid()}.unfinished")
    try:
        unfinished.write_text(html(report), encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def html(report: Report) -> str:
    """Render a report."""
    title = escape(report.title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Autoscaling for {title}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>Autoscaling for {title}</h1>
<p class="answer">{" ".join(_answer(report))}</p>
<ul>{"".join(_tiles(report))}</ul>
</header>
<main>
{"".join(_sections(report))}</main>
<footer>pd-exporter {escape(__version__)}. Replayed through a model of queue, scrapes, rules, KEDA
and the HPA, not measured on a cluster: watch the service when you change its setting.</footer>
</body>
</html>
"""


def _answer(report: Report) -> Iterator[str]:
    question, best = report.question, report.best
    goal, target, ceiling = question.judge.goal, question.target, question.judge.ceiling()
    yield f"Asked was a {escape(str(goal))}."
    if ceiling < goal.share:
        yield (
            f"Even if nobody ever waited, only {_percent(ceiling)} would have it, so the target is"
            f" {_percent(target)}."
        )
    name = f"<b>{escape(best.setting.name)}</b>"
    if attains(best, target):
        found = f"{name} attains it:"
    else:
        found = f"None of the settings attains it in every replay; {name} comes nearest:"
    others = f"; the tutorial's setting gives {_served(report.tutorial)}" if report.tutorial else ""
    yield f"{found} {_served(best)}{others}."
    yield f"In short: {escape(in_words(best.setting))}."


def _served(result: Result) -> str:
    return (
        f"{_percent(result.attainment.mean)} of the requests within the goal for"
        f" {result.replica_hours.mean:.2f} replica-hours"
    )


def _tiles(report: Report) -> Iterator[str]:
    """What the best setting gives, beside what the tutorial's does."""
    best, tutorial = report.best, report.tutorial
    for words, figure in _HEADLINES.items():
        beside = f"<small>tutorial: {figure(tutorial)}</small>" if tutorial else ""
        yield f"<li><b>{figure(best)}</b> {words}{beside}</li>"


def _sections(report: Report) -> Iterator[str]:
    judge = report.question.judge
    yield _section("What was asked", _pairs(report.facts))
    figure = tradeoff(judge, report.compared, report.finalists, report.chosen)
    yield _section("Attainment and cost", _figure(figure, "tradeoff", _TRADEOFF))
    figure = timeline(judge, _over_time(report), report.question.seed + TYPICAL_SEED)
    yield _section("Over time", _figure(figure, "timeline", _TIMELINE))
    yield _section("Settings", _tables(report))
    if report.scaled_object:
        manifest = f"<pre><code>{escape(report.scaled_object)}</code></pre>"
        yield _section("ScaledObject of the chosen setting", manifest)
    if report.notes:
        yield _section("What does not do what it seems to", _pairs(report.notes))


def _section(title: str, content: str) -> str:
    return f"<section>\n<h2>{title}</h2>\n{content}\n</section>\n"


def _pairs(pairs: Mapping[str, str]) -> str:
    rows = (f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in pairs.items())
    return "<dl>\n" + "\n".join(rows) + "\n</dl>"


def _figure(figure: Figure, name: str, reading: str) -> str:
    """Put a figure into the page; ids are of the whole page, so its own get its name."""
    drawing = svg(figure)
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\1{name}-", drawing)
    titles = "; ".join(axes.get_title(loc="left") for axes in figure.axes)
    drawing = drawing.replace("<svg", f'<svg role="img" aria-label="{escape(titles)}"', 1)
    return (
        f'<p>{reading}</p>\n<figure class="wide" tabindex="0" aria-label="{name}">\n{drawing}'
        "</figure>"
    )


def _over_time(report: Report) -> dict[str, Setting]:
    """The settings that are worth a look over time, by their labels."""
    if not report.chosen:
        return {each.setting.name: each.setting for each in report.compared[:_MOST_OVER_TIME]}
    shown = {}
    if report.tutorial:
        shown["tutorial"] = report.tutorial.setting
    chosen = report.chosen.setting
    known = any(each.setting == chosen for each in report.compared)
    shown[f"chosen, {chosen.name}" if known else "chosen"] = chosen
    for result in report.compared:
        if result.setting.fixed_replicas:
            shown[f"best fixed size, {result.setting.name}"] = result.setting
    return shown


def _tables(report: Report) -> str:
    table = partial(
        results_table,
        target=report.question.target,
        chosen=report.chosen.setting if report.chosen else None,
        cost=report.cost,
    )
    compared = list(report.compared)
    if report.chosen and all(each.setting != report.chosen.setting for each in compared):
        compared.insert(0, report.chosen)
    parts = [f"<p>{_TABLE}</p>", table("Compared", compared)]
    if report.finalists:
        front = pareto((*report.finalists, *report.compared))
        parts.append(table("None beats these at their cost", front))
    if len(report.intervals) > 1:
        title = "The chosen one by scrape and rule interval, in seconds"
        parts.append(table(title, report.intervals, by_path=True))
    return "\n".join(parts)

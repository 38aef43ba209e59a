"""The landing page: what is collected now, what is not and why, as self-contained HTML."""

import time
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files

from pd_exporter import __version__, catalogue
from pd_exporter.reading import Problem, Reading
from pd_exporter.samples import Kind, Sample
from pd_exporter.scrape import Outcome, PastProblem, Snapshot, subject_key

MAX_SUBJECTS = 60
"""Subjects shown of one collector, those with problems first; /metrics has them all."""

_STYLE = files("pd_exporter").joinpath("landing.css").read_text(encoding="utf-8")
_LINKS = {"/metrics": "metrics", "/-/ready": "ready", "/-/healthy": "healthy"}


def landing_page(snapshot: Snapshot) -> str:
    """Render a scrape for people."""
    links = " ".join(f'<a href="{href}">{text}</a>' for href, text in _LINKS.items())
    sections = "\n".join(_section(outcome, snapshot.past) for outcome in snapshot.outcomes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="5">
<title>pd-exporter</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>pd-exporter <small>{escape(__version__)}</small></h1>
<p>Autoscaling signals for Prefill/Decode-disaggregated LLM inference.</p>
<nav>{links}</nav>
</header>
<main>
{sections}
</main>
<footer>Read at {time.strftime("%H:%M:%S", time.gmtime())} UTC, when this page was asked for;
read again every 5 s.</footer>
</body>
</html>
"""


def _section(outcome: Outcome, past: Mapping[tuple[str, str], PastProblem]) -> str:
    broken = [reading for reading in outcome.readings if reading.problem]
    well = [reading for reading in outcome.readings if not reading.problem]
    shown = (broken + well)[:MAX_SUBJECTS]
    state = f"{len(well)} of {len(outcome.readings)} read in {outcome.duration * 1000:.0f} ms"
    if outcome.problem:
        state = "not read"
    elif broken:
        state += f", {len(broken)} with a problem"
    bad = bool(outcome.problem or broken)
    parts = [
        f"<section><h2>{escape(outcome.collector)} {_pill(state, bad=bad)}</h2>",
        _problem(outcome.problem) if outcome.problem else "",
        '<div class="cards">',
        *(_card(reading, past.get(subject_key(outcome.collector, reading))) for reading in shown),
        "</div>",
    ]
    hidden = len(outcome.readings) - len(shown)
    if hidden:
        parts.append(f'<p>{hidden} more are on <a href="/metrics">/metrics</a>.</p>')
    return "\n".join([*parts, "</section>"])


def _card(reading: Reading, past: PastProblem | None) -> str:
    details = " · ".join(f"{escape(k)} <b>{escape(v)}</b>" for k, v in reading.details.items())
    state = reading.problem.reason if reading.problem else "ok"
    tiles = "".join(
        f"<li><b>{escape(_quantity(sample)[1])}</b> {catalogue.HEADLINES[sample.desc]}</li>"
        for sample in reading.samples
        if sample.desc in catalogue.HEADLINES
    )
    fills, filled = _fills(reading.samples)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>"
        for name, value in _rows([each for each in reading.samples if each not in filled])
    )
    parts = [
        f'<article class="{"bad" if reading.problem else "good"}">',
        f"<h3>{escape(reading.subject)} {_pill(state, bad=reading.problem is not None)}</h3>",
        f'<p class="details">{details}</p>',
        _problem(reading.problem) if reading.problem else "",
        *fills,
        f"<ul>{tiles}</ul>" if tiles else "",
        f"<table>{rows}</table>",
    ]
    if past and not reading.problem:
        parts.append(f'<p class="past">Last problem, {_age(past.at)}:</p>')
        parts.append(_problem(past.problem))
    return "\n".join([*parts, "</article>"])


def _fills(samples: Sequence[Sample]) -> tuple[list[str], set[Sample]]:
    """Draw what is so much of something else, and give the samples that are told by that."""
    found = {(sample.desc.name, sample.labels): sample for sample in samples}
    drawn: list[str] = []
    told: set[Sample] = set()
    for sample, own in zip(samples, _own_labels(samples), strict=True):
        desc = catalogue.FILLS.get(sample.desc)
        whole = found.get((desc.name, sample.labels)) if desc else None
        if whole is None or not whole.value:
            continue
        share = min(1.0, sample.value / whole.value)
        text = " ".join((_quantity(sample)[1], "of", _quantity(whole)[1], *own.values()))
        drawn.append(
            f'<div class="fill"><i style="width:{share:.1%}"></i><b>{escape(text)}</b></div>'
        )
        told |= {sample, whole}
    return drawn, told


def _pill(text: str, *, bad: bool) -> str:
    return f'<span class="pill {"bad" if bad else "good"}">{escape(text)}</span>'


def _problem(problem: Problem) -> str:
    return f'<p class="problem">{escape(problem.message)}<br><b>{escape(problem.cure)}</b></p>'


def _rows(samples: Sequence[Sample]) -> Iterator[tuple[str, str]]:
    """Name and value of what is not shown large, with the labels that set a sample apart.

    A series that such labels tell from others of its name (an error's reason) is left out at 0.
    """
    for sample, own in zip(samples, _own_labels(samples), strict=True):
        if sample.desc in catalogue.HEADLINES:
            continue
        if sample.desc.kind is Kind.INFO:
            yield from own.items()
        elif not own:
            yield _quantity(sample)
        elif sample.value:
            name, value = _quantity(sample)
            yield f"{name} {' '.join(own.values())}", value


def _own_labels(samples: Sequence[Sample]) -> list[dict[str, str]]:
    """Give each sample's labels that are not those of all, without the empty ones."""
    labels = [dict(zip(sample.desc.labels, sample.labels, strict=True)) for sample in samples]
    shared = set.intersection(*(set(each.items()) for each in labels)) if labels else set()
    return [
        {name: value for name, value in each.items() if value and (name, value) not in shared}
        for each in labels
    ]


def _quantity(sample: Sample) -> tuple[str, str]:
    """Name without prefix and unit, and value with its unit."""
    name = sample.desc.name.split("_", 2)[2].removesuffix("_total").replace("_", " ")
    value = sample.value
    if name.endswith(" timestamp seconds"):
        return name.removesuffix(" timestamp seconds"), _age(value)
    if name.endswith(" seconds"):
        return name.removesuffix(" seconds"), f"{value:.3g} s"
    if name.endswith(" bytes"):
        return name.removesuffix(" bytes"), f"{value / 2**30:.1f} GiB"
    if name.endswith(" ratio"):
        return name.removesuffix(" ratio"), f"{value:.1%}"
    return name, f"{value:,.0f}" if value.is_integer() else f"{value:.3g}"


def _age(moment: float) -> str:
    seconds = max(0.0, time.time() - moment)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds:.1f} s ago" if seconds < 10 else f"{seconds:.0f} s ago"

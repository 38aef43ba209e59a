"""Draw the demo's burst as Prometheus recorded it: what was required, and what it would have been.

Usage: ``python docs/burst.py`` plays the demo, with the programs on PATH, and writes
``docs/signals/burst.svg``. The dashed lines are the same law with every Ready replica counted as
one that serves, though one of them loads its model.
"""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes

from pd_exporter.autoscaler import laws
from pd_exporter.autoscaler.tune.canvas import COLOURS, DASHES, blank, drawing, svg
from pd_exporter.policy import REQUIRED_WORKERS, SERVICE_SAMPLES

FIGURE = Path(__file__).parent / "signals" / "burst.svg"
STEP_SECONDS = 2
"""The demo's scrape and rule interval."""

REQUESTS = "960"
"""Three times the tutorial's: rates over a minute are full for a part of the burst."""

_PROMETHEUS = r"http://\S+/(?=api/v1/query\?)"

RECORDED = 'role="prefill",source="jetstream"'
QUERIES = {
    "pending": f"role:pd_pending_requests:sum{{{RECORDED}}}",
    "required": f"role:pd_required_workers:sum{{{RECORDED}}}",
    "offered": f"role:pd_offered_workers:sum{{{RECORDED}}}",
    "used": f"role:pd_service_seconds:avg1h{{{RECORDED}}}",
    "measured": f"role:pd_service_seconds:seen1h{{{RECORDED}}}",
    "deliveries": f"role:pd_deliveries:rate1m{{{RECORDED}}}",
    "ready": 'pd_role_replicas_ready{role="prefill"}',
    "serving": 'role:pd_serving_workers:sum{role="prefill"}',
    "pulls": 'pd_queue_waiting_pulls{role="prefill"}',
}
Series = Mapping[int, float]
"""Values by seconds."""


def burst() -> Mapping[str, Series]:
    """Play the demo, and give each query's result."""
    command = [sys.executable, "-m", "pd_exporter", "demo", "--keep", "--requests", REQUESTS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:  # noqa: S603  ours
        try:
            lines = iter(demo.stdout or ())
            prometheus = next(found[0] for line in lines if (found := re.search(_PROMETHEUS, line)))
            now = time.time()
            return {name: _ask(prometheus, query, now) for name, query in QUERIES.items()}
        finally:
            demo.terminate()


def _ask(prometheus: str, query: str, now: float) -> Series:
    span = {"query": query, "start": now - 600, "end": now, "step": STEP_SECONDS}
    url = f"{prometheus}api/v1/query_range?{urllib.parse.urlencode(span)}"
    with urllib.request.urlopen(url) as answer:  # noqa: S310  http
        result = json.load(answer)["data"]["result"]
    return {int(at): float(value) for each in result for at, value in each["values"]}


def were_ready_counted(found: Mapping[str, Series]) -> tuple[Series, Series]:
    """The service time and the required workers, had each Ready replica counted as serving.

    The rules' own arithmetic, without a configured service time that would hide it.
    """
    busy = {
        at: max(ready - found["pulls"][at], 0.0)
        for at, ready in found["ready"].items()
        if at in found["pulls"]
    }
    at_work: list[float] = []
    taken: list[float] = []
    service, required = {}, {}
    for at in sorted(busy.keys() & found["deliveries"].keys()):
        if found["deliveries"][at] > 0:
            at_work.append(_mean_of_minute(busy, at))
            taken.append(found["deliveries"][at])
        if len(taken) >= SERVICE_SAMPLES and at in found["offered"] and at in found["pending"]:
            service[at] = sum(at_work) / sum(taken)
            offered = found["offered"][at] / found["used"][at] * service[at]
            required[at] = laws.required_of(
                offered, service[at], found["pending"][at], 1, REQUIRED_WORKERS
            )
    return service, required


def _mean_of_minute(series: Series, at: int) -> float:
    minute = range(at - 60 + STEP_SECONDS, at + 1, STEP_SECONDS)
    return fmean(series[when] for when in minute if when in series)


def draw(found: Mapping[str, Series]) -> str:
    """Three panels over the same seconds: backlog, workers, service time."""
    service, required = were_ready_counted(found)
    start = min(found["pending"])
    with drawing():
        figure = blank(9.5, 6.4)
        backlog, workers, seconds = figure.subplots(3, 1, sharex=True)
        _lines(backlog, "Requests that wait", {"pending": found["pending"]}, start)
        _lines(
            workers,
            "Prefill workers",
            {
                "required": found["required"],
                "required, were Ready replicas counted": required,
                "Ready": found["ready"],
                "serving": found["serving"],
            },
            start,
        )
        _lines(
            seconds,
            "Service time, s",
            {"measured": found["measured"], "measured, were Ready replicas counted": service},
            start,
        )
        seconds.set_xlabel("seconds")
    return svg(figure)


def _lines(axes: Axes, title: str, series: Mapping[str, Series], start: int) -> None:
    axes.set_title(title)
    for (name, values), colour, dash in zip(series.items(), COLOURS, _dashes(series), strict=False):
        times = sorted(values)
        axes.plot(
            [at - start for at in times],
            [values[at] for at in times],
            label=name,
            color=colour,
            linestyle=dash,
        )
    axes.set_ylim(bottom=0)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))


def _dashes(names: Sequence[str] | Mapping[str, Series]) -> Iterator[object]:
    for name in names:
        yield DASHES[1] if "were" in name else DASHES[0]


def main() -> int:
    """Write the figure."""
    FIGURE.parent.mkdir(exist_ok=True)
    FIGURE.write_text(draw(burst()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

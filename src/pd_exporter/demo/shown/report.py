"""The summary as a table and sentences for people."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.demo.plan import LOADING_REPLICAS, ROLE
from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.memory import RoleMemory
from pd_exporter.demo.seen.readings import (
    ARRIVALS,
    DELIVERIES,
    KV_DEMAND,
    LAG,
    READY,
    REQUIRED,
    SERVICE,
    SERVING,
    UTILIZATION,
    WAIT,
)
from pd_exporter.demo.seen.summary import Summary
from pd_exporter.demo.service.engines import gib
from pd_exporter.demo.shown.trigger import trigger_text
from pd_exporter.policy import TUTORIAL_LAG_THRESHOLD, TUTORIAL_MAX_REPLICAS

_SIGNALS = {
    SERVING: "serving workers",
    SERVICE: "service seconds",
    REQUIRED: "required workers",
    UTILIZATION: "decode memory utilization",
    KV_DEMAND: "decode KV demand",
}
"""Signals by what they are called here."""


def print_summary(console: Console, summary: Summary, faults: Sequence[str]) -> None:
    """Print what the run has shown, and its faults where there are any."""
    truth = summary.truth
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("the run", no_wrap=True)
    last = "no Prometheus" if summary.recorded is None else "Prometheus"
    for source in ("workload", "exporter", last):
        table.add_column(source, justify="right", no_wrap=True)
    for row in _rows(summary):
        table.add_row(*row)
    for row in _signal_rows(summary):
        table.add_row(*row)
    for memory in summary.memory:
        for row in _memory_rows(memory):
            table.add_row(*row)
    console.print(table)
    console.print(
        f"{truth.done} of {summary.plan.requests} requests done in {summary.burst_seconds:.1f} s"
        f" by {truth.workers} worker{'s' if truth.workers != 1 else ''}; mean wait"
        f" {truth.mean_wait:.1f} s."
    )
    _print_verdict(console, summary, faults)


def _print_verdict(console: Console, summary: Summary, faults: Sequence[str]) -> None:
    lag = summary.lag
    if lag is not None:
        console.print(
            f"The trigger of Alibaba's tutorial (lagThreshold {TUTORIAL_LAG_THRESHOLD}, at most"
            f" {TUTORIAL_MAX_REPLICAS} replicas) asks at the peak for {trigger_text(lag.peak)}."
        )
    for fault in faults:
        console.print(f"[bold red]wrong:[/] {fault}")
    if not faults and lag is not None:
        whose = "exporter's" if summary.recorded is None else "recorded"
        console.print(
            f"[bold green]right:[/] the {whose} lag rose from {lag.first:g} to {lag.peak:g} and"
            f" fell back to {lag.last:g}; nothing was lost."
        )
        _print_workers(console, summary)
        for memory in summary.memory:
            _print_memory(console, memory)


def _print_workers(console: Console, summary: Summary) -> None:
    required, service = (summary.signals.get(name) for name in (REQUIRED, SERVICE))
    if required is None or required.seen is None or service is None or service.seen is None:
        return
    seen = required.seen
    console.print(
        f"[bold green]right:[/] required workers went from {seen.first:.1f} to {seen.peak:.1f} in"
        f" the burst and were {seen.last:.1f} after it, with a service time of"
        f" {service.seen.last:.2g} s: as the workload's own counts say. A replica that was Ready"
        " while it loaded its model was not taken for one that serves."
    )


def _print_memory(console: Console, memory: RoleMemory) -> None:
    seen = memory.recorded or memory.exported
    if memory.written is None or seen is None:
        return
    went = f"rose from {gib(seen.first)} to {gib(seen.peak)} and fell back to {gib(seen.last)}"
    if memory.role == ROLE:
        went = (
            f"went from {gib(seen.first)} to {gib(seen.last)} with the model that loads, however"
            " many requests came"
        )
    console.print(
        f"[bold green]right:[/] the simulated GPU memory of {memory.role} {went}; all values seen"
        " are those that were written."
    )


def _rows(summary: Summary) -> Iterator[tuple[str, str, str, str]]:
    truth = summary.truth
    exported, recorded = summary.exported_lag, _course(summary, LAG)
    for when, true in (("first", 0), ("peak", truth.peak_waiting), ("last", truth.waiting)):
        yield f"lag, {when}", f"{true}", _at(exported, when), _at(recorded, when)
    wait = summary.exported_wait
    seen = _at(_course(summary, WAIT), "peak", " s")
    yield "wait, peak", f"{truth.longest_wait:.1f} s", _at(wait, "peak", " s"), seen
    yield "arrivals, peak", "", "", _at(_course(summary, ARRIVALS), "peak", "/s")
    yield "deliveries, peak", "", "", _at(_course(summary, DELIVERIES), "peak", "/s")
    for what, true, metric in (
        ("enqueued", truth.enqueued, queue_metrics.ENQUEUED),
        ("delivered", truth.dequeued, queue_metrics.DELIVERED),
        ("lost", 0, queue_metrics.EXPIRED),
    ):
        exporter = summary.exported.get(metric.name)
        yield what, f"{true}", _count(exporter), ""


def _signal_rows(summary: Summary) -> Iterator[tuple[str, str, str, str]]:
    truth = summary.truth
    ready = summary.exported.get(READY)
    replicas = truth.workers + LOADING_REPLICAS
    yield "prefill replicas Ready, last", f"{replicas}", _count(ready), ""
    for series, name in _SIGNALS.items():
        signal = summary.signals.get(series)
        if signal is None or (signal.truth is None and signal.seen is None):
            continue
        for when in ("first", "peak", "last"):
            yield f"{name}, {when}", _value(signal.truth, when), "", _value(signal.seen, when)


def _memory_rows(memory: RoleMemory) -> Iterator[tuple[str, str, str, str]]:
    kind = "simulated GPU" if memory.written else "GPU"
    for when in ("first", "peak", "last"):
        sources = (memory.written, memory.exported, memory.recorded)
        written, exported, recorded = (_bytes_at(course, when) for course in sources)
        yield f"{kind} memory, {memory.role}, {when}", written, exported, recorded


def _bytes_at(course: Course | None, when: str) -> str:
    return "-" if course is None else gib(getattr(course, when))


def _course(summary: Summary, series: str) -> Course | None:
    return summary.recorded.get(series) if summary.recorded is not None else None


def _at(course: Course | None, when: str, unit: str = "") -> str:
    if course is None:
        return "-"
    value: float = getattr(course, when)
    return f"{value:.1f}{unit}" if unit else f"{value:g}"


def _value(course: Course | None, when: str) -> str:
    return "-" if course is None else f"{getattr(course, when):.2f}"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"

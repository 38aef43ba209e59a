"""The live view: progress, what each link of the chain says, and the lag so far."""

from collections.abc import Iterator

from rich import box
from rich.console import ConsoleDimensions, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.demo.plan import DECODE_ROLE, GROUP, ROLE, ROLES, STREAM, Plan
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
    memory_of,
)
from pd_exporter.demo.seen.watch import Moment, Watch
from pd_exporter.demo.service.engines import GPU_TOTAL, gib
from pd_exporter.demo.shown.chart import chart
from pd_exporter.demo.shown.trigger import trigger_text
from pd_exporter.policy import TUTORIAL_LAG_THRESHOLD

_WIDEST = 110
_LINES_BESIDE_CHART = 17
_LINES_OF_GPUS = 3
_TALLEST_CHART = 12
_NOTHING = Text("-", style="dim")
_RECORDED = "bold cyan"


def view(plan: Plan, phase: str, watch: Watch, size: ConsoleDimensions) -> RenderableType:
    """Draw the last moment and the way to it, to fit the terminal."""
    width = min(size.width, _WIDEST)
    moment = watch.moments[-1]
    beside = 1 + _LINES_BESIDE_CHART + (_LINES_OF_GPUS if watch.gpus else 0)
    height = max(2, min(size.height - beside, _TALLEST_CHART))
    frame = Table.grid()
    frame.add_column(width=width)
    for part in (
        _title(phase, moment),
        ProgressBar(total=plan.requests, completed=moment.truth.done, width=width),
        _progress(plan, moment),
        _signals(watch, width),
        _lag_chart(watch, width, height),
        *_footer(watch),
    ):
        frame.add_row(part)
    return frame


def _title(phase: str, moment: Moment) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    minutes, seconds = divmod(int(moment.seconds), 60)
    line.add_row(
        Text.assemble(("pd-exporter demo", "bold"), f"  {GROUP} {ROLE}, {STREAM}"),
        Text(f"{phase} {minutes}:{seconds:02}", style="bold"),
    )
    return line


def _progress(plan: Plan, moment: Moment) -> RenderableType:
    truth = moment.truth
    in_work = truth.dequeued - truth.done
    return Text(
        f"{truth.done} of {plan.requests} done, {truth.waiting} waiting, {in_work} in work,"
        f" {truth.workers} worker{'s' if truth.workers != 1 else ''}; {truth.decoding} decoding"
    )


def _signals(watch: Watch, width: int) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, width=width, padding=(0, 1), pad_edge=False, show_edge=False)
    table.add_column("signal", no_wrap=True)
    for source in ("workload", "exporter", "Prometheus"):
        table.add_column(source, justify="right", no_wrap=True, min_width=11)
    moment = watch.moments[-1]
    for row in _rows(moment):
        table.add_row(*row)
    if watch.gpus is not None:
        used = moment.written.get(memory_of(DECODE_ROLE))
        true = "" if used is None else f"{used / GPU_TOTAL:.2f}"
        table.add_row(UTILIZATION, true, "", _answer(moment, UTILIZATION, 2))
        for row in _memory_rows(moment, watch.gpus.kind):
            table.add_row(*row)
    return table


def _rows(moment: Moment) -> Iterator[tuple[RenderableType, ...]]:
    truth, exported = moment.truth, moment.exported
    yield LAG, f"{truth.waiting}", _count(moment.exported_lag), _answer(moment, LAG, 0)
    wait = moment.exported_wait
    yield (
        WAIT,
        f"{truth.oldest_wait:.1f} s",
        _NOTHING if wait is None else f"{wait:.1f} s",
        _answer(moment, WAIT, 1, " s"),
    )
    enqueued = exported.get(queue_metrics.ENQUEUED.name)
    arrived = (f"{truth.enqueued} in all", _count(enqueued, " in all"))
    yield ARRIVALS, *arrived, _answer(moment, ARRIVALS, 1, "/s")
    delivered = exported.get(queue_metrics.DELIVERED.name)
    taken = (f"{truth.dequeued} in all", _count(delivered, " in all"))
    yield DELIVERIES, *taken, _answer(moment, DELIVERIES, 1, "/s")
    ready = _count(exported.get(READY), " Ready")
    yield SERVING, f"{truth.workers}", ready, _answer(moment, SERVING, 0)
    yield SERVICE, f"{truth.service_seconds:.2f} s", "", _answer(moment, SERVICE, 2, " s")
    yield REQUIRED, f"{truth.required_workers:.2f}", "", _answer(moment, REQUIRED, 2)
    yield KV_DEMAND, f"{truth.kv_demand:.2f}", "", _answer(moment, KV_DEMAND, 2)


def _memory_rows(moment: Moment, kind: str) -> Iterator[tuple[RenderableType, ...]]:
    for role in ROLES:
        name = memory_of(role)
        recorded = None if moment.recorded is None else moment.recorded.get(name)
        yield (
            f"{kind} memory, {role}",
            _memory(moment.written.get(name)),
            _memory(moment.exported.get(name)),
            _NOTHING if recorded is None else Text(gib(recorded), style=_RECORDED),
        )


def _memory(value: float | None) -> RenderableType:
    return _NOTHING if value is None else gib(value)


def _count(value: float | None, unit: str = "") -> RenderableType:
    return _NOTHING if value is None else f"{value:.0f}{unit}"


def _answer(moment: Moment, series: str, digits: int, unit: str = "") -> RenderableType:
    value = moment.recorded.get(series) if moment.recorded is not None else None
    return _NOTHING if value is None else Text(f"{value:.{digits}f}{unit}", style=_RECORDED)


def _lag_chart(watch: Watch, width: int, height: int) -> RenderableType:
    lags = [moment.lag for moment in watch.moments]
    inner = width - 4
    peak = max((lag for lag in lags if lag is not None), default=0)
    return Panel(
        Text("\n".join(chart(lags, inner, height)), style="cyan", no_wrap=True),
        title=f"{'lag' if watch.prometheus is None else 'recorded lag'}, peak {peak:.0f}",
        title_align="left",
        box=box.ROUNDED,
        border_style="dim",
        width=width,
    )


def _footer(watch: Watch) -> Iterator[RenderableType]:
    lag = watch.moments[-1].lag
    if lag is not None:
        yield Text(
            f"A trigger with lagThreshold {TUTORIAL_LAG_THRESHOLD} asks for {trigger_text(lag)}"
        )
    addresses = Text(f"exporter {watch.exporter.url}", style="dim")
    if watch.prometheus is not None:
        addresses.append(f"   Prometheus {watch.prometheus.url}")
    yield addresses

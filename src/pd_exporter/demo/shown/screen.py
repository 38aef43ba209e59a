"""What the run looks like while it goes on: a live view on a terminal, else a line at times."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from pd_exporter.demo.plan import DECODE_ROLE, Plan
from pd_exporter.demo.seen.readings import (
    ARRIVALS,
    DELIVERIES,
    KV_DEMAND,
    LAG,
    REQUIRED,
    WAIT,
    memory_of,
)
from pd_exporter.demo.seen.watch import Moment, Watch
from pd_exporter.demo.service.engines import gib
from pd_exporter.demo.shown.view import view

LINE_SECONDS = 5.0

Show = Callable[[str, Watch], None]
"""Shows the last moment of a run, in a phase with a name for people."""


@contextmanager
def open_screen(console: Console, plan: Plan) -> Iterator[Show]:
    """Give what shows the run: a view in place on a terminal, gone at the end; else lines."""
    if not console.is_terminal or console.is_dumb_terminal:
        yield _Lines(console, plan).show
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda phase, watch: live.update(view(plan, phase, watch, console.size), refresh=True)


class _Lines:
    """A line every few seconds, and one when the phase changes."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._phase = ""
        self._next = 0.0

    def show(self, phase: str, watch: Watch) -> None:
        """Print a line if it is time."""
        moment = watch.moments[-1]
        if phase == self._phase and moment.seconds < self._next:
            return
        self._phase = phase
        self._next = moment.seconds + LINE_SECONDS
        self._console.print(_line(phase, self._plan, moment))


def _line(phase: str, plan: Plan, moment: Moment) -> str:
    truth = moment.truth
    text = (
        f"{moment.seconds:4.0f} s  {phase}: {truth.done} of {plan.requests} done,"
        f" {truth.waiting} waiting, {truth.decoding} decoding"
    )
    if moment.recorded is None:
        return f"{text}; exported lag {_value(moment.exported_lag)}{_memory(moment)}"
    if not moment.recorded:
        return text
    recorded = moment.recorded
    return (
        f"{text}; recorded lag {_value(recorded.get(LAG))},"
        f" wait {_value(recorded.get(WAIT), ' s')},"
        f" arrivals {_value(recorded.get(ARRIVALS), '/s')},"
        f" deliveries {_value(recorded.get(DELIVERIES), '/s')},"
        f" required workers {_value(recorded.get(REQUIRED))},"
        f" KV demand {_value(recorded.get(KV_DEMAND))}{_memory(moment)}"
    )


def _memory(moment: Moment) -> str:
    memory = moment.seen.get(memory_of(DECODE_ROLE))
    return "" if memory is None else f", decode memory {gib(memory)}"


def _value(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.3g}{unit}"

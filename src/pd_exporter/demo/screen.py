"""What the run looks like while it goes on: a live view on a terminal, else a line at times."""

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live

from pd_exporter.demo.plan import Plan
from pd_exporter.demo.readings import ARRIVALS, DELIVERIES, LAG, WAIT
from pd_exporter.demo.view import view
from pd_exporter.demo.watch import Moment, Watch

LINE_SECONDS = 5.0


class Screen(Protocol):
    """Shows a run while it is entered."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, phase: str, watch: Watch) -> None:
        """Show the last moment, in a phase with a name for people."""


class LiveScreen:
    """A view that is drawn anew in place and is gone at the end."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, phase: str, watch: Watch) -> None:
        """Draw."""
        self._live.update(view(self._plan, phase, watch, self._console.size), refresh=True)


class LineScreen:
    """A line every few seconds, and one when the phase changes."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self._console = console
        self._plan = plan
        self._phase = ""
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

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
        f" {truth.waiting} waiting"
    )
    if moment.recorded is None:
        return f"{text}; exported lag {_value(moment.exported_lag)}"
    if not moment.recorded:
        return text
    recorded = moment.recorded
    return (
        f"{text}; recorded lag {_value(recorded.get(LAG))},"
        f" wait {_value(recorded.get(WAIT), ' s')},"
        f" arrivals {_value(recorded.get(ARRIVALS), '/s')},"
        f" deliveries {_value(recorded.get(DELIVERIES), '/s')}"
    )


def _value(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.3g}{unit}"

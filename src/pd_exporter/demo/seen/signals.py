"""What a scaler reads of the roles: how it went, and whether it could have gone so."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import dropwhile
from math import isclose

from pd_exporter.demo.plan import DECODE_ROLE
from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.readings import (
    KV_DEMAND,
    REQUIRED,
    SERVICE,
    SERVING,
    UTILIZATION,
    memory_of,
)
from pd_exporter.demo.seen.watch import Moment
from pd_exporter.demo.service.engines import GPU_TOTAL

KNOWN_SECONDS = 60
"""When required workers are known at the latest, counted from the begin of the run."""
TOLERANCE = 0.25
"""By which share a value may differ that is computed of rates over samples."""
ROUNDING = 0.1
"""Workers more or less that do not matter."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A recorded series over the run.

    Attributes:
        series: Its name.
        truth: What it should have been by the workload's own counts; None where nobody knows.
        seen: What it was.
        late: Seconds from the begin of the run until it was there.
        missing: Seconds after that in which it was not.
    """

    series: str
    truth: Course | None
    seen: Course | None
    late: int = 0
    missing: int = 0


def signals_of(
    moments: Sequence[Moment], recorded: Mapping[str, Sequence[float | None]]
) -> Mapping[str, Signal]:
    """Put together what was seen of each signal, by its series."""
    truths = [moment.truth for moment in moments]
    decode = memory_of(DECODE_ROLE)
    used = [moment.written.get(decode) for moment in moments]
    should = {
        SERVING: Course.of([truth.workers for truth in truths]),
        SERVICE: Course.of([truth.service_seconds for truth in truths]),
        REQUIRED: Course.of([truth.required_workers for truth in truths]),
        UTILIZATION: Course.of([None if size is None else size / GPU_TOTAL for size in used]),
        KV_DEMAND: Course(truths[0].kv_demand, truths[-1].peak_kv_demand, truths[-1].kv_demand),
    }
    return {
        series: _signal(series, truth, recorded.get(series, ())) for series, truth in should.items()
    }


def _signal(series: str, truth: Course | None, values: Sequence[float | None]) -> Signal:
    since = list(dropwhile(lambda value: value is None, values))
    late, missing = len(values) - len(since), since.count(None)
    return Signal(series, truth, Course.of(values), late, missing)


def signal_faults(signals: Iterable[Signal]) -> Iterator[str]:
    """Say what is not as it should be, a sentence each."""
    checks = {
        SERVING: _serving_faults,
        SERVICE: _service_faults,
        REQUIRED: _required_faults,
        UTILIZATION: _decode_faults,
        KV_DEMAND: _decode_faults,
    }
    for signal in signals:
        if signal.truth is None:  # GPUs are left out, or are not simulated
            continue
        if signal.seen is None:
            yield f"There was no recorded {signal.series}."
        else:
            yield from checks[signal.series](signal, signal.truth, signal.seen)


def _serving_faults(signal: Signal, truth: Course, seen: Course) -> Iterator[str]:
    if seen.peak > truth.peak:
        yield (
            f"Recorded {signal.series} rose to {seen.peak:g}, yet {truth.peak:g} served: what only"
            " loads its model was counted."
        )
    elif seen.last != truth.last:
        yield f"Recorded {signal.series} was {seen.last:g} at the end, not {truth.last:g}."


def _service_faults(signal: Signal, truth: Course, seen: Course) -> Iterator[str]:
    if _differ(seen.last, truth.last):
        yield (
            f"Recorded {signal.series} was {seen.last:.3g} at the end; the workers took"
            f" {truth.last:.3g} s."
        )


def _required_faults(signal: Signal, truth: Course, seen: Course) -> Iterator[str]:
    if signal.late > KNOWN_SECONDS:
        yield f"There was no recorded {signal.series} for {signal.late} s."
    if signal.missing:
        yield f"Recorded {signal.series} was missing for {signal.missing} s in between."
    for when, is_, should in (
        ("rose to", seen.peak, truth.peak),
        ("was at the end", seen.last, truth.last),
    ):
        if _differ(is_, should, ROUNDING):
            yield (
                f"Recorded {signal.series} {when} {is_:.2f}; by the workload's own counts"
                f" {should:.2f} were required."
            )


def _decode_faults(signal: Signal, truth: Course, seen: Course) -> Iterator[str]:
    if seen.peak <= seen.first:
        yield f"Recorded {signal.series} did not rise: it stayed at {seen.peak:.3g}."
    elif seen.peak > truth.peak and not isclose(seen.peak, truth.peak):
        yield f"Recorded {signal.series} rose to {seen.peak:.3g}, above {truth.peak:.3g}."
    elif not isclose(seen.last, truth.last):
        yield f"Recorded {signal.series} did not fall back: it was {seen.last:.3g} at the end."


def _differ(value: float, truth: float, rounding: float = 0.0) -> bool:
    return abs(value - truth) > TOLERANCE * truth + rounding

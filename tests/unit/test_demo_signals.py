"""What the demo concludes from the signals that a scaler reads."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.readings import (
    KV_DEMAND,
    REQUIRED,
    SERVICE,
    SERVING,
    UTILIZATION,
    memory_of,
)
from pd_exporter.demo.seen.signals import Signal, signal_faults, signals_of
from pd_exporter.demo.seen.watch import Moment
from pd_exporter.demo.service.engines import GPU_TOTAL
from pd_exporter.demo.service.tally import Truth

IDLE = Truth(
    sent=0,
    enqueued=0,
    dequeued=0,
    done=0,
    decoding=0,
    oldest_wait=0,
    workers=1,
    peak_waiting=0,
    longest_wait=0,
    mean_wait=0,
    service_seconds=0.2,
    required_workers=0,
    kv_demand=0,
    peak_kv_demand=0,
)
BUSY = replace(IDLE, required_workers=2.8, kv_demand=0.45, peak_kv_demand=0.5)
AFTER = replace(IDLE, required_workers=2.0, peak_kv_demand=0.5)
DECODE = memory_of("decode")
TRUTH = {
    SERVING: Course(1, 1, 1),
    SERVICE: Course(0.2, 0.2, 0.2),
    REQUIRED: Course(0, 2.8, 2.0),
    UTILIZATION: Course(0.5, 0.75, 0.5),
    KV_DEMAND: Course(0, 0.5, 0),
}


def moment(second: float, truth: Truth, share: float) -> Moment:
    return Moment(
        seconds=second,
        unix=second,
        truth=truth,
        written={DECODE: share * GPU_TOTAL},
        exported={},
        recorded={},
    )


MOMENTS = [moment(0, IDLE, 0.5), moment(1, BUSY, 0.75), moment(2, AFTER, 0.5)]


def found(
    recorded: Mapping[str, Sequence[float | None]], moments: Sequence[Moment] = MOMENTS
) -> list[str]:
    signals = signals_of(moments, recorded)
    return list(signal_faults(signals[series] for series in recorded))


def test_what_should_have_been_is_what_the_workload_counted() -> None:
    signals = signals_of(MOMENTS, {})

    assert {series: signal.truth for series, signal in signals.items()} == TRUTH


def test_a_course_that_is_late_and_has_a_gap_is_told_so() -> None:
    signals = signals_of(MOMENTS, {REQUIRED: [None, None, 0, None, 2.5, 2]})

    assert signals[REQUIRED] == Signal(
        REQUIRED, TRUTH[REQUIRED], Course(0, 2.5, 2), late=2, missing=1
    )


def test_signals_that_went_as_they_should_have_no_fault() -> None:
    recorded: dict[str, list[float | None]] = {
        SERVING: [1, 1, 1],
        SERVICE: [0.2, 0.21, 0.19],
        REQUIRED: [None, 0, 2.6, 2.1],
        UTILIZATION: [0.5, 0.7, 0.5],
        KV_DEMAND: [0, 0.45, 0],
    }

    assert found(recorded) == []


@pytest.mark.parametrize(
    ("series", "values", "fault"),
    [
        (SERVING, [], "There was no recorded"),
        (SERVING, [1, 2, 2], "rose to 2, yet 1 served"),
        (SERVING, [1, 1, 0], "was 0 at the end, not 1"),
        (SERVICE, [0.2, 0.4, 0.4], "was 0.4 at the end; the workers took 0.2 s"),
        (REQUIRED, [None] * 61 + [0, 2.8, 2], "There was no recorded"),
        (REQUIRED, [0, None, None, 2.8, 2], "was missing for 2 s in between"),
        (REQUIRED, [0, 4.2, 2], "rose to 4.20; by the workload's own counts 2.80"),
        (REQUIRED, [0, 2.8, 0], "was at the end 0.00; by the workload's own counts 2.00"),
        (UTILIZATION, [0.5, 0.5, 0.5], "did not rise: it stayed at 0.5"),
        (UTILIZATION, [0.5, 0.9, 0.5], "rose to 0.9, above 0.75"),
        (KV_DEMAND, [0, 0.51, 0], "rose to 0.51, above 0.5"),
        (KV_DEMAND, [0, 0.4, 0.1], "did not fall back: it was 0.1 at the end"),
    ],
)
def test_a_signal_that_could_not_have_gone_so_is_a_fault(
    series: str, values: list[float | None], fault: str
) -> None:
    (told,) = found({series: values})

    assert series in told
    assert fault in told


def test_memory_of_real_gpus_is_not_judged() -> None:
    real = [replace(each, written={}) for each in MOMENTS]

    assert found({UTILIZATION: [0.1, 0.9]}, real) == []
    assert found({UTILIZATION: []}, real) == []

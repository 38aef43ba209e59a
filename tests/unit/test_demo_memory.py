"""What the demo concludes from the GPU memory that it saw."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.memory import RoleMemory, memory_faults, memory_of_roles
from pd_exporter.demo.seen.readings import memory_of
from pd_exporter.demo.seen.watch import Moment
from pd_exporter.demo.service.tally import Truth

DECODE = memory_of("decode")
WENT = Course(50, 70, 50)
GOOD = RoleMemory("decode", written=WENT, exported=WENT, recorded=WENT)


def moments(written: Sequence[float], exported: Sequence[float | None]) -> list[Moment]:
    """One for each second, with Decode's memory alone."""
    truth = Truth(
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
        service_seconds=0,
        required_workers=0,
        kv_demand=0,
        peak_kv_demand=0,
    )
    return [
        Moment(
            seconds=second,
            unix=second,
            truth=truth,
            written={DECODE: true},
            exported={} if value is None else {DECODE: value},
            recorded=None,
        )
        for second, (true, value) in enumerate(zip(written, exported, strict=True))
    ]


def test_memory_that_rose_and_fell_as_written_has_no_fault() -> None:
    seen = moments([50, 60, 70, 50], [50, None, 70, 50])
    (memory,) = memory_of_roles(seen, {DECODE: [None, 50, 70, None, 50]})

    assert memory == GOOD
    assert list(memory_faults(memory, prometheus=True)) == []


def test_what_the_page_had_must_be_what_was_then_written() -> None:
    (memory,) = memory_of_roles(moments([50, 60, 50], [50, 50, 60]), None)

    assert list(memory_faults(memory, prometheus=False))[-1] == (
        "The exporter's page had 50 bytes of GPU memory of decode, which was not what was"
        " written (2x)."
    )


def test_what_prometheus_had_must_have_been_written_at_some_time() -> None:
    (memory,) = memory_of_roles(moments([50, 70, 50], [50, 70, 50]), {DECODE: [50, 35, 70, 50]})

    assert list(memory_faults(memory, prometheus=True)) == [
        "Prometheus had 35 bytes of GPU memory of decode, which was not what was written (1x)."
    ]


@pytest.mark.parametrize(
    ("seen", "fault"),
    [
        (None, "The exporter's page had no GPU memory of decode."),
        (Course(50, 50, 50), "The exporter's page had GPU memory of decode that did not rise."),
        (
            Course(50, 70, 60),
            "The exporter's page had GPU memory of decode that did not fall back.",
        ),
    ],
)
def test_memory_that_did_not_rise_and_fall_is_a_fault(seen: Course | None, fault: str) -> None:
    assert list(memory_faults(replace(GOOD, exported=seen), prometheus=True)) == [fault]


def test_memory_missing_in_a_prometheus_is_a_fault_only_where_there_is_one() -> None:
    memory = replace(GOOD, recorded=None)

    assert list(memory_faults(memory, prometheus=False)) == []
    assert list(memory_faults(memory, prometheus=True)) == [
        "Prometheus had no GPU memory of decode."
    ]


@pytest.mark.parametrize("went", [Course(72, 72, 72), Course(72, 83, 83)])
def test_prefill_memory_may_stay_or_rise_with_a_replica(went: Course) -> None:
    assert list(memory_faults(RoleMemory("prefill", went, went, went), prometheus=True)) == []


def test_real_memory_is_not_judged() -> None:
    real = [replace(moment, written={}) for moment in moments([0, 0], [9, 8])]
    (memory,) = memory_of_roles(real, {DECODE: [9, 7, 8]})

    assert memory == RoleMemory("decode", None, Course(9, 9, 8), Course(9, 9, 8))
    assert list(memory_faults(memory, prometheus=True)) == []


def test_without_gpus_there_is_no_memory() -> None:
    nothing = [replace(moment, written={}) for moment in moments([0, 0], [None, None])]

    assert list(memory_of_roles(nothing, {})) == []

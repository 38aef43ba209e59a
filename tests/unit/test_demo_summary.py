"""What the demo concludes from what it saw."""

from dataclasses import replace

import pytest

from pd_exporter.demo.plan import Plan
from pd_exporter.demo.seen.course import Course
from pd_exporter.demo.seen.memory import RoleMemory
from pd_exporter.demo.seen.readings import LAG, SERVING
from pd_exporter.demo.seen.signals import Signal
from pd_exporter.demo.seen.summary import Summary, faults
from pd_exporter.demo.service.tally import Truth
from pd_exporter.demo.shown.trigger import trigger_text

TRUTH = Truth(
    sent=320,
    enqueued=320,
    dequeued=320,
    done=320,
    decoding=0,
    oldest_wait=0,
    workers=1,
    peak_waiting=32,
    longest_wait=6.4,
    mean_wait=6.1,
    service_seconds=0.2,
    required_workers=2.1,
    kv_demand=0,
    peak_kv_demand=0.5,
)
EXPORTED = {
    "pd_queue_enqueued_messages_total": 320.0,
    "pd_queue_delivered_messages_total": 320.0,
    "pd_queue_expired_messages_total": 0.0,
    "pd_role_replicas_ready": 2.0,
}
WENT = Course(50, 70, 50)
ONE = Course(1, 1, 1)
GOOD = Summary(
    plan=Plan(),
    truth=TRUTH,
    burst_seconds=65,
    exported=EXPORTED,
    exported_lag=Course(0, 31, 0),
    exported_wait=Course(0, 6.3, 0),
    recorded={LAG: Course(0, 31, 0)},
    memory=(RoleMemory("decode", WENT, WENT, WENT),),
    signals={SERVING: Signal(SERVING, ONE, ONE)},
)


def test_a_burst_that_came_and_went_has_no_fault() -> None:
    assert list(faults(GOOD)) == []
    assert list(faults(replace(GOOD, recorded=None, signals={}))) == []


@pytest.mark.parametrize(
    ("lag", "fault"),
    [
        (Course(0, 0, 0), "The recorded lag did not rise: it stayed at 0"),
        (Course(0, 31, 4), "The recorded lag did not fall back: it was 4 at the end"),
        (Course(0, 34, 0), "The recorded lag rose to 34, yet at most 32 waited"),
    ],
)
def test_a_lag_that_is_not_the_workloads_is_a_fault(lag: Course, fault: str) -> None:
    (found,) = faults(replace(GOOD, recorded={LAG: lag}))

    assert found.startswith(fault)


def test_no_recorded_lag_is_a_fault_although_the_exporter_has_one() -> None:
    assert list(faults(replace(GOOD, recorded={}))) == ["There was no recorded lag."]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("pd_queue_enqueued_messages_total", 319.0),
        ("pd_queue_delivered_messages_total", 321.0),
        ("pd_queue_expired_messages_total", 1.0),
        ("pd_role_replicas_ready", 1.0),
    ],
)
def test_a_counter_that_differs_from_the_truth_is_a_fault(metric: str, value: float) -> None:
    (found,) = faults(replace(GOOD, exported=EXPORTED | {metric: value}))

    assert found.startswith(f"The exporter gives {value:g} for {metric}")


def test_a_counter_that_is_not_there_is_a_fault() -> None:
    exported = {name: value for name, value in EXPORTED.items() if "expired" not in name}

    (found,) = faults(replace(GOOD, exported=exported))

    assert found == "The exporter gives no pd_queue_expired_messages_total, which should be 0."


def test_memory_that_nobody_wrote_is_a_fault_of_the_run() -> None:
    memory = replace(GOOD.memory[0], strange=(("Prometheus", 42.0),))

    (found,) = faults(replace(GOOD, memory=(memory,)))

    assert found.startswith("Prometheus had 42 bytes of GPU memory of decode")


def test_a_signal_that_is_wrong_is_a_fault_of_the_run() -> None:
    signals = {SERVING: Signal(SERVING, ONE, Course(1, 2, 2))}

    (found,) = faults(replace(GOOD, signals=signals))

    assert "rose to 2, yet 1 served" in found


def test_a_course_is_of_what_was_seen() -> None:
    assert Course.of([None, 0, 7, None, 2, None]) == Course(0, 7, 2)
    assert Course.of([None]) is None


@pytest.mark.parametrize(
    ("lag", "text"),
    [
        (31, "ceil(31 / 5) = 7, capped to 6 replicas"),
        (30, "ceil(30 / 5) = 6, so 6 replicas"),
        (3, "ceil(3 / 5) = 1, so 1 replica"),
        (0, "ceil(0 / 5) = 0, so 1 replica"),
    ],
)
def test_the_usual_trigger_divides_rounds_up_and_caps(lag: float, text: str) -> None:
    assert trigger_text(lag) == text

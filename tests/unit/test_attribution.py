"""Whose memory it is: alone, by processes, or nobody's to tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.attribution.holdings import Holding, Holdings, Unresolved
from pd_exporter.attribution.memory import Attributed, Attribution, attribute
from pd_exporter.kube.pod import Pod
from pd_exporter.kubelet.cgroups import NotInPod, PodProcess
from pd_exporter.nvml.device import (
    Device,
    DeviceReading,
    Failure,
    GpuReading,
    Memory,
    Process,
    Reason,
    Unit,
    UnitReading,
)

GIB = 1 << 30
UNIT = Unit("GPU-0")
DEVICE = Device("GPU-0", 0, 0, "H100", "", mig=False, units=(UNIT,))
Places = dict[int, PodProcess | NotInPod]
PROCESSES: Places = {1: PodProcess("uid-a"), 2: PodProcess("uid-b"), 3: NotInPod.HOST}


def memory(used: int = 60, total: int = 80) -> Memory:
    return Memory(total=total * GIB, used=used * GIB, free=(total - used) * GIB, reserved=0)


def reading(*processes: Process, used: int = 60) -> GpuReading:
    return GpuReading("", (DeviceReading(DEVICE, (UnitReading(UNIT, memory(used), processes),)),))


def holding(name: str) -> Holding:
    return Holding(
        "default", name, "main", "nvidia.com/gpu", Pod("default", name, f"uid-{name}", {}, {})
    )


def holders(*names: str) -> Holdings:
    return Holdings({UNIT.uuid: [holding(name) for name in names]})


def used(attributed: Attributed) -> dict[str, tuple[str, float | None]]:
    """Attribution and GiB by pod."""
    return {
        name: (use.attribution.value, None if use.used is None else use.used / GIB)
        for (_, name), (use,) in attributed.by_pod.items()
    }


def test_who_holds_it_alone_has_all_of_it() -> None:
    assert used(attribute(reading(), holders("a"), None)) == {"a": ("device", 60)}
    assert used(attribute(reading(), holders("a"), {})) == {"a": ("device", 60)}


def test_of_a_shared_gpu_each_has_its_processes() -> None:
    processes = Process(1, 20 * GIB), Process(2, 30 * GIB), Process(3, 2 * GIB)

    attributed = attribute(reading(*processes, used=52), holders("a", "b", "idle"), PROCESSES)

    assert used(attributed) == {"a": ("process", 20), "b": ("process", 30), "idle": ("process", 0)}
    assert attributed.implausible == {}


UNEXPLAINED: dict[str, tuple[int, list[Process], Places]] = {
    "more is in use than any process has": (54, [Process(1, 20 * GIB), Process(3, 32 * GIB)], {}),
    "a process does not tell": (52, [Process(1, 52 * GIB), Process(3, None)], {}),
    "a process has nothing, which none has": (52, [Process(1, 52 * GIB), Process(3, 0)], {}),
    "a stranger's process": (
        52,
        [Process(1, 20 * GIB), Process(9, 32 * GIB)],
        {9: PodProcess("x")},
    ),
}


@pytest.mark.parametrize("case", UNEXPLAINED)
def test_where_not_all_is_explained_nothing_is_seen_is_not_0(case: str) -> None:
    """What nobody accounts for may be its own."""
    in_use, processes, more = UNEXPLAINED[case]
    whole = reading(*processes, used=in_use)

    attributed = attribute(whole, holders("a", "idle"), PROCESSES | more)

    assert used(attributed)["a"][1] is not None
    assert used(attributed)["idle"] == ("process", None)


def slot(name: str, uid: str = "") -> Holding:
    """A holding by one of several ids of the unit; without a uid the API does not tell the pod."""
    pod = Pod("default", name, uid, {}, {}) if uid else None
    return Holding("default", name, "main", "nvidia.com/gpu", pod, exclusive=False)


def test_a_process_of_another_pod_shows_that_a_unit_is_shared() -> None:
    """The kubelet has not told of the other one yet."""
    alone = Holdings({UNIT.uuid: [slot("a", "uid-a")]})
    processes = Process(1, 20 * GIB), Process(2, 40 * GIB)

    assert used(attribute(reading(*processes), alone, PROCESSES)) == {"a": ("process", 20)}
    assert used(attribute(reading(processes[0]), alone, PROCESSES)) == {"a": ("device", 60)}


def test_a_holder_whose_uid_nobody_told_may_be_whose_the_processes_are() -> None:
    alone = Holdings({UNIT.uuid: [slot("a")]})
    processes = Process(1, 20 * GIB), Process(2, 40 * GIB)

    assert used(attribute(reading(processes[0]), alone, PROCESSES)) == {"a": ("device", 60)}
    assert used(attribute(reading(*processes), alone, PROCESSES)) == {"a": ("process", None)}


def test_a_unit_whose_processes_were_not_read_gives_nobody_a_value() -> None:
    for unread in (UnitReading(UNIT, memory()), UnitReading(UNIT, None, (Process(1, GIB),))):
        whole = GpuReading("", (DeviceReading(DEVICE, (unread,)),))

        attributed = attribute(whole, holders("a", "b"), PROCESSES)

        assert used(attributed) == {"a": ("process", None), "b": ("process", None)}
        assert attributed.implausible == {}


@pytest.mark.parametrize(
    ("seen", "in_use", "plausible"),
    [
        (61, 60, True),  # 1.6 of 80 GiB is 2 %
        (62, 60, False),
        (30, 60, True),  # 1 GiB need be nobody's, and half of the rest
        (28, 60, False),
        (0, 1, True),
        (0, 3, False),
    ],
)
def test_how_far_processes_may_be_from_what_is_in_use(
    seen: int, in_use: int, plausible: bool
) -> None:
    processes = [Process(1, seen * GIB)] if seen else []

    attributed = attribute(reading(*processes, used=in_use), holders("a", "b"), PROCESSES)

    assert (attributed.implausible == {}) == plausible


def test_without_processes_a_shared_gpu_is_nobody_s() -> None:
    attributed = attribute(reading(), holders("a", "b"), None)

    assert used(attributed) == {"a": ("none", None), "b": ("none", None)}
    assert [use.limit for (use,) in attributed.by_pod.values()] == [80 * GIB] * 2


def test_a_holder_that_may_not_be_alone_is_told_by_its_processes() -> None:
    slot = Holding("default", "a", "", "", Pod("default", "a", "uid-a", {}, {}), exclusive=False)
    unsure = Holdings({UNIT.uuid: [slot]}, {Unresolved.ANNOTATION: ["?"]})

    assert used(attribute(reading(), unsure, None)) == {"a": ("none", None)}
    processes = Process(1, 20 * GIB), Process(2, 40 * GIB)
    assert used(attribute(reading(*processes), unsure, PROCESSES)) == {"a": ("process", 20)}


def test_memory_that_is_not_available_is_not_0() -> None:
    processes = Process(1, None), Process(1, 5 * GIB), Process(2, 30 * GIB)

    attributed = attribute(reading(*processes), holders("a", "b"), PROCESSES)

    assert used(attributed) == {"a": ("process", None), "b": ("process", 30)}


def test_what_is_not_told_may_be_all_that_is_missing() -> None:
    processes = Process(1, None), Process(2, 5 * GIB)

    attributed = attribute(reading(*processes), holders("a", "b"), PROCESSES)

    assert used(attributed) == {"a": ("process", None), "b": ("process", 5)}
    assert attributed.implausible == {}


def test_a_pod_that_the_api_does_not_tell_has_no_processes_to_find() -> None:
    unknown = Holding("default", "new", "", "nvidia.com/gpu")
    processes = Process(1, 30 * GIB), Process(2, 30 * GIB)

    attributed = attribute(
        reading(*processes), Holdings({UNIT.uuid: [holding("a"), unknown]}), PROCESSES
    )

    assert used(attributed) == {"a": ("process", 30), "new": ("process", None)}


IMPLAUSIBLE: dict[str, tuple[list[Process], Places]] = {
    "more than is in use": ([Process(1, 70 * GIB)], PROCESSES),
    "no memory told": ([Process(1, 0), Process(2, 0)], PROCESSES),
    "but a part of what is in use": ([Process(1, 10 * GIB)], PROCESSES),
    "no processes though memory is in use": ([], PROCESSES),
    "of another namespace": ([Process(1, 60 * GIB)], {1: NotInPod.GONE}),
    "unreadable": (
        [Process(1, 30 * GIB), Process(2, 30 * GIB)],
        {1: PodProcess("uid-a"), 2: NotInPod.UNREADABLE},
    ),
}


@pytest.mark.parametrize("case", IMPLAUSIBLE)
def test_processes_that_cannot_be_true_are_not_told(case: str) -> None:
    processes, places = IMPLAUSIBLE[case]

    attributed = attribute(reading(*processes), holders("a", "b"), places)

    assert used(attributed) == {"a": ("process", None), "b": ("process", None)}
    assert attributed.implausible.keys() == {UNIT.uuid}


def test_an_idle_shared_gpu_is_plausible() -> None:
    attributed = attribute(reading(used=0), holders("a", "b"), PROCESSES)

    assert used(attributed) == {"a": ("process", 0), "b": ("process", 0)}


def test_a_process_that_has_just_ended_hides_nothing() -> None:
    processes = Process(1, 30 * GIB), Process(9, 30 * GIB)

    places: Places = PROCESSES | {9: NotInPod.GONE}

    attributed = attribute(reading(*processes), holders("a", "b"), places)

    assert used(attributed) == {"a": ("process", 30), "b": ("process", 0)}


def test_a_gpu_that_was_not_read_has_holders_without_values() -> None:
    lost = DeviceReading(DEVICE, failure=Failure(Reason.LOST, "gone"))

    attributed = attribute(GpuReading("", (lost,)), holders("a"), None)

    ((use,),) = attributed.by_pod.values()
    assert (use.attribution, use.used, use.limit) == (Attribution.DEVICE, None, None)


SIZES = st.lists(st.integers(1, 8), max_size=6)


@given(mine=SIZES, others=SIZES, hosts=SIZES)
def test_sums_never_exceed_what_is_in_use(
    mine: list[int], others: list[int], hosts: list[int]
) -> None:
    pids = range(10, 10 + len(mine) + len(others) + len(hosts))
    sizes = [*mine, *others, *hosts]
    places: list[PodProcess | NotInPod] = [
        *[PodProcess("uid-a")] * len(mine),
        *[PodProcess("uid-b")] * len(others),
        *[NotInPod.HOST] * len(hosts),
    ]
    found = dict(zip(pids, places, strict=True))
    processes = [Process(pid, size * GIB) for pid, size in zip(pids, sizes, strict=True)]
    whole = reading(*processes, used=sum(sizes))

    attributed = attribute(whole, holders("a", "b"), found)

    assert used(attributed) == {"a": ("process", sum(mine)), "b": ("process", sum(others))}

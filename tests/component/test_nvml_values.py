"""What is read of GPUs that answer: the real nvidia-ml-py on a library that plays NVML."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest

from pd_exporter.nvml.device import (
    Device,
    GpuReading,
    Memory,
    Process,
    Reason,
    Unit,
    UnitReading,
)
from pd_exporter.nvml.gpus import NvmlGpus, open_gpus
from tests import fake_nvml
from tests.fake_nvml import GIB, MIB, Counting, FakeNvml, gpu_instance
from tests.servers import until

V2 = "nvmlDeviceGetMemoryInfo_v2"
COMPUTE = "nvmlDeviceGetComputeRunningProcesses_v3"
MPS = "nvmlDeviceGetMPSComputeRunningProcesses_v3"


@pytest.fixture
def fake(tmp_path: Path) -> FakeNvml:
    return FakeNvml(tmp_path / "nvml", gpus=8)


@pytest.fixture
async def gpus(fake: FakeNvml) -> AsyncIterator[NvmlGpus]:
    """Enumerates at the first reading, and not of itself again during a test."""
    async with open_gpus(
        library=str(fake.library), refresh_seconds=600, on_fatal=pytest.fail
    ) as it:
        yield it


async def read(gpus: NvmlGpus, processes_of: Iterable[str] = ()) -> GpuReading:
    deadline = asyncio.get_running_loop().time() + 30
    return await gpus.read(frozenset(processes_of), deadline)


async def read_first(gpus: NvmlGpus, processes_of: Iterable[str] = ()) -> UnitReading:
    return (await read(gpus, processes_of)).devices[0].units[0]


async def test_eight_gpus_are_read_with_the_first_scrape(fake: FakeNvml, gpus: NvmlGpus) -> None:
    assert gpus.devices() == ()
    reading = await read(gpus)

    assert gpus.backend == "nvml"
    assert reading.failure is None
    assert reading.driver == fake.driver
    assert tuple(device.device for device in reading.devices) == gpus.devices()
    for index, (device, gpu) in enumerate(zip(reading.devices, fake.gpus, strict=True)):
        unit = Unit(gpu.uuid)
        assert device.device == Device(gpu.uuid, index, index, gpu.name, "none", False, (unit,))
        free = gpu.total - gpu.used - gpu.reserved
        memory = Memory(gpu.total, gpu.used, free, gpu.reserved)
        assert device.units == (UnitReading(unit, memory),)


@pytest.mark.parametrize("counting", ["including", "excluding"])
async def test_used_is_without_what_is_reserved_however_it_is_told(
    fake: FakeNvml, gpus: NvmlGpus, counting: Counting
) -> None:
    fake.gpus[0].counting = counting
    fake.gpus[0].used = 40 * GIB
    fake.write()

    assert (await read_first(gpus)).memory == Memory(
        80 * GIB, 40 * GIB, 40 * GIB - 600 * MIB, 600 * MIB
    )


@pytest.mark.parametrize("code", [3, 13, 25])
async def test_older_drivers_tell_memory_in_its_first_form(
    fake: FakeNvml, gpus: NvmlGpus, code: int
) -> None:
    fake.fail(code, fake.gpus[0], V2)
    fake.write()

    memory = (await read_first(gpus)).memory

    used = fake.gpus[0].used + 600 * MIB
    assert memory == Memory(80 * GIB, used, 80 * GIB - used, None)


async def test_the_second_form_is_tried_once_for_each_enumeration(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    fake.fail(13, function=V2)
    fake.write()
    for _ in range(3):
        await read(gpus)

    assert fake.calls(V2) == 8


async def test_memory_that_does_not_add_up_is_missing(fake: FakeNvml, gpus: NvmlGpus) -> None:
    fake.gpus[0].free = 3 * GIB
    fake.write()

    unit = await read_first(gpus)

    assert unit.memory is None
    assert unit.failure is not None
    assert unit.failure.reason is Reason.UNKNOWN
    assert "does not add up" in unit.failure.message


async def test_a_gpu_that_does_not_tell_its_memory_may_still_tell_its_processes(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    gpu = fake.gpus[0]
    gpu.processes = [fake_nvml.Process(7, 100)]
    fake.fail(3, gpu, V2)
    fake.fail(3, gpu, "nvmlDeviceGetMemoryInfo")
    fake.write()

    unit = await read_first(gpus, [gpu.uuid])

    assert unit.memory is None
    assert unit.processes == (Process(7, 100),)
    assert unit.failure is not None
    assert unit.failure.reason is Reason.UNSUPPORTED


async def test_what_only_describes_a_gpu_may_be_untold(fake: FakeNvml, gpus: NvmlGpus) -> None:
    gpu = fake.gpus[0]
    for function in ("MinorNumber", "Name", "AddressingMode"):
        fake.fail(3, gpu, f"nvmlDeviceGet{function}")
    fake.fail(3, gpu, "nvmlDeviceGetMigMode")
    fake.gpus[1].addressing = 2
    fake.write()

    reading = await read(gpus)

    first, second, *_ = reading.devices
    assert first.device == Device(gpu.uuid, 0, None, "", "", False, (Unit(gpu.uuid),))
    assert first.units[0].memory is not None
    assert second.device.addressing == "ats"


async def test_a_gpu_that_fails_to_say_whether_mig_is_on_is_not_read_as_a_whole(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    fake.fail(999, fake.gpus[0], "nvmlDeviceGetMigMode")
    fake.write()

    reading = await read(gpus)

    assert len(reading.devices) == 7
    assert reading.failure is not None
    assert "GPU 0" in reading.failure.message


async def test_a_mig_instance_counts_once_however_many_compute_instances_share_it(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    gpu = fake.gpus[2]
    gpu.mig = True
    gpu.instances = [gpu_instance(9, gpu=2), gpu_instance(3, gpu=2, compute=2)]
    gpu.instances[1].compute.reverse()
    fake.write()

    device = (await read(gpus)).devices[2]

    assert device.device.mig
    three, nine = device.units
    first, second = sorted(compute.uuid for compute in gpu.instances[1].compute)
    assert three.unit == Unit(first, (second,), "1g.10gb", gpu_instance=3, placement=3)
    assert three.memory == Memory(9984 * MIB, 3 * GIB, 9984 * MIB - 3 * GIB, 0)
    assert nine.unit.uuid == gpu.instances[0].compute[0].uuid
    assert nine.unit.aliases == ()
    assert nine.memory is not None
    assert nine.memory.used == 9 * GIB


@pytest.mark.parametrize(
    ("refused", "profile"),
    [("", "3g.40gb"), ("nvmlDeviceGetName", "3g.40gb"), ("*", "")],
    ids=["name", "attributes", "neither"],
)
async def test_a_mig_profile_is_named_as_nvidia_does(
    fake: FakeNvml, gpus: NvmlGpus, refused: str, profile: str
) -> None:
    instance = gpu_instance(1)
    instance.profile, instance.slices, instance.total = "1c.3g.40gb", 3, 40320 * MIB
    fake.gpus[0].mig, fake.gpus[0].instances = True, [instance]
    for function in ("nvmlDeviceGetName", "nvmlDeviceGetAttributes_v2"):
        if refused in {function, "*"}:
            fake.fail(3, instance.compute[0], function)
    fake.write()

    assert (await read_first(gpus)).unit.profile == profile


async def test_where_a_mig_instance_lies_is_told_only_to_the_privileged(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    fake.gpus[0].mig, fake.gpus[0].instances = True, [gpu_instance(4)]
    fake.fail(4, fake.gpus[0], "nvmlDeviceGetGpuInstanceById")
    fake.write()

    unit = await read_first(gpus)

    assert unit.unit.placement is None
    assert unit.unit.gpu_instance == 4
    assert unit.memory is not None


async def test_mig_without_instances_has_no_units(fake: FakeNvml, gpus: NvmlGpus) -> None:
    fake.gpus[0].mig = True
    fake.write()

    device = (await read(gpus)).devices[0]

    assert device.device.mig
    assert device.device.units == ()
    assert device.units == ()
    assert device.failure is None


async def test_processes_are_those_of_both_lists_of_the_units_asked_for(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    for gpu in fake.gpus[:2]:
        gpu.processes = [
            fake_nvml.Process(30, 5 * GIB),
            fake_nvml.Process(20, None),
            fake_nvml.Process(10, GIB, mps=True),
            fake_nvml.Process(30, GIB, mps=True),
        ]
    fake.write()

    first, second, third, *_ = (await read(gpus, [fake.gpus[0].uuid, fake.gpus[2].uuid])).devices

    assert first.units[0].processes == (Process(10, GIB), Process(20, None), Process(30, 5 * GIB))
    assert second.units[0].processes is None
    assert third.units[0].processes == ()


async def test_processes_of_a_mig_instance_are_those_of_all_its_compute_instances(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    shared = gpu_instance(1, compute=2)
    other = gpu_instance(2)
    shared.compute[0].processes = [fake_nvml.Process(10, GIB)]
    shared.compute[1].processes = [fake_nvml.Process(20, None)]
    other.compute[0].processes = [fake_nvml.Process(30, GIB)]
    fake.gpus[0].mig, fake.gpus[0].instances = True, [shared, other]
    fake.write()

    device = (await read(gpus, [shared.compute[1].uuid])).devices[0]

    assert device.units[0].processes == (Process(10, GIB), Process(20, None))
    assert device.units[1].processes is None


async def test_without_mps_its_list_is_empty(fake: FakeNvml, gpus: NvmlGpus) -> None:
    fake.gpus[0].processes = [fake_nvml.Process(10, GIB)]
    fake.fail(3, function=MPS)
    fake.write()

    unit = await read_first(gpus, [fake.gpus[0].uuid])

    assert unit.processes == (Process(10, GIB),)
    assert unit.failure is None


@pytest.mark.parametrize(("function", "code"), [(COMPUTE, 3), (COMPUTE, 999), (MPS, 4)])
async def test_processes_that_are_not_told_are_not_none(
    fake: FakeNvml, gpus: NvmlGpus, function: str, code: int
) -> None:
    fake.gpus[0].processes = [fake_nvml.Process(10, GIB)]
    fake.fail(code, function=function)
    fake.write()

    unit = await read_first(gpus, [fake.gpus[0].uuid])

    assert unit.processes is None
    assert unit.failure is not None
    assert function in unit.failure.message + "_v3"
    assert unit.memory is not None


async def test_a_list_that_grows_while_it_is_read_is_read_again(
    fake: FakeNvml, gpus: NvmlGpus
) -> None:
    fake.gpus[0].processes = [fake_nvml.Process(pid, MIB) for pid in range(1, 41)]
    fake.announce = (2, 2)
    fake.write()

    unit = await read_first(gpus, [fake.gpus[0].uuid])

    assert unit.processes == tuple(Process(pid, MIB) for pid in range(1, 41))


async def test_a_list_that_never_fits_is_not_told_in_part(fake: FakeNvml, gpus: NvmlGpus) -> None:
    fake.gpus[0].processes = [fake_nvml.Process(pid, MIB) for pid in range(1, 41)]
    fake.announce = (2, 1000)
    fake.write()

    unit = await read_first(gpus, [fake.gpus[0].uuid])

    assert unit.processes is None
    assert unit.failure is not None


async def test_readings_at_the_same_time_are_each_their_own(fake: FakeNvml, gpus: NvmlGpus) -> None:
    uuids = [gpu.uuid for gpu in fake.gpus]

    readings = await asyncio.gather(*(read(gpus, uuids[:count]) for count in range(9)))

    for count, reading in enumerate(readings):
        told = [device.units[0].processes is not None for device in reading.devices]
        assert told == [index < count for index in range(8)]


async def test_units_that_appear_are_found_without_being_asked_for(fake: FakeNvml) -> None:
    fake.gpus[0].mig = True
    fake.write()
    async with open_gpus(
        library=str(fake.library), refresh_seconds=0.05, on_fatal=pytest.fail
    ) as gpus:
        await read(gpus)
        fake.gpus[0].instances = [gpu_instance(1)]
        fake.write()

        async def found() -> bool:
            return bool((await read(gpus)).devices[0].units)

        await until(found, "the new instance to be read")

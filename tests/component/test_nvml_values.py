"""What is read of GPUs that answer: the real nvidia-ml-py on a library that plays NVML."""

import asyncio

import pytest

from pd_exporter.nvml.device import Device, Memory, Process, Reason, Unit, UnitReading
from pd_exporter.nvml.gpus import NvmlGpus, open_gpus
from tests import fake_nvml
from tests.fake_nvml import GIB, MIB, Counting, FakeNvml, gpu_instance
from tests.nvml import V2, read, read_first
from tests.servers import until


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

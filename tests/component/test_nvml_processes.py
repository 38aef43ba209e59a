"""The processes of a unit: both lists, all compute instances, whole or not at all."""

import pytest

from pd_exporter.nvml.device import Process
from pd_exporter.nvml.gpus import NvmlGpus
from tests import fake_nvml
from tests.fake_nvml import GIB, MIB, FakeNvml
from tests.nvml import read, read_first

COMPUTE = "nvmlDeviceGetComputeRunningProcesses_v3"


MPS = "nvmlDeviceGetMPSComputeRunningProcesses_v3"


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

"""MIG: memory is of GPU instances, each counted once, whatever shares it."""

import pytest

from pd_exporter.nvml.device import Memory, Process, Unit
from pd_exporter.nvml.gpus import NvmlGpus
from tests import fake_nvml
from tests.fake_nvml import GIB, MIB, FakeNvml, gpu_instance
from tests.nvml import read, read_first


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

"""GPUs that come, go, change places and are divided anew: no value on another's labels."""

import asyncio
import random
import threading

import pytest

from pd_exporter.nvml.device import GpuReading, Reason
from pd_exporter.nvml.gpus import NvmlGpus
from tests import fake_nvml
from tests.fake_nvml import GIB, FakeNvml, gpu_instance
from tests.nvml import INIT, open_fake, read, truth, used
from tests.servers import until

MEMORY = "nvmlDeviceGetMemoryInfo_v2"


async def until_true(gpus: NvmlGpus, fake: FakeNvml) -> GpuReading:
    """Read until everything there is was read; what is read before has to be true too."""
    expected = truth(fake)

    async def all_read() -> GpuReading | None:
        reading = await read(gpus)
        found = used(reading)
        assert found.items() <= expected.items()
        whole = found == expected and len(reading.devices) == len(fake.gpus)
        return reading if whole and reading.failure is None else None

    return await until(all_read, "everything to be read")


async def until_hanging(fake: FakeNvml, calls: int) -> None:
    async def hanging() -> bool:
        return fake.hanging() == calls

    await until(hanging, f"{calls} calls to hang")


@pytest.mark.parametrize("by_slot", [False, True])
async def test_a_gpu_that_comes_is_found(fake: FakeNvml, by_slot: bool) -> None:
    fake.by_slot = by_slot
    fake.write()
    async with open_fake(fake, refresh=0.05) as gpus:
        await until_true(gpus, fake)
        fake.gpus.insert(2, fake_nvml.gpu(11))
        fake.write()

        reading = await until_true(gpus, fake)

        assert reading.devices[2].device.uuid == fake.gpus[2].uuid
        assert [device.device.index for device in reading.devices] == list(range(9))


@pytest.mark.parametrize("by_slot", [False, True], ids=["handles", "slots"])
async def test_when_a_gpu_goes_the_others_keep_their_values(fake: FakeNvml, by_slot: bool) -> None:
    fake.by_slot = by_slot
    fake.write()
    async with open_fake(fake) as gpus:
        await until_true(gpus, fake)
        gone = fake.gpus.pop(1)
        fake.write()
        first = await read(gpus)

        assert gone.uuid not in used(first)
        assert used(first).items() <= truth(fake).items()
        reading = await until_true(gpus, fake)
        assert [device.device.index for device in reading.devices] == list(range(7))
        assert [device.device.minor for device in reading.devices] == [0, 2, 3, 4, 5, 6, 7]


async def test_values_stay_with_their_gpus_however_indexes_move(fake: FakeNvml) -> None:
    fake.by_slot = True  # the worst case: handles that lead to other devices without a word
    fake.write()
    pool = [*fake.gpus, *(fake_nvml.gpu(number) for number in range(8, 16))]
    chance = random.Random(7)  # noqa: S311  the same in every run
    async with open_fake(fake) as gpus:
        for _ in range(30):
            fake.gpus = chance.sample(pool, chance.randint(1, 16))
            for gpu in fake.gpus:
                gpu.used = chance.randrange(70 * GIB)
            fake.write()
            expected = truth(fake)
            for _ in range(3):
                assert used(await read(gpus)).items() <= expected.items()


@pytest.mark.parametrize("by_slot", [False, True], ids=["handles", "slots"])
async def test_mig_instances_that_are_made_anew_are_never_taken_for_the_old(
    fake: FakeNvml, by_slot: bool
) -> None:
    gpu = fake.gpus[4]
    gpu.mig, gpu.instances = True, [gpu_instance(number, gpu=4) for number in range(1, 8)]
    fake.by_slot = by_slot
    fake.write()
    async with open_fake(fake) as gpus:
        await until_true(gpus, fake)
        gpu.instances = [gpu_instance(9, gpu=4, compute=2), gpu_instance(7, gpu=4)]
        fake.write()
        first = await read(gpus)

        assert used(first).items() <= truth(fake).items()
        gone = {
            unit.unit.gpu_instance: unit.failure and unit.failure.reason
            for unit in first.devices[4].units
            if unit.unit.uuid not in used(first)
        }
        # The one that stayed is read all the same, unless its handle now leads to another.
        assert gone == dict.fromkeys(range(1, 8 if by_slot else 7), Reason.CHANGED)
        reading = await until_true(gpus, fake)
        assert [unit.unit.gpu_instance for unit in reading.devices[4].units] == [7, 9]


@pytest.mark.parametrize("on", [True, False])
async def test_turning_mig_on_or_off_changes_what_is_read(fake: FakeNvml, on: bool) -> None:
    gpu = fake.gpus[4]
    gpu.instances = [gpu_instance(1, gpu=4)]
    gpu.mig = not on
    fake.write()
    async with open_fake(fake) as gpus:
        await until_true(gpus, fake)
        gpu.mig = on
        fake.write()
        first = await read(gpus)

        assert first.devices[4].failure is not None
        assert first.devices[4].failure.reason is Reason.CHANGED
        await until_true(gpus, fake)


@pytest.mark.parametrize("by_slot", [False, True], ids=["handles", "slots"])
@pytest.mark.parametrize("swap", [False, True], ids=["same order", "other order"])
async def test_a_driver_that_was_loaded_anew_is_used_anew(
    fake: FakeNvml, by_slot: bool, swap: bool
) -> None:
    fake.by_slot = by_slot
    fake.write()
    async with open_fake(fake) as gpus:
        await until_true(gpus, fake)
        fake.reload_driver("590.1")
        if swap:
            fake.gpus.reverse()
        fake.write()
        first = await read(gpus)

        assert first.failure is not None
        assert first.failure.reason is Reason.DRIVER
        assert used(first) == {}
        reading = await until_true(gpus, fake)
        assert reading.driver == "590.1"


async def test_gpus_that_change_places_while_they_are_read_give_no_values(fake: FakeNvml) -> None:
    fake.by_slot = True
    fake.write()
    async with open_fake(fake) as gpus:
        await until_true(gpus, fake)
        fake.hang(function=MEMORY)
        fake.write()
        reading = asyncio.create_task(read(gpus))
        await until_hanging(fake, 8)
        fake.gpus.reverse()
        fake.heal()
        fake.write()

        failures = [device.failure for device in (await reading).devices]
        assert {failure and failure.reason for failure in failures} == {Reason.CHANGED}


async def test_gpus_that_are_back_in_their_places_give_no_values_of_others(fake: FakeNvml) -> None:
    fake.by_slot = True
    fake.write()
    async with open_fake(fake) as gpus:
        await until_true(gpus, fake)
        fake.gpus.reverse()
        fake.hang(function="nvmlDeviceGetUUID")
        fake.write()
        reading = asyncio.create_task(read(gpus))
        await until_hanging(fake, 8)
        fake.gpus.reverse()
        fake.heal()
        fake.write()

        assert used(await reading).items() <= truth(fake).items()


async def test_what_is_read_across_an_initialisation_is_not_relied_on(fake: FakeNvml) -> None:
    fake.by_slot = True
    fake.write()
    async with open_fake(fake, refresh=0.05) as gpus:
        await until_true(gpus, fake)
        fake.hang(function=MEMORY)
        fake.write()
        reading = asyncio.create_task(read(gpus))
        await until_hanging(fake, 8)
        initialisations = fake.calls(INIT)
        fake.reload_driver("590.1")
        fake.write()

        async def initialised() -> bool:
            return fake.calls(INIT) > initialisations

        await until(initialised, "the new initialisation")
        fake.heal()
        fake.write()
        interrupted = await reading
        assert used(interrupted) == {}
        failures = [device.failure for device in interrupted.devices]
        assert {failure and failure.reason for failure in failures} == {Reason.DRIVER}
        await until_true(gpus, fake)


async def test_nothing_is_wrong_while_nvml_is_initialised_again_and_again(fake: FakeNvml) -> None:
    fake.by_slot = True
    async with open_fake(fake, refresh=0.01) as gpus:
        for load in range(30):
            fake.reload_driver(f"590.{load}")
            fake.gpus.reverse()
            fake.write()
            expected = truth(fake)
            for _ in range(5):
                assert used(await read(gpus)).items() <= expected.items()
        await until_true(gpus, fake)


async def test_threads_of_gpus_that_went_end(fake: FakeNvml) -> None:
    async with open_fake(fake, refresh=0.05) as gpus:
        await until_true(gpus, fake)
        gone = fake.gpus.pop()
        fake.write()
        await until_true(gpus, fake)

        async def ended() -> bool:
            return not any(gone.uuid in thread.name for thread in threading.enumerate())

        await until(ended, "the thread to end")

"""GPUs, or all of NVML, that fail: what fails is missing, and nothing else is."""

import pytest

from pd_exporter.nvml.device import Reason
from tests.fake_nvml import gpu_instance
from tests.nvml import INIT, SICK, V2, Driver, read, reasons, truth, until_read, used
from tests.servers import until


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (15, Reason.LOST),
        (16, Reason.LOST),
        (28, Reason.LOST),
        (2, Reason.CHANGED),
        (6, Reason.CHANGED),
        (3, Reason.UNSUPPORTED),
        (4, Reason.NO_PERMISSION),
        (17, Reason.UNKNOWN),
        (27, Reason.UNKNOWN),
        (999, Reason.UNKNOWN),
        (12345, Reason.UNKNOWN),
    ],
)
@pytest.mark.parametrize("everywhere", [False, True], ids=["memory", "everything"])
async def test_what_one_gpu_refuses_costs_no_other(
    driver: Driver, code: int, reason: Reason, everywhere: bool
) -> None:
    async with driver.open(refresh=0.1) as gpus:
        await read(gpus)
        sick = driver.fake.gpus[SICK]
        functions = ["*"] if everywhere else [V2, "nvmlDeviceGetMemoryInfo"]
        for function in functions:
            driver.fake.fail(code, sick, function)
        driver.fake.write()
        reading = await read(gpus)
        again = await read(gpus)

        assert used(reading) == used(again) == truth(driver.fake, but=SICK)
        assert reasons(again) == [reason if index == SICK else None for index in range(8)]

        driver.fake.heal()
        driver.fake.write()
        await until_read(gpus, lambda it: used(it) == truth(driver.fake), "the GPU to be read")
    assert driver.fatal == []


@pytest.mark.parametrize("code", [1, 9])
async def test_a_driver_that_goes_away_is_initialised_anew(driver: Driver, code: int) -> None:
    async with driver.open(refresh=0.05) as gpus:
        await read(gpus)
        driver.fake.fail(code)
        driver.fake.write()
        reading = await read(gpus)
        await until_read(gpus, lambda it: it.failure is not None, "the failure")

        assert reading.failure is not None
        assert reading.failure.reason is Reason.DRIVER
        assert reasons(reading) == [Reason.DRIVER] * 8
        driver.fake.heal()
        driver.fake.write()
        reading = await until_read(gpus, lambda it: len(used(it)) == 8, "the GPUs to be back")
        assert reading.failure is None
        assert used(reading) == truth(driver.fake)
    assert driver.fatal == []


async def test_no_gpu_is_read_while_nvml_as_a_whole_is_in_doubt(driver: Driver) -> None:
    async with driver.open(refresh=0.05) as gpus:
        await read(gpus)
        driver.fake.fail(9, function="nvmlDeviceGetCount_v2")
        driver.fake.write()
        await until_read(gpus, lambda it: it.failure is not None, "the failure")
        calls = driver.fake.calls(V2)
        readings = [await read(gpus) for _ in range(10)]

        for reading in readings:
            assert used(reading) == {}
            assert reasons(reading) == [Reason.DRIVER] * 8
        assert driver.fake.calls(V2) == calls


@pytest.mark.parametrize(
    ("code", "function"), [(15, V2), (999, V2), (15, "nvmlDeviceGetHandleByIndex_v2"), (1, V2)]
)
async def test_nvml_is_initialised_anew_where_no_gpu_can_be_used(
    driver: Driver, code: int, function: str
) -> None:
    async with driver.open(refresh=0.05) as gpus:
        await read(gpus)
        driver.fake.fail(code, function=function)
        driver.fake.write()

        async def initialised() -> bool:
            await read(gpus)
            return driver.fake.calls(INIT) > 1

        await until(initialised, "a new initialisation")


async def test_nvml_is_not_initialised_anew_for_one_gpu(driver: Driver) -> None:
    async with driver.open(refresh=0.05) as gpus:
        await read(gpus)
        driver.fake.fail(15, driver.fake.gpus[SICK])
        driver.fake.write()
        calls = driver.fake.calls("nvmlDeviceGetCount_v2")

        async def enumerated() -> bool:
            await read(gpus)
            return driver.fake.calls("nvmlDeviceGetCount_v2") > calls + 3

        await until(enumerated, "three enumerations")
        assert driver.fake.calls(INIT) == 1


async def test_a_gpu_that_cannot_even_be_named_is_said_to_be_missing(driver: Driver) -> None:
    driver.fake.fail(15, driver.fake.gpus[SICK])
    driver.fake.write()
    async with driver.open(refresh=0.05) as gpus:
        reading = await read(gpus)

        assert used(reading) == truth(driver.fake, but=SICK)
        assert reading.failure is not None
        assert reading.failure.reason is Reason.LOST
        assert "GPU 3" in reading.failure.message
        driver.fake.heal()
        driver.fake.write()
        await until_read(gpus, lambda it: it.failure is None, "the GPU to be found")
        assert used(await read(gpus)) == truth(driver.fake)


async def test_a_gpu_that_cannot_be_opened_anew_is_still_read(driver: Driver) -> None:
    async with driver.open(refresh=0.05) as gpus:
        await read(gpus)
        driver.fake.fail(999, driver.fake.gpus[SICK], "nvmlDeviceGetHandleByIndex_v2")
        driver.fake.write()
        calls = driver.fake.calls("nvmlDeviceGetCount_v2")

        async def enumerated() -> bool:
            return driver.fake.calls("nvmlDeviceGetCount_v2") > calls + 2

        await until(enumerated, "two enumerations")
        assert used(await read(gpus)) == truth(driver.fake)


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (9, Reason.DRIVER, "nvidia-smi"),
        (999, Reason.UNKNOWN, "Unknown"),
        (17, Reason.UNKNOWN, "operating system"),
        (4, Reason.NO_PERMISSION, "Permission"),
    ],
)
async def test_nvml_that_cannot_be_initialised_is_tried_again(
    driver: Driver, code: int, reason: Reason, words: str
) -> None:
    driver.fake.fail(code, function=INIT)
    driver.fake.write()
    async with driver.open(refresh=0.05) as gpus:
        reading = await read(gpus)

        assert reading.devices == ()
        assert reading.failure is not None
        assert reading.failure.reason is reason
        assert words in reading.failure.message
        driver.fake.heal()
        driver.fake.write()
        reading = await until_read(gpus, lambda it: it.failure is None, "the GPUs")
        assert used(reading) == truth(driver.fake)


async def test_a_library_that_comes_late_is_found(driver: Driver) -> None:
    driver.fake.remove()
    async with driver.open(refresh=0.05) as gpus:
        reading = await read(gpus)

        assert reading.failure is not None
        assert reading.failure.reason is Reason.DRIVER
        assert "runtimeClassName" in reading.failure.message
        driver.fake.install()
        reading = await until_read(gpus, lambda it: it.failure is None, "the library")
        assert used(reading) == truth(driver.fake)


async def test_two_gpus_of_one_name_are_told_and_looked_at_again_but_once(driver: Driver) -> None:
    driver.fake.gpus[5].uuid = driver.fake.gpus[SICK].uuid
    driver.fake.write()
    async with driver.open() as gpus:
        count = "nvmlDeviceGetCount_v2"
        before = driver.fake.calls(count)
        reading = await until_read(
            gpus, lambda it: driver.fake.calls(count) >= before + 2, "a second look"
        )
        for _ in range(20):
            reading = await read(gpus)

        assert reading.failure is not None
        assert f"GPU 5: another one is also {driver.fake.gpus[5].uuid}" in reading.failure.message
        assert len(reading.devices) == 7
        assert driver.fake.calls(count) <= before + 3


async def test_a_mig_instance_of_its_gpu_s_name_is_not_read(driver: Driver) -> None:
    sick = driver.fake.gpus[SICK]
    sick.mig, sick.instances = True, [gpu_instance(1, gpu=SICK)]
    sick.instances[0].compute[0].uuid = sick.uuid
    driver.fake.write()
    async with driver.open() as gpus:
        reading = await read(gpus)

    assert used(reading) == truth(driver.fake, but=SICK)
    assert reading.failure is not None
    assert "not unique" in reading.failure.message

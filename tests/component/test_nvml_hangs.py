"""Calls into the driver that do not come back: they cost their own GPU, and no time."""

import asyncio
import threading

import pytest

from pd_exporter.nvml.device import Reason
from tests.nvml import INIT, SICK, V2, Driver, read, reasons, truth, until_read, used
from tests.servers import until


async def test_a_hung_gpu_costs_no_other_and_no_second_thread(driver: Driver) -> None:
    async with driver.open() as gpus:
        await read(gpus)
        threads = threading.active_count()
        driver.fake.hang(driver.fake.gpus[SICK], V2)
        driver.fake.write()
        began = asyncio.get_running_loop().time()
        first = await read(gpus, seconds=30)
        assert asyncio.get_running_loop().time() < began + 30  # it did not wait until the end
        others = [await read(gpus) for _ in range(20)]

        for reading in (first, *others):
            assert used(reading) == truth(driver.fake, but=SICK)
            assert reasons(reading)[SICK] is Reason.HUNG
        assert driver.fake.hanging() == 1
        assert threading.active_count() == threads

        driver.fake.heal()
        driver.fake.write()
        await until_read(gpus, lambda it: used(it) == truth(driver.fake), "the GPU to be back")
        assert driver.fake.hanging() == 0


async def test_a_reading_in_a_hurry_costs_the_next_one_nothing(driver: Driver) -> None:
    async with driver.open() as gpus:
        await read(gpus)
        driver.fake.hang(driver.fake.gpus[SICK], V2)
        driver.fake.write()
        hurried = await read(gpus, seconds=0.01)
        patient = asyncio.create_task(read(gpus))
        await asyncio.sleep(0)  # it waits behind the other one's call
        driver.fake.heal()
        driver.fake.write()

        assert reasons(hurried)[SICK] is Reason.HUNG
        assert used(await patient) == truth(driver.fake)


async def test_readings_that_wait_behind_a_hung_one_leave_nothing_behind(driver: Driver) -> None:
    async with driver.open() as gpus:
        await read(gpus)
        driver.fake.hang(driver.fake.gpus[SICK], V2)
        driver.fake.write()
        calls = driver.fake.calls(V2)
        await asyncio.gather(*(read(gpus, seconds=0.5) for _ in range(10)))
        driver.fake.heal()
        driver.fake.write()
        later = 0
        reading = await read(gpus)
        while len(used(reading)) < 8:
            later += 1
            reading = await read(gpus)

        # The others ten times, the hung one once, the others until it was back, and then all.
        assert driver.fake.calls(V2) - calls == 7 * 10 + 1 + 7 * later + 8


async def test_a_gpu_that_hangs_while_it_is_looked_for_keeps_no_other(driver: Driver) -> None:
    driver.fake.hang(driver.fake.gpus[SICK])
    driver.fake.write()
    async with driver.open(refresh=0.05, hung=0.5) as gpus:
        reading = await until_read(gpus, lambda it: len(used(it)) == 7, "the others")
        threads = threading.active_count()
        calls = driver.fake.calls("nvmlDeviceGetCount_v2")

        async def enumerated() -> bool:
            return driver.fake.calls("nvmlDeviceGetCount_v2") > calls + 5

        await until(enumerated, "five enumerations")

        assert used(reading) == truth(driver.fake, but=SICK)
        assert reading.failure is not None
        assert reading.failure.reason is Reason.HUNG
        assert threading.active_count() == threads
        assert driver.fake.hanging() == 1
        driver.fake.heal()
        driver.fake.write()
        await until_read(gpus, lambda it: used(it) == truth(driver.fake), "the GPU to be found")


@pytest.mark.parametrize("function", ["nvmlDeviceGetName", "nvmlDeviceGetCount_v2"])
async def test_known_gpus_are_read_while_the_search_for_others_hangs(
    driver: Driver, function: str
) -> None:
    async with driver.open(refresh=0.05, hung=0.2) as gpus:
        await read(gpus)
        driver.fake.hang(function=function)
        driver.fake.write()

        async def hanging() -> bool:
            return driver.fake.hanging() == (8 if function == "nvmlDeviceGetName" else 1)

        await until(hanging, "the enumeration to hang")
        driver.fake.gpus[0].used = 5
        driver.fake.write()
        assert used(await read(gpus)) == truth(driver.fake)
        driver.fake.heal()
        driver.fake.write()


async def test_a_hung_initialisation_keeps_nobody_from_opening_or_closing(driver: Driver) -> None:
    driver.fake.hang(function=INIT)
    driver.fake.write()
    async with driver.open(refresh=0.05, hung=0.2) as gpus:
        early = await read(gpus, seconds=0.01)
        assert early.failure is not None
        assert early.failure.reason is Reason.HUNG
        later = await read(gpus)
        assert later.failure is not None
        assert later.failure.reason is Reason.HUNG
    async with driver.open(refresh=0.05, hung=0.2) as gpus:
        driver.fake.heal()
        driver.fake.write()
        await until_read(gpus, lambda it: used(it) == truth(driver.fake), "the GPUs")

"""When the exporter has to end, when it must not, and that it can."""

import asyncio
import subprocess
import sys
import threading

import pytest

from pd_exporter.nvml.fatal import LASTING_SECONDS
from tests.nvml import INIT, SICK, V2, Driver, read, truth, used
from tests.servers import until


@pytest.mark.parametrize("function", [INIT, V2, "nvmlDeviceGetCount_v2", "nvmlDeviceGetUUID"])
async def test_a_library_that_does_not_fit_the_driver_is_the_end(
    driver: Driver, function: str
) -> None:
    driver.fake.fail(18, function=function)
    driver.fake.write()
    async with driver.open(refresh=0.05) as gpus:
        for _ in range(3):
            await read(gpus)

    assert len(driver.fatal) == 1
    assert "another version" in driver.fatal[0]


@pytest.mark.parametrize("function", [INIT, V2, "*"])
async def test_lasting_unknown_errors_of_everything_are_the_end(
    driver: Driver, function: str
) -> None:
    driver.fake.fail(999, function=function)
    driver.fake.write()
    async with driver.open(refresh=0.02) as gpus:
        await read(gpus)
        driver.now = LASTING_SECONDS - 1
        await read(gpus)
        assert driver.fatal == []
        driver.now = LASTING_SECONDS

        async def end() -> bool:
            await read(gpus)
            return bool(driver.fatal)

        await until(end, "the end")
    assert len(driver.fatal) == 1


@pytest.mark.parametrize("function", [V2, "*"])
async def test_lasting_unknown_errors_of_one_gpu_are_its_own(driver: Driver, function: str) -> None:
    async with driver.open(refresh=0.02) as gpus:
        await read(gpus)
        driver.fake.fail(999, driver.fake.gpus[SICK], function)
        driver.fake.write()
        for driver.now in (1, LASTING_SECONDS, 10 * LASTING_SECONDS):
            assert used(await read(gpus)) == truth(driver.fake, but=SICK)

    assert driver.fatal == []


async def test_unknown_errors_beside_a_hung_gpu_are_not_the_end(driver: Driver) -> None:
    async with driver.open() as gpus:
        await read(gpus)
        driver.fake.hang(driver.fake.gpus[SICK], V2)
        driver.fake.fail(999, function=V2)
        driver.fake.write()
        for driver.now in (1, LASTING_SECONDS, 10 * LASTING_SECONDS):
            await read(gpus, seconds=0.2)

    assert driver.fatal == []


async def test_closing_ends_all_threads(driver: Driver) -> None:
    async with driver.open() as gpus:
        await read(gpus)
        assert [thread for thread in threading.enumerate() if thread.name.startswith("nvml")]

    async def none_left() -> bool:
        return not any(thread.name.startswith("nvml") for thread in threading.enumerate())

    await until(none_left, "the threads to end")
    assert driver.fake.calls("nvmlShutdown") == driver.fake.calls(INIT) == 1


PROGRAM = """
import asyncio
from pd_exporter.nvml.gpus import open_gpus

async def main():
    async with open_gpus(on_fatal=print) as gpus:
        loop = asyncio.get_running_loop()
        reading = await gpus.read((), loop.time() + 20)
        print(*(device.device.uuid for device in reading.devices), flush=True)
        input()
        reading = await gpus.read((), loop.time() + 1)
        print(*{device.failure.reason for device in reading.devices})

asyncio.run(main())
"""


async def test_a_process_finds_its_library_and_ends_with_calls_that_hang(driver: Driver) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        env=driver.fake.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        found = b""
        while not found.startswith(b"GPU-"):  # the log is there too
            found = await process.stdout.readline()
            assert found
        driver.fake.hang()
        driver.fake.write()
        told, _ = await process.communicate(b"\n")
    finally:
        if process.returncode is None:
            process.kill()

    assert found.split() == [gpu.uuid.encode() for gpu in driver.fake.gpus]
    assert told.split() == [b"hung"]
    assert process.returncode == 0

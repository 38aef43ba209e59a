"""GPUs, or all of NVML, that fail or hang: what fails is missing, and nothing else is."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from pd_exporter.nvml.device import GpuReading, Reason
from pd_exporter.nvml.fatal import LASTING_SECONDS
from pd_exporter.nvml.gpus import NvmlGpus, open_gpus
from tests.fake_nvml import FakeNvml
from tests.servers import until

V2 = "nvmlDeviceGetMemoryInfo_v2"
INIT = "nvmlInitWithFlags"
SICK = 3
"""Index of the GPU that something is wrong with."""


class Driver:
    """A library with eight GPUs, a clock that is set, and what was said to be the end."""

    def __init__(self, folder: Path) -> None:
        self.fake = FakeNvml(folder, gpus=8)
        self.now = 0.0
        self.fatal: list[str] = []

    def open(
        self, *, refresh: float = 600, hung: float = 30
    ) -> AbstractAsyncContextManager[NvmlGpus]:
        return open_gpus(
            library=str(self.fake.library),
            refresh_seconds=refresh,
            hung_seconds=hung,
            on_fatal=self.fatal.append,
            clock=lambda: self.now,
        )


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path / "nvml")
    yield driver
    driver.fake.heal()  # no test's thread may hang on into the next
    driver.fake.write()


async def read(gpus: NvmlGpus, seconds: float = 30) -> GpuReading:
    return await gpus.read((), asyncio.get_running_loop().time() + seconds)


def reasons(reading: GpuReading) -> list[Reason | None]:
    """Give what failed of each device: it, or its unit."""
    failures = [
        device.failure or next((unit.failure for unit in device.units), None)
        for device in reading.devices
    ]
    return [failure.reason if failure else None for failure in failures]


def used(reading: GpuReading) -> dict[str, int]:
    """Give the memory used of all units that were read."""
    return {
        unit.unit.uuid: unit.memory.used
        for device in reading.devices
        for unit in device.units
        if unit.memory is not None
    }


def truth(fake: FakeNvml, but: int | None = None) -> dict[str, int]:
    return {gpu.uuid: gpu.used for index, gpu in enumerate(fake.gpus) if index != but}


async def until_read(gpus: NvmlGpus, wanted: Callable[[GpuReading], bool], what: str) -> GpuReading:
    async def as_wanted() -> GpuReading | None:
        reading = await read(gpus)
        return reading if wanted(reading) else None

    return await until(as_wanted, what)


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


async def test_a_hung_gpu_costs_no_other_and_no_second_thread(driver: Driver) -> None:
    async with driver.open() as gpus:
        await read(gpus)
        threads = threading.active_count()
        driver.fake.hang(driver.fake.gpus[SICK], V2)
        driver.fake.write()
        first = await read(gpus, seconds=0.5)
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

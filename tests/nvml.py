"""What tests of NVML have in common: a driver with eight GPUs, readings of them, and the truth."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from pd_exporter.nvml.device import GpuReading, Reason, UnitReading
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


def open_fake(fake: FakeNvml, *, refresh: float = 600) -> AbstractAsyncContextManager[NvmlGpus]:
    """Read a library's GPUs, which are not enumerated of themselves unless they are to be."""
    return open_gpus(library=str(fake.library), refresh_seconds=refresh, on_fatal=pytest.fail)


async def read(gpus: NvmlGpus, processes_of: Iterable[str] = (), seconds: float = 30) -> GpuReading:
    deadline = asyncio.get_running_loop().time() + seconds
    return await gpus.read(frozenset(processes_of), deadline)


async def read_first(gpus: NvmlGpus, processes_of: Iterable[str] = ()) -> UnitReading:
    return (await read(gpus, processes_of)).devices[0].units[0]


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
    """Give the memory used by what the library says there is, one GPU aside."""
    return {
        uuid: used
        for index, gpu in enumerate(fake.gpus)
        for uuid, used in (
            [(instance.compute[0].uuid, instance.used) for instance in gpu.instances]
            if gpu.mig
            else [(gpu.uuid, gpu.used)]
        )
        if index != but
    }


async def until_read(gpus: NvmlGpus, wanted: Callable[[GpuReading], bool], what: str) -> GpuReading:
    async def as_wanted() -> GpuReading | None:
        reading = await read(gpus)
        return reading if wanted(reading) else None

    return await until(as_wanted, what)

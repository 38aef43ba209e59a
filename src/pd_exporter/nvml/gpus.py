"""GPUs through NVML: each read on its own, so that none costs the others."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Container, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from pd_exporter.background import in_background
from pd_exporter.nvml.device import Device, DeviceReading, Failure, GpuReading, Reason, Unit
from pd_exporter.nvml.enumeration import Enumeration, Known
from pd_exporter.nvml.errors import Code, failure_of
from pd_exporter.nvml.fatal import Fatal
from pd_exporter.nvml.inventory import OpenDevice
from pd_exporter.nvml.library import Library
from pd_exporter.nvml.readings import Answer, read_device
from pd_exporter.nvml.worker import HUNG_SECONDS, answers

REFRESH_SECONDS = 10.0
"""Pause between two enumerations."""
FIRST_TOUCH_SECONDS = 5.0
"""How long an enumeration waits for a call; the first touch of a GPU may take seconds."""


class NvmlGpus:
    """Reads the node's GPUs; made by `open_gpus`."""

    def __init__(self, library: Library, enumeration: Enumeration, fatal: Fatal) -> None:
        self._library = library
        self._enumeration = enumeration
        self._fatal = fatal

    @property
    def backend(self) -> str:
        """Where readings come from."""
        return "nvml"

    async def first(self) -> None:
        """Return once the devices have been enumerated for the first time, well or not."""
        await self._enumeration.first.wait()

    def devices(self) -> Sequence[Device]:
        """Give the devices that are known now, without asking any of them."""
        return tuple(known.device for known in self._enumeration.known.values())

    async def read(self, processes_of: Container[str], deadline: float) -> GpuReading:
        """Read every device, each in a thread of its own.

        Args:
            processes_of: Uuids or aliases of the units whose processes are wanted too.
            deadline: By the event loop's clock. A device that has not answered by then, or within
                two seconds, is read as hung, and is not asked again before it has.
        """
        enumeration = self._enumeration
        try:
            async with asyncio.timeout_at(deadline):
                await enumeration.first.wait()
        except TimeoutError:
            return GpuReading("", failure=Failure(Reason.HUNG, "NVML has not listed the GPUs yet."))
        readings = {
            uuid: DeviceReading(known.device, failure=known.failure)
            for uuid, known in enumeration.known.items()
        }
        asked = [
            (known, known.opened)
            for known in enumeration.known.values()
            if known.opened is not None
        ]
        answered = await self._ask(asked, processes_of, deadline)
        for (_, opened), answer in zip(asked, answered, strict=True):
            readings[opened.device.uuid] = answer.reading
        failure = enumeration.failure or _wide(readings.values()) or enumeration.nameless
        return GpuReading(enumeration.driver, tuple(readings.values()), failure)

    async def _ask(
        self,
        asked: Sequence[tuple[Known, OpenDevice]],
        processes_of: Container[str],
        deadline: float,
    ) -> list[Answer]:
        """Read devices side by side, and see to what their answers ask for."""
        calls = [
            (
                known.worker,
                partial(read_device, self._library, opened, _wanted(opened, processes_of)),
            )
            for known, opened in asked
        ]
        initialisations = self._enumeration.initialisations
        seconds = min(deadline - asyncio.get_running_loop().time(), HUNG_SECONDS)
        outcomes = await answers(calls, seconds)
        if initialisations != self._enumeration.initialisations:
            # Handles may have led anywhere in between.
            failure = Failure(Reason.DRIVER, "NVML was initialised anew during the reading.")
            return [Answer(DeviceReading(opened.device, failure=failure)) for _, opened in asked]
        answered = [
            outcome
            if isinstance(outcome, Answer)
            else Answer(DeviceReading(opened.device, failure=failure_of(outcome)))
            for (_, opened), outcome in zip(asked, outcomes, strict=True)
        ]
        self._see_to(asked, answered)
        return answered

    def _see_to(self, asked: Sequence[tuple[Known, OpenDevice]], answered: list[Answer]) -> None:
        """Have enumerated anew what is not as it was, and end what cannot be mended."""
        for (known, _), answer in zip(asked, answered, strict=True):
            failure = answer.reading.failure
            reason = failure.reason if failure else None
            if Code.LIB_RM_VERSION_MISMATCH in answer.codes and failure:
                self._fatal.mismatch(failure.message)
            if reason is Reason.DRIVER:
                self._enumeration.distrust()
            changed = any(
                unit.failure and unit.failure.reason is Reason.CHANGED
                for unit in answer.reading.units
            )
            # A GPU that stays lost is not looked for at every scrape.
            if (
                changed
                or reason in {Reason.DRIVER, Reason.CHANGED}
                or (reason is Reason.LOST and not known.lost)
            ):
                self._enumeration.again()
            known.lost = reason is Reason.LOST
        if not answered:
            return
        if all(answer.only_unknown or _lost(answer) for answer in answered):
            self._enumeration.distrust()  # there is nothing to lose by a new start
        unread = len(self._enumeration.known) > len(answered) or self._enumeration.nameless
        unknown = not unread and all(answer.only_unknown for answer in answered)
        self._fatal.attempt("read", unknown=unknown)


def _wanted(opened: OpenDevice, processes_of: Container[str]) -> frozenset[Unit]:
    return frozenset(
        unit
        for unit in opened.device.units
        if any(uuid in processes_of for uuid in (unit.uuid, *unit.aliases))
    )


def _lost(answer: Answer) -> bool:
    failure = answer.reading.failure
    return failure is not None and failure.reason is Reason.LOST


def _wide(readings: Iterable[DeviceReading]) -> Failure | None:
    """Give what a device met that is not its own failure but the library's."""
    failures = (reading.failure for reading in readings)
    return next(
        (failure for failure in failures if failure and failure.reason is Reason.DRIVER), None
    )


@asynccontextmanager
async def open_gpus(
    *,
    library: str | None = None,
    refresh_seconds: float = REFRESH_SECONDS,
    hung_seconds: float = FIRST_TOUCH_SECONDS,
    on_fatal: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[NvmlGpus]:
    """Read GPUs while entered; at once, whatever state the driver is in.

    Args:
        library: Path of the NVML library; None for the one that the dynamic linker finds.
        refresh_seconds: Pause between two enumerations, and before a first new attempt to
            initialise NVML.
        hung_seconds: How long an enumeration waits for a call into the driver.
        on_fatal: Is told, once, that and why this process will not read GPUs any more: it has to
            end. Called in the event loop.
        clock: Seconds; tells how long NVML has said only "unknown error".
    """
    nvml = Library(library)
    fatal = Fatal(on_fatal, clock)
    enumeration = Enumeration(nvml, fatal, refresh_seconds, hung_seconds)
    try:
        async with in_background(enumeration.keep, "enumeration of GPUs"):
            yield NvmlGpus(nvml, enumeration, fatal)
    finally:
        await enumeration.close()

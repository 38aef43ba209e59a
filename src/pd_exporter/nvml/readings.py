"""One device, read: memory and processes of its units, and whether they still are its own."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import TypeVar

from pd_exporter.nvml.device import (
    DeviceReading,
    Failure,
    Memory,
    Process,
    Reason,
    Unit,
    UnitReading,
)
from pd_exporter.nvml.errors import Code, NvmlError, failure_of
from pd_exporter.nvml.inventory import OpenDevice, OpenUnit
from pd_exporter.nvml.library import Handle, Library
from pd_exporter.nvml.memory import ImplausibleMemoryError, counted

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Answer:
    """A device's reading, with the NVML codes of what was refused."""

    reading: DeviceReading
    codes: frozenset[int] = frozenset()

    @property
    def only_unknown(self) -> bool:
        """Whether the device said no more than "unknown error"."""
        read = any(unit.memory is not None for unit in self.reading.units)
        return self.codes == {Code.UNKNOWN} and not read


class _ChangedError(Exception):
    """A handle leads to another device than it did."""


def read_device(library: Library, opened: OpenDevice, processes_of: Container[Unit]) -> Answer:
    """Read a device's units, and processes of some; blocks.

    What is refused for one unit is that unit's failure, and the others are unharmed.
    """
    codes: set[int] = set()
    try:
        _verify_mode(library, opened)
        units = [
            _read_verified(library, opened, unit, codes, processes=unit.unit in processes_of)
            for unit in opened.units
        ]
        _verify_mode(library, opened)
    except NvmlError as error:
        reading = DeviceReading(opened.device, failure=failure_of(error))
        return Answer(reading, frozenset({error.code}))
    except _ChangedError as change:
        failure = Failure(Reason.CHANGED, str(change))
        return Answer(DeviceReading(opened.device, failure=failure))
    return Answer(DeviceReading(opened.device, tuple(units)), frozenset(codes))


def merged(lists: Iterable[Iterable[Process]]) -> tuple[Process, ...]:
    """Unite lists of processes by pid.

    One process in two lists is one and the same memory told twice: the larger number holds, and
    any number holds against none.
    """
    used: dict[int, int | None] = {}
    for processes in lists:
        for process in processes:
            known = [
                bytes_ for bytes_ in (used.get(process.pid), process.used) if bytes_ is not None
            ]
            used[process.pid] = max(known, default=None)
    return tuple(Process(pid, bytes_) for pid, bytes_ in sorted(used.items()))


def _read_verified(
    library: Library, opened: OpenDevice, unit: OpenUnit, codes: set[int], *, processes: bool
) -> UnitReading:
    """Read a unit whose handles lead to what they were opened for, before and after.

    A change between check and value would put one device's value on another. A MIG instance that is
    no longer there is no matter of its neighbours.

    Raises:
        NvmlError: It is about the device as a whole.
        _ChangedError: The device is another one.
    """
    try:
        _verify(library, unit)
        reading = _read_unit(library, opened, unit, codes, processes=processes)
        _verify(library, unit)
    except _ChangedError as change:
        if not opened.device.mig:
            raise
        return UnitReading(unit.unit, failure=Failure(Reason.CHANGED, str(change)))
    except NvmlError as error:
        if not opened.device.mig or error.reason is not Reason.CHANGED:
            raise
        codes.add(error.code)
        return UnitReading(unit.unit, failure=failure_of(error))
    return reading


def _verify(library: Library, unit: OpenUnit) -> None:
    """Check that the unit's handles lead to what they were opened for."""
    for uuid, handle in zip((unit.unit.uuid, *unit.unit.aliases), unit.handles, strict=True):
        found = library.uuid(handle)
        if found != uuid:
            raise _ChangedError(f"Where {uuid} was, NVML now has {found}.")


def _verify_mode(library: Library, opened: OpenDevice) -> None:
    """Check that MIG is as it was, and that the GPU is still the same one."""
    if opened.can_mig and library.mig_mode(opened.handle) != opened.device.mig:
        raise _ChangedError(f"MIG was turned {'off' if opened.device.mig else 'on'}.")


def _read_unit(
    library: Library, opened: OpenDevice, unit: OpenUnit, codes: set[int], *, processes: bool
) -> UnitReading:
    """Read a unit, and note the codes of what is refused.

    Raises:
        NvmlError: It is about the device as a whole.
    """
    failures: list[Failure] = []

    def attempt(read: Callable[[], _T]) -> _T | None:
        try:
            return read()
        except ImplausibleMemoryError as error:
            failures.append(Failure(Reason.UNKNOWN, f"{error}."))
        except NvmlError as error:
            if error.of_device:
                raise
            codes.add(error.code)
            failures.append(failure_of(error))
        return None

    memory = attempt(lambda: _memory(library, opened, unit.handles[0]))
    found = attempt(lambda: _processes(library, unit.handles)) if processes else None
    return UnitReading(unit.unit, memory, found, next(iter(failures), None))


def _memory(library: Library, opened: OpenDevice, handle: Handle) -> Memory:
    if opened.tells_reserved:
        try:
            return counted(library.memory_v2(handle))
        except NvmlError as error:
            if error.reason is not Reason.UNSUPPORTED:
                raise
            opened.tells_reserved = False
    return counted(library.memory(handle))


def _processes(library: Library, handles: Iterable[Handle]) -> tuple[Process, ...]:
    lists = []
    for handle in handles:
        lists.append(library.compute_processes(handle))
        try:
            lists.append(library.mps_processes(handle))
        except NvmlError as error:
            if error.reason is not Reason.UNSUPPORTED:
                raise  # where there is no MPS, nothing is missing without its list
    return merged(lists)

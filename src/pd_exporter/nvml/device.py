"""GPUs in the exporter's words: devices, their units of memory, and what was read of them.

A unit is what has memory of its own and can be held by a container: a whole GPU, or, where MIG is
on, each of its GPU instances. Memory is in bytes.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Reason(StrEnum):
    """Why a device, or the whole library, was not read; the values are label values."""

    LOST = "lost"
    """The GPU fell off the bus, was removed, or needs a reset."""
    UNSUPPORTED = "unsupported"
    """The device does not tell what was asked for, as GB10 does not tell its memory."""
    NO_PERMISSION = "no_permission"
    HUNG = "hung"
    """A call into the driver has not come back."""
    CHANGED = "changed"
    """It is another device than it was: MIG was reconfigured, or indexes moved."""
    DRIVER = "driver"
    """Library-wide: no library, no driver, or one that has to be initialised anew."""
    UNKNOWN = "unknown"
    """NVML says no more than "unknown error", or something that nothing is known to be done for."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something was not read, with the driver's words for people."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a unit, in bytes.

    Attributes:
        total: All that the unit has.
        used: Allocated by processes. Without `reserved` where that is known; where it is not, what
            the driver keeps for itself is in here, as NVML's first memory call counts it.
        free: Free to be allocated.
        reserved: Kept by the driver and firmware; None where NVML does not tell it apart.
    """

    total: int
    used: int
    free: int
    reserved: int | None


@dataclass(frozen=True, slots=True)
class Process:
    """A process with a context on a unit.

    Attributes:
        pid: Process id, in the host's PID namespace only if the exporter is in it too.
        used: Bytes on that unit; None where NVML says that it is not available, which is not 0.
    """

    pid: int
    used: int | None


@dataclass(frozen=True, slots=True)
class Unit:
    """A whole GPU, or one MIG GPU instance with all of its compute instances.

    Attributes:
        uuid: `GPU-…`, or the `MIG-…` of the instance's first compute instance.
        aliases: Other uuids of the same memory: the instance's further compute instances.
        profile: MIG profile, such as `1g.10gb`; empty for a whole GPU.
        gpu_instance: NVML's id of the GPU instance on its device; None for a whole GPU.
        placement: First memory slice of the GPU instance; None where unknown and for a whole GPU.
    """

    uuid: str
    aliases: tuple[str, ...] = ()
    profile: str = ""
    gpu_instance: int | None = None
    placement: int | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """A physical GPU, as it was last enumerated.

    Attributes:
        uuid: `GPU-…`; what a device is known by.
        index: NVML's index, which is no identity: it moves when devices come and go.
        minor: N of /dev/nvidiaN; None where unknown.
        model: Product name.
        addressing: `none`, `hmm` or `ats`; empty where the driver does not tell. With `ats` the
            operating system owns the memory, and `used` may not fall when a process ends.
        mig: Whether MIG is on. The memory is then the units' alone.
        units: The GPU itself, or its MIG GPU instances, of which there may be none.
    """

    uuid: str
    index: int
    minor: int | None
    model: str
    addressing: str
    mig: bool
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class UnitReading:
    """What was read of one unit.

    Attributes:
        unit: Which one.
        memory: None where it could not be read; then there is a failure.
        processes: None where they were not asked for or could not be read.
        failure: Why memory or processes are not there, though asked for.
    """

    unit: Unit
    memory: Memory | None = None
    processes: tuple[Process, ...] | None = None
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """What was read of one device in one scrape; with a failure there are no units."""

    device: Device
    units: tuple[UnitReading, ...] = ()
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class GpuReading:
    """What was read of all GPUs of the node in one scrape.

    Attributes:
        driver: Driver version; empty where unknown.
        devices: One for each known device, read or not.
        failure: Why the library as a whole cannot be used, or why devices may be missing here: one
            that fails while it is enumerated for the first time has no uuid yet to be named by.
    """

    driver: str
    devices: tuple[DeviceReading, ...] = ()
    failure: Failure | None = None


class GpuSource(Protocol):
    """Where readings of GPUs come from: NVML, or a simulation."""

    @property
    def backend(self) -> str:
        """`nvml` or `simulated`."""

    async def first(self) -> None:
        """Return once the devices have been enumerated for the first time, well or not."""

    def devices(self) -> Sequence[Device]:
        """The devices that are known now, without asking any of them."""

    async def read(self, processes_of: Container[str], deadline: float) -> GpuReading:
        """Read every device, each on its own, before a deadline by the event loop's clock.

        Args:
            processes_of: Uuids of the units whose processes are wanted too.
            deadline: A device that has not answered by then is read as hung.
        """
        ...

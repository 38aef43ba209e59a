"""What a GPU is, and its handles."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from pd_exporter.nvml.device import Device, Reason, Unit
from pd_exporter.nvml.errors import Code, NvmlError
from pd_exporter.nvml.library import Handle, Library

_ADDRESSING = {0: "none", 1: "hmm", 2: "ats"}
# A compute instance with less than all engines of its GPU instance is named 1c.3g.40gb.
_PROFILE = re.compile(r" MIG (?:\d+c\.)?(\d+g\.\S+)$")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class OpenUnit:
    """A unit, with the handle of each of its uuids in their order."""

    unit: Unit
    handles: tuple[Handle, ...]


@dataclass(slots=True)
class OpenDevice:
    """A device with its handles, which are of one initialisation of NVML.

    Attributes:
        device: What it was when it was enumerated.
        handle: The GPU's own.
        units: Those of the device, in its order.
        can_mig: Whether MIG can be on at all.
        tells_reserved: Whether the second form of the memory call is worth a try.
    """

    device: Device
    handle: Handle
    units: tuple[OpenUnit, ...]
    can_mig: bool
    tells_reserved: bool = True


def open_device(library: Library, index: int) -> OpenDevice:
    """Learn what a GPU is; blocks.

    Raises:
        NvmlError: It cannot be opened, or its units cannot be told. What only describes it may be
            refused.
    """
    handle = library.by_index(index)
    uuid = library.uuid(handle)
    mig = _mig_mode(library, handle)
    units = tuple(_instances(library, handle)) if mig else (OpenUnit(Unit(uuid), (handle,)),)
    names = [
        uuid,
        *(name for each in units if mig for name in (each.unit.uuid, *each.unit.aliases)),
    ]
    if not all(names) or len(set(names)) != len(names):
        raise NvmlError(Code.UNKNOWN, "nvmlDeviceGetUUID", f"empty or not unique: {names}")
    addressing = told(lambda: library.addressing(handle))
    device = Device(
        uuid=uuid,
        index=index,
        minor=told(lambda: library.minor(handle)),
        model=told(lambda: library.name(handle)) or "",
        addressing="" if addressing is None else _ADDRESSING.get(addressing, ""),
        mig=bool(mig),
        units=tuple(opened.unit for opened in units),
    )
    return OpenDevice(device, handle, units, can_mig=mig is not None)


def _mig_mode(library: Library, handle: Handle) -> bool | None:
    """Whether MIG is on, or None where the GPU has none.

    Any other answer is no answer: to take MIG for off would be to take the sum of all instances,
    or what little the driver tells of it, for the memory of one owner.
    """
    try:
        return library.mig_mode(handle)
    except NvmlError as error:
        if error.reason is not Reason.UNSUPPORTED:
            raise
        return None


def _instances(library: Library, gpu: Handle) -> Iterator[OpenUnit]:
    """Give the GPU instances; one without compute instances has no name and holds nothing."""
    found = sorted(
        (
            (library.gpu_instance_id(mig), library.compute_instance_id(mig), mig)
            for mig in _migs(library, gpu)
        ),
        key=itemgetter(0, 1),
    )
    for gpu_instance, compute in groupby(found, key=itemgetter(0)):
        handles = tuple(mig for _, _, mig in compute)
        first, *others = (library.uuid(mig) for mig in handles)
        unit = Unit(
            uuid=first,
            aliases=tuple(others),
            profile=_profile(library, handles[0]),
            gpu_instance=gpu_instance,
            placement=_placement(library, gpu, gpu_instance),
        )
        yield OpenUnit(unit, handles)


def _migs(library: Library, gpu: Handle) -> Iterator[Handle]:
    for place in range(library.mig_limit(gpu)):
        try:
            yield library.mig_by_index(gpu, place)
        except NvmlError as error:
            # Places stay empty where instances went, so the first empty one is not the end.
            if error.code not in {Code.NOT_FOUND, Code.INVALID_ARGUMENT}:
                raise


def _profile(library: Library, mig: Handle) -> str:
    """Name a MIG profile as NVIDIA does, by slices and GB of memory."""
    name = _PROFILE.search(told(lambda: library.name(mig)) or "")
    if name is not None:
        return name.group(1)
    attributes = told(lambda: library.attributes(mig))
    if attributes is None:
        return ""
    # The GB are those of the GPU's memory chips, of which the driver keeps a little.
    return f"{attributes.slices}g.{math.ceil(attributes.memory_mib / 1024)}gb"


def _placement(library: Library, gpu: Handle, gpu_instance: int) -> int | None:
    return told(lambda: library.placement(gpu, gpu_instance))


def told(call: Callable[[], _T]) -> _T | None:
    """Give what the driver tells to describe a device, or None where it does not tell that."""
    try:
        return call()
    except NvmlError as error:
        if error.reason in {Reason.LOST, Reason.DRIVER}:
            raise
        return None
    except UnicodeDecodeError:  # pynvml decodes what the driver calls a device
        return None

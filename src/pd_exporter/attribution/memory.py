"""Whose memory it is: from allocations, pods and processes to the memory of a pod on a GPU.

All here is pure. A pod that alone holds a unit has all of the unit's memory. Where several hold it,
their processes tell, if they are known and plausible; otherwise nobody's memory is told.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pd_exporter.attribution.holdings import Holding, Holdings, PodKey
from pd_exporter.kubelet.cgroups import NotInPod, PodProcess
from pd_exporter.nvml.device import GpuReading, Memory, Process, Unit, UnitReading

BUSY_TOLERANCE = 0.02
"""Share of a unit's memory by which processes may exceed what the unit says is used."""
UNSEEN_SHARE = 0.5
"""Share of the used memory that may be of no process before the processes are disbelieved."""
OVERHEAD_BYTES = 1 << 30
"""Used memory below which no process need be seen: contexts, and what v1 does not tell apart."""


class Attribution(StrEnum):
    """How a pod's memory on a unit is told; the values are label values."""

    DEVICE = "device"
    PROCESS = "process"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PodUse:
    """A pod on a unit.

    Attributes:
        unit: Which unit.
        holding: Which pod, and by what it holds the unit.
        attribution: How its memory is told, whether or not it could be told this time.
        used: Bytes; None where they cannot be told.
        limit: Bytes that it may use; None where the unit's memory was not read.
    """

    unit: Unit
    holding: Holding
    attribution: Attribution
    used: int | None
    limit: int | None


@dataclass(frozen=True, slots=True)
class Attributed:
    """Whose the memory is.

    Attributes:
        by_pod: What each pod uses, unit by unit, by the pod's namespace and name.
        implausible: Why the processes of a unit could not be believed, by the unit's uuid.
    """

    by_pod: Mapping[PodKey, Sequence[PodUse]]
    implausible: Mapping[str, str]


class ImplausibleError(ValueError):
    """What the processes tell cannot be the truth about the unit; the message says why."""


def attribute(
    reading: GpuReading,
    holdings: Holdings,
    processes: Mapping[int, PodProcess | NotInPod] | None,
) -> Attributed:
    """Tell the memory of every pod on every unit.

    Args:
        reading: What was read; of shared units with their processes.
        holdings: Who holds what.
        processes: Where each process belongs; None where the exporter cannot know.
    """
    by_pod: dict[PodKey, list[PodUse]] = defaultdict(list)
    implausible = {}
    for device in reading.devices:
        read = {each.unit.uuid: each for each in device.units}
        for unit in device.device.units:
            of_unit = read.get(unit.uuid, UnitReading(unit))
            holders = holdings.by_unit.get(unit.uuid, ())
            how, used = Attribution.DEVICE, {each.uid: _used(of_unit) for each in holders}
            if holdings.is_shared(unit.uuid) or _has_strangers(of_unit, processes, holders):
                how, used = Attribution.NONE, {}
                if processes is not None:
                    how = Attribution.PROCESS
                    try:
                        used = _sums(of_unit, processes, holders)
                    except ImplausibleError as error:
                        implausible[unit.uuid] = str(error)
            for holder in holders:
                limit = holder.limit(of_unit.memory.total) if of_unit.memory else None
                use = PodUse(unit, holder, how, used.get(holder.uid), limit)
                by_pod[holder.namespace, holder.name].append(use)
    return Attributed(by_pod, implausible)


def _used(reading: UnitReading) -> int | None:
    return reading.memory.used if reading.memory else None


def _sums(
    reading: UnitReading,
    processes: Mapping[int, PodProcess | NotInPod],
    holders: Sequence[Holding],
) -> dict[str, int | None]:
    """Sum each pod's processes, by the pod's uid.

    None for a pod with a process whose memory is not available; empty where nothing was read.

    Raises:
        ImplausibleError: The sums cannot be the truth.
    """
    if reading.memory is None or reading.processes is None:
        return {}
    _check(reading.memory, reading.processes, processes)
    sums: dict[str, int | None] = {}
    for process in reading.processes:
        place = processes[process.pid]
        if isinstance(place, PodProcess):
            before = sums.get(place.pod_uid, 0)
            # A context takes memory: a process that has none does not tell it.
            known = before is not None and bool(process.used)
            sums[place.pod_uid] = (before or 0) + (process.used or 0) if known else None
    told = sum(process.used or 0 for process in reading.processes)
    if (
        all(process.used for process in reading.processes)
        and told + OVERHEAD_BYTES >= reading.memory.used
        and not _has_strangers(reading, processes, holders)
    ):  # only where all that is in use is somebody's, is nothing the truth about the others
        for holder in holders:
            sums.setdefault(holder.uid, 0)
    return {each.uid: sums.get(each.uid) for each in holders if each.uid}


def _has_strangers(
    reading: UnitReading,
    processes: Mapping[int, PodProcess | NotInPod] | None,
    holders: Sequence[Holding],
) -> bool:
    """Whether there are processes of pods that are not known to hold the unit.

    They may also be those of a holder that was made anew under its name, or whose uid nobody told.
    """
    if processes is None or reading.processes is None:
        return False
    places = (processes[process.pid] for process in reading.processes)
    found = {place.pod_uid for place in places if isinstance(place, PodProcess)}
    nameless = sum(not each.uid for each in holders)
    return len(found - {each.uid for each in holders}) > nameless


def _check(
    memory: Memory,
    found: Sequence[Process],
    processes: Mapping[int, PodProcess | NotInPod],
) -> None:
    """Hold what processes have against what the unit says is used.

    Drivers in another PID namespace than the exporter tell processes without their memory, or none
    at all; then the sum is far below what is used.
    """
    for process in found:
        if processes[process.pid] is NotInPod.UNREADABLE:
            raise ImplausibleError(f"it cannot be read which pod process {process.pid} is of")
    if found and all(processes[process.pid] is NotInPod.GONE for process in found):
        raise ImplausibleError("none of its processes is in the exporter's PID namespace")
    seen = sum(process.used or 0 for process in found)
    if seen > memory.used + BUSY_TOLERANCE * memory.total:
        raise ImplausibleError(f"its processes have {seen} of {memory.used} bytes in use")
    complete = all(process.used is not None for process in found)
    unseen = memory.used - seen - OVERHEAD_BYTES
    if complete and unseen > UNSEEN_SHARE * memory.used:
        raise ImplausibleError(f"its processes have but {seen} of {memory.used} bytes in use")

"""One scrape of a node's GPUs: who holds them, how full they are, whose the memory is."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pd_exporter.attribution.holdings import SETTLE_SECONDS, PodKey, find_holdings
from pd_exporter.attribution.memory import Attributed, attribute
from pd_exporter.catalogue import gpu as gpu_metrics
from pd_exporter.collectors.gpu.problems import ERROR_REASONS, IMPLAUSIBLE, implausible_problem
from pd_exporter.collectors.gpu.readings import (
    NOBODY,
    DeviceReadings,
    kubelet_reading,
    kubernetes_reading,
    library_reading,
    pod_reading,
)
from pd_exporter.identity import Identity, identify
from pd_exporter.known import Source
from pd_exporter.kube.pod import Pod
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.cgroups import NotInPod, PodProcess, ProcessTable
from pd_exporter.nvml.device import DeviceReading, GpuReading, GpuSource
from pd_exporter.reading import Problem, Reading

FIRST_SHARE = 0.5
"""Share of the first scrape's time to wait for sources that have not yet tried to learn."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is collected, and under which names.

    Attributes:
        node: The node's name.
        aliases: Other names of roles.
        all_pods: Whether pods without a role have series too.
        simulated: Whether the pods are a simulation's, and to be marked so.
        settle_seconds: How long after a pod is there the kubelet may not tell of it yet.
    """

    node: str
    aliases: Mapping[str, str]
    all_pods: bool = False
    simulated: bool = False
    settle_seconds: float = SETTLE_SECONDS


class GpuCollector:
    """Reads the GPUs of a node, and tells whose the memory is.

    Args:
        scope: What to collect.
        gpus: Where GPUs are read.
        allocations: Which container holds which device.
        pods: The pods of the node.
        processes: Tells the pods of processes; None where the exporter cannot know.
    """

    name = "gpu"
    metrics = gpu_metrics.ALL

    def __init__(
        self,
        scope: Scope,
        gpus: GpuSource,
        allocations: Source[Sequence[Allocation]],
        pods: Source[Mapping[PodKey, Pod]],
        processes: ProcessTable | None,
    ) -> None:
        self._scope = scope
        self._gpus = gpus
        self._allocations = allocations
        self._pods = pods
        self._processes = processes
        self._begun = False
        self._errors: dict[str, dict[str, int]] = {}

    async def collect(self, deadline: float) -> Sequence[Reading]:
        """Read all GPUs before the deadline, by the event loop's clock."""
        await self._first(deadline)
        allocations, pods = self._allocations.known(), self._pods.known()
        settle = self._scope.settle_seconds
        devices = list(self._gpus.devices())
        holdings = find_holdings(allocations, pods, devices, settle)
        wanted = holdings.divisible() if self._processes else frozenset[str]()
        reading = await self._gpus.read(wanted, deadline)
        if (read := [each.device for each in reading.devices]) != devices:
            # Some have come, gone or changed since.
            holdings = find_holdings(allocations, pods, read, settle)
        processes = self._look_up(reading)
        attributed = attribute(reading, holdings, processes)
        counts = None
        if allocations.value is not None:
            counts = {uuid: len(holders) for uuid, holders in holdings.by_unit.items()}
        return [
            library_reading(
                self._scope.node, self._gpus.backend, reading, processes=processes is not None
            ),
            kubelet_reading(
                self._scope.node, allocations, holdings, simulated=self._scope.simulated
            ),
            kubernetes_reading(self._scope.node, pods, holdings, simulated=self._scope.simulated),
            *self._of_devices(reading, attributed, counts),
            *self._of_pods(attributed),
        ]

    async def _first(self, deadline: float) -> None:
        """Give sources that have just begun some time, or the first page would lack labels.

        A pod's series that begins without its role and goes on with it is two series.
        """
        if self._begun:
            return
        now = asyncio.get_running_loop().time()
        sources = (self._gpus, self._allocations, self._pods)
        with suppress(TimeoutError):
            async with asyncio.timeout((deadline - now) * FIRST_SHARE):
                await asyncio.gather(*(source.first() for source in sources))
        self._begun = True

    def _look_up(self, reading: GpuReading) -> Mapping[int, PodProcess | NotInPod] | None:
        """Find the pods of all processes that were asked for, at once: see `ProcessTable`."""
        if self._processes is None:
            return None
        units = (unit for device in reading.devices for unit in device.units)
        return self._processes.lookup(
            process.pid for unit in units for process in unit.processes or ()
        )

    def _of_devices(
        self, reading: GpuReading, attributed: Attributed, counts: Mapping[str, int] | None
    ) -> Iterator[Reading]:
        """Give the devices' readings, and count what failed."""
        for device in reading.devices:
            uuid = device.device.uuid
            errors = self._errors.setdefault(uuid, dict.fromkeys(ERROR_REASONS, 0))
            for reason in _failed(device, attributed):
                errors[reason] += 1
            readings = DeviceReadings(self._scope.node, self._gpus.backend, reading.driver, device)
            yield readings.device(errors, _disbelieved(device, attributed), counts)
            yield from readings.instances(counts)

    def _of_pods(self, attributed: Attributed) -> Iterator[Reading]:
        for uses in attributed.by_pod.values():
            identity = self._identity(uses[0].holding.pod)
            if identity is not None:
                yield pod_reading(self._scope.node, uses, identity, simulated=self._scope.simulated)

    def _identity(self, pod: Pod | None) -> Identity | None:
        """Give a pod's labels; None for a pod that is to have no series."""
        if pod is None:
            return NOBODY  # who it is will be known when the Kubernetes API is back
        return identify(pod, self._scope.aliases) or (NOBODY if self._scope.all_pods else None)


def _failed(device: DeviceReading, attributed: Attributed) -> Iterator[str]:
    """Give a reason for each thing of a device that could not be read."""
    if device.failure:
        yield device.failure.reason.value
    for unit in device.units:
        if unit.failure:
            yield unit.failure.reason.value
        if unit.unit.uuid in attributed.implausible:
            yield IMPLAUSIBLE


def _disbelieved(device: DeviceReading, attributed: Attributed) -> Problem | None:
    for unit in device.device.units:
        if why := attributed.implausible.get(unit.uuid):
            return implausible_problem(why)
    return None

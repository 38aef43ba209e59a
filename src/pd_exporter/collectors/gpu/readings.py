"""Readings of GPUs, of pods, and of what tells which pod is where, as samples."""

from collections.abc import Iterator, Mapping, Sequence

from pd_exporter.attribution.holdings import Holdings, Unresolved
from pd_exporter.attribution.memory import PodUse
from pd_exporter.catalogue import gpu as gpu_metrics
from pd_exporter.collectors.gpu.problems import (
    NOT_YET,
    absent_problem,
    failure_problem,
    unresolved_problem,
)
from pd_exporter.identity import Identity
from pd_exporter.known import Known
from pd_exporter.nvml.device import DeviceReading, Failure, GpuReading, Reason, Unit, UnitReading
from pd_exporter.reading import Problem, Reading
from pd_exporter.samples import Sample

NVML = "nvml"
"""Backend of real GPUs."""

NOBODY = Identity(group="", role="", role_instance="")
"""Labels of a pod that has no role, or whose role is not known."""


def library_reading(node: str, backend: str, reading: GpuReading, *, processes: bool) -> Reading:
    """Tell how the library as a whole did, and whether processes can be told apart."""
    failure = reading.failure
    problem = failure_problem(failure) if failure else None
    samples = [gpu_metrics.SOURCE_UP.sample(processes, {"node": node, "source": "processes"})]
    details = {"node": node, "driver": reading.driver}
    if backend != NVML:
        if failure:
            problem = Problem("file", failure.message, "Write the file anew.")
        return Reading("simulated GPUs", samples, problem, details)
    read = any(device.failure is None for device in reading.devices)
    up = failure is None or (read and failure.reason is not Reason.DRIVER)
    samples.insert(0, gpu_metrics.NVML_UP.sample(up, {"node": node}))
    return Reading("NVML", samples, problem, details)


def kubelet_reading(
    node: str, known: Known[object], holdings: Holdings, *, simulated: bool
) -> Reading:
    """Tell whether the kubelet's allocations are known, and which of them name no GPU."""
    samples = list(_source(node, "kubelet", known))
    if known.value is not None:
        for reason in Unresolved:
            count = len(holdings.unresolved.get(reason, ()))
            samples.append(gpu_metrics.UNRESOLVED.sample(count, {"node": node, "reason": reason}))
    problem = _not_known(known) or unresolved_problem(holdings.unresolved)
    return Reading(_marked("kubelet", simulated=simulated), samples, problem, {"node": node})


def kubernetes_reading(
    node: str, known: Known[object], holdings: Holdings, *, simulated: bool
) -> Reading:
    """Tell whether the Kubernetes API tells the node's pods, those that hold GPUs included."""
    problem = _not_known(known)
    if problem is None and holdings.absent and not holdings.by_unit:
        problem = absent_problem(node, holdings.absent)
    samples = list(_source(node, "kubernetes", known))
    return Reading(_marked("Kubernetes API", simulated=simulated), samples, problem, {"node": node})


def _not_known(known: Known[object]) -> Problem | None:
    return known.problem or (NOT_YET if known.value is None else None)


def _marked(subject: str, *, simulated: bool) -> str:
    """Name a subject so that nobody takes a simulated one for real."""
    return f"{subject} (simulated)" if simulated else subject


def _source(node: str, source: str, known: Known[object]) -> Iterator[Sample]:
    labels = {"node": node, "source": source}
    up = known.value is not None and known.problem is None
    yield gpu_metrics.SOURCE_UP.sample(up, labels)
    if known.at is not None:
        yield gpu_metrics.SOURCE_REFRESHED.sample(known.at, labels)


class DeviceReadings:
    """Gives the readings of one device: its own, and under MIG one for each GPU instance."""

    def __init__(self, node: str, backend: str, driver: str, reading: DeviceReading) -> None:
        self._node = node
        self._device = reading.device
        self._reading = reading
        self._name = _marked(f"GPU {reading.device.index}", simulated=backend != NVML)
        self._facts = {"driver": driver, "backend": backend}

    def device(
        self, errors: Mapping[str, int], problem: Problem | None, pods: Mapping[str, int] | None
    ) -> Reading:
        """Give the device's own reading.

        Args:
            errors: Failed readings so far, by reason.
            problem: What is wrong beside what failed in the reading.
            pods: How many pods hold each unit; None where nobody knows.
        """
        device = self._device
        labels = {"node": self._node, "uuid": device.uuid}
        samples = []
        if device.mig:
            up = self._reading.failure is None
            samples.append(gpu_metrics.UP.sample(up, labels))
            samples.append(self._info(device.uuid, ""))
        else:
            samples += self._unit(device.units[0], pods)
        for reason, count in errors.items():
            samples.append(gpu_metrics.ERRORS.sample(count, labels | {"reason": reason}))
        failure = self._reading.failure
        if failure is None and not device.mig:
            failure = self._failure(device.units[0])
        return Reading(
            subject=self._name,
            details={"uuid": device.uuid, "model": device.model},
            samples=samples,
            problem=failure_problem(failure) if failure else problem,
        )

    def instances(self, pods: Mapping[str, int] | None) -> Iterator[Reading]:
        """Give the readings of the device's MIG GPU instances."""
        if not self._device.mig:
            return
        for unit in self._device.units:
            failure = self._failure(unit)
            yield Reading(
                subject=f"{self._name} MIG {unit.gpu_instance} {unit.profile}",
                details={"uuid": unit.uuid},
                samples=list(self._unit(unit, pods)),
                problem=failure_problem(failure) if failure else None,
            )

    def _read(self, unit: Unit) -> UnitReading | None:
        return next((each for each in self._reading.units if each.unit.uuid == unit.uuid), None)

    def _failure(self, unit: Unit) -> Failure | None:
        reading = self._read(unit)
        return reading.failure if reading else None

    def _unit(self, unit: Unit, pods: Mapping[str, int] | None) -> Iterator[Sample]:
        labels = {"node": self._node, "uuid": unit.uuid}
        reading = self._read(unit)
        memory = reading.memory if reading else None
        yield gpu_metrics.UP.sample(memory is not None, labels)
        if memory is not None:
            yield gpu_metrics.MEMORY_USED.sample(memory.used, labels)
            yield gpu_metrics.MEMORY_TOTAL.sample(memory.total, labels)
            if memory.reserved is not None:
                yield gpu_metrics.MEMORY_RESERVED.sample(memory.reserved, labels)
        if pods is not None:
            yield gpu_metrics.PODS.sample(pods.get(unit.uuid, 0), labels)
        yield self._info(unit.uuid, unit.profile)

    def _info(self, uuid: str, profile: str) -> Sample:
        device = self._device
        own = {
            "node": self._node,
            "uuid": uuid,
            "parent_uuid": device.uuid if uuid != device.uuid else "",
            "index": str(device.index),
            "minor": "" if device.minor is None else str(device.minor),
            "model": device.model,
            "mig": "on" if device.mig else "off",
            "mig_profile": profile,
            "addressing": device.addressing,
        }
        return gpu_metrics.INFO.sample(1, own | self._facts)


def pod_reading(
    node: str, uses: Sequence[PodUse], identity: Identity, *, simulated: bool
) -> Reading:
    """Tell the memory of one pod on the units that it holds, one after another."""
    samples: list[Sample] = []
    for use in uses:
        holding = use.holding
        labels = {
            "namespace": holding.namespace,
            "group": identity.group,
            "role": identity.role,
            "pod": holding.name,
            "container": holding.container,
            "role_instance": identity.role_instance,
            "node": node,
            "uuid": use.unit.uuid,
        }
        if use.used is not None:
            samples.append(gpu_metrics.POD_MEMORY_USED.sample(use.used, labels))
        if use.limit is not None:
            samples.append(gpu_metrics.POD_MEMORY_LIMIT.sample(use.limit, labels))
        how = {"resource": holding.resource, "attribution": use.attribution.value}
        samples.append(gpu_metrics.POD_INFO.sample(1, labels | how))
    holding = uses[0].holding
    details = {"group": identity.group, "role": identity.role}
    subject = _marked(f"{holding.namespace}/{holding.name}", simulated=simulated)
    return Reading(subject, samples, details=details)

"""GPUs and pods from a file, for machines that have none: marked as simulated wherever they show.

The file is JSON and read anew at every scrape, so whoever writes it (by renaming a whole new file
over it) moves the memory. Without `gpus`, when the exporter starts, the pods are simulated and the
GPUs are NVML's.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pd_exporter.known import Known
from pd_exporter.kube.pod import Pod
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.nvml.device import (
    Device,
    DeviceReading,
    Failure,
    GpuReading,
    Memory,
    Reason,
    Unit,
    UnitReading,
)
from pd_exporter.reading import Problem


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SimulatedGpu(_Part):
    """A GPU; memory in bytes."""

    uuid: str = Field(min_length=1)
    model: str
    total: int = Field(gt=0)
    used: int = Field(ge=0)
    reserved: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.used + self.reserved > self.total:
            raise ValueError("more is used and reserved than there is")
        return self


class SimulatedPod(_Part):
    """A pod with one container, and the ids of the devices that it holds.

    They may have any form that the kubelet gives: a uuid, or as on GKE `nvidia0` for minor 0.
    """

    namespace: str
    name: str = Field(min_length=1)
    container: str
    labels: Mapping[str, str]
    devices: tuple[str, ...] = ()


class SimulatedNode(_Part):
    """All that the file says; GPUs are numbered in their order."""

    gpus: tuple[SimulatedGpu, ...] = ()
    pods: tuple[SimulatedPod, ...] = ()

    @model_validator(mode="after")
    def _are_told_apart(self) -> Self:
        uuids = [gpu.uuid for gpu in self.gpus]
        names = [f"{pod.namespace}/{pod.name}" for pod in self.pods]
        twice = [name for name, times in Counter(uuids + names).items() if times > 1]
        if twice:
            raise ValueError(f"there is more than one {twice[0]}")
        return self


class Simulation:
    """Reads the file for all who ask; satisfies `GpuSource` with the file's GPUs."""

    backend = "simulated"

    def __init__(self, path: Path) -> None:
        self._path = path

    def read_file(self) -> SimulatedNode:
        """Read the file.

        Raises:
            OSError: It cannot be read.
            ValidationError: It is not what `SimulatedNode` says.
        """
        return SimulatedNode.model_validate_json(self._path.read_bytes())

    def has_gpus(self) -> bool:
        """Whether the file has GPUs of its own, or is about pods on real ones."""
        known = self._known()
        return known.value is None or bool(known.value.gpus)

    async def first(self) -> None:
        """Return at once: a file is there or not."""

    def devices(self) -> Sequence[Device]:
        """The GPUs of the file; none where it cannot be read."""
        try:
            node = self.read_file()
        except (OSError, ValidationError):
            return ()
        return tuple(_device(index, gpu) for index, gpu in enumerate(node.gpus))

    async def read(self, processes_of: Container[str], deadline: float) -> GpuReading:  # noqa: ARG002  a file needs no time, and has no processes
        """Read the memory that the file says."""
        try:
            node = self.read_file()
        except (OSError, ValidationError) as error:
            return GpuReading("", failure=Failure(Reason.DRIVER, self._why(error)))
        return GpuReading(
            "simulated",
            tuple(_reading(_device(index, gpu), gpu) for index, gpu in enumerate(node.gpus)),
        )

    def pods(self) -> Known[Mapping[tuple[str, str], Pod]]:
        """The pods of the file, with their labels."""
        node = self._known()
        if node.value is None:
            return Known(problem=node.problem)
        return Known(
            {
                (pod.namespace, pod.name): Pod(
                    namespace=pod.namespace,
                    name=pod.name,
                    uid=f"simulated-{pod.namespace}-{pod.name}",
                    labels=pod.labels,
                    annotations={},
                )
                for pod in node.value.pods
            }
        )

    def allocations(self) -> Known[tuple[Allocation, ...]]:
        """What the pods of the file hold."""
        node = self._known()
        if node.value is None:
            return Known(problem=node.problem)
        return Known(
            tuple(
                Allocation(pod.namespace, pod.name, pod.container, "nvidia.com/gpu", device)
                for pod in node.value.pods
                for device in pod.devices
            )
        )

    def _known(self) -> Known[SimulatedNode]:
        try:
            return Known(self.read_file())
        except (OSError, ValidationError) as error:
            return Known(problem=Problem("file", self._why(error), "Write it anew."))

    def _why(self, error: OSError | ValidationError) -> str:
        why = str(error.strerror or error) if isinstance(error, OSError) else _first_mistake(error)
        return f"The simulation's file {self._path} cannot be read: {why}."


def _first_mistake(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in details["loc"])
    return f"{path}: {details['msg']}" if path else details["msg"]


def _device(index: int, gpu: SimulatedGpu) -> Device:
    return Device(
        uuid=gpu.uuid,
        index=index,
        minor=index,
        model=gpu.model,
        addressing="",
        mig=False,
        units=(Unit(gpu.uuid),),
    )


def _reading(device: Device, gpu: SimulatedGpu) -> DeviceReading:
    free = gpu.total - gpu.used - gpu.reserved
    memory = Memory(total=gpu.total, used=gpu.used, free=free, reserved=gpu.reserved)
    return DeviceReading(device, (UnitReading(device.units[0], memory),))

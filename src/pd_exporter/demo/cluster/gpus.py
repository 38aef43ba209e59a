"""The GPUs that the pods hold, in a file.

The exporter reads the file instead of asking a kubelet, and NVML where it has no GPU: then it also
has those of the pods, with the memory that the workload gives them.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pd_exporter.demo.cluster.pods import GroupPod, RoleBasedGroup
from pd_exporter.demo.plan import LOADING_REPLICAS, NAMESPACE, ROLE, ROLES
from pd_exporter.demo.service.decode import Decoding
from pd_exporter.demo.service.engines import (
    GPU_RESERVED,
    GPU_TOTAL,
    POOL,
    decode_memory,
    loading_memory,
)
from pd_exporter.simulation import SimulatedGpu, SimulatedNode, SimulatedPod

MODEL = "Simulated 80 GB GPU"


class Gpus:
    """Writes the file.

    Args:
        path: Of the file.
        group: The pods.
        decoding: What Decode's memory follows.
        real: Device ids of this machine's GPUs; where there is none they are simulated.

    Attributes:
        simulated: Whether they are.
        kind: What they are, for people.
        pods: How many there are of both roles at first.
        held: How many of them have a GPU.
    """

    def __init__(
        self, path: Path, group: RoleBasedGroup, decoding: Decoding, real: Sequence[str]
    ) -> None:
        self.path = path
        self._group = group
        self._decoding = decoding
        self.simulated = not real
        self.kind = "simulated GPU" if self.simulated else "GPU"
        self.pods = len(self._holders())
        # Simulated ones are there from the start for those who come later.
        self._devices = real or [_uuid(index) for index in range(self.pods + LOADING_REPLICAS)]
        self.held = min(len(self._devices), self.pods)

    def write(self) -> Mapping[str, int]:
        """Write the file anew, and give the bytes that it says are used, by role.

        Nothing is said of real GPUs.
        """
        holders = self._holders()
        memory = [self._memory(pod) for pod in holders] if self.simulated else []
        node = SimulatedNode(
            gpus=tuple(map(_gpu, self._devices, memory + [0] * LOADING_REPLICAS)) if memory else (),
            pods=tuple(
                _pod(pod, self._devices[place : place + 1]) for place, pod in enumerate(holders)
            ),
        )
        beside = self.path.with_suffix(".new")
        beside.write_text(node.model_dump_json(indent=2, exclude_defaults=True), encoding="utf-8")
        beside.replace(self.path)
        return {
            role: sum(used for pod, used in zip(holders, memory, strict=True) if pod.role == role)
            for role in (ROLES if self.simulated else ())
        }

    def _holders(self) -> list[GroupPod]:
        """Give the pods in the order in which they have their GPUs.

        In turns, so that each role has one of two real GPUs, and Decode the only one; who comes
        later takes nobody's.
        """
        pods = [pod for pod in self._group.pods if pod.role in ROLES]
        return sorted(pods, key=lambda pod: (pod.loading, pod.index, pod.role))

    def _memory(self, pod: GroupPod) -> int:
        if pod.loading:
            return loading_memory(time.time() - pod.created)
        if pod.role == ROLE:
            return POOL
        return decode_memory(self._decoding.engines[pod.index].running)


def _gpu(uuid: str, used: int) -> SimulatedGpu:
    return SimulatedGpu(uuid=uuid, model=MODEL, total=GPU_TOTAL, used=used, reserved=GPU_RESERVED)


def _pod(pod: GroupPod, devices: Sequence[str]) -> SimulatedPod:
    return SimulatedPod(
        namespace=NAMESPACE,
        name=pod.name,
        container="engine",
        labels=pod.labels,
        devices=tuple(devices),
    )


def _uuid(index: int) -> str:
    return f"GPU-51000000-0000-4000-8000-{index:012x}"

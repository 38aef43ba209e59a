"""The GPU half of the demo: Prefill and Decode pods and the GPUs they hold, in a file.

The exporter reads the file instead of asking a kubelet and the Kubernetes API. On a machine without
GPUs it also has those of the pods, with the memory that the workload gives them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

from pd_exporter.demo.engines import GPU_RESERVED, GPU_TOTAL, POOL, decode_memory
from pd_exporter.demo.plan import DECODE_ROLE, GROUP, NAMESPACE, ROLE
from pd_exporter.simulation import SimulatedGpu, SimulatedNode, SimulatedPod

MODEL = "Simulated 80 GB GPU"

# What RoleBasedGroup's first examples call Decode; the exporter knows the alias.
_ROLE_NAMES = {ROLE: "prefill", DECODE_ROLE: "decoder"}
_LABELS = "rbg.workloads.x-k8s.io/"


class Gpus:
    """Writes the file.

    Args:
        path: Of the file.
        prefill: How many Prefill pods there are.
        sequences: Counts the sequences on each Decode pod.
        real: Device ids of this machine's GPUs; where there is none they are simulated.

    Attributes:
        simulated: Whether they are.
        kind: What they are, for people.
        pods: How many there are of both roles.
        held: How many of them have a GPU.
    """

    def __init__(
        self, path: Path, prefill: int, sequences: Callable[[], Sequence[int]], real: Sequence[str]
    ) -> None:
        self.path = path
        self._sequences = sequences
        decode = len(sequences())
        # In turns, so that each role has one of two real GPUs, and Decode the only one.
        turns = zip_longest([DECODE_ROLE] * decode, [ROLE] * prefill)
        self._roles = [role for turn in turns for role in turn if role]
        self.simulated = not real
        self.kind = "simulated GPU" if self.simulated else "GPU"
        devices = real or [_uuid(index) for index in range(len(self._roles))]
        self.pods = len(self._roles)
        self.held = min(len(devices), self.pods)
        self._simulated_pods = tuple(_pods(self._roles, devices))

    def write(self) -> Mapping[str, int]:
        """Write the file anew, and give the bytes that it says are used, by role.

        Nothing is said of real GPUs.
        """
        memory = list(self._memory()) if self.simulated else []
        gpus = tuple(
            SimulatedGpu(
                uuid=_uuid(index), model=MODEL, total=GPU_TOTAL, used=used, reserved=GPU_RESERVED
            )
            for index, used in enumerate(memory)
        )
        node = SimulatedNode(gpus=gpus, pods=self._simulated_pods)
        beside = self.path.with_suffix(".new")
        beside.write_text(node.model_dump_json(indent=2, exclude_defaults=True), encoding="utf-8")
        beside.replace(self.path)
        return {
            role: sum(used for of, used in zip(self._roles, memory, strict=True) if of == role)
            for role in (_ROLE_NAMES if self.simulated else ())
        }

    def _memory(self) -> Iterator[int]:
        """Give what each pod uses, in the pods' order."""
        sequences = iter(self._sequences())
        for role in self._roles:
            yield POOL if role == ROLE else decode_memory(next(sequences))


def _pods(roles: Sequence[str], devices: Sequence[str]) -> Iterator[SimulatedPod]:
    """Make the pods as RoleBasedGroup does, one device each as long as there are any."""
    for place, role in enumerate(roles):
        role_name = _ROLE_NAMES[role]
        name = f"{GROUP}-{role_name}-{roles[:place].count(role)}"
        yield SimulatedPod(
            namespace=NAMESPACE,
            name=name,
            container="engine",
            labels={
                f"{_LABELS}group-name": GROUP,
                f"{_LABELS}role-name": role_name,
                f"{_LABELS}role-instance-name": name,
            },
            devices=tuple(devices[place : place + 1]),
        )


def _uuid(index: int) -> str:
    return f"GPU-51000000-0000-4000-8000-{index:012x}"

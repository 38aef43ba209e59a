"""Two nodes with six GPUs each: prefill on one, decode and a batch job on the other."""

import math
from collections.abc import Iterator, Mapping

from pd_exporter.catalogue import gpu
from pd_exporter.samples import Desc
from tests.dashboards_scene import GPU_LOST, Moment
from tests.fake_nvml import GIB

Told = tuple[Desc, float, Mapping[str, str]]
"""A metric, its value and labels."""

Exposed = tuple[Desc, float, Mapping[str, str], str]
"""A metric, its value and labels, and which exporter tells it."""

GPUS = 6
SIZE = 80 * GIB


class Gpus:
    """The GPUs of nodes, each of which is read by the exporter at an address."""

    def __init__(self, nodes: Mapping[str, str]) -> None:
        self._nodes = nodes

    def samples(self, now: Moment, seconds: int) -> Iterator[Exposed]:
        """What the nodes' exporters tell at a moment."""
        for position, (node, instance) in enumerate(self._nodes.items()):
            for number in range(GPUS):
                yield from (
                    (desc, value, of, instance)
                    for desc, value, of in self._gpu(now, node, position, number)
                )
            yield gpu.NVML_UP, 1, {"node": node}, instance
            for source in ("kubelet", "kubernetes", "processes"):
                of = {"node": node, "source": source}
                silent = source == "kubelet" and position == 1 and 1500 < now.time < 1700
                yield gpu.SOURCE_UP, not silent, of, instance
                age = now.time - 1500 if silent else 3
                yield gpu.SOURCE_REFRESHED, seconds - age, of, instance
            for reason in ("shape", "device", "annotation"):
                count = int(reason == "device" and position == 1 and now.time > GPU_LOST)
                yield gpu.UNRESOLVED, count, {"node": node, "reason": reason}, instance

    def _gpu(self, now: Moment, node: str, position: int, number: int) -> Iterator[Told]:
        uuid = f"GPU-{position + 1}a5e37f{number}-76d1-4c0e-9b3f-d0a1b2c3d4e5"
        last = number == GPUS - 1
        lost = position == 1 and last and now.time >= GPU_LOST
        device = {"node": node, "uuid": uuid}
        facts = {"parent_uuid": "", "index": str(number), "minor": str(number)}
        facts |= {"model": "NVIDIA H100 80GB HBM3", "mig": "off", "mig_profile": ""}
        facts |= {"driver": "570.124.06", "addressing": "none", "backend": "nvml"}
        yield gpu.UP, not lost, device
        missed = max(0, now.time - GPU_LOST) // 15 if lost else 0
        yield gpu.ERRORS, missed, device | {"reason": "gpu_is_lost"}
        size: float = SIZE
        if position == 0 and last:
            yield gpu.INFO, 1, device | facts | {"mig": "on"}
            facts |= {"mig": "on", "mig_profile": "4g.40gb", "parent_uuid": uuid}
            device |= {"uuid": "MIG-6f02c5d1-0a4b-5c3d-8e2f-1a2b3c4d5e6f"}
            size = SIZE / 2
            yield gpu.UP, 1, device
        yield gpu.INFO, 1, device | facts
        pods = list(_pods(now, position, number, size))
        yield gpu.PODS, len(pods), device
        if not lost:
            yield gpu.MEMORY_USED, sum(used for *_, used in pods), device
            yield gpu.MEMORY_TOTAL, size, device
            yield gpu.MEMORY_RESERVED, GIB / 2, device
        for group, role, name, used in pods:
            pod = {"namespace": "default", "group": group, "role": role, "pod": name}
            pod |= {"container": "main", "role_instance": name if role else "", **device}
            told = "processes" if len(pods) > 1 else "device"
            yield gpu.POD_INFO, 1, pod | {"resource": "nvidia.com/gpu", "attribution": told}
            yield gpu.POD_MEMORY_LIMIT, size, pod
            if not lost:
                yield gpu.POD_MEMORY_USED, used, pod


def _pods(
    now: Moment, position: int, number: int, size: float
) -> Iterator[tuple[str, str, str, float]]:
    if position == 0 and number < now.ready:
        yield "dynamo-pd", "prefill", f"dynamo-pd-prefill-{number}", 0.55 * size
    if position == 1 and number < now.decode:
        swing = 0.03 * math.sin(now.time / 90 + number)
        yield "dynamo-pd", "decode", f"dynamo-pd-decode-{number}", (now.occupancy + swing) * size
    if position == 1 and number == GPUS - 1:
        yield "", "", "batch-embed-0", 0.3 * size
        yield "", "", "batch-embed-1", 0.2 * size

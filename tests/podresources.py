"""What tests of PodResources have in common: some pods, and the failure of one poll."""

from pathlib import Path

import pytest

from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.failure import PodResourcesFailure
from pd_exporter.kubelet.podresources import list_allocations
from tests.fakes.kubelet import gpu_pod

PODS = [gpu_pod("prefill-0", "GPU-1"), gpu_pod("prefill-1", "GPU-2")]
HELD = (
    Allocation("default", "prefill-0", "main", "nvidia.com/gpu", "GPU-1"),
    Allocation("default", "prefill-1", "main", "nvidia.com/gpu", "GPU-2"),
)


async def failure_at(path: Path, seconds: float = 15) -> PodResourcesFailure:
    """The failure of one poll, whose message names the socket and whose cure says something."""
    with pytest.raises(PodResourcesFailure) as failure:
        await list_allocations(path, seconds)
    assert str(path) in failure.value.problem.message
    assert failure.value.problem.cure
    return failure.value

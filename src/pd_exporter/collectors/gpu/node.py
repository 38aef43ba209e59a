"""What the GPU collector stands on, opened and closed: NVML, the kubelet, the Kubernetes API."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from pd_exporter.attribution.holdings import ANNOTATIONS, PodKey
from pd_exporter.collectors.gpu.collector import GpuCollector, Scope
from pd_exporter.config import Config, GpuConfig, KubernetesConfig, ProcessAttribution
from pd_exporter.known import AtHand, Known, Source
from pd_exporter.kube.access import AccessError, configured
from pd_exporter.kube.api import open_api
from pd_exporter.kube.pod import Pod
from pd_exporter.kube.pods import open_pods_of_node
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.allocations import open_allocations
from pd_exporter.kubelet.cgroups import ProcessTable
from pd_exporter.nvml.device import GpuSource
from pd_exporter.nvml.gpus import open_gpus
from pd_exporter.simulation import Simulation


@asynccontextmanager
async def open_node(
    config: Config, gpu: GpuConfig, end: Callable[[str], None]
) -> AsyncIterator[GpuCollector]:
    """Keep all that the collector needs while entered.

    Args:
        config: The whole configuration.
        gpu: Its section `gpu`.
        end: To be told what only a new container cures.
    """
    allocations: Source[Sequence[Allocation]]
    pods: Source[Mapping[PodKey, Pod]]
    gpus: GpuSource
    async with AsyncExitStack() as stack:
        if gpu.simulation is None:
            gpus = await stack.enter_async_context(open_gpus(on_fatal=end))
            allocations = await stack.enter_async_context(open_allocations(gpu.kubelet_socket))
            pods = await _open_pods(stack, gpu.node, config.kubernetes)
        else:
            gpus = simulation = Simulation(gpu.simulation)
            if not simulation.has_gpus():
                gpus = await stack.enter_async_context(open_gpus(on_fatal=end))
            allocations, pods = AtHand(simulation.allocations), AtHand(simulation.pods)
        scope = Scope(
            node=gpu.node,
            aliases=config.role_aliases,
            all_pods=gpu.all_pods,
            simulated=gpu.simulation is not None,
        )
        yield GpuCollector(scope, gpus, allocations, pods, _processes(gpu))


async def _open_pods(
    stack: AsyncExitStack, node: str, given: KubernetesConfig
) -> Source[Mapping[PodKey, Pod]]:
    """Watch the node's pods; where it is not known how, say so for as long as it is asked."""
    try:
        access = configured(given)
    except AccessError as error:
        problem = error.problem
        return AtHand(lambda: Known(problem=problem))
    api = await stack.enter_async_context(open_api(access))
    return await stack.enter_async_context(open_pods_of_node(api, node, ANNOTATIONS))


def _processes(gpu: GpuConfig) -> ProcessTable | None:
    table = ProcessTable()
    if gpu.process_attribution is ProcessAttribution.AUTO and not table.in_host_pid_namespace():
        return None
    return None if gpu.process_attribution is ProcessAttribution.NEVER else table

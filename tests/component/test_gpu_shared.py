"""A GPU that several pods hold: divided by its processes, or nobody's."""

from pathlib import Path

import grpc

from tests.fake_nvml import GIB, Process
from tests.fakes.kubelet import ClaimedDevice, KubeletContainer, KubeletPod
from tests.gpu_node import (
    DECODE,
    DEVICE_USED,
    LIMIT,
    POD_INFO,
    PREFILL,
    USED,
    GpuNode,
    Settings,
    gpu_node,
    role_pod,
    uuid,
)


async def share_gpu_0(node: GpuNode) -> None:
    """Both pods have a slot of GPU 0, and a process each."""
    first = uuid(node, 0)
    node.hold(
        {PREFILL: [f"{first}::0"], DECODE: [f"{first}::1"]},
        [role_pod("prefill", 0), role_pod("decode", 0)],
    )
    node.proc.start(11, PREFILL)
    node.proc.start(12, DECODE)
    node.nvml.gpus[0].used = 50 * GIB
    node.nvml.gpus[0].processes = [Process(11, 20 * GIB), Process(12, 29 * GIB)]
    node.nvml.write()


async def test_a_shared_gpu_is_divided_by_its_processes(node: GpuNode) -> None:
    await share_gpu_0(node)

    page = await node.shows(USED, 20 * GIB, role="prefill")

    assert page.value(USED, role="decode") == 29 * GIB
    assert page.value(POD_INFO, role="decode", attribution="process") == 1
    assert page.value("pd_gpu_pods", uuid=uuid(node, 0)) == 2
    assert page.value("pd_node_source_up", source="processes") == 1


async def test_a_neighbour_that_the_kubelet_has_not_told_of_costs_nobody_its_truth(
    tmp_path: Path,
) -> None:
    """Its processes are there before the next answer, and with them the truth about both."""

    def one_slot(node: GpuNode) -> None:
        node.hold({PREFILL: [f"{uuid(node, 0)}::0"]}, [role_pod("prefill", 0)])
        node.proc.start(11, PREFILL)
        node.nvml.gpus[0].used = 21 * GIB
        node.nvml.gpus[0].processes = [Process(11, 20 * GIB)]
        node.nvml.write()

    settings = Settings(poll_seconds=60)
    async with gpu_node(tmp_path, settings=settings, prepare=one_slot) as node:
        alone = await node.shows(USED, 21 * GIB, role="prefill")
        assert alone.value(POD_INFO, role="prefill", attribution="device") == 1
        node.proc.start(12, DECODE)
        node.nvml.gpus[0].used = 61 * GIB
        node.nvml.gpus[0].processes.append(Process(12, 40 * GIB))
        node.nvml.write()

        page = await node.scrape()

    assert page.value(USED, role="prefill") == 20 * GIB
    assert page.value(POD_INFO, role="prefill", attribution="process") == 1


async def test_a_kubelet_that_answers_no_more_leaves_only_what_cannot_be_shared(
    tmp_path: Path,
) -> None:
    """It may be alive, and give a slot of the GPU to somebody else."""
    async with gpu_node(tmp_path, processes=False) as node:
        node.hold(
            {PREFILL: [f"{uuid(node, 0)}::0"], DECODE: [uuid(node, 1)]},
            [role_pod("prefill", 0), role_pod("decode", 0)],
        )
        await node.shows(USED, 1 * GIB, role="prefill")
        node.kubelet.fail(grpc.StatusCode.RESOURCE_EXHAUSTED)

        page = await node.shows("pd_node_source_up", 0, source="kubelet")

        assert page.get(USED, role="prefill") is None
        assert page.value(USED, role="decode") == 2 * GIB


async def test_a_pod_made_anew_is_not_empty_while_the_watch_is_silent(node: GpuNode) -> None:
    """Its processes are of a uid that nobody has told of."""
    await share_gpu_0(node)
    await node.shows(USED, 29 * GIB, role="decode")
    node.api.mute()
    node.nvml.gpus[0].processes[1].pid = 13
    node.proc.start(13, "another-uid-of-it")
    node.nvml.write()

    page = await node.scrape()

    assert page.value(USED, role="prefill") == 20 * GIB
    assert page.get(USED, role="decode") is None


async def test_memory_of_processes_that_is_not_available_is_absent(node: GpuNode) -> None:
    await share_gpu_0(node)
    node.nvml.gpus[0].processes[0].used = None
    node.nvml.write()

    page = await node.shows(USED, 29 * GIB, role="decode")

    assert page.get(USED, role="prefill") is None
    assert page.value(LIMIT, role="prefill") == 80 * GIB


async def test_processes_that_cannot_be_true_are_an_error_and_no_value(node: GpuNode) -> None:
    await share_gpu_0(node)
    await node.shows(USED, 20 * GIB, role="prefill")
    node.nvml.gpus[0].processes = [Process(11, 0), Process(12, 0)]
    node.nvml.write()

    page = await node.shows(USED, None, role="prefill")

    assert page.get(USED) is None
    assert page.value(DEVICE_USED, uuid=uuid(node, 0)) == 50 * GIB
    assert page.value("pd_gpu_errors_total", uuid=uuid(node, 0), reason="implausible") >= 1
    assert (await node.problems())["GPU 0"].reason == "implausible"


async def test_outside_the_host_s_namespace_a_shared_gpu_is_nobody_s(tmp_path: Path) -> None:
    async with gpu_node(tmp_path, processes=False) as node:
        await share_gpu_0(node)

        page = await node.shows("pd_gpu_pods", 2, uuid=uuid(node, 0))

    assert page.get(USED) is None
    assert page.value(POD_INFO, role="decode", attribution="none") == 1
    assert page.value(LIMIT, role="decode") == 80 * GIB
    assert page.value("pd_node_source_up", source="processes") == 0
    assert page.value(DEVICE_USED, uuid=uuid(node, 0)) == 50 * GIB


async def test_a_gpushare_quota_is_the_limit(node: GpuNode) -> None:
    made = role_pod("decode", 0)
    made["metadata"]["annotations"] = {
        "ALIYUN_COM_GPU_MEM_IDX": "1",
        "ALIYUN_COM_GPU_MEM_POD": "20",
        "ALIYUN_COM_GPU_MEM_DEV": "80",
    }
    node.api.create(made)
    ids = [f"{uuid(node, 0)}-_-{number}" for number in range(20)]
    node.kubelet.pods = [KubeletPod(DECODE, [KubeletContainer({"aliyun.com/gpu-mem": ids})])]

    page = await node.shows(LIMIT, 20 * GIB, pod=DECODE, uuid=uuid(node, 1))

    assert page.value(USED, pod=DECODE) == 2 * GIB


async def test_clients_of_mps_are_processes_too(node: GpuNode) -> None:
    await share_gpu_0(node)
    for process in node.nvml.gpus[0].processes:
        process.mps = True
    node.nvml.write()

    page = await node.shows(USED, 20 * GIB, role="prefill")

    assert page.value(USED, role="decode") == 29 * GIB


async def test_pods_that_share_a_claim_are_divided_by_their_processes(node: GpuNode) -> None:
    await share_gpu_0(node)
    claim = KubeletContainer(claimed=[ClaimedDevice("gpu-0")])
    node.kubelet.pods = [KubeletPod(name, [claim]) for name in (PREFILL, DECODE)]

    page = await node.shows(USED, 20 * GIB, role="prefill")

    assert page.value(POD_INFO, role="decode", resource="gpu.nvidia.com") == 1


async def test_a_quota_of_hami_is_the_limit(node: GpuNode) -> None:
    made = role_pod("decode", 0)
    allocated = f"{uuid(node, 1)},NVIDIA,4096,30:;"
    made["metadata"]["annotations"] = {"hami.io/vgpu-devices-allocated": allocated}
    node.hold({DECODE: [f"{uuid(node, 0)}-3"]}, [made])

    page = await node.shows(LIMIT, 4 * GIB, pod=DECODE, uuid=uuid(node, 1))

    assert page.value(USED, pod=DECODE) == 2 * GIB

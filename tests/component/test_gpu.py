"""GPU memory of devices and pods, on the real NVML binding, a real gRPC and a real HTTP server."""

from pathlib import Path

from tests.exposition import Page
from tests.fake_nvml import GIB, gpu_instance
from tests.fakes.kube_objects import pod
from tests.fakes.kubelet import ClaimedDevice, KubeletContainer, KubeletPod
from tests.gpu_node import (
    DECODE,
    DEVICE_USED,
    GROUP,
    LIMIT,
    NODE,
    POD_INFO,
    PREFILL,
    USED,
    GpuNode,
    gpu_node,
    hold_one_each,
    role_pod,
    uid_of,
    uuid,
)


def by_role(page: Page, name: str) -> dict[str, float]:
    return {each.labels["role"]: each.value for each in page.samples if each.name == name}


async def test_a_pod_that_alone_holds_a_gpu_has_its_memory(node: GpuNode) -> None:
    hold_one_each(node)
    node.nvml.gpus[1].used = 70 * GIB
    node.nvml.write()

    page = await node.shows(USED, 70 * GIB, role="decode")

    (sample,) = (
        each for each in page.samples if each.name == USED and each.labels["role"] == "decode"
    )
    assert sample.labels == {
        "namespace": "default",
        "group": GROUP,
        "role": "decode",
        "pod": DECODE,
        "container": "main",
        "role_instance": DECODE,
        "node": NODE,
        "uuid": uuid(node, 1),
    }
    assert page.value(LIMIT, pod=DECODE) == 80 * GIB
    assert page.value(POD_INFO, pod=DECODE, resource="nvidia.com/gpu", attribution="device") == 1
    assert by_role(page, USED) == {"prefill": 1 * GIB, "decode": 70 * GIB}
    assert page.value("pd_gpu_pods", uuid=uuid(node, 0)) == 1
    assert await node.problems() == {}


async def test_a_device_is_told_whoever_holds_it(node: GpuNode) -> None:
    page = await node.scrape()

    first = uuid(node, 0)
    assert page.value("pd_gpu_up", uuid=first) == 1
    assert page.value(DEVICE_USED, uuid=first, node=NODE) == 1 * GIB
    assert page.value("pd_gpu_memory_total_bytes", uuid=first) == 80 * GIB
    assert page.value("pd_gpu_memory_reserved_bytes", uuid=first) == node.nvml.gpus[0].reserved
    assert page.value("pd_gpu_pods", uuid=first) == 0
    assert page.value("pd_nvml_up") == 1
    (info,) = (
        each.labels
        for each in page.samples
        if each.name == "pd_gpu_info" and each.labels["uuid"] == first
    )
    assert info == {
        "node": NODE,
        "uuid": first,
        "parent_uuid": "",
        "index": "0",
        "minor": "0",
        "model": node.nvml.gpus[0].name,
        "mig": "off",
        "mig_profile": "",
        "driver": node.nvml.driver,
        "addressing": "none",
        "backend": "nvml",
    }
    assert page.get(USED) is None


async def test_the_first_page_has_all_labels(tmp_path: Path) -> None:
    async with gpu_node(tmp_path, prepare=hold_one_each) as node:
        page = await node.scrape()

    assert by_role(page, USED).keys() == {"prefill", "decode"}


async def test_roles_go_by_their_alias(node: GpuNode) -> None:
    node.hold({f"{GROUP}-decoder-0": [uuid(node, 0)]}, [role_pod("decoder", 0)])

    await node.shows(USED, 1 * GIB, role="decode", pod=f"{GROUP}-decoder-0")


async def test_pods_of_one_leader_worker_replica_are_one_role_instance(node: GpuNode) -> None:
    pods = [role_pod("decode", index) for index in range(2)]
    for made in pods:
        made["metadata"]["labels"]["rbg.workloads.x-k8s.io/role-instance-name"] = "replica-0"
    node.hold({made["metadata"]["name"]: [uuid(node, i)] for i, made in enumerate(pods)}, pods)

    page = await node.shows(USED, 2 * GIB, pod=f"{GROUP}-decode-1")

    instances = {each.labels["role_instance"] for each in page.samples if each.name == USED}
    assert instances == {"replica-0"}


async def test_a_pod_with_several_gpus_has_a_series_for_each(node: GpuNode) -> None:
    node.hold({DECODE: [uuid(node, 0), uuid(node, 1)]}, [role_pod("decode", 0)])

    page = await node.shows(USED, 1 * GIB, pod=DECODE, uuid=uuid(node, 0))

    assert page.value(USED, pod=DECODE, uuid=uuid(node, 1)) == 2 * GIB


async def test_pods_without_a_role_hold_gpus_and_have_no_series(node: GpuNode) -> None:
    node.hold({"notebook": [uuid(node, 0)]}, [pod("notebook", node=NODE)])

    page = await node.shows("pd_gpu_pods", 1, uuid=uuid(node, 0))

    assert page.get(USED) is None
    assert page.get(POD_INFO) is None


async def test_all_pods_have_series_if_wanted(tmp_path: Path) -> None:
    async with gpu_node(tmp_path, all_pods=True) as node:
        node.hold({"notebook": [uuid(node, 0)]}, [pod("notebook", node=NODE)])

        page = await node.shows(USED, 1 * GIB, pod="notebook")

    assert page.value(USED, group="", role="", role_instance="") == 1 * GIB


async def test_dynamic_resources_are_resolved_by_minor_number(node: GpuNode) -> None:
    node.api.create(role_pod("decode", 0))
    container = KubeletContainer(claimed=[ClaimedDevice("gpu-1")])
    node.kubelet.pods = [KubeletPod(DECODE, [container])]

    page = await node.shows(USED, 2 * GIB, pod=DECODE, uuid=uuid(node, 1))

    assert page.value(POD_INFO, resource="gpu.nvidia.com", attribution="device") == 1


async def test_mig_memory_is_of_gpu_instances_and_never_twice(node: GpuNode) -> None:
    gpu = node.nvml.gpus[0]
    gpu.mig = True
    gpu.instances = [gpu_instance(3), gpu_instance(5, compute=2)]
    node.nvml.write()
    small, large = (instance.compute for instance in gpu.instances)
    node.kubelet.pods = [
        KubeletPod(PREFILL, [KubeletContainer({"nvidia.com/mig-1g.10gb": [small[0].uuid]})]),
        KubeletPod(DECODE, [KubeletContainer({"nvidia.com/mig-1g.10gb": [large[1].uuid]})]),
    ]
    node.api.create(role_pod("prefill", 0))
    node.api.create(role_pod("decode", 0))

    page = await node.shows(USED, 5 * GIB, pod=DECODE)

    assert page.value(USED, pod=PREFILL, uuid=small[0].uuid) == 3 * GIB
    assert page.value(LIMIT, pod=PREFILL) == gpu.instances[0].total
    devices = {each.labels["uuid"] for each in page.samples if each.name == DEVICE_USED}
    assert devices == {small[0].uuid, large[0].uuid, uuid(node, 1)}
    assert page.value("pd_gpu_up", uuid=gpu.uuid) == 1
    info = {"uuid": small[0].uuid, "parent_uuid": gpu.uuid, "mig": "on", "mig_profile": "1g.10gb"}
    assert page.value("pd_gpu_info", **info) == 1


async def test_a_lost_gpu_in_mig_mode_is_not_up(node: GpuNode) -> None:
    gpu = node.nvml.gpus[0]
    gpu.mig, gpu.instances = True, [gpu_instance(3)]
    node.nvml.write()
    instance = gpu.instances[0].compute[0].uuid
    await node.shows("pd_gpu_up", 1, uuid=instance)
    node.nvml.fail(15, gpu)
    node.nvml.write()

    page = await node.scrape()

    assert [page.value("pd_gpu_up", uuid=each) for each in (gpu.uuid, instance)] == [0, 0]
    assert page.get(DEVICE_USED, uuid=instance) is None


async def test_a_gpu_without_a_minor_number_says_none(node: GpuNode) -> None:
    node.nvml.fail(3, function="nvmlDeviceGetMinorNumber")
    node.nvml.write()

    await node.shows("pd_gpu_info", 1, uuid=uuid(node, 0), minor="")


async def test_processes_of_a_gpu_that_is_given_out_whole_are_nobody_s_business(
    node: GpuNode,
) -> None:
    hold_one_each(node)

    await node.shows(USED, 2 * GIB, role="decode")

    assert node.nvml.calls("nvmlDeviceGetComputeRunningProcesses_v3") == 0


def test_uids_differ() -> None:
    assert uid_of(PREFILL) != uid_of(DECODE)

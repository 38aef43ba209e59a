"""GPU memory of devices and pods, on the real NVML binding, a real gRPC and a real HTTP server."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from tests.exposition import Page
from tests.fake_nvml import GIB, Process, gpu_instance
from tests.fakes.kube_objects import pod
from tests.fakes.kubelet import ClaimedDevice, KubeletContainer, KubeletPod
from tests.gpu_node import GROUP, NODE, GpuNode, gpu_node, role_pod, uid_of
from tests.servers import until

USED = "pd_pod_gpu_memory_used_bytes"
LIMIT = "pd_pod_gpu_memory_limit_bytes"
POD_INFO = "pd_pod_gpu_info"
DEVICE_USED = "pd_gpu_memory_used_bytes"
PREFILL, DECODE = f"{GROUP}-prefill-0", f"{GROUP}-decode-0"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[GpuNode]:
    async with gpu_node(tmp_path) as running:
        yield running


def uuid(node: GpuNode, index: int) -> str:
    return node.nvml.gpus[index].uuid


def hold_one_each(node: GpuNode) -> None:
    """Prefill has GPU 0, Decode GPU 1."""
    node.hold(
        {PREFILL: [uuid(node, 0)], DECODE: [uuid(node, 1)]},
        [role_pod("prefill", 0), role_pod("decode", 0)],
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


async def test_the_first_page_has_all_labels(node: GpuNode) -> None:
    hold_one_each(node)

    assert by_role(await node.scrape(), USED).keys() == {"prefill", "decode"}


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


async def test_without_the_api_server_roles_are_absent_and_that_is_a_number(
    tmp_path: Path,
) -> None:
    async with gpu_node(tmp_path) as node:
        node.api.forbid("list")
        hold_one_each(node)

        page = await node.shows(USED, 2 * GIB, pod=DECODE)

        assert page.value(USED, pod=DECODE, group="", role="", role_instance="") == 2 * GIB
        assert page.value("pd_node_source_up", source="kubernetes") == 0
        assert (await node.problems())["Kubernetes API"].reason == "forbidden"

        node.api.heal()
        page = await node.shows("pd_node_source_up", 1, source="kubernetes")
        assert page.value(USED, pod=DECODE, role="decode", group=GROUP) == 2 * GIB


async def test_roles_once_known_stay_while_the_api_server_is_away(node: GpuNode) -> None:
    hold_one_each(node)
    await node.shows(USED, 2 * GIB, role="decode")
    await node.api.stop()

    page = await node.shows("pd_node_source_up", 0, source="kubernetes")

    assert page.value(USED, role="decode") == 2 * GIB


async def test_allocations_once_known_stay_while_the_kubelet_is_away(node: GpuNode) -> None:
    hold_one_each(node)
    await node.shows(USED, 2 * GIB, role="decode")
    node.kubelet.fail(grpc.StatusCode.RESOURCE_EXHAUSTED)

    page = await node.shows("pd_node_source_up", 0, source="kubelet")

    assert page.value(USED, role="decode") == 2 * GIB
    assert (await node.problems())["kubelet"].reason


async def test_a_pod_that_ended_leaves_its_gpu_to_the_next_one(node: GpuNode) -> None:
    """Kubelets before 1.34 list pods that have ended."""
    first = uuid(node, 0)
    ended, new = role_pod("decode", 0), role_pod("decode", 1)
    node.hold({DECODE: [first], f"{GROUP}-decode-1": [first]}, [ended])
    await node.shows(USED, 1 * GIB, pod=DECODE)

    node.api.update(ended | {"status": {"phase": "Succeeded"}})
    node.api.create(new)

    page = await node.shows(USED, 1 * GIB, pod=f"{GROUP}-decode-1")
    assert page.get(USED, pod=DECODE) is None
    assert page.value("pd_gpu_pods", uuid=first) == 1


async def test_ids_that_name_no_gpu_are_counted(node: GpuNode) -> None:
    node.hold(
        {DECODE: ["made-up", "GPU-00000009-0000-4000-8000-000000000000"]}, [role_pod("decode", 0)]
    )

    page = await node.shows("pd_gpu_unresolved_device_ids", 1, reason="shape")

    assert page.value("pd_gpu_unresolved_device_ids", reason="device") == 1
    assert page.value("pd_gpu_unresolved_device_ids", reason="annotation") == 0
    assert page.get(USED) is None
    problem = (await node.problems())["kubelet"]
    assert problem.reason == "shape"
    assert f"made-up (default/{DECODE})" in problem.message


async def test_a_lost_gpu_costs_its_own_series_only(node: GpuNode) -> None:
    hold_one_each(node)
    await node.shows(USED, 2 * GIB, role="decode")
    node.nvml.fail(15, node.nvml.gpus[0])
    node.nvml.write()

    page = await node.scrape()

    lost = uuid(node, 0)
    assert page.value("pd_gpu_up", uuid=lost) == 0
    assert page.get(DEVICE_USED, uuid=lost) is None
    assert page.get(USED, role="prefill") is None
    assert page.value(POD_INFO, role="prefill") == 1
    assert page.value("pd_gpu_errors_total", uuid=lost, reason="lost") == 1
    assert page.value(USED, role="decode") == 2 * GIB
    assert page.value("pd_collector_success", collector="gpu") == 1


async def test_no_driver_is_a_number_and_cured_without_a_restart(node: GpuNode) -> None:
    hold_one_each(node)
    await node.shows(USED, 2 * GIB, role="decode")
    node.nvml.fail(9)
    node.nvml.write()

    page = await node.shows("pd_nvml_up", 0)

    assert page.get(USED) is None
    assert page.get(DEVICE_USED) is None
    assert (await node.problems())["NVML"].reason == "driver"

    node.nvml.heal()
    node.nvml.write()
    await node.shows(USED, 2 * GIB, role="decode")


async def test_a_version_mismatch_ends_the_exporter(node: GpuNode) -> None:
    await node.scrape()
    node.nvml.fail(18)
    node.nvml.write()

    async def ended() -> bool:
        await node.scrape()
        return bool(node.fatal)

    await until(ended, "the exporter to end")
    assert len(node.fatal) == 1


async def test_errors_are_counted_and_never_fall(node: GpuNode) -> None:
    lost = node.nvml.gpus[0]
    errors = {"uuid": lost.uuid, "reason": "lost"}
    await node.shows("pd_gpu_errors_total", 0, **errors)
    node.nvml.fail(15, lost)
    node.nvml.write()
    for count in (1, 2, 3):
        assert (await node.scrape()).value("pd_gpu_errors_total", **errors) == count

    node.nvml.gpus.remove(lost)
    node.nvml.write()
    await node.shows("pd_gpu_errors_total", None, **errors)
    node.nvml.gpus.insert(0, lost)
    node.nvml.heal()
    node.nvml.write()
    page = await node.shows("pd_gpu_up", 1, uuid=lost.uuid)
    assert page.value("pd_gpu_errors_total", **errors) >= 3


async def test_a_wrong_name_of_the_node_is_told(tmp_path: Path) -> None:
    async with gpu_node(tmp_path) as node:
        elsewhere = role_pod("decode", 0)
        elsewhere["spec"]["nodeName"] = "node-a.example"
        node.hold({DECODE: [uuid(node, 0)]}, [elsewhere])

        async def told() -> bool:
            return "Kubernetes API" in await node.problems()

        await until(told, "the problem")
        problem = (await node.problems())["Kubernetes API"]

    assert problem.reason == "absent"
    assert f"default/{DECODE}" in problem.message
    assert "gpu.node" in problem.cure


async def test_a_source_that_has_not_answered_yet_is_not_well(tmp_path: Path) -> None:
    def hang(node: GpuNode) -> None:
        node.kubelet.hang()
        node.api.hang("list")

    async with gpu_node(tmp_path, prepare=hang) as node:
        (outcome,) = (await node.snapshot(budget=0.5)).outcomes
        problems = {each.subject: each.problem for each in outcome.readings if each.problem}
        node.kubelet.answer()

    assert [problems[name].reason for name in ("kubelet", "Kubernetes API")] == ["starting"] * 2


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


def test_uids_differ() -> None:
    assert uid_of(PREFILL) != uid_of(DECODE)

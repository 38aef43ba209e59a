"""What tells the pods of GPUs, and the GPUs, when it fails: what is known stays, and is said."""

from pathlib import Path

import grpc

from tests.exposition import Page
from tests.fake_nvml import GIB
from tests.gpu_node import (
    DECODE,
    DEVICE_USED,
    GROUP,
    POD_INFO,
    USED,
    GpuNode,
    gpu_node,
    hold_one_each,
    role_pod,
    uuid,
)
from tests.servers import until


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
    assert await node.problems() == {}


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


async def test_a_gpu_that_does_not_tell_its_memory_is_an_error_of_its_own(node: GpuNode) -> None:
    hold_one_each(node)
    await node.shows(USED, 2 * GIB, role="decode")
    for function in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"):
        node.nvml.fail(3, node.nvml.gpus[0], function)
    node.nvml.write()

    page = await node.scrape()

    mute = uuid(node, 0)
    assert page.value("pd_gpu_up", uuid=mute) == 0
    assert page.value("pd_gpu_errors_total", uuid=mute, reason="unsupported") == 1
    assert page.value(USED, role="decode") == 2 * GIB


async def test_a_gpu_that_was_never_known_does_not_take_nvml_down(tmp_path: Path) -> None:
    def lose(node: GpuNode) -> None:
        node.nvml.fail(15, node.nvml.gpus[0])
        node.nvml.write()

    async with gpu_node(tmp_path, prepare=lose) as node:
        page = await node.scrape()
        problems = await node.problems()

    assert page.value("pd_nvml_up") == 1
    assert page.value("pd_gpu_up", uuid=uuid(node, 1)) == 1
    assert problems["NVML"].reason == "lost"


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
        snapshot = await node.snapshot(budget=0.5)
        (outcome,) = snapshot.outcomes
        problems = {each.subject: each.problem for each in outcome.readings if each.problem}
        page = Page(snapshot)
        node.kubelet.answer()

    for source in ("kubelet", "kubernetes"):
        assert page.value("pd_node_source_up", source=source) == 0
    assert page.get("pd_gpu_pods", uuid=uuid(node, 0)) is None
    assert page.get("pd_gpu_unresolved_device_ids", reason="shape") is None
    assert [problems[name].reason for name in ("kubelet", "Kubernetes API")] == ["starting"] * 2

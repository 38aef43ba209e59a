"""The kubelet's answers and failures, over a real gRPC server's unix socket."""

import asyncio
import gc
import tracemalloc
from pathlib import Path

import grpc
import pytest

from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.failure import Reason
from pd_exporter.kubelet.podresources import MAX_BYTES, list_allocations
from tests.fakes.kubelet import (
    ClaimedDevice,
    FakeKubelet,
    KubeletContainer,
    KubeletPod,
    answer_of,
)
from tests.podresources import HELD, PODS, failure_at
from tests.servers import until


async def test_the_kubelet_tells_devices_of_plugins_and_of_claims(kubelet: FakeKubelet) -> None:
    engine = KubeletContainer(
        {"nvidia.com/mig-1g.10gb": ["MIG-1", "MIG-2"]}, [ClaimedDevice("gpu-3")], name="engine"
    )
    kubelet.pods = [*PODS, KubeletPod("decode-0", [KubeletContainer(), engine], "llm")]

    assert await list_allocations(kubelet.socket) == (
        *HELD,
        Allocation("llm", "decode-0", "engine", "nvidia.com/mig-1g.10gb", "MIG-1"),
        Allocation("llm", "decode-0", "engine", "nvidia.com/mig-1g.10gb", "MIG-2"),
        Allocation("llm", "decode-0", "engine", "gpu.nvidia.com", "gpu-3"),
    )


async def test_a_node_without_pods_is_an_answer(kubelet: FakeKubelet) -> None:
    kubelet.pods = []

    assert await list_allocations(kubelet.socket) == ()


async def test_a_full_node_is_read_whole(kubelet: FakeKubelet) -> None:
    sidecars = [KubeletContainer(name=f"sidecar-{number}") for number in range(2)]
    kubelet.pods = [
        KubeletPod(f"pod-{n}", [KubeletContainer({"example.com/x": [f"X-{n}"]}), *sidecars])
        for n in range(250)
    ]

    held = await list_allocations(kubelet.socket)

    assert [one.device_id for one in held] == [f"X-{n}" for n in range(250)]


async def test_an_answer_as_large_as_allowed_is_read(kubelet: FakeKubelet) -> None:
    answer = answer_of(PODS)
    rest = MAX_BYTES - len(answer) - 5  # an unknown field's, whose tag and length are five bytes
    length = bytes(
        [rest & 0x7F | 0x80, rest >> 7 & 0x7F | 0x80, rest >> 14 & 0x7F | 0x80, rest >> 21]
    )
    kubelet.answer(answer + b"\x7a" + length + bytes(rest))

    assert await list_allocations(kubelet.socket, 60) == HELD


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.RATE_LIMITED),
        (grpc.StatusCode.UNAVAILABLE, Reason.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.TIMEOUT),
        (grpc.StatusCode.UNIMPLEMENTED, Reason.UNIMPLEMENTED),
        (grpc.StatusCode.INTERNAL, Reason.SERVER_ERROR),
        (grpc.StatusCode.UNKNOWN, Reason.SERVER_ERROR),
        (grpc.StatusCode.CANCELLED, Reason.SERVER_ERROR),
    ],
)
async def test_errors_of_the_kubelet_are_told_apart(
    kubelet: FakeKubelet, code: grpc.StatusCode, reason: Reason
) -> None:
    kubelet.fail(code, "rejected by rate\nlimit €")

    failure = await failure_at(kubelet.socket)

    assert failure.reason is reason
    assert failure.problem.message.endswith(f"{code.name}: rejected by rate limit €.")


async def test_an_old_kubelet_serves_no_v1(socket_path: Path) -> None:
    kubelet = FakeKubelet(socket_path, service="v1alpha1.PodResourcesLister")
    kubelet.start()
    try:
        failure = await failure_at(socket_path)
    finally:
        kubelet.stop()

    assert failure.reason is Reason.UNIMPLEMENTED
    assert "1.20" in failure.problem.cure


async def test_a_kubelet_that_hangs_is_given_up(kubelet: FakeKubelet) -> None:
    kubelet.hang()

    assert (await failure_at(kubelet.socket, seconds=0.2)).reason is Reason.TIMEOUT


async def test_a_slow_kubelet_is_waited_for(kubelet: FakeKubelet) -> None:
    kubelet.hang()
    asked = asyncio.create_task(list_allocations(kubelet.socket, 60))

    async def arrived() -> bool:
        return kubelet.asked == 1

    await until(arrived, "the question")
    kubelet.answer()

    assert await asked == HELD


async def test_a_kubelet_that_stops_while_it_is_asked_is_noticed(kubelet: FakeKubelet) -> None:
    kubelet.hang()
    asked = asyncio.create_task(failure_at(kubelet.socket, 60))

    async def arrived() -> bool:
        return kubelet.asked == 1

    await until(arrived, "the question")
    await asyncio.to_thread(kubelet.stop)

    assert (await asked).reason in {Reason.DISCONNECTED, Reason.SERVER_ERROR}


@pytest.mark.parametrize("raw", [b"garbage", b"\xff" * 100, answer_of(PODS)[:-1]])
async def test_what_is_no_answer_is_refused(kubelet: FakeKubelet, raw: bytes) -> None:
    kubelet.answer(raw)

    assert (await failure_at(kubelet.socket)).reason is Reason.INVALID_REPLY


async def test_huge_answers_are_refused_before_they_cost_memory(kubelet: FakeKubelet) -> None:
    kubelet.answer(bytes(20 << 20))
    gc.disable()  # between two collections all that a failed poll left is still there
    tracemalloc.start()
    try:
        failures = [await failure_at(kubelet.socket, 60) for _ in range(20)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert {failure.reason for failure in failures} == {Reason.TOO_LARGE}
    assert str(MAX_BYTES) in failures[0].problem.message
    assert peak < 4 << 20

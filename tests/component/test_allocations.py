"""Allocations kept up to date, and kept while the kubelet is away."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import grpc
import structlog

from pd_exporter.known import Known
from pd_exporter.kubelet.allocation import Allocation
from pd_exporter.kubelet.allocations import Allocations, open_allocations
from tests.fakes.kubelet import (
    FakeKubelet,
)
from tests.podresources import HELD, PODS
from tests.servers import until

HOUR = 3600.0


async def known(
    allocations: Allocations, wanted: Callable[[Known[tuple[Allocation, ...]]], bool], what: str
) -> Known[tuple[Allocation, ...]]:
    async def met() -> Known[tuple[Allocation, ...]] | None:
        now = allocations.known()
        return now if wanted(now) else None

    return await until(met, what)


async def test_allocations_follow_the_kubelet(kubelet: FakeKubelet) -> None:
    async with open_allocations(kubelet.socket, refresh_seconds=0.02) as allocations:
        assert allocations.known() == Known()
        await allocations.first()
        assert allocations.known().value == HELD
        kubelet.pods = PODS[:1]

        now = await known(allocations, lambda now: now.value == HELD[:1], "the pod to be gone")

    assert now.problem is None


async def test_the_last_answer_counts_while_the_kubelet_restarts(kubelet: FakeKubelet) -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_allocations(kubelet.socket, refresh_seconds=0.02) as allocations:
            await allocations.first()
            await asyncio.to_thread(kubelet.stop)
            gone = await known(allocations, lambda now: now.problem is not None, "its absence")
            kubelet.pods = PODS[:1]
            await asyncio.to_thread(kubelet.start)
            back = await known(allocations, lambda now: now.problem is None, "its return")

    assert gone.value == HELD
    assert gone.problem is not None
    assert back.value == HELD[:1]
    assert back.at is not None
    assert gone.at is not None
    assert back.at > gone.at
    assert logs[0]["event"] == "allocations not read"
    assert logs[-1]["event"] == "allocations read again"


async def test_a_problem_is_logged_when_it_comes_and_when_it_goes(kubelet: FakeKubelet) -> None:
    kubelet.fail(grpc.StatusCode.RESOURCE_EXHAUSTED)
    with structlog.testing.capture_logs() as logs:
        async with open_allocations(kubelet.socket, refresh_seconds=0.02) as allocations:

            async def asked_often() -> bool:
                return kubelet.asked > 5

            await until(asked_often, "six polls")
            unknown = allocations.known()
            kubelet.answer()
            await known(allocations, lambda now: now.value == HELD, "an answer")

    assert unknown.value is None
    assert unknown.at is None
    assert unknown.problem is not None
    assert [(entry["log_level"], entry["event"], entry["reason"]) for entry in logs] == [
        ("warning", "allocations not read", "rate_limited"),
        ("info", "allocations read again", "rate_limited"),
    ]
    assert {entry["socket"] for entry in logs} == {str(kubelet.socket)}


async def test_an_answer_too_old_is_dropped_until_there_is_a_new_one(kubelet: FakeKubelet) -> None:
    now = 1000.0
    async with open_allocations(
        kubelet.socket, refresh_seconds=0.02, max_age_seconds=300, clock=lambda: now
    ) as allocations:
        await allocations.first()
        kubelet.fail(grpc.StatusCode.UNAVAILABLE)
        await known(allocations, lambda seen: seen.problem is not None, "the failure")

        now = 1300.0
        assert allocations.known().value == HELD
        now = 1300.1
        assert allocations.known().value is None
        assert allocations.known().at == 1000.0
        now = 699.0
        assert allocations.known().value is None

        kubelet.answer()
        await known(allocations, lambda seen: seen.value == HELD, "a new answer")


async def test_the_first_poll_ends_without_a_kubelet_too(socket_path: Path) -> None:
    async with open_allocations(socket_path, refresh_seconds=HOUR) as allocations:
        await asyncio.wait_for(allocations.first(), 30)
        seen = allocations.known()

    assert seen.value is None
    assert seen.problem is not None
    assert seen.problem.reason == "socket_missing"


async def test_closing_ends_a_poll_on_its_way(kubelet: FakeKubelet) -> None:
    before = asyncio.all_tasks()
    kubelet.hang()
    async with open_allocations(kubelet.socket) as allocations:

        async def asked() -> bool:
            return kubelet.asked == 1

        await until(asked, "a poll")

    assert asyncio.all_tasks() == before
    assert allocations.known() == Known()

"""The pods' own metrics, served while the workload runs on a real queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from pd_exporter.background import cancel
from pd_exporter.demo.cluster.listener import listen
from pd_exporter.demo.cluster.podmetrics import TARGETS, Endpoints
from pd_exporter.demo.cluster.pods import RoleBasedGroup
from pd_exporter.demo.plan import Plan
from pd_exporter.demo.service.decode import Decoding
from pd_exporter.demo.service.dynamo import open_prefill_queue
from pd_exporter.demo.service.engines import (
    CACHE,
    MOST_SEQUENCES,
    SEQUENCE,
    WEIGHTS,
    decode_memory,
)
from pd_exporter.demo.service.workload import Workload
from tests.exposition import Page
from tests.servers import nats_server, program, until

REQUESTS = 6
RUNNING, WAITING = "vllm:num_requests_running", "vllm:num_requests_waiting"
USED, SUCCESS = "vllm:kv_cache_usage_perc", "vllm:request_success_total"


class Pods:
    """The service, and its pods' pages."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, workload: Workload, group: RoleBasedGroup
    ) -> None:
        self.workload = workload
        self.group = group
        self._http = http
        self._url = url

    async def page(self, pod: str, accept: str = "") -> Page:
        async with self._http.get(
            f"{self._url}dynamo-pd-{pod}/metrics", headers={"Accept": accept}
        ) as response:
            assert response.status == 200
            return Page(await response.text())

    async def status(self, pod: str) -> int:
        async with self._http.get(f"{self._url}dynamo-pd-{pod}/metrics") as response:
            return response.status

    async def targets(self) -> list[dict[str, object]]:
        async with self._http.get(self._url + TARGETS) as response:
            found: list[dict[str, object]] = await response.json()
            return found


@asynccontextmanager
async def serving(folder: Path, plan: Plan) -> AsyncIterator[Pods]:
    with nats_server(program("nats-server"), folder / "nats") as nats:
        async with open_prefill_queue(nats.url) as queue, aiohttp.ClientSession() as http:
            workload = Workload(queue, plan, Decoding(2, seconds=3600))
            for _ in range(plan.workers):
                await workload.add_worker()
            group = RoleBasedGroup(plan.workers, 2)
            async with listen(Endpoints(group, workload).app) as url:
                yield Pods(http, url, workload, group)
            await workload.close()


async def has_waiting(workload: Workload, count: int) -> bool:
    truth = workload.truth()
    return truth.dequeued == 1 and truth.waiting == count


async def test_they_tell_what_each_worker_did(tmp_path: Path) -> None:
    async with serving(tmp_path, Plan(REQUESTS, 4, 2, service_seconds=0.01)) as pods:
        await pods.workload.burst()
        prefill = [await pods.page(f"prefill-{index}") for index in range(2)]
        decode = [await pods.page(f"decode-{index}") for index in range(2)]
        frontend = await pods.page("processor-0")

    assert sum(page.value(SUCCESS, finished_reason="length") for page in prefill) == REQUESTS
    assert all(page.value(SUCCESS, finished_reason="abort") == 0 for page in prefill)
    assert all(page.value(RUNNING) == page.value(WAITING) == 0 for page in prefill)
    assert [page.value(RUNNING, engine="0", model_name="qwen") for page in decode] == [3, 3]
    assert frontend.value("dynamo_frontend_requests_started_total") == REQUESTS
    assert frontend.value("dynamo_frontend_requests_total", status="success") == 0
    dispatched = "dynamo_frontend_stage_requests"
    assert frontend.value(dispatched, stage="dispatch", phase="prefill") == 0


async def test_they_tell_what_is_in_work_now(tmp_path: Path) -> None:
    async with serving(tmp_path, Plan(REQUESTS, 4, 1, service_seconds=3600)) as pods:
        workload = pods.workload
        burst = asyncio.create_task(workload.burst())
        await until(lambda: has_waiting(workload, 3), "a request in work, and three that wait")
        prefill = await pods.page("prefill-0")
        frontend = await pods.page("processor-0")
        await cancel([burst])

    assert (prefill.value(RUNNING), prefill.value(WAITING)) == (1, 0)
    assert prefill.value(USED) == pytest.approx(SEQUENCE / CACHE)
    dispatched = "dynamo_frontend_stage_requests"
    assert frontend.value(dispatched, stage="dispatch", phase="prefill") == 4


async def test_decode_tells_the_cache_that_its_memory_shows(tmp_path: Path) -> None:
    async with serving(tmp_path, Plan()) as pods:
        for _ in range(2 * MOST_SEQUENCES + 3):
            pods.workload.decoding.begin()
        full = await pods.page("decode-0")
        frontend = await pods.page("processor-0")

    assert full.value(RUNNING) == MOST_SEQUENCES
    assert full.value(WAITING) == 2
    in_cache = decode_memory(MOST_SEQUENCES) - WEIGHTS
    assert full.value(USED) == pytest.approx(in_cache / CACHE)
    dispatched = "dynamo_frontend_stage_requests"
    assert frontend.value(dispatched, stage="dispatch", phase="decode") == 3


async def test_a_pod_that_loads_is_a_target_that_does_not_answer(tmp_path: Path) -> None:
    async with serving(tmp_path, Plan()) as pods:
        before = await pods.targets()
        pods.group.scale_out_prefill(1)
        targets = await pods.targets()
        loads, unknown = await pods.status("prefill-1"), await pods.status("prefill-2")

    assert (len(before), len(targets)) == (4, 5)
    assert targets[-1]["labels"] == {
        "__metrics_path__": "/dynamo-pd-prefill-1/metrics",
        "namespace": "default",
        "pod": "dynamo-pd-prefill-1",
    }
    assert (loads, unknown) == (503, 404)


async def test_names_keep_their_colon_whatever_is_accepted(tmp_path: Path) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    async with serving(tmp_path, Plan()) as pods:
        page = await pods.page("prefill-0", accept)

    assert page.value(RUNNING) == 0

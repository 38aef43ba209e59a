"""Faults of a node with eight GPUs, scraped at 5 Hz: no page says what is not so.

The faults are data, in tests/gpu_faults.py; how pages are judged is in tests/faults/matrix.py.
"""

import asyncio
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from pd_exporter.web import Site
from tests.exposition import Page
from tests.fake_nvml import GIB
from tests.faults.fault import Fault
from tests.faults.matrix import Matrix, Outcome
from tests.faults.scene import (
    GPUS,
    IDLE_GPU,
    MEMORY,
    POD_MEMORY,
    Scene,
    Series,
    Tenant,
    key,
    pod_object,
)
from tests.gpu_faults import FAULTS
from tests.gpu_node import Settings, gpu_node

DOCUMENT = Path(__file__).parents[2] / "docs" / "design" / "0006-gpu-faults.md"
BEGIN, END = "<!-- written by the tests -->\n", "<!-- end -->\n"
HEAD = (
    "| fault | own series | pages while it lasted | false values | others missing | gone at |"
    " what tells it | back after |\n|---|---|---|---|---|---|---|---|\n"
)

OUTCOMES: dict[str, Outcome] = {}
"""Of this session's tests, by the fault's name."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_costs_its_own_series_and_no_page_lies(fault: Fault, tmp_path: Path) -> None:
    scene = Scene()
    async with gpu_node(tmp_path, 8, settings=fault.settings, prepare=scene.set_up) as node:
        matrix = Matrix(scene, fault)
        await matrix.healthy()
        await matrix.last()
        ends = len(node.fatal)
        await matrix.heal()

    found = OUTCOMES[fault.name] = matrix.outcome
    assert found.false == []
    assert found.missing == []
    assert ends == fault.ends_process


def memory_of(page: Page) -> Series:
    samples = (each for each in page.samples if each.name in MEMORY)
    return {key(each.name, **each.labels): each.value for each in samples}


async def test_the_web_page_says_the_same_to_all_who_ask_at_once(tmp_path: Path) -> None:
    scene = Scene()
    async with gpu_node(tmp_path, 8, prepare=scene.set_up) as node:
        node.nvml.fail(15, scene.gpu(0))
        scene.live()
        truth = {
            series: value
            for series, value in scene.world.series().items()
            if series[0] in MEMORY and ("uuid", GPUS[0]) not in series[1]
        }
        async with TestClient(TestServer(Site(node.scraper).app)) as http:

            async def ask() -> Page:
                async with http.get("/metrics") as response:
                    return Page(await response.text())

            pages = await asyncio.gather(*(ask() for _ in range(3)), node.scrape())

    assert [memory_of(page) for page in pages] == [truth] * 4


async def test_a_pod_made_anew_does_not_inherit_the_gpu_of_the_one_before(tmp_path: Path) -> None:
    """The kubelet tells pods by name alone, and was asked before the new one was there."""
    scene = Scene()
    settings = Settings(poll_seconds=60.0)
    async with gpu_node(tmp_path, 8, settings=settings, prepare=scene.set_up) as node:
        await node.shows(POD_MEMORY[0], scene.world.unit(GPUS[1]).used, pod="prefill-1")
        scene.leave("prefill-1")
        uid = "00000000-0000-4000-8000-00000000beef"
        scene.come(Tenant("prefill-1", "prefill", GPUS[IDLE_GPU]), uid)

        page = await role_changes(scene)

    assert page.get(POD_MEMORY[0], pod="prefill-1", uuid=GPUS[1]) is None


async def test_a_pod_that_joins_another_on_its_gpu_does_not_add_to_its_memory(
    tmp_path: Path,
) -> None:
    """The kubelet was asked before it gave the second pod its share."""
    scene = Scene()
    first = Tenant("decode-6", "decode", f"{GPUS[IDLE_GPU]}::0")
    second = Tenant("prefill-4", "prefill", f"{GPUS[IDLE_GPU]}::1")
    scene.world.tenants.append(first)
    settings = Settings(processes=False, poll_seconds=60.0)
    async with gpu_node(tmp_path, 8, settings=settings, prepare=scene.set_up) as node:
        await node.shows(POD_MEMORY[0], scene.world.unit(GPUS[IDLE_GPU]).used, pod=first.pod)
        scene.come(second)
        scene.gpu(IDLE_GPU).used += 20 * GIB  # all of it the second pod's
        node.nvml.write()

        page = await role_changes(scene)

    assert page.get(POD_MEMORY[0], pod=first.pod) is None


async def role_changes(scene: Scene) -> Page:
    """Give the first page by which the exporter knows all that the API has told so far."""
    last = scene.world.tenant("decode-5")
    last.role = "prefill"
    scene.node.api.update(pod_object(last))
    return await scene.node.shows("pd_pod_gpu_info", 1, pod=last.pod, role=last.role)


def row(fault: Fault, found: Outcome) -> str:
    cells = (
        fault.name,
        fault.own,
        found.pages,
        len(found.false),
        len(found.missing),
        found.gone_at or "none goes",
        fault.told_by(),
        found.back_at,
    )
    return "| " + " | ".join(map(str, cells)) + " |\n"


def test_the_table_lists_every_fault(request: pytest.FixtureRequest) -> None:
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    if request.config.getoption("--update-golden"):
        assert OUTCOMES.keys() == {fault.name for fault in FAULTS}, "run all of this file's tests"
        table = HEAD + "".join(row(fault, OUTCOMES[fault.name]) for fault in FAULTS)
        DOCUMENT.write_text(before + BEGIN + table + END + after)
    rows = [line.strip("| \n").split(" | ") for line in table.removeprefix(HEAD).splitlines()]

    assert table.startswith(HEAD)
    assert [(cells[0], cells[1], cells[6]) for cells in rows] == [
        (fault.name, fault.own, fault.told_by()) for fault in FAULTS
    ]
    assert {(cells[3], cells[4]) for cells in rows} == {("0", "0")}

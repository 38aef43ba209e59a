"""GPUs and pods from a file, read by the exporter's own collector and seen on its page."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pd_exporter.collectors.gpu import open_node
from pd_exporter.config import Config
from pd_exporter.landing import landing_page
from pd_exporter.scrape import Scraper
from tests.exposition import Page
from tests.fake_nvml import GIB, FakeNvml
from tests.process import exporter_process

NODE = "simulated-node"
USED = "pd_pod_gpu_memory_used_bytes"
LABELS = "rbg.workloads.x-k8s.io/"


def gpu(number: int, used: int = 30 * GIB, **changes: Any) -> dict[str, Any]:
    entry = {"uuid": gpu_uuid(number), "model": "Simulated GPU", "total": 80 * GIB, "used": used}
    return entry | changes


def gpu_uuid(number: int) -> str:
    return f"GPU-51000000-0000-4000-8000-{number:012}"


def pod(role: str, *devices: str, name: str = "") -> dict[str, Any]:
    return {
        "namespace": "default",
        "name": name or f"dynamo-pd-{role}-0",
        "container": "engine",
        "labels": {f"{LABELS}group-name": "dynamo-pd", f"{LABELS}role-name": role},
        "devices": devices,
    }


def write(path: Path, *pods: dict[str, Any], gpus: list[dict[str, Any]]) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps({"gpus": gpus, "pods": pods}))
    beside.replace(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gpus.json"


@contextlib.asynccontextmanager
async def exporter_on(file: Path) -> AsyncIterator[Scraper]:
    config = Config.model_validate({"gpu": {"node": NODE, "simulation": str(file)}})
    fatal: list[str] = []
    assert config.gpu is not None
    async with open_node(config, config.gpu, fatal.append) as collector:
        yield Scraper([collector])
    assert fatal == []


async def scrape(exporter: Scraper) -> Page:
    return Page(await exporter.scrape(9.5))


async def test_memory_is_that_of_the_file_by_pod_and_role(file: Path) -> None:
    gpus = [gpu(0), gpu(1, 50 * GIB, reserved=GIB)]
    write(file, pod("decoder", gpu_uuid(1)), pod("prefill", "nvidia0"), gpus=gpus)
    async with exporter_on(file) as exporter:
        page = await scrape(exporter)

    assert page.value(USED, role="prefill", uuid=gpu_uuid(0), pod="dynamo-pd-prefill-0") == 30 * GIB
    assert page.value(USED, role="decode", uuid=gpu_uuid(1), group="dynamo-pd") == 50 * GIB
    assert page.value("pd_pod_gpu_memory_limit_bytes", role="decode") == 80 * GIB
    assert page.value("pd_gpu_memory_reserved_bytes", uuid=gpu_uuid(1), node=NODE) == GIB


async def test_simulated_gpus_are_marked_as_such(file: Path) -> None:
    write(file, gpus=[gpu(0)])
    async with exporter_on(file) as exporter:
        snapshot = await exporter.scrape(9.5)

    assert Page(snapshot).value("pd_gpu_info", uuid=gpu_uuid(0), backend="simulated") == 1
    assert Page(snapshot).get("pd_gpu_info", backend="nvml") is None
    assert "simulated GPUs" in landing_page(snapshot)


async def test_each_scrape_sees_the_file_as_it_then_is(file: Path) -> None:
    decode = pod("decode", gpu_uuid(0))
    write(file, decode, gpus=[gpu(0, 1)])
    async with exporter_on(file) as exporter:
        seen = []
        for used in (2, 3, 2):
            write(file, decode, gpus=[gpu(0, used)])
            seen.append((await scrape(exporter)).value(USED, role="decode"))

    assert seen == [2, 3, 2]


@pytest.mark.parametrize(
    ("gpus", "pods", "why"),
    [
        ([gpu(0, -1)], [], "gpus.0.used: Input should be greater than or equal to 0"),
        ([gpu(0, 80 * GIB, reserved=1)], [], "more is used and reserved than there is"),
        ([gpu(0, color="red")], [], "gpus.0.color: Extra inputs are not permitted"),
        ([gpu(3), gpu(3)], [], f"there is more than one {gpu_uuid(3)}"),
        ([gpu(0)], [pod("a", name="x"), pod("b", name="x")], "more than one default/x"),
    ],
)
async def test_a_mistake_in_the_file_is_told_and_costs_all_values(
    file: Path, gpus: list[dict[str, Any]], pods: list[dict[str, Any]], why: str
) -> None:
    write(file, pod("decode", gpu_uuid(0)), gpus=[gpu(0)])
    async with exporter_on(file) as exporter:
        assert (await scrape(exporter)).get(USED) is not None
        write(file, *pods, gpus=gpus)
        snapshot = await exporter.scrape(9.5)
        write(file, pod("decode", gpu_uuid(0)), gpus=[gpu(0)])
        after = await scrape(exporter)

    (outcome,) = snapshot.outcomes
    problems = [str(reading.problem) for reading in outcome.readings if reading.problem]
    assert problems
    assert all(why in problem and str(file) in problem for problem in problems)
    assert Page(snapshot).get(USED) is None
    assert Page(snapshot).value("pd_node_source_up", source="kubelet") == 0
    assert after.value(USED) == 30 * GIB


async def test_a_file_that_is_not_there_is_told(file: Path) -> None:
    async with exporter_on(file) as exporter:
        page = landing_page(await exporter.scrape(9.5))

    assert f"{file} cannot be read: No such file or directory." in page


async def test_pods_of_a_file_without_gpus_hold_those_of_nvml(file: Path, tmp_path: Path) -> None:
    nvml = FakeNvml(tmp_path / "nvml", gpus=2)
    write(file, pod("decode", "nvidia1"), pod("prefill", nvml.gpus[0].uuid), gpus=[])
    config = tmp_path / "pd-exporter.yaml"
    config.write_text(yaml.safe_dump({"gpu": {"node": NODE, "simulation": str(file)}}))
    async with exporter_process(config, nvml.environment) as running:
        page = Page(await running.get("metrics"))

    assert page.value(USED, role="decode", uuid=nvml.gpus[1].uuid) == 2 * GIB
    assert page.value(USED, role="prefill", uuid=nvml.gpus[0].uuid) == GIB
    assert page.value("pd_gpu_info", uuid=nvml.gpus[0].uuid, backend="nvml") == 1
    assert page.get("pd_gpu_info", backend="simulated") is None

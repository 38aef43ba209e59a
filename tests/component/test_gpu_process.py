"""The GPU half as the real process that a DaemonSet runs: it starts, it ends, it says why."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.exposition import Page
from tests.fake_nvml import GIB, FakeNvml
from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_objects import pod
from tests.fakes.kubelet import (
    FakeKubelet,
    KubeletContainer,
    KubeletPod,
    fake_kubelet,
    gpu_pod,
)
from tests.gpu_node import NODE, role_pod
from tests.process import ExporterProcess, exporter_process
from tests.servers import run, until

USED = "pd_pod_gpu_memory_used_bytes"


@pytest.fixture
def nvml(tmp_path: Path) -> FakeNvml:
    return FakeNvml(tmp_path / "nvml", gpus=2)


@pytest.fixture
async def process(tmp_path: Path, nvml: FakeNvml) -> AsyncIterator[ExporterProcess]:
    """The exporter on a fake NVML and kubelet, outside any cluster."""
    with fake_kubelet([gpu_pod("decode-0", nvml.gpus[1].uuid)]) as kubelet:
        config = tmp_path / "pd-exporter.yaml"
        document = {"gpu": {"node": NODE, "kubelet_socket": str(kubelet.socket)}}
        config.write_text(yaml.safe_dump(document))
        environment = {
            name: value
            for name, value in nvml.environment.items()
            if not name.startswith("KUBERNETES_SERVICE")
        }
        async with exporter_process(config, environment) as running:
            yield running


async def scrape(process: ExporterProcess, **headers: str) -> Page:
    return Page(await process.get("metrics", **headers))


async def test_it_serves_the_gpus_of_the_node(process: ExporterProcess) -> None:
    page = await scrape(process)

    assert page.value("pd_gpu_up", node=NODE, uuid="GPU-00000000-0000-4000-8000-000000000000") == 1
    assert page.value(USED, pod="decode-0", role="") == 2 * GIB
    assert page.value("pd_node_source_up", source="kubernetes") == 0
    process.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.process.wait(), 10) == 0


@contextlib.asynccontextmanager
async def node_process(
    folder: Path, nvml: FakeNvml, kubelet: FakeKubelet, api: KubeApi, **gpu: object
) -> AsyncIterator[ExporterProcess]:
    """The exporter in a cluster whose API wants a token."""
    api.token = "sesame"
    (folder / "token").write_text("sesame")
    config = folder / "pd-exporter.yaml"
    document = {
        "gpu": {"node": NODE, "kubelet_socket": str(kubelet.socket), **gpu},
        "kubernetes": {"server": api.url, "token_file": "token"},
        "role_aliases": {"generator": "decode"},
    }
    config.write_text(yaml.safe_dump(document))
    async with exporter_process(config, nvml.environment) as running:
        yield running


async def test_every_key_of_the_configuration_does_what_it_says(
    tmp_path: Path, nvml: FakeNvml
) -> None:
    share = {"ALIYUN_COM_GPU_MEM_IDX": "1", "ALIYUN_COM_GPU_MEM_POD": "20"}
    decode = role_pod("generator", 0)
    decode["metadata"]["annotations"] = share | {"ALIYUN_COM_GPU_MEM_DEV": "80"}
    name = str(decode["metadata"]["name"])
    counter = KubeletContainer({"aliyun.com/gpu-mem": [f"{nvml.gpus[0].uuid}-_-0"]})
    pods = [KubeletPod(name, [counter]), gpu_pod("notebook", nvml.gpus[0].uuid)]
    choices = {"all_pods": True, "process_attribution": "always"}
    async with kube_api() as api:
        api.create(decode)
        api.create(pod("notebook", node=NODE))
        with fake_kubelet(pods) as kubelet:
            async with node_process(tmp_path, nvml, kubelet, api, **choices) as process:
                page = await scrape(process)

    assert page.value("pd_pod_gpu_memory_limit_bytes", pod=name, role="decode") == 20 * GIB
    assert page.value(USED, pod="notebook", role="") == 1 * GIB
    assert page.value("pd_node_source_up", source="processes") == 1
    assert page.value("pd_node_source_up", source="kubernetes") == 1


async def test_a_node_with_its_defaults(tmp_path: Path, nvml: FakeNvml) -> None:
    async with kube_api() as api:
        api.create(pod("notebook", node=NODE))
        with fake_kubelet([gpu_pod("notebook", nvml.gpus[0].uuid)]) as kubelet:
            never = {"process_attribution": "never"}
            async with node_process(tmp_path, nvml, kubelet, api, **never) as process:
                page = await scrape(process)

    assert page.get(USED) is None
    assert page.value("pd_gpu_pods", uuid=nvml.gpus[0].uuid) == 1
    assert page.value("pd_node_source_up", source="processes") == 0


async def test_only_what_the_half_needs_is_imported(process: ExporterProcess) -> None:
    await scrape(process)

    maps = Path(f"/proc/{process.process.pid}/maps")
    loaded = await asyncio.to_thread(maps.read_text)
    assert "libnvidia-ml.so.1" in loaded
    assert "_sodium" not in loaded  # nkeys', which signs for NATS


async def test_a_hung_gpu_does_not_keep_it_from_ending(
    process: ExporterProcess, nvml: FakeNvml
) -> None:
    await scrape(process)
    nvml.hang(nvml.gpus[0])
    nvml.write()

    page = await scrape(process, **{"X-Prometheus-Scrape-Timeout-Seconds": "1"})

    assert page.value("pd_gpu_up", uuid=nvml.gpus[0].uuid) == 0
    assert page.value(USED, pod="decode-0") == 2 * GIB

    process.process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.process.wait(), 10) == 0


async def test_a_version_mismatch_ends_it_with_the_reason(
    process: ExporterProcess, nvml: FakeNvml
) -> None:
    await scrape(process)
    nvml.fail(18)
    nvml.write()

    async def ended() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            await scrape(process)
        return process.process.returncode is not None

    await until(ended, "the exporter to end")
    assert process.process.returncode == 1
    last = process.output.read_text().splitlines()[-1]
    assert last.startswith("pd-exporter: ")
    assert "version" in last


def test_without_the_extra_it_says_how_to_get_it(tmp_path: Path) -> None:
    config = tmp_path / "pd-exporter.yaml"
    config.write_text("gpu: {node: x}\n")
    program = (
        "import sys; sys.modules['grpclib'] = None; from pd_exporter.cli import main;"
        f" sys.exit(main(['serve', '--config.file', {str(config)!r}]))"
    )

    done = run(sys.executable, "-c", program)

    assert done.returncode == 1
    assert "pip install 'pd-exporter[gpu]'" in done.stderr
    assert "Traceback" not in done.stderr

"""The real command where NVML has GPUs, and where it cannot be asked for any."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pd_exporter.demo.programs.realgpus import find_gpus
from tests.demo import BURST, StartDemo, demos
from tests.fake_nvml import GIB, FakeNvml, gpu_instance

USED = "pd_pod_gpu_memory_used_bytes"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[StartDemo]:
    with demos(tmp_path) as start:
        yield start


@pytest.fixture
def nvml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """What child processes find as NVML."""
    fake = FakeNvml(tmp_path / "nvml", gpus=2)
    monkeypatch.setenv("LD_LIBRARY_PATH", fake.environment["LD_LIBRARY_PATH"])
    return fake


def test_a_real_gpu_is_held_by_a_decode_pod_and_not_judged(demo: StartDemo, nvml: FakeNvml) -> None:
    del nvml.gpus[1]
    nvml.gpus[0].used = 7 * GIB
    nvml.write()
    run = demo(*BURST, "--keep", prometheus=False)
    run.wait_for_text("Still up")
    page = run.metrics()

    run.process.send_signal(signal.SIGINT)

    assert run.status() == 0, run.output()
    assert page.value(USED, pod="dynamo-pd-decode-0", role="decode") == 7 * GIB
    assert page.get(USED, role="prefill") is None
    assert page.value("pd_gpu_info", uuid=nvml.gpus[0].uuid, backend="nvml") == 1
    assert page.get("pd_gpu_info", backend="simulated") is None
    assert "1 of the " in run.output()
    assert run.row("GPU memory, decode, peak") == ["-", "7.0", "GiB", "-"]
    assert "simulated" not in run.output()


def test_without_the_packages_gpus_are_left_out(demo: StartDemo, tmp_path: Path) -> None:
    # As if it were not installed, for the demo and for the exporter that it starts.
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['grpclib'] = None\n")
    run = demo(*BURST, prometheus=False, environment={"PYTHONPATH": str(tmp_path)})

    assert run.status() == 0, run.output()
    assert "To get it: pip install 'pd-exporter[gpu]'" in run.output()
    assert "GPU memory" not in run.output()
    assert "exporter's lag rose" in run.output()


async def test_gpus_and_mig_instances_are_found(nvml: FakeNvml) -> None:
    nvml.gpus[1].mig = True
    nvml.gpus[1].instances = [gpu_instance(1, gpu=1), gpu_instance(2, gpu=1)]
    nvml.write()

    instances = [instance.compute[0].uuid for instance in nvml.gpus[1].instances]
    assert await find_gpus() == [nvml.gpus[0].uuid, *instances]


async def test_gpus_whose_memory_cannot_be_read_are_none(nvml: FakeNvml) -> None:
    nvml.fail(15, nvml.gpus[0])
    for function in ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"):
        nvml.fail(3, nvml.gpus[1], function)
    nvml.write()

    assert await find_gpus() == []


async def test_a_driver_that_hangs_has_no_gpus(nvml: FakeNvml) -> None:
    nvml.hang()
    nvml.write()

    assert not await find_gpus(seconds=0.5)

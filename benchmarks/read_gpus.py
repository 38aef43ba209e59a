"""How long a page of GPU memory takes, and what it costs, beside nvitop-exporter on the same NVML.

Usage: ``make bench``. Both run as processes of their own on one fake NVML library with 8 GPUs and
are scraped in turn, so that the machine's mood is shared. The exporter has a real gRPC kubelet and
a real HTTP API server besides, with 60 pods: once 8 of them hold a GPU each, once all of them share
the 8 and are told by their processes. nvitop-exporter reads every second in the background and
knows no pods; its page is what it has at hand.
"""

import asyncio
import contextlib
import gzip
import http.client
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

from tests.fake_nvml import GIB, FakeNvml, Process
from tests.fakes.kube_api import kube_api
from tests.fakes.kubelet import KubeletContainer, KubeletPod, fake_kubelet
from tests.gpu_node import NODE, role_pod
from tests.process import exporter_process
from tests.servers import free_port, until

GPUS = 8
PODS = 60
ROUNDS = 300


@dataclass
class Rival:
    """A process that is scraped.

    Attributes:
        name: In the table.
        pid: Of the process.
        http: Leads to it.
        milliseconds: Each scrape's time.
        page: The last page.
    """

    name: str
    pid: int
    http: http.client.HTTPConnection
    milliseconds: list[float] = field(default_factory=list)
    page: bytes = b""

    def scrape(self) -> None:
        """Read the page once more, compressed as Prometheus asks for it."""
        began = time.perf_counter()
        self.http.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        answer = self.http.getresponse().read()
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        self.page = gzip.decompress(answer) if answer.startswith(b"\x1f\x8b") else answer

    def row(self) -> str:
        """Give the line of the table."""
        series = sum(not line.startswith(b"#") for line in self.page.splitlines())
        cuts = statistics.quantiles(self.milliseconds, n=100)
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        rss = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024
        return (
            f"{self.name:<26} {series:>6} {len(self.page) / 1000:>8.1f} {cuts[49]:>8.2f}"
            f" {cuts[98]:>8.2f} {rss:>8.1f}"
        )


@contextlib.asynccontextmanager
async def process(*command: str, environment: Mapping[str, str], log: Path) -> AsyncIterator[int]:
    """Run a process while entered; give its pid."""
    with log.open("wb") as output:
        started = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=output, stderr=output
        )
    try:
        yield started.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.terminate()
        await started.wait()


def pods(nvml: FakeNvml, *, shared: bool) -> list[KubeletPod]:
    """60 pods of three containers, of which 8 or all hold a GPU."""
    made = []
    for number in range(PODS):
        gpu = nvml.gpus[number % GPUS]
        ids = [f"{gpu.uuid}::{number}"] if shared else [gpu.uuid] if number < GPUS else []
        name = str(role_pod("decode", number)["metadata"]["name"])
        engine = KubeletContainer({"nvidia.com/gpu": ids} if ids else {}, name="engine")
        made.append(KubeletPod(name, [engine, KubeletContainer(), KubeletContainer()]))
    return made


@contextlib.asynccontextmanager
async def exporter(folder: Path, nvml: FakeNvml, *, shared: bool) -> AsyncIterator[Rival]:
    """The exporter's GPU half as a process, on a kubelet and an API server of its own."""
    name = f"pd-exporter, {PODS if shared else GPUS} on GPUs"
    async with contextlib.AsyncExitStack() as stack:
        kubelet = stack.enter_context(fake_kubelet(pods(nvml, shared=shared)))
        api = await stack.enter_async_context(kube_api())
        for number in range(PODS):
            api.create(role_pod("decode", number))
        config = folder / f"{name}.yaml"
        gpu = {
            "node": NODE,
            "kubelet_socket": str(kubelet.socket),
            "process_attribution": "always" if shared else "auto",
        }
        config.write_text(yaml.safe_dump({"gpu": gpu, "kubernetes": {"server": api.url}}))
        running = await stack.enter_async_context(exporter_process(config, nvml.environment))
        address = running.url.removeprefix("http://").rstrip("/")
        yield Rival(name, running.process.pid, http.client.HTTPConnection(address))


@contextlib.asynccontextmanager
async def nvitop(folder: Path, nvml: FakeNvml) -> AsyncIterator[Rival]:
    """nvitop-exporter as a process."""
    port = free_port()
    program = str(Path(sys.executable).with_name("nvitop-exporter"))
    async with process(
        program, "--port", str(port), environment=nvml.environment, log=folder / "nvitop.log"
    ) as pid:
        yield Rival("nvitop-exporter", pid, http.client.HTTPConnection("127.0.0.1", port))


async def answers(rival: Rival) -> bool:
    try:
        await asyncio.to_thread(rival.scrape)
    except OSError:
        rival.http.close()
        return False
    return True


async def main() -> None:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        nvml = FakeNvml(folder / "nvml", GPUS)
        for number in range(PODS):
            idle = process("sleep", "600", environment={}, log=folder / "sleep.log")
            pid = await stack.enter_async_context(idle)
            gpu = nvml.gpus[number % GPUS]
            gpu.processes.append(Process(pid, 9 * GIB))
            gpu.used = len(gpu.processes) * 9 * GIB
        nvml.write()
        rivals = [
            await stack.enter_async_context(exporter(folder, nvml, shared=False)),
            await stack.enter_async_context(exporter(folder, nvml, shared=True)),
            await stack.enter_async_context(nvitop(folder, nvml)),
        ]
        for rival in rivals:
            await until(partial(answers, rival), f"{rival.name} to answer")
            rival.milliseconds.clear()
        for _ in range(ROUNDS):
            for rival in rivals:
                await asyncio.to_thread(rival.scrape)
        print(f"{'':<26} series       kB   p50 ms   p99 ms  RSS MiB   ({ROUNDS} rounds in turn)")
        for rival in rivals:
            print(rival.row())


if __name__ == "__main__":
    asyncio.run(main())

"""A node with GPUs for tests: the exporter's GPU collector on a fake NVML, kubelet and API server.

NVML is a real C library under the real binding, the kubelet a real gRPC server on a unix socket,
the API server a real HTTP server, and processes are entries of a folder that stands for /proc.
"""

import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pd_exporter.attribution.holdings import ANNOTATIONS
from pd_exporter.collectors.gpu import GpuCollector, Scope
from pd_exporter.kube.access import KubeAccess
from pd_exporter.kube.api import Timeouts, open_api
from pd_exporter.kube.pace import Pace
from pd_exporter.kube.pods import open_pods_of_node
from pd_exporter.kubelet.allocations import open_allocations
from pd_exporter.kubelet.cgroups import HOST_PID_NAMESPACE, ProcessTable
from pd_exporter.nvml.gpus import open_gpus
from pd_exporter.reading import Problem
from pd_exporter.scrape import Scraper, Snapshot
from tests.exposition import Page
from tests.fake_nvml import FakeNvml
from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_objects import Object, pod
from tests.fakes.kubelet import FakeKubelet, fake_kubelet, gpu_pod
from tests.servers import until

NODE = "node-a"
GROUP = "dynamo-pd"
PREFILL, DECODE = f"{GROUP}-prefill-0", f"{GROUP}-decode-0"
"""Names of two pods."""

USED = "pd_pod_gpu_memory_used_bytes"
LIMIT = "pd_pod_gpu_memory_limit_bytes"
POD_INFO = "pd_pod_gpu_info"
DEVICE_USED = "pd_gpu_memory_used_bytes"


def role_pod(role: str, index: int, group: str = GROUP, namespace: str = "default") -> Object:
    """A pod as RoleBasedGroup makes it for a role with one pod a replica."""
    name = f"{group}-{role}-{index}"
    labels = {
        "rbg.workloads.x-k8s.io/group-name": group,
        "rbg.workloads.x-k8s.io/role-name": role,
        "rbg.workloads.x-k8s.io/role-instance-name": name,
    }
    return pod(name, node=NODE, namespace=namespace, labels=labels, uid=uid_of(name))


def uid_of(name: str) -> str:
    """A uid as Kubernetes gives them, which tells the name by its digits."""
    digits = name.encode().hex()[-32:].rjust(32, "0")
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


class ProcFolder:
    """A folder that stands for /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        namespaces = folder / "self" / "ns"
        namespaces.mkdir(parents=True)
        (namespaces / "pid").symlink_to(HOST_PID_NAMESPACE)

    def start(self, pid: int, pod_name: str, ticks: int = 0) -> None:
        """Let a process of a pod be there, started that many ticks later than others of its pid."""
        (self.folder / str(pid)).mkdir()
        of_pod = f"kubepods-burstable-pod{uid_of(pod_name).replace('-', '_')}.slice"
        container = f"cri-containerd-{'0' * 64}.scope"
        path = f"/kubepods.slice/kubepods-burstable.slice/{of_pod}/{container}"
        (self.folder / str(pid) / "cgroup").write_text(f"0::{path}\n")
        fields = " ".join(["S", *["0"] * 18, str(pid + ticks), "0"])
        (self.folder / str(pid) / "stat").write_text(f"{pid} (engine) {fields}\n")

    def end(self, pid: int) -> None:
        """Let a process end."""
        shutil.rmtree(self.folder / str(pid))


@dataclass(frozen=True)
class Settings:
    """How the exporter on the node is set.

    Attributes:
        processes: Whether it can tell the pods of processes.
        all_pods: Whether pods without a role have series.
        enumerate_seconds: Pause between two enumerations of the GPUs.
        hung_seconds: How long an enumeration waits for a GPU.
        answer_seconds: How long the API server may take to answer.
        silence_seconds: How long a watch may be silent.
        settled_seconds: How long a watch lasts that has begun well.
        poll_seconds: About how often the kubelet is asked.
    """

    processes: bool = True
    all_pods: bool = False
    enumerate_seconds: float = 0.1
    hung_seconds: float = 5.0
    answer_seconds: float = 60.0
    silence_seconds: float = 180.0
    settled_seconds: float = 0.1
    poll_seconds: float = 0.1


class GpuNode:
    """The parts of the node, and the collector on them.

    Attributes:
        nvml: Its GPUs; `write` makes changes so.
        kubelet: Its kubelet.
        api: The cluster's API server.
        proc: Its processes.
        fatal: What ended the exporter, if anything did.
    """

    def __init__(
        self, nvml: FakeNvml, kubelet: FakeKubelet, api: KubeApi, proc: ProcFolder
    ) -> None:
        self.nvml = nvml
        self.kubelet = kubelet
        self.api = api
        self.proc = proc
        self.fatal: list[str] = []
        self.scraper = Scraper([])
        self.settings = Settings()
        self._exporter = contextlib.AsyncExitStack()

    async def start(self) -> None:
        """Start the exporter; it runs in this process, and learns of changes quickly."""
        self.scraper = await self._exporter.enter_async_context(_collecting(self))

    async def stop(self) -> None:
        await self._exporter.aclose()

    def hold(self, holdings: dict[str, list[str]], roles: Iterable[Object] = ()) -> None:
        """Give pods their devices, by pod name, and make their objects."""
        for made in roles:
            self.api.create(made)
        self.kubelet.pods = [gpu_pod(name, *devices) for name, devices in holdings.items()]

    async def snapshot(self, budget: float = 9.5) -> Snapshot:
        return await self.scraper.scrape(budget)

    async def scrape(self, budget: float = 9.5) -> Page:
        return Page(await self.snapshot(budget))

    async def shows(self, name: str, value: float | None, **labels: str) -> Page:
        """Scrape until the page shows that value, or the absence of one."""

        async def shown() -> Page | None:
            page = await self.scrape()
            return page if page.get(name, **labels) == value else None

        return await until(shown, f"{name}{labels} to be {value}")

    async def problems(self) -> dict[str, Problem]:
        """What is wrong now, by subject."""
        (outcome,) = (await self.snapshot()).outcomes
        assert outcome.problem is None, outcome.problem
        return {each.subject: each.problem for each in outcome.readings if each.problem}


@contextlib.asynccontextmanager
async def gpu_node(
    folder: Path,
    gpus: int = 2,
    *,
    processes: bool = True,
    all_pods: bool = False,
    settings: Settings | None = None,
    prepare: Callable[[GpuNode], None] = lambda _: None,
) -> AsyncIterator[GpuNode]:
    """A node whose exporter runs; what `prepare` does to the node was so before it started."""
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(kube_api())
        kubelet = stack.enter_context(fake_kubelet())
        node = GpuNode(FakeNvml(folder / "nvml", gpus), kubelet, api, ProcFolder(folder / "proc"))
        node.settings = settings or Settings(processes, all_pods)
        prepare(node)
        stack.push_async_callback(node.stop)
        await node.start()
        yield node


@contextlib.asynccontextmanager
async def _collecting(node: GpuNode) -> AsyncIterator[Scraper]:
    settings = node.settings
    pace = Pace(start=0, first_pause=0.05, longest_pause=0.1, settled=settings.settled_seconds)
    timeouts = Timeouts(answer=settings.answer_seconds, silence=settings.silence_seconds)
    async with (
        open_gpus(
            library=str(node.nvml.library),
            refresh_seconds=settings.enumerate_seconds,
            hung_seconds=settings.hung_seconds,
            on_fatal=node.fatal.append,
        ) as gpus,
        open_allocations(node.kubelet.socket, refresh_seconds=settings.poll_seconds) as allocations,
        open_api(KubeAccess(node.api.url), timeouts) as api,
        open_pods_of_node(api, NODE, ANNOTATIONS, pace) as pods,
    ):
        scope = Scope(
            NODE, aliases={"decoder": "decode"}, all_pods=settings.all_pods, settle_seconds=0
        )
        processes = ProcessTable(node.proc.folder) if settings.processes else None
        collector = GpuCollector(scope, gpus, allocations, pods, processes)
        yield Scraper([collector])


def uuid(node: GpuNode, index: int) -> str:
    return node.nvml.gpus[index].uuid


def hold_one_each(node: GpuNode) -> None:
    """Prefill has GPU 0, Decode GPU 1."""
    node.hold(
        {PREFILL: [uuid(node, 0)], DECODE: [uuid(node, 1)]},
        [role_pod("prefill", 0), role_pod("decode", 0)],
    )

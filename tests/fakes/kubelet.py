"""A kubelet as far as PodResources goes: a real gRPC server on a unix socket.

Its messages are protobuf's own, from `podresources.proto` beside this file, and its server is
gRPC's: nothing here is of the exporter's making.
"""

import contextlib
import functools
import importlib.util
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import grpc
from grpc_tools import protoc

PROTO = Path(__file__).with_name("podresources.proto")


@functools.cache
def messages() -> ModuleType:
    """The classes that protoc makes of `podresources.proto`."""
    with tempfile.TemporaryDirectory(prefix="pb") as folder:
        command = ["protoc", f"-I{PROTO.parent}", f"--python_out={folder}", PROTO.name]
        assert protoc.main(command) == 0
        generated = Path(folder, "podresources_pb2.py")
        spec = importlib.util.spec_from_file_location(generated.stem, generated)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def socket_folder() -> Iterator[Path]:
    """A folder with a short name: a unix socket's path has about 107 bytes, pytest's are longer."""
    with tempfile.TemporaryDirectory(prefix="pd") as folder:
        yield Path(folder)


@dataclass(frozen=True)
class ClaimedDevice:
    """A device of a dynamic resource (DRA)."""

    device: str
    driver: str = "gpu.nvidia.com"
    pool: str = "node-1"


@dataclass(frozen=True)
class KubeletContainer:
    """A container, with its device ids by resource, and the devices it has by claims."""

    devices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    claimed: Sequence[ClaimedDevice] = ()
    name: str = "main"


@dataclass(frozen=True)
class KubeletPod:
    """A pod on the node."""

    name: str
    containers: Sequence[KubeletContainer] = ()
    namespace: str = "default"


def gpu_pod(name: str, *device_ids: str, namespace: str = "default") -> KubeletPod:
    """A pod whose only container holds GPUs of NVIDIA's device plugin."""
    return KubeletPod(name, [KubeletContainer({"nvidia.com/gpu": device_ids})], namespace)


def answer_of(pods: Sequence[KubeletPod]) -> bytes:
    """The ListPodResourcesResponse for these pods, on the wire."""
    pb = messages()
    response = pb.ListPodResourcesResponse()
    for pod in pods:
        told = response.pod_resources.add(name=pod.name, namespace=pod.namespace)
        for container in pod.containers:
            resources = told.containers.add(name=container.name, cpu_ids=[2, 3, 66, 67])
            resources.memory.add(memory_type="memory", size=64 << 30)
            for resource, ids in container.devices.items():
                for device_id in ids:  # as the kubelet does where devices are on NUMA nodes
                    devices = resources.devices.add(resource_name=resource, device_ids=[device_id])
                    devices.topology.nodes.add(ID=1)
            for claimed in container.claimed:
                claim = resources.dynamic_resources.add(
                    claim_name="claim", claim_namespace=pod.namespace
                )
                claim.claim_resources.add(
                    cdi_devices=[{"name": f"k8s.{claimed.driver}/claim={claimed.device}"}],
                    driver_name=claimed.driver,
                    pool_name=claimed.pool,
                    device_name=claimed.device,
                )
    encoded: bytes = response.SerializeToString()
    return encoded


class FakeKubelet:
    """Serves `v1.PodResourcesLister/List`; it answers with `pods` unless told otherwise.

    Attributes:
        socket: Path of its unix socket.
        pods: What it tells; may be replaced at any time.
        asked: How often it was asked, whatever came of it.
    """

    def __init__(
        self,
        socket: Path,
        pods: Sequence[KubeletPod] = (),
        service: str = "v1.PodResourcesLister",
    ) -> None:
        self.socket = socket
        self.pods = pods
        self.asked = 0
        self._service = service
        self._server: grpc.Server | None = None
        self._raw: bytes | None = None
        self._failure: tuple[grpc.StatusCode, str] | None = None
        self._answering = threading.Event()
        self._answering.set()

    def start(self) -> None:
        """Listen on a socket made anew."""
        server = grpc.server(ThreadPoolExecutor(max_workers=4))
        method = grpc.unary_unary_rpc_method_handler(
            self._list, request_deserializer=messages().ListPodResourcesRequest.FromString
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(self._service, {"List": method}),)
        )
        server.add_insecure_port(f"unix:{self.socket}")
        server.start()
        self._server = server

    def stop(self) -> None:
        """End at once, with all connections."""
        if self._server is not None:
            stopped = self._server.stop(grace=None)
            self._answering.set()
            stopped.wait(15)
            self._server = None

    def answer(self, raw: bytes | None = None) -> None:
        """Answer from now on, with these bytes as the message or with `pods`, and whoever waits."""
        self._raw, self._failure = raw, None
        self._answering.set()

    def fail(self, code: grpc.StatusCode, message: str = "out of order") -> None:
        """Answer with an error from now on."""
        self._failure = code, message

    def hang(self) -> None:
        """Leave every question unanswered, until `answer`."""
        self._answering.clear()

    def _list(self, _request: object, context: grpc.ServicerContext) -> bytes:
        self.asked += 1
        self._answering.wait(60)
        if self._failure is not None:
            context.abort(*self._failure)
        return self._raw if self._raw is not None else answer_of(self.pods)


@contextlib.contextmanager
def fake_kubelet(pods: Sequence[KubeletPod] = ()) -> Iterator[FakeKubelet]:
    """A running kubelet in a folder of its own."""
    with socket_folder() as folder:
        kubelet = FakeKubelet(folder / "kubelet.sock", pods)
        try:
            kubelet.start()
            yield kubelet
        finally:
            kubelet.stop()

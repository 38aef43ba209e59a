"""Fixtures: a real nats-server of each version, and the exporter's own collectors on it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from nats.aio.client import Client

from pd_exporter.nvml.gpus import NvmlGpus
from tests.exporting import Exporter, exporter_of
from tests.fake_nvml import FakeNvml
from tests.fakes.kube_api import KubeApi, kube_api
from tests.fakes.kube_objects import pod
from tests.fakes.kubelet import FakeKubelet, fake_kubelet, socket_folder
from tests.gpu_node import GpuNode, gpu_node
from tests.kube import Watched, pods_of
from tests.nvml import Driver
from tests.podresources import PODS
from tests.servers import NATS_VERSIONS, NatsServer, nats_server, program

# The same examples in every run, however busy the machine. New ones are looked for by
# make test ARGS=--hypothesis-profile=search
settings.register_profile("search", deadline=None, print_blob=True)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(params=NATS_VERSIONS)
def nats_binary(request: pytest.FixtureRequest) -> str:
    """Every test of the queue's numbers runs on the current server and on Debian's 2.9."""
    return program(NATS_VERSIONS[request.param])


@pytest.fixture
def server(nats_binary: str, tmp_path: Path) -> Iterator[NatsServer]:
    with nats_server(nats_binary, tmp_path / "nats") as running:
        yield running


@pytest.fixture
async def client(server: NatsServer) -> AsyncIterator[Client]:
    client = await server.client()
    yield client
    await client.close()


@pytest.fixture
async def exporter(server: NatsServer) -> AsyncIterator[Exporter]:
    """The exporter on the tutorial's queue."""
    async with exporter_of(url=server.url) as running:
        yield running


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    """A driver with eight GPUs."""
    driver = Driver(tmp_path / "nvml")
    yield driver
    driver.fake.heal()  # no test's thread may hang on into the next
    driver.fake.write()


@pytest.fixture
def fake(driver: Driver) -> FakeNvml:
    return driver.fake


@pytest.fixture
async def gpus(driver: Driver) -> AsyncIterator[NvmlGpus]:
    """Enumerates at the first reading, and not of itself again during a test."""
    async with driver.open() as it:
        yield it
    assert driver.fatal == []


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[GpuNode]:
    """A node with two GPUs."""
    async with gpu_node(tmp_path) as running:
        yield running


@pytest.fixture
def kubelet() -> Iterator[FakeKubelet]:
    """A kubelet with two pods that hold a GPU each."""
    with fake_kubelet(PODS) as running:
        yield running


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path for a socket that is not there yet."""
    with socket_folder() as folder:
        yield folder / "kubelet.sock"


@pytest.fixture
async def api() -> AsyncIterator[KubeApi]:
    """An API server of a cluster with one pod, "a"."""
    async with kube_api() as running:
        running.create(pod("a"))
        yield running


@pytest.fixture
async def watched(api: KubeApi) -> AsyncIterator[Watched]:
    """The pods of the node that "a" is on, watched."""
    async with pods_of(api) as watched:
        await watched.watches()
        yield watched


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew from what is seen"
    )

"""Whole pages in a known state, as files that one can read and promtool accepts."""

import re
from pathlib import Path

import pytest
from nats.aio.client import Client
from prometheus_client.exposition import generate_latest

from pd_exporter import catalogue
from tests.dynamo import CONSUMER, STREAM, Service, make_queue
from tests.exporting import BUDGET, exporter_of, queue_config
from tests.fake_nvml import GIB, Process, gpu_instance
from tests.fakes.kube_api import KubeApi
from tests.fakes.kube_scaling import hpa, part, policy, rbg_adapter, scaled_object, worker
from tests.gpu_node import gpu_node, role_pod
from tests.roles_cluster import ROLE, install_all, roles_cluster
from tests.servers import NatsServer, program, run, until

GOLDEN = Path(__file__).parent.parent / "golden"
PAGES = ("queue.prom", "gpu.prom", "roles.prom")
VARYING = re.compile(r"^(pd_\S+_(?:timestamp|duration)_seconds\{.*\}) .*$", re.MULTILINE)
PROCESS = re.compile(r"^(?:# (?:HELP|TYPE) )?process_.*\n", re.MULTILINE)
VERSIONS = re.compile(r'(python|version)="[^"]*"')


def normalised(page: str) -> str:
    """Without what differs from run to run: times, versions, the process's own metrics."""
    return VERSIONS.sub(r'\1="*"', VARYING.sub(r"\1 *", PROCESS.sub("", page)))


async def test_the_page_is_the_golden_one(
    server: NatsServer, client: Client, request: pytest.FixtureRequest
) -> None:
    await make_queue(client)
    queue = queue_config(worker_concurrency=1, service_prior_seconds=0.5, cap_messages=3)
    missing = queue_config(stream="no_such_stream", group="other", ack="after_work")
    async with exporter_of(queue, missing, url=server.url) as exporter:

        async def sampled() -> bool:
            page = await exporter.scrape()
            return page.get("pd_queue_expired_messages_total") is not None

        await until(sampled, "the first sample of the stream")
        await Service(client, ack_after_work=False).publish(7)
        pulls = await client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)
        first, _second = await pulls.fetch(2)
        await first.ack_sync()
        text = generate_latest(await exporter.scraper.scrape(BUDGET)).decode()
    text = re.sub(r'(reason="stream_missing".*"no_such_stream"\}) .*', r"\1 *", text)

    assert_golden(request, "queue.prom", text)


async def test_the_page_of_gpus_is_the_golden_one(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A GPU of one pod, one of two pods, one in MIG mode, and a device that nobody knows."""
    async with gpu_node(tmp_path, 3) as node:
        alone, shared, mig = node.nvml.gpus
        shared.used, shared.processes = 50 * GIB, [Process(11, 20 * GIB), Process(12, 29 * GIB)]
        mig.mig, mig.instances = True, [gpu_instance(3, gpu=2), gpu_instance(5, gpu=2)]
        node.nvml.write()
        made = [role_pod("prefill", 0), role_pod("prefill", 1), role_pod("decode", 0)]
        first, second, third = (str(each["metadata"]["name"]) for each in made)
        node.proc.start(11, first)
        node.proc.start(12, second)
        instance = mig.instances[0].compute[0].uuid
        devices = {
            first: [alone.uuid, f"{shared.uuid}::0"],
            second: [f"{shared.uuid}::1", "unheard-of"],
            third: [instance],
        }
        node.hold(devices, made)
        # Now the second pod may be on any GPU that can be shared, which GPU 0 cannot.
        await node.shows("pd_pod_gpu_memory_used_bytes", 3 * GIB, uuid=instance)
        text = generate_latest(await node.snapshot()).decode()

    assert_golden(request, "gpu.prom", text)


async def test_the_page_of_roles_is_the_golden_one(request: pytest.FixtureRequest) -> None:
    """Prefill held up by a pending instance of Decode, which is a leader and a worker."""
    adapter = rbg_adapter("prefill", 4)
    conditions = {"Ready": "True", "Active": "True", "Fallback": "False", "Paused": "False"}
    made = (
        worker("prefill", 0),
        adapter,
        hpa(adapter, conditions={"ScalingActive": "True"}),
        scaled_object(adapter, conditions=conditions),
        part("decode", 0, 0),
        part("decode", 0, 1),
        part("decode", 1, 0, ready=None),
        part("decode", 1, 1, ready=None, node=""),
        rbg_adapter("decode", 3, selector=""),
        policy("prefill", "decode"),
    )
    of_prefill = ROLE | {
        "startup_seconds": 120,
        "worker_concurrency": 1,
        "service_prior_seconds": 0.4,
        "wait_goal_seconds": 5,
    }
    ratio = {"namespace": "default", "group": "dynamo-pd", "prefill_per_decode": 0.5}

    def before(api: KubeApi) -> None:
        install_all(api)
        for each in made:
            api.create(each)

    async with roles_cluster(before, settings=[of_prefill], ratios=[ratio]) as cluster:
        text = generate_latest(await cluster.snapshot()).decode()

    assert_golden(request, "roles.prom", text)


def assert_golden(request: pytest.FixtureRequest, name: str, text: str) -> None:
    found = normalised(text)
    if request.config.getoption("--update-golden"):
        (GOLDEN / name).write_text(found)

    assert found == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", PAGES)
def test_promtool_accepts_the_golden_page(name: str) -> None:
    page = (GOLDEN / name).read_text().replace(" *\n", " 1\n")

    check = run(program("promtool"), "check", "metrics", text=page)

    assert (check.returncode, check.stdout + check.stderr) == (0, "")


def test_the_golden_pages_have_every_metric_of_the_catalogue() -> None:
    pages = "".join((GOLDEN / name).read_text() for name in PAGES)
    shown = set(re.findall(r"^(pd_\w+)\{", pages, re.MULTILINE))

    assert shown == {desc.name for section in catalogue.SECTIONS.values() for desc in section}

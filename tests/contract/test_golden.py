"""The whole page in a known state, as a file that one can read and promtool accepts."""

import re
from pathlib import Path

import pytest
from nats.aio.client import Client
from prometheus_client.exposition import generate_latest

from pd_exporter import catalogue
from tests.dynamo import CONSUMER, STREAM, Service, make_queue
from tests.exporting import BUDGET, exporter_of, queue_config
from tests.servers import NatsServer, program, run, until

GOLDEN = Path(__file__).parent.parent / "golden" / "metrics.prom"
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
    found = normalised(re.sub(r'(reason="stream_missing".*"no_such_stream"\}) .*', r"\1 *", text))

    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


def test_promtool_accepts_the_golden_page() -> None:
    page = GOLDEN.read_text().replace(" *\n", " 1\n")

    check = run(program("promtool"), "check", "metrics", text=page)

    assert (check.returncode, check.stdout + check.stderr) == (0, "")


def test_the_golden_page_has_every_metric_of_the_catalogue() -> None:
    shown = set(re.findall(r"^(pd_\w+)\{", GOLDEN.read_text(), re.MULTILINE))

    assert shown == {desc.name for section in catalogue.SECTIONS.values() for desc in section}

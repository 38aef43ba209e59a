"""The real process: arguments, exit status, signals, and what it writes."""

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from nats.aio.client import Client

from tests.dynamo import make_queue
from tests.exporting import queue_config
from tests.exposition import Page
from tests.process import COMMAND, ExporterProcess, exporter_process
from tests.servers import NatsServer, free_port, run, until

SECRET = "hunter2-is-secret"


def pd_exporter(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run(*COMMAND, *arguments)


def write_config(folder: Path, url: str, **login: str) -> Path:
    file = folder / "pd-exporter.yaml"
    document = {"nats": {"main": {"servers": [url], **login}}, "queues": [queue_config()]}
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.fixture
async def process(server: NatsServer, tmp_path: Path) -> AsyncIterator[ExporterProcess]:
    config = write_config(tmp_path, server.url, user="someone", password=SECRET)
    async with exporter_process(config) as running:
        yield running


async def test_it_serves_and_ends_on_sigterm(process: ExporterProcess, client: Client) -> None:
    await make_queue(client)

    async def read() -> bool:
        return Page(await process.get("metrics")).get("pd_queue_up") == 1

    await until(read, "the queue to be read")
    process.process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.process.wait(), 10) == 0
    assert process.log()[-1]["event"] == "stopping"
    assert SECRET not in str(process.log())


async def test_a_scrape_on_its_way_is_answered_before_the_end(
    process: ExporterProcess, server: NatsServer, client: Client
) -> None:
    await make_queue(client)
    server.pause()
    port = process.url.rpartition(":")[2].rstrip("/")
    reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(
        b"GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n"
        b"X-Prometheus-Scrape-Timeout-Seconds: 2\r\n\r\n"
    )
    await writer.drain()
    await process.get("-/healthy")  # asked and answered after the scrape, which still waits
    process.process.send_signal(signal.SIGTERM)

    response = (await asyncio.wait_for(reader.read(), 30)).decode()
    writer.close()

    assert response.startswith("HTTP/1.1 200 OK")
    page = Page(response.partition("\r\n\r\n")[2].replace("\r\n", "\n"))
    assert page.value("pd_queue_up") == 0
    assert await asyncio.wait_for(process.process.wait(), 10) == 0


async def test_nats_away_and_back_ends_nothing(
    process: ExporterProcess, server: NatsServer, client: Client
) -> None:
    await make_queue(client)
    for _ in range(2):
        await asyncio.to_thread(server.stop)
        assert Page(await process.get("metrics")).value("pd_queue_up") == 0
        await asyncio.to_thread(server.start)

        async def read() -> bool:
            return Page(await process.get("metrics")).get("pd_queue_up") == 1

        await until(read, "the queue to be read again")
    assert process.process.returncode is None
    assert "ready" in await process.get("-/ready")


@pytest.mark.parametrize("command", [["check"], ["serve", "--config.file"]])
def test_a_bad_configuration_is_told_whole_and_starts_nothing(
    tmp_path: Path, command: list[str]
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "nats: {main: {servers: [http://x], password: !env PD_NOT_SET}}\n"
        "queues: [{nats: main, stream: '', consumer: c, namespace: n, grp: g}]\n"
    )

    done = pd_exporter(*command, file)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        (
            f"{file}: nats.main.servers[0]: a NATS server's URL is wanted, such as"
            " nats://nats.default.svc:4222"
        ),
        (
            f"{file}: nats.main.password: the environment variable PD_NOT_SET is not set; set it,"
            " or remove !env"
        ),
        f"{file}: queues[0].stream: must not be empty",
        f"{file}: queues[0].group: required, and missing",
        f"{file}: queues[0].grp: unknown key; did you mean group?",
    ]


def test_a_missing_configuration(tmp_path: Path) -> None:
    done = pd_exporter("serve", "--config.file", tmp_path / "nowhere.yaml")

    assert done.returncode == 1
    assert done.stderr == f"{tmp_path}/nowhere.yaml: cannot be read: No such file or directory\n"


def test_check_says_that_a_configuration_is_right(tmp_path: Path) -> None:
    done = pd_exporter("check", write_config(tmp_path, "nats://127.0.0.1:4222"))

    assert done.returncode == 0
    assert done.stdout.endswith("right: 1 NATS, 1 queues\n")


def test_check_prints_the_schema() -> None:
    schema = json.loads(pd_exporter("check", "--schema").stdout)

    assert schema["additionalProperties"] is False
    assert {"nats", "queues"} <= schema["properties"].keys()


def test_a_port_in_use_is_told_and_nothing_is_left(server: NatsServer, tmp_path: Path) -> None:
    config = write_config(tmp_path, server.url)
    done = pd_exporter(
        "serve", "--config.file", config, "--web.listen-address", f"127.0.0.1:{server.port}"
    )

    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{server.port}" in done.stderr
    assert "--web.listen-address" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["7339", ":", "host:port", ":70000"])
def test_a_listen_address_of_the_wrong_shape(tmp_path: Path, address: str) -> None:
    config = write_config(tmp_path, f"nats://127.0.0.1:{free_port()}")

    done = pd_exporter("serve", "--config.file", config, f"--web.listen-address={address}")

    assert done.returncode == 2
    assert "is not [host]:port" in done.stderr


def test_the_version() -> None:
    assert pd_exporter("--version").stdout.startswith("pd-exporter 0.")

"""How long reading consumers takes, beside a bare pipelined client on the same server.

Usage: ``make bench``. Both are run in turn on one nats-server, so that the machine's mood is
shared: the medians and their ratio say something, a single figure does not. The bare client asks
CONSUMER.INFO over one inbox with the same window, and only parses the JSON; the exporter also asks
STREAM.INFO, checks every reply, dates the head and builds the samples.
"""

import asyncio
import json
import logging
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import nats
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig
from prometheus_client.exposition import generate_latest

from pd_exporter.collectors.queue import open_queues
from pd_exporter.config import Config
from pd_exporter.nats.session import WINDOW
from pd_exporter.scrape import Scraper
from tests.servers import nats_server, program

COUNTS = (1, 1000)
ROUNDS = 15
MARK = "--memory"


def config(url: str, count: int) -> Config:
    queues = [
        {"nats": "main", "stream": f"q{n}", "consumer": "w", "namespace": "d", "group": "g"}
        for n in range(count)
    ]
    return Config.model_validate({"nats": {"main": {"servers": [url]}}, "queues": queues})


async def make_queues(client: Client, count: int) -> None:
    js = client.jetstream()
    for number in range(count):
        name = f"q{number}"
        await js.add_stream(StreamConfig(name=name, subjects=[f"{name}.*"], max_age=600))
        await js.add_consumer(name, ConsumerConfig(durable_name="w", ack_policy=AckPolicy.EXPLICIT))
        await js.publish(f"{name}.queue", b"{}")


class BareClient:
    """Pipelined CONSUMER.INFO requests over one inbox, and nothing else."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._answers: dict[str, asyncio.Future[int]] = {}

    async def subscribe(self) -> None:
        """Start to receive answers; to be called once, before the first read."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._on_reply)

    async def _on_reply(self, message: Msg) -> None:
        token = message.subject.rpartition(".")[2]
        self._answers.pop(token).set_result(int(json.loads(message.data)["num_pending"]))

    async def read(self, count: int) -> int:
        """Read all consumers; give the sum of their pending messages."""
        window = asyncio.Semaphore(WINDOW)

        async def one(number: int) -> int:
            async with window:
                answer = self._answers[str(number)] = asyncio.get_running_loop().create_future()
                subject = f"$JS.API.CONSUMER.INFO.q{number}.w"
                await self._client.publish(subject, b"", reply=f"{self._inbox}.{number}")
                return int(await answer)

        return sum(await asyncio.gather(*(one(number) for number in range(count))))


async def milliseconds(run: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await run()
    return (time.perf_counter() - began) * 1000


async def measure(url: str, client: Client, count: int) -> None:
    bare = BareClient(client)
    await bare.subscribe()
    async with open_queues(config(url, count)) as collector:
        scraper = Scraper([collector])

        async def scrape() -> None:
            outcome = (await scraper.scrape(9.5)).outcomes[0]
            if outcome.problem or any(reading.problem for reading in outcome.readings):
                raise RuntimeError("a queue was not read")

        async def page() -> None:
            generate_latest(await scraper.scrape(9.5))

        runs: dict[str, Callable[[], Awaitable[object]]] = {
            "bare client": lambda: bare.read(count),
            "exporter": scrape,
            "exporter, rendered": page,
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(ROUNDS):
            for name, run in runs.items():
                times[name].append(await milliseconds(run))
    reference = statistics.median(times["bare client"])
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{count:>9} {name:<20} {median:>9.2f} {max(taken):>9.2f} {median / reference:>7.2f}")


def vm_high_water_mark() -> float:
    """Peak resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


async def peak_memory(url: str, count: int) -> None:
    """Print this process's peak memory after some rendered scrapes."""
    async with open_queues(config(url, count)) as collector:
        scraper = Scraper([collector])
        for _ in range(5):
            generate_latest(await scraper.scrape(9.5))
    # getrusage would tell the peak of the process that this one was forked from.
    print(vm_high_water_mark())


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if MARK in sys.argv:
        await peak_memory(sys.argv[2], int(sys.argv[3]))
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        nats_server(program("nats-server"), Path(folder) / "nats") as server,
    ):
        client = await nats.connect(server.url)
        await make_queues(client, max(COUNTS))
        print(f"consumers {'':<20} median ms    max ms   ratio   ({ROUNDS} rounds in turn)")
        for count in COUNTS:
            await measure(server.url, client, count)
        for count in COUNTS:
            command = [sys.executable, "-m", "benchmarks.read_queues", MARK, server.url, str(count)]
            process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
            output, _ = await process.communicate()
            print(f"{count:>9} {'peak RSS':<20} {float(output):>9.1f} MiB")
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())

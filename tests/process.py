"""The exporter as the real process that a pod runs."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from tests.servers import until

COMMAND = [sys.executable, "-m", "pd_exporter"]


class ExporterProcess:
    """A running `pd-exporter serve`.

    Attributes:
        process: Of the operating system.
        url: Where it is served, with a slash at its end.
    """

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self.process = process
        self.output = output
        self.url = ""

    def log(self) -> list[dict[str, object]]:
        """What it has logged; what it prints besides is in `output` only."""
        lines = self.output.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def listening(self) -> bool:
        assert self.process.returncode is None, self.output.read_text()
        self.url = "".join(str(line["url"]) for line in self.log() if line["event"] == "serving")
        return bool(self.url)

    async def get(self, path: str, **headers: str) -> str:
        async with (
            aiohttp.ClientSession() as http,
            http.get(self.url + path, headers=headers) as response,
        ):
            return await response.text()


@contextlib.asynccontextmanager
async def exporter_process(
    config: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ExporterProcess]:
    """Run `pd-exporter serve` while entered, from when it listens."""
    output = config.with_suffix(".log")
    with output.open("wb") as written:
        started = await asyncio.create_subprocess_exec(
            *(*COMMAND, "serve", "--config.file", str(config)),
            *("--web.listen-address", "127.0.0.1:0", "--log.format", "json"),
            env=environment,
            stderr=written,
        )
    process = ExporterProcess(started, output)
    try:
        await until(process.listening, "the exporter to listen")
        yield process
    finally:
        if started.returncode is None:
            started.kill()
            await started.wait()

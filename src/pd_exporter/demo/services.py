"""The programs of the demo, each at a free port of its own choice that it tells by itself."""

import json
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import yaml

from pd_exporter.demo.plan import CONSUMER, GROUP, INTERVAL_SECONDS, NAMESPACE, ROLE, STREAM, Plan
from pd_exporter.demo.processes import Children
from pd_exporter.demo.shipped import shipped

NODE = "demo"
"""The Kubernetes node that the pods are said to be on."""

_LOOPBACK = "127.0.0.1"
_PROMETHEUS_LISTENS = re.compile(r'msg="Listening on".* address=(\S+)')


async def start_nats(children: Children, program: Path) -> str:
    """Start a NATS server with JetStream and give its URL."""
    ports = children.folder / "ports"
    ports.mkdir()
    child = await children.start(
        "nats-server",
        program,
        *("--jetstream", "--store_dir", children.folder / "jetstream"),
        *("--addr", _LOOPBACK, "--port", "-1", "--ports_file_dir", ports),
    )

    async def url() -> str | None:
        for path in ports.glob("*.ports"):
            try:
                return str(json.loads(path.read_text(encoding="utf-8"))["nats"][0])
            except ValueError:
                return None  # not yet written in whole
        return None

    return await child.answer(url)


async def start_exporter(
    children: Children, http: aiohttp.ClientSession, nats_url: str, plan: Plan, gpus: Path | None
) -> str:
    """Start the exporter on the demo's queue and give its URL, with a slash at its end.

    Where there is a file of the demo's GPUs it reads them too.
    """
    queue = {
        "stream": STREAM,
        "consumer": CONSUMER,
        "namespace": NAMESPACE,
        "group": GROUP,
        "role": ROLE,
        "ack": "on_dequeue",
        "service_prior_seconds": plan.service_seconds,
    }
    config = children.folder / "pd-exporter.yaml"
    document: dict[str, object] = {"nats": {"default": {"servers": [nats_url]}}, "queues": [queue]}
    if gpus is not None:
        document["gpu"] = {"node": NODE, "simulation": str(gpus)}
    _write(config, document)
    child = await children.start(
        "pd-exporter",
        *(sys.executable, "-m", "pd_exporter", "serve", "--config.file", config),
        *("--web.listen-address", f"{_LOOPBACK}:0", "--log.format", "json"),
    )

    async def url() -> str | None:
        for line in _whole_lines(child.log):
            if '"serving"' in line:
                return str(json.loads(line)["url"])
        return None

    found = await child.answer(url)
    await child.answer(_ready(http, found))
    return found


async def start_prometheus(
    children: Children, http: aiohttp.ClientSession, program: Path, exporter_url: str
) -> str:
    """Start Prometheus with the shipped rules on the exporter; give its URL, with a slash."""
    rules = yaml.safe_load(shipped("rules/recording.yaml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        group["interval"] = f"{INTERVAL_SECONDS}s"
    _write(children.folder / "recording.yaml", rules)
    target = exporter_url.removeprefix("http://").rstrip("/")
    interval = f"{INTERVAL_SECONDS}s"
    config = children.folder / "prometheus.yaml"
    _write(
        config,
        {
            "global": {"scrape_interval": interval, "scrape_timeout": interval},
            "rule_files": ["recording.yaml"],
            "scrape_configs": [
                {"job_name": "pd-exporter", "static_configs": [{"targets": [target]}]}
            ],
        },
    )
    child = await children.start(
        "prometheus",
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={children.folder / 'prometheus'}",
        f"--web.listen-address={_LOOPBACK}:0",
    )

    async def url() -> str | None:
        for line in _whole_lines(child.log):
            if listens := _PROMETHEUS_LISTENS.search(line):
                return f"http://{listens[1]}/"
        return None

    found = await child.answer(url)
    await child.answer(_ready(http, found))
    return found


def _ready(http: aiohttp.ClientSession, url: str) -> Callable[[], Awaitable[bool | None]]:
    async def ready() -> bool | None:
        try:
            async with http.get(f"{url}-/ready") as response:
                return response.ok or None
        except aiohttp.ClientError:
            return None

    return ready


def _write(path: Path, document: object) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def _whole_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]

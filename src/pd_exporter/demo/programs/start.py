"""The programs of the demo, each at a free port of its own choice that it tells by itself."""

import json
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import aiohttp
import yaml

from pd_exporter.demo.cluster.listener import LOOPBACK
from pd_exporter.demo.plan import INTERVAL_SECONDS
from pd_exporter.demo.programs.processes import Children
from pd_exporter.demo.shipped import shipped_rules
from pd_exporter.policy import SCRAPE_SECONDS

_INTERVAL = f"{INTERVAL_SECONDS}s"
_PROMETHEUS_LISTENS = re.compile(r'msg="Listening on".* address=(\S+)')


async def start_nats(children: Children, program: Path) -> str:
    """Start a NATS server with JetStream and give its URL."""
    ports = children.folder / "ports"
    ports.mkdir()
    child = await children.start(
        "nats-server",
        program,
        *("--jetstream", "--store_dir", children.folder / "jetstream"),
        *("--addr", LOOPBACK, "--port", "-1", "--ports_file_dir", ports),
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
    children: Children, http: aiohttp.ClientSession, config: Mapping[str, object]
) -> str:
    """Start the exporter with a configuration and give its URL, with a slash at its end."""
    path = children.folder / "pd-exporter.yaml"
    _write(path, config)
    child = await children.start(
        "pd-exporter",
        *(sys.executable, "-m", "pd_exporter", "serve", "--config.file", path),
        *("--web.listen-address", f"{LOOPBACK}:0", "--log.format", "json"),
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
    children: Children,
    http: aiohttp.ClientSession,
    program: Path,
    exporter_url: str,
    targets_url: str,
) -> str:
    """Start Prometheus with the shipped rules; give its URL, with a slash.

    It scrapes the exporter, and the pods that it finds under `targets_url`.
    """
    for path in shipped_rules():
        _write(children.folder / path.name, _often(path.read_text(encoding="utf-8")))
    exporter = exporter_url.removeprefix("http://").rstrip("/")
    pods = {"url": targets_url, "refresh_interval": _INTERVAL}
    config = children.folder / "prometheus.yaml"
    _write(
        config,
        {
            "global": {
                "scrape_interval": _INTERVAL,
                "scrape_timeout": _INTERVAL,
                "evaluation_interval": _INTERVAL,
            },
            "rule_files": [path.name for path in shipped_rules()],
            "scrape_configs": [
                {"job_name": "pd-exporter", "static_configs": [{"targets": [exporter]}]},
                {"job_name": "pods", "http_sd_configs": [pods]},
            ],
        },
    )
    child = await children.start(
        "prometheus",
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={children.folder / 'prometheus'}",
        f"--web.listen-address={LOOPBACK}:0",
    )

    async def url() -> str | None:
        for line in _whole_lines(child.log):
            if listens := _PROMETHEUS_LISTENS.search(line):
                return f"http://{listens[1]}/"
        return None

    found = await child.answer(url)
    await child.answer(_ready(http, found))
    return found


def _often(rules: str) -> object:
    """Make rules for the demo's intervals of those for the shipped ones, subqueries' steps too."""
    document = yaml.safe_load(rules.replace(f":{SCRAPE_SECONDS:g}s]", f":{_INTERVAL}]"))
    for group in document["groups"]:
        group["interval"] = _INTERVAL
    return document


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

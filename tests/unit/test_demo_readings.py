"""What the demo asks, and what it makes of the answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from pd_exporter.demo.seen.readings import LAG, READY, Exporter, Prometheus, memory_of

DECODE = memory_of("decode")
ROLES = {"prefill": 2, "decode": 3}
LABELS = 'namespace="default",group="dynamo-pd",container="engine",node="n",uuid="u"'


class Server:
    """Answers all that it is asked alike, and remembers the last question."""

    def __init__(self, answer: Any) -> None:
        self.asked: dict[str, str] = {}
        self._answer = answer

    async def handle(self, request: web.Request) -> web.Response:
        self.asked = {**request.query, **request.headers}
        if isinstance(self._answer, str):
            return web.Response(text=self._answer)
        return web.json_response({"data": {"result": self._answer}})


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    app = web.Application()
    app.router.add_get("/{path:.*}", server.handle)
    async with TestServer(app) as running, aiohttp.ClientSession() as http:
        yield http, str(running.make_url("/"))


async def test_memory_of_a_role_is_that_of_all_its_pods_on_the_page() -> None:
    used = "pd_pod_gpu_memory_used_bytes"
    pods = [("decode", "a", 3), ("decode", "b", 4), ("prefill", "c", 50)]
    lines = [f'{used}{{{LABELS},role="{role}",pod="{pod}"}} {value}' for role, pod, value in pods]
    async with serving(Server("\n".join([f"# TYPE {used} gauge", *lines, ""]))) as (http, url):
        found = await Exporter(http, url).now()

    assert found == {DECODE: 7, memory_of("prefill"): 50}


async def test_prefills_own_metrics_are_read_from_the_page() -> None:
    labels = 'namespace="default",group="dynamo-pd"'
    lines = [f'{READY}{{{labels},role="{role}"}} {value}' for role, value in ROLES.items()]
    async with serving(Server("\n".join([f"# TYPE {READY} gauge", *lines, ""]))) as (http, url):
        found = await Exporter(http, url).now()

    assert found == {READY: ROLES["prefill"]}


async def test_the_exporter_is_told_how_long_the_demo_waits() -> None:
    server = Server("")
    async with serving(server) as (http, url):
        await Exporter(http, url).now()

    assert float(server.asked["X-Prometheus-Scrape-Timeout-Seconds"]) == 5


async def test_recorded_series_and_memory_are_read_in_one_answer() -> None:
    answer = [
        {"metric": {"__name__": LAG, "role": "prefill"}, "value": [1, "31"]},
        {"metric": {"role": "decode"}, "value": [1, "7.5e10"]},
    ]
    async with serving(Server(answer)) as (http, url):
        found = await Prometheus(http, url).now()

    assert found == {LAG: 31, DECODE: 75_000_000_000}


async def test_the_course_includes_its_very_end() -> None:
    server = Server([{"metric": {"role": "decode"}, "values": [[1007.875, "5"], [1010.875, "6"]]}])
    async with serving(server) as (http, url):
        found = await Prometheus(http, url).between(1006.25, 1010.875)

    start, end = float(server.asked["start"]), float(server.asked["end"])
    assert found == {DECODE: [None, 5, None, None, 6]}
    assert (start, end) == (1006.875, 1010.875)

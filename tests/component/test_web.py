"""The exporter's pages over real HTTP, on a real server's queue."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from nats.aio.client import Client
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from pd_exporter.reading import Problem, Reading
from pd_exporter.samples import Desc, Kind
from pd_exporter.scrape import Collector, Scraper
from pd_exporter.web import Site, scrape_budget
from tests.dynamo import Service, make_queue
from tests.exporting import Exporter
from tests.exposition import Page
from tests.servers import NatsServer

HUNG = Desc("pd_hung", "Never given.", Kind.GAUGE, ())


class Hanging:
    name = "hanging"
    metrics = (HUNG,)

    def __init__(self) -> None:
        self.released = asyncio.Event()
        self.allowed: list[float] = []

    async def collect(self, deadline: float) -> Sequence[Reading]:
        self.allowed.append(deadline - asyncio.get_running_loop().time())
        await self.released.wait()
        return ()


class Given:
    """A collector that reads what a test tells it."""

    name = "given"
    metrics = ()

    def __init__(self, *readings: Reading) -> None:
        self.readings = readings

    async def collect(self, deadline: float) -> Sequence[Reading]:
        return self.readings


@contextlib.asynccontextmanager
async def site(scraper: Scraper) -> AsyncIterator[tuple[Site, TestClient]]:  # type: ignore[type-arg]
    made = Site(scraper)
    async with TestClient(TestServer(made.app)) as http:
        yield made, http


async def metrics(http: TestClient, scrape_timeout: float | None = None) -> Page:  # type: ignore[type-arg]
    headers = {}
    if scrape_timeout is not None:
        headers["X-Prometheus-Scrape-Timeout-Seconds"] = str(scrape_timeout)
    async with http.get("/metrics", headers=headers) as response:
        assert response.status == 200
        return Page(await response.text())


async def test_metrics_as_text_as_openmetrics_and_compressed(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    async with site(exporter.scraper) as (_, http):
        async with http.get("/metrics", headers={"Accept-Encoding": "gzip"}) as response:
            text = await response.text()
            assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert response.headers["Content-Encoding"] == "gzip"
        accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        async with http.get("/metrics", headers=accept) as response:
            openmetrics = await response.text()
            assert response.headers["Content-Type"].startswith("application/openmetrics-text")

    names = {family.name for family in parse_openmetrics(openmetrics)}  # type: ignore[no-untyped-call]
    assert {"pd_queue_pending_messages", "pd_queue_enqueued_messages", "pd_queue"} <= names
    assert Page(text).value("pd_queue_pending_messages") == 0
    assert openmetrics.endswith("# EOF\n")


async def test_concurrent_scrapes_all_get_the_whole_page(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(3)
    async with site(exporter.scraper) as (_, http):
        pages = await asyncio.gather(*(metrics(http) for _ in range(20)))

    assert {page.get("pd_queue_pending_messages") for page in pages} == {3}


async def test_a_collector_that_hangs_beside_one_that_works(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    hanging = Hanging()
    collectors: list[Collector] = [exporter.collector, hanging]
    async with site(Scraper(collectors)) as (made, http):
        first = asyncio.create_task(made.first_run())
        page = await metrics(http, scrape_timeout=1)
        hanging.released.set()
        await first

    assert min(hanging.allowed) < 1, "the scraper said 1 s, and did not wait for the first run"
    assert page.value("pd_queue_up") == 1
    assert page.value("pd_queue_pending_messages") == 0
    assert page.value("pd_collector_success", collector="queue") == 1
    assert page.value("pd_collector_success", collector="hanging") == 0


async def test_ready_after_the_first_run_and_healthy_always() -> None:
    hanging = Hanging()
    async with site(Scraper([hanging])) as (made, http):
        first = asyncio.create_task(made.first_run())
        early = (await http.get("/-/ready")).status, (await http.get("/-/healthy")).status
        hanging.released.set()
        await first
        late = (await http.get("/-/ready")).status, (await http.get("/-/healthy")).status

    assert early == (503, 200)
    assert late == (200, 200)


async def test_failures_make_a_complete_run(server: NatsServer, exporter: Exporter) -> None:
    server.stop()
    async with site(exporter.scraper) as (made, http):
        await made.first_run()

        assert (await http.get("/-/ready")).status == 200


@pytest.mark.parametrize(
    ("header", "budget"),
    [
        ("10", 9.5),
        ("60", 59.5),
        ("1", 0.8),
        ("0.5", 0.4),
        (None, 9.5),
        ("", 9.5),
        ("soon", 9.5),
        ("-3", 9.5),
        ("nan", 9.5),
        ("inf", 9.5),
        ("1e9", 9.5),
    ],
)
def test_the_budget_is_the_scraper_s_timeout_less_a_margin(
    header: str | None, budget: float
) -> None:
    assert scrape_budget(header) == pytest.approx(budget)


async def landing(http: TestClient) -> str:  # type: ignore[type-arg]
    async with http.get("/") as response:
        assert response.status == 200
        assert response.content_type == "text/html"
        return await response.text()


async def test_the_landing_page_shows_values_state_and_links(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(1234)
    async with site(exporter.scraper) as (_, http):
        page = await landing(http)

    for words in ("default/dynamo-pd/prefill", "dynamo_prefill_queue", "<b>1,234</b> pending"):
        assert words in page
    for link in ("/metrics", "/-/ready", "/-/healthy"):
        assert f'href="{link}"' in page
    assert 'class="pill bad"' not in page


async def test_the_landing_page_tells_problems_present_and_past(
    client: Client, exporter: Exporter
) -> None:
    async with site(exporter.scraper) as (_, http):
        broken = await landing(http)
        await make_queue(client)
        mended = await landing(http)

    assert "stream_missing" in broken
    assert "Correct the stream&#x27;s name" in broken
    assert "Last problem" not in broken
    assert "Last problem, " in mended
    assert "Correct the stream&#x27;s name" in mended
    assert 'class="pill bad"' not in mended


async def test_what_comes_from_outside_is_escaped_on_the_landing_page() -> None:
    evil = "<script>alert(1)</script>"
    reading = Reading(evil, (), Problem(evil, evil, evil), {evil: evil})
    async with site(Scraper([Given(reading)])) as (_, http):
        page = await landing(http)

    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 5


async def test_the_landing_page_stays_short_and_shows_problems_first() -> None:
    readings = [Reading(f"queue {number}", ()) for number in range(500)]
    readings[321] = Reading("the broken one", (), Problem("timeout", "No answer.", "Look."))
    async with site(Scraper([Given(*readings)])) as (_, http):
        page = await landing(http)

    assert page.index("the broken one") < page.index("queue 0")
    assert page.count("<article") == 60
    assert "440 more" in page


async def test_other_paths_are_not_found() -> None:
    async with site(Scraper([])) as (_, http):
        assert (await http.get("/metric")).status == 404
        assert (await http.post("/metrics")).status == 405


async def test_a_scraper_that_goes_away_harms_nobody(client: Client, exporter: Exporter) -> None:
    await make_queue(client)
    hanging = Hanging()
    async with site(Scraper([exporter.collector, hanging])) as (_, http):
        impatient = aiohttp.ClientTimeout(total=0.1)
        with pytest.raises(TimeoutError):
            await http.get("/metrics", timeout=impatient)
        hanging.released.set()

        assert (await metrics(http)).value("pd_queue_up") == 1

"""The exporter's own collectors and scraper, without its web server."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from pd_exporter.collectors.queue import QueueCollector, open_queues
from pd_exporter.config import Config
from pd_exporter.reading import Problem
from pd_exporter.scrape import Scraper
from tests.dynamo import CONSUMER, STREAM
from tests.exposition import Page
from tests.servers import until

BUDGET = 9.5
"""What a scrape may take with Prometheus' default timeout."""


def queue_config(**changes: Any) -> dict[str, Any]:
    """A queue's entry in a configuration: the tutorial's, with changes."""
    entry = {
        "nats": "main",
        "stream": STREAM,
        "consumer": CONSUMER,
        "namespace": "default",
        "group": "dynamo-pd",
        "role": "prefill",
    }
    return entry | changes


class Exporter:
    """The exporter's collectors and scraper, without its web server."""

    def __init__(self, collector: QueueCollector) -> None:
        self.collector = collector
        self.scraper = Scraper([collector])

    async def scrape(self, budget: float = BUDGET) -> Page:
        return Page(await self.scraper.scrape(budget))

    async def shows(self, name: str, value: float | None, **labels: str) -> Page:
        """Scrape until the page shows that value.

        A server may acknowledge a message a moment before its consumers count it.
        """

        async def shown() -> Page | None:
            page = await self.scrape()
            return page if page.get(name, **labels) == value else None

        return await until(shown, f"{name} to be {value}")

    async def problem(self, budget: float = BUDGET) -> Problem | None:
        """The problem of the only subject."""
        (outcome,) = (await self.scraper.scrape(budget)).outcomes
        (reading,) = outcome.readings
        return reading.problem


@contextlib.asynccontextmanager
async def exporter_of(*queues: dict[str, Any], url: str, **login: Any) -> AsyncIterator[Exporter]:
    config = Config.model_validate(
        {"nats": {"main": {"servers": [url], **login}}, "queues": queues or [queue_config()]}
    )
    async with open_queues(config) as collector:
        yield Exporter(collector)

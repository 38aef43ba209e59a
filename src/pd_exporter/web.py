"""The exporter's HTTP side: metrics, landing page, health."""

import asyncio

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from pd_exporter.landing import landing_page
from pd_exporter.scrape import Scraper

DEFAULT_SCRAPE_TIMEOUT_SECONDS = 10.0
"""Prometheus's own default, for scrapers that do not tell theirs."""
LANDING_SECONDS = 2.0
"""A person waits no longer than this for what is collected now."""

_TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"


class Site:
    """The exporter's pages; `app` is the aiohttp application that serves them."""

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._ready = False
        self.app = web.Application()
        self.app.add_routes(
            [
                web.get("/", self._landing),
                web.get("/metrics", self._metrics),
                web.get("/-/healthy", self._healthy),
                web.get("/-/ready", self._readiness),
            ]
        )

    async def first_run(self) -> None:
        """Run every collector once; from then on the site is ready, whatever they met."""
        await self._scraper.scrape(scrape_budget(None))
        self._ready = True

    async def _metrics(self, request: web.Request) -> web.Response:
        snapshot = await self._scraper.scrape(scrape_budget(request.headers.get(_TIMEOUT_HEADER)))
        encode, content_type = choose_encoder(",".join(request.headers.getall("Accept", [])))
        page = await asyncio.to_thread(encode, snapshot)
        response = web.Response(body=page, headers={"Content-Type": content_type})
        response.enable_compression()
        return response

    async def _landing(self, _request: web.Request) -> web.Response:
        snapshot = await self._scraper.scrape(LANDING_SECONDS)
        response = web.Response(text=landing_page(snapshot), content_type="text/html")
        response.enable_compression()
        return response

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="pd-exporter is healthy.\n")

    async def _readiness(self, _request: web.Request) -> web.Response:
        if self._ready:
            return web.Response(text="pd-exporter is ready.\n")
        return web.Response(text="pd-exporter has not yet run its collectors.\n", status=503)


def scrape_budget(timeout_header: str | None) -> float:
    """Seconds to spend on a scrape: the scraper's timeout less a margin to render and send.

    The margin is a fifth of the timeout, half a second at most. A header that makes no sense
    counts as missing.
    """
    try:
        timeout = float(timeout_header or DEFAULT_SCRAPE_TIMEOUT_SECONDS)
    except ValueError:
        timeout = DEFAULT_SCRAPE_TIMEOUT_SECONDS
    if not 0 < timeout < 3600:
        timeout = DEFAULT_SCRAPE_TIMEOUT_SECONDS
    return timeout - min(0.5, timeout / 5)

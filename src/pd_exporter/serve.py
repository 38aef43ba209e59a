"""``pd-exporter serve``: collectors, web server, and an orderly end."""

import asyncio
import signal
from contextlib import AsyncExitStack

import structlog
from aiohttp import web

from pd_exporter import __version__
from pd_exporter.collectors.queue import open_queues
from pd_exporter.config import Config
from pd_exporter.scrape import Collector, Scraper
from pd_exporter.web import Site

SHUTDOWN_SECONDS = 5.0
"""How long scrapes on their way may take to end after SIGTERM."""

_log = structlog.get_logger(__name__)


class ListenError(Exception):
    """The web server cannot listen where it should; the message says why and what to do."""


async def serve(config: Config, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: What to collect.
        host: Address to listen at; empty for all.
        port: Port to listen at; 0 for a free one, which the log tells.

    Raises:
        ListenError: The address cannot be listened at; nothing is left running.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        collectors: list[Collector] = []
        if config.queues:
            collectors.append(await stack.enter_async_context(open_queues(config)))
        site = Site(Scraper(collectors))
        runner = web.AppRunner(site.app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listener = web.TCPSite(runner, host or None, port)
        try:
            await listener.start()
        except OSError as error:
            raise ListenError(
                f"cannot listen at {host or '*'}:{port}: {error.strerror or error};"
                " choose another address with --web.listen-address"
            ) from error
        url = _url(runner.addresses[0])
        _log.info("serving", url=url, version=__version__, queues=len(config.queues))
        first = asyncio.create_task(site.first_run(), name="first run")
        stack.callback(first.cancel)
        await stop.wait()
        _log.info("stopping")


def _url(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

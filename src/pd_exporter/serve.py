"""``pd-exporter serve``: collectors, web server, and an orderly end."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import structlog
from aiohttp import web

from pd_exporter import __version__
from pd_exporter.config import Config
from pd_exporter.scrape import Collector, Scraper
from pd_exporter.web import Site

SHUTDOWN_SECONDS = 5.0
"""How long scrapes on their way may take to end after SIGTERM."""

_log = structlog.get_logger(__name__)


class ServeError(Exception):
    """The exporter cannot start, or must end; the message says why and what to do."""


async def serve(config: Config, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        config: What to collect.
        host: Address to listen at; empty for all.
        port: Port to listen at; 0 for a free one, which the log tells.

    Raises:
        ServeError: The address cannot be listened at, a collector's packages are not installed, or
            a collector met what only a new container cures; nothing is left running.
    """
    stop = asyncio.Event()
    fatal: list[str] = []

    def end(why: str) -> None:
        fatal.append(why)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        collectors = [
            await stack.enter_async_context(collector) for collector in _collectors(config, end)
        ]
        site = Site(Scraper(collectors))
        runner = web.AppRunner(site.app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        listener = web.TCPSite(runner, host or None, port)
        try:
            await listener.start()
        except OSError as error:
            raise ServeError(
                f"cannot listen at {host or '*'}:{port}: {error.strerror or error};"
                " choose another address with --web.listen-address"
            ) from error
        url = _url(runner.addresses[0])
        names = [collector.name for collector in collectors]
        _log.info("serving", url=url, version=__version__, collectors=names)
        first = asyncio.create_task(site.first_run(), name="first run")
        stack.callback(first.cancel)
        await stop.wait()
        _log.info("stopping")
    if fatal:
        raise ServeError(fatal[0])


def _collectors(
    config: Config, end: Callable[[str], None]
) -> Iterator[AbstractAsyncContextManager[Collector]]:
    """Give what opens each configured collector; only those import what they stand on.

    One image runs as two halves, and each should hold no more in memory than it needs.
    """
    if config.queues:
        from pd_exporter.collectors.queue import open_queues  # noqa: PLC0415  as said above

        yield open_queues(config)
    if config.gpu is not None:
        try:
            from pd_exporter.collectors.gpu import open_node  # noqa: PLC0415  as said above
        except ModuleNotFoundError as error:
            raise ServeError(
                f"the section gpu needs a package that is not installed: {error.name};"
                " pip install 'pd-exporter[gpu]'"
            ) from error
        yield open_node(config, config.gpu, end)
    if config.roles is not None:
        from pd_exporter.collectors.roles import open_roles  # noqa: PLC0415  as said above

        yield open_roles(config, config.roles)


def _url(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    host, port = address[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

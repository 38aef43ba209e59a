"""HTTP on a free port of this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

LOOPBACK = "127.0.0.1"

_CLOSE_SECONDS = 0.1


@asynccontextmanager
async def listen(app: web.Application) -> AsyncIterator[str]:
    """Serve an application while entered; give its URL, with a slash at its end."""
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=_CLOSE_SECONDS, handler_cancellation=True
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()

"""A NATS system that is asked questions, through sessions that replace each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import structlog

from pd_exporter.background import in_background
from pd_exporter.config import NatsConfig
from pd_exporter.nats.failure import JetStreamFailure, Reason
from pd_exporter.nats.session import Session

RETRY_SECONDS = 0.5
"""Pause between attempts to connect."""
CONNECTING_SECONDS = 2.0
"""How long a question waits for a first connection, or for the one after a lost one."""

_log = structlog.get_logger(__name__)


class Answer(NamedTuple):
    """An answer's body, and whether the server that gave it is part of a cluster."""

    body: bytes
    clustered: bool


class Connection:
    """One configured NATS system; made by `open_connection`."""

    def __init__(self, name: str, config: NatsConfig) -> None:
        self.name = name
        self._config = config
        self._session: Session | None = None
        self._failure: JetStreamFailure | None = None
        self._settled = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()

    async def request(self, subject: str, payload: bytes, deadline: float) -> Answer:
        """Ask over the current session; see `Session.request`.

        Raises:
            JetStreamFailure: Also DISCONNECTED or UNAUTHORIZED where there is no session: at once
                when the last attempt to connect failed, after 2 s while the first is on its way.
        """
        if self._session is None:
            await self._wait_settled(deadline)
        session = self._session
        if session is None and self._failure is not None:
            raise self._failure.again()
        if session is None:
            raise JetStreamFailure(Reason.DISCONNECTED, f"{self.name}: still connecting.")
        return Answer(await session.request(subject, payload, deadline), session.clustered)

    async def _wait_settled(self, deadline: float) -> None:
        latest = min(deadline, asyncio.get_running_loop().time() + CONNECTING_SECONDS)
        try:
            async with asyncio.timeout_at(latest):
                await self._settled.wait()
        except TimeoutError:
            return

    async def keep_connected(self) -> None:
        """Keep a session open: a lost one is thrown away and a new one built; never ends."""
        servers = self._config.servers
        while True:
            try:
                session = await Session.open(self.name, self._config, servers)
            except JetStreamFailure as failure:
                self._tell(failure)
                self._settled.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            servers = session.servers
            try:
                self._session, self._failure = session, None
                self._settled.set()
                _log.info(
                    "nats connected",
                    nats=self.name,
                    server=session.server,
                    version=session.version,
                    clustered=session.clustered,
                )
                await session.wait_lost()
                _log.warning("nats connection lost", nats=self.name, server=session.server)
            finally:
                self._session = None
                self._settled.clear()
                self._throw_away(session)

    def _throw_away(self, session: Session) -> None:
        # Closing may take seconds, which the next connection need not wait for.
        closing = asyncio.create_task(session.close(), name=f"nats {self.name} closing")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def wait_closed(self) -> None:
        """Return when the sessions thrown away are closed."""
        if self._closing:
            await asyncio.wait(self._closing)

    def _tell(self, failure: JetStreamFailure) -> None:
        if self._failure is None or self._failure.message != failure.message:
            _log.warning("nats not connected", nats=self.name, problem=str(failure.problem))
        self._failure = failure


@asynccontextmanager
async def open_connection(name: str, config: NatsConfig) -> AsyncIterator[Connection]:
    """Keep a NATS system connected while entered, for as long as that takes; never raises."""
    connection = Connection(name, config)
    try:
        async with in_background(connection.keep_connected, f"connection {name}"):
            yield connection
    finally:
        await connection.wait_closed()

"""One nats-py client from its connect to its end; never reused after a failure.

nats-py's own reconnecting is off: it does not survive an expired JWT, buffers requests while
disconnected, and loses URL credentials on other nodes. A lost session is replaced by a new one.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from typing import Self

from nats.aio.client import Client
from nats.aio.msg import Msg

from pd_exporter.config import NatsConfig
from pd_exporter.nats.failure import JetStreamFailure, Reason

CONNECT_SECONDS = 5.0
"""Longest wait for a server that accepts the connection and then says nothing."""
WINDOW = 128
"""Requests on their way at a time; beyond 256 the server's cost per request rises."""
SLOT_SECONDS = 0.25
"""A request without an answer gives its place in the window back after this long, so that
consumers that never answer do not keep others from being asked."""
PING_SECONDS = 2
"""Interval of keep-alive pings; a server that stops is noticed after three of them."""

_CLIENT_CLOSE_SECONDS = 2.0
_LOST_CHECK_SECONDS = 0.5
_LOGIN_REFUSED = ("authorization violation", "authentication", "account ")


class Session:
    """A connected client, with pipelined requests over one private inbox.

    Attributes:
        server: URL of the server it is connected to.
        version: That server's version.
        clustered: Whether that server is part of a cluster, as its INFO says.
        servers: URLs of all servers known, the configured ones first.
    """

    def __init__(self, name: str, config: NatsConfig, servers: Sequence[str]) -> None:
        self._name = name
        self._config = config
        self._client = Client()
        self._inbox = ""
        self._tokens = itertools.count()
        self._pending: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._window = asyncio.Semaphore(WINDOW)
        self._lost = asyncio.Event()
        self._last_error: Exception | None = None
        self._inbox_denied: JetStreamFailure | None = None
        self.servers = tuple(servers)
        self.server = ""
        self.version = ""
        self.clustered = False

    @classmethod
    async def open(cls, name: str, config: NatsConfig, servers: Sequence[str]) -> Self:
        """Connect to one of the servers.

        Raises:
            JetStreamFailure: DISCONNECTED or UNAUTHORIZED; nothing is left open.
        """
        session = cls(name, config, servers)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await session._connect()
        except Exception as error:
            await session.close()
            raise session._connect_failure(error) from error
        except asyncio.CancelledError:
            await session.close()
            raise
        return session

    async def _connect(self) -> None:
        config = self._config
        login: dict[str, str] = {}
        if config.user is not None and config.password is not None:
            login = {"user": config.user, "password": config.password.get_secret_value()}
        elif config.token is not None:
            login = {"token": config.token.get_secret_value()}
        elif config.credentials is not None:
            login = {"user_credentials": str(config.credentials)}
        await self._client.connect(
            servers=list(self.servers),
            name="pd-exporter",
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=2,
            ping_interval=PING_SECONDS,
            max_outstanding_pings=2,
            inbox_prefix=config.inbox_prefix.encode(),
            error_cb=self._on_error,
            disconnected_cb=self._on_end,
            closed_cb=self._on_end,
            **login,  # type: ignore[arg-type]  # the stubs do not know keywords by mapping
        )
        self._inbox = self._client.new_inbox()
        await self._client.subscribe(f"{self._inbox}.*", cb=self._on_reply)
        url = self._client.connected_url
        self.server = url.geturl() if url else ""
        info = self._client._server_info  # noqa: SLF001  nats-py has no public way to it
        self.version = info["version"]
        self.clustered = bool(info.get("cluster"))
        known = dict.fromkeys(self.servers)
        known.update(dict.fromkeys(found.geturl() for found in self._client.discovered_servers))
        self.servers = tuple(known)

    async def request(self, subject: str, payload: bytes, deadline: float) -> bytes:
        """Ask, and give the answer's body.

        Args:
            subject: Where to publish the question.
            payload: The question.
            deadline: Latest time for the answer, by the event loop's clock.

        Raises:
            JetStreamFailure: DISCONNECTED, PERMISSION_DENIED, JETSTREAM_DISABLED (nobody listens
                at the subject) or TIMEOUT.
        """
        if self._inbox_denied is not None:
            raise self._inbox_denied.again()
        token = str(next(self._tokens))
        answer: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._pending[token] = (subject, answer)
        try:
            async with asyncio.timeout_at(deadline):
                await self._window.acquire()
                self._release_in_time(answer)
                if self._lost.is_set():
                    raise self._disconnected()
                await self._client.publish(subject, payload, reply=f"{self._inbox}.{token}")
                message = await answer
        except TimeoutError:
            raise JetStreamFailure(
                Reason.TIMEOUT, f"{self._name}: no answer to {subject} in time."
            ) from None
        except JetStreamFailure:
            raise
        except Exception as error:
            # Whatever nats-py raises while it publishes, the connection is of no more use.
            self._end()
            raise self._disconnected() from error
        finally:
            del self._pending[token]
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # seen, so that asyncio does not report it as forgotten
        if not message.data and message.headers and message.headers.get("Status") == "503":
            raise JetStreamFailure(
                Reason.JETSTREAM_DISABLED,
                f"{self._name}: nobody answers {subject}: JetStream is off there,"
                " or off for this account.",
            )
        return message.data

    def _release_in_time(self, answer: asyncio.Future[Msg]) -> None:
        """Give a place in the window back when the answer is there, or has been long in coming."""

        def answered(_answer: asyncio.Future[Msg]) -> None:
            timer.cancel()
            self._window.release()

        def overdue() -> None:
            answer.remove_done_callback(answered)
            self._window.release()

        timer = asyncio.get_running_loop().call_later(SLOT_SECONDS, overdue)
        answer.add_done_callback(answered)

    async def wait_lost(self) -> None:
        """Return when the session is of no more use."""
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOST_CHECK_SECONDS):
                    await self._lost.wait()
            # nats-py closes a TLS connection for up to 30 s before it calls back.
            if not self._client.is_connected:
                self._end()

    async def close(self) -> None:
        """End the session, whatever state its client is in; never raises, takes 2 s at most."""
        self._end()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLIENT_CLOSE_SECONDS):
                await self._client.close()

    def _end(self) -> None:
        self._lost.set()
        for _, answer in self._pending.values():
            if not answer.done():
                answer.set_exception(self._disconnected())

    def _disconnected(self) -> JetStreamFailure:
        why = f": {self._last_error}" if self._last_error else ""
        return JetStreamFailure(
            Reason.DISCONNECTED, f"{self._name}: the connection to {self.server} was lost{why}."
        )

    # nats-py's callbacks; one that raises would stop the client for good.

    async def _on_reply(self, message: Msg) -> None:
        _, answer = self._pending.get(message.subject.rpartition(".")[2], ("", None))
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _on_end(self) -> None:
        self._end()

    async def _on_error(self, error: Exception) -> None:
        self._last_error = error
        text = str(error).lower()
        if "permissions violation" not in text:
            return
        denied = text.rpartition(" to ")[2].strip('" ')
        if "subscription" in text:
            self._inbox_denied = JetStreamFailure(
                Reason.PERMISSION_DENIED,
                f"{self._name}: the server denies subscribing to"
                f" {self._config.inbox_prefix}.>, where it should answer.",
            )
        for subject, answer in self._pending.values():
            if answer.done():
                continue
            if self._inbox_denied is not None:
                answer.set_exception(self._inbox_denied.again())
            elif subject.lower() == denied:  # nats-py gives the server's text in lower case
                answer.set_exception(
                    JetStreamFailure(
                        Reason.PERMISSION_DENIED,
                        f"{self._name}: the server denies publishing to {subject}.",
                    )
                )

    def _connect_failure(self, error: Exception) -> JetStreamFailure:
        servers = ", ".join(self.servers)
        if isinstance(error, OSError) and error.filename and self._config.credentials:
            return JetStreamFailure(
                Reason.UNAUTHORIZED,
                f"{self._name}: the credentials file {self._config.credentials} cannot be read:"
                f" {error.strerror}.",
            )
        if any(refusal in str(error).lower() for refusal in _LOGIN_REFUSED):
            return JetStreamFailure(
                Reason.UNAUTHORIZED, f"{self._name}: {servers} refuses the login: {error}."
            )
        if isinstance(error, TimeoutError):
            why = str(self._last_error or f"no answer within {CONNECT_SECONDS:g} s")
        else:
            why = str(self._last_error or error)
        return JetStreamFailure(
            Reason.DISCONNECTED, f"{self._name}: cannot connect to {servers}: {why}."
        )

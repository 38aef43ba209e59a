"""The Kubernetes API's requests: which resources there are, lists, watches, single objects.

The facts are those of Kubernetes' "API Concepts" page: resource versions, watch bookmarks,
metadata-only answers chosen by the Accept header.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass

import aiohttp
import structlog
from pydantic import ValidationError

from pd_exporter.kube.access import Credentials, KubeAccess
from pd_exporter.kube.collection import (
    JSON,
    Change,
    Collection,
    Event,
    Listing,
    Question,
    listing_of,
)
from pd_exporter.kube.failure import KubeFailure, Reason, status_of

MAX_EVENT_BYTES = 8 * 2**20
"""Longest line of a watch; an object is far smaller, because etcd takes 1.5 MiB."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long the API server may take, in seconds.

    Attributes:
        connect: To accept a connection.
        answer: To answer a list in full, and to begin a watch.
        silence: Between two events of a watch. Asked for bookmarks it sends one about each
            minute, so a longer silence means that the connection is only half there.
    """

    connect: float = 10.0
    answer: float = 60.0
    silence: float = 90.0


class KubeApi:
    """A Kubernetes API server; made by `open_api`."""

    def __init__(
        self, access: KubeAccess, session: aiohttp.ClientSession, timeouts: Timeouts
    ) -> None:
        self._server = access.server.rstrip("/")
        self._credentials = Credentials(access)
        self._session = session
        self._timeouts = timeouts

    async def list_objects(
        self, collection: Collection, version: str = "0"
    ) -> AsyncGenerator[Listing, None]:
        """List a collection as it was at a resource version or later, page by page.

        Args:
            collection: What to list.
            version: "0" takes whatever the server has in its cache, which costs it least; another
                one is waited for; "" is read from etcd, and certainly the latest, as pages are.

        Raises:
            KubeFailure: There is no list, or no rest of it.
        """
        parameters = {"resourceVersion": version} if version else {}
        if collection.page_size:
            parameters = {"limit": str(collection.page_size)}
        asked = collection.asked("list")
        while True:
            accept = collection.accept("List")
            body = await self._read(asked, collection.selectors | parameters, accept)
            try:
                page = listing_of(body)
            except ValidationError:
                # Neither the error's words nor its cause: they hold what is listed.
                why = "the answer is no list"
                raise self._failure(asked, Reason.INVALID_REPLY, why) from None
            del body  # it may be large, and is not needed while the page is taken
            yield page
            if not page.rest:
                return
            parameters["continue"] = page.rest

    async def discover(self, path: str, group: str) -> bytes:
        """Read what the server tells of a group of resources; every service account may.

        Raises:
            KubeFailure: There is no answer; NOT_FOUND: there is no such group, or version of it.
        """
        return await self._read(Question("discover", path, group), {}, JSON)

    async def request(self, asked: Question, change: Change | None = None) -> bytes:
        """Read one object, or change it; gives the answer's body.

        Raises:
            KubeFailure: There is no answer, and a change may have been made or not; or it was
                refused, and none was made. NOT_FOUND: there is no such object. CONFLICT: it is not,
                or no longer, as the change says that it has to be.
        """
        return await self._read(asked, {}, JSON, change)

    @asynccontextmanager
    async def watch_objects(
        self, collection: Collection, version: str, seconds: int
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """Watch a collection from a resource version on.

        The events end when the server ends them, which it does after about `seconds`, when the
        connection is lost, or when nothing comes for too long: then watch again, from the last
        version that an event had.

        Raises:
            KubeFailure: The watch does not begin, or (while events are taken) what comes is no
                event.
        """
        parameters = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        asked = collection.asked("watch")
        with self._failures(asked):
            async with asyncio.timeout(self._timeouts.answer):
                response = await self._send(
                    asked,
                    collection.selectors | parameters,
                    collection.accept(),
                    silence=self._timeouts.silence,
                )
        try:
            async with aclosing(self._events(asked, response)) as events:
                yield events
        finally:
            response.close()

    async def _read(
        self,
        asked: Question,
        parameters: Mapping[str, str],
        accept: str,
        change: Change | None = None,
    ) -> bytes:
        with self._failures(asked):
            async with asyncio.timeout(self._timeouts.answer):
                async with await self._send(asked, parameters, accept, change=change) as response:
                    return await response.read()

    async def _send(
        self,
        asked: Question,
        parameters: Mapping[str, str],
        accept: str,
        *,
        silence: float | None = None,
        change: Change | None = None,
    ) -> aiohttp.ClientResponse:
        headers = self._credentials.headers(asked.resource) | {"Accept": accept}
        if change is not None:
            headers["Content-Type"] = change.content_type
        response = await self._session.request(
            change.method if change else "GET",
            self._server + asked.path,
            params=parameters,
            data=change.body if change else None,
            headers=headers,
            ssl=self._credentials.trust(asked.resource),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._timeouts.connect, sock_read=silence
            ),
            allow_redirects=False,  # the token is for this server
        )
        if response.status == 200:
            return response
        async with response:
            status = status_of(await response.read(), response.status)
        raise self._failure(
            asked,
            status.failure_reason,
            f"HTTP {response.status} {status.message or response.reason}",
            _seconds(response.headers.get("Retry-After", "")),
        )

    async def _events(
        self, asked: Question, response: aiohttp.ClientResponse
    ) -> AsyncGenerator[Event, None]:
        try:
            held = bytearray()
            async for chunk in response.content.iter_any():
                for line in _lines(held, chunk):
                    yield Event.model_validate_json(line)
        except ValueError:
            # Neither the error's words nor its cause: they hold the object.
            why = "a line of the watch is no event, or is longer than 8 MiB"
            raise self._failure(asked, Reason.INVALID_REPLY, why) from None
        except (aiohttp.ClientError, OSError) as error:
            _log.debug("watch cut off", resource=asked.resource, error=repr(error))

    @contextmanager
    def _failures(self, asked: Question) -> Iterator[None]:
        """Tell every way in which a request fails as a KubeFailure."""
        try:
            yield
        except TimeoutError as error:
            why = "no answer in time"
            raise self._failure(asked, Reason.UNREACHABLE, why) from error
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            raise self._failure(asked, Reason.TLS, _tls_words(error)) from error
        except aiohttp.ClientConnectorError as error:
            why = str(error.os_error)
            raise self._failure(asked, Reason.UNREACHABLE, why) from error
        except (aiohttp.ClientError, OSError) as error:
            why = f"{type(error).__name__}: {error}"
            raise self._failure(asked, Reason.UNREACHABLE, why) from error

    def _failure(
        self, asked: Question, reason: Reason, why: str, retry_after: float = 0.0
    ) -> KubeFailure:
        url = self._server + asked.path
        message = f"Cannot {asked.verb} {asked.resource} at {url}: {why.rstrip('.')}."
        return KubeFailure(reason, message, asked.resource, retry_after, asked.namespace)


def _lines(held: bytearray, chunk: bytes) -> Iterator[bytes]:
    """Give the lines that a chunk ends, and hold what begins another.

    Raises:
        ValueError: A line is too long.
    """
    *ended, begun = chunk.split(b"\n")
    for end in ended:
        line = bytes(held) + end
        held.clear()
        if line.strip():
            yield line
    held += begun
    if len(held) > MAX_EVENT_BYTES:
        raise ValueError("a line is too long")


def _seconds(retry_after: str) -> float:
    """Read the header; its other form, a date, says less than the client's own pauses."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 0.0


def _tls_words(error: aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError) -> str:
    if not isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.os_error)
    cause = error.certificate_error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return cause.verify_message
    return str(cause)


@asynccontextmanager
async def open_api(access: KubeAccess, timeouts: Timeouts = Timeouts()) -> AsyncIterator[KubeApi]:
    """Reach a Kubernetes API server while entered; nothing is sent before something is asked."""
    # Questions are rare, so each has a connection of its own: none that broke unseen is used again,
    # and a server that restarted gets its share of the clients back.
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield KubeApi(access, session, timeouts)

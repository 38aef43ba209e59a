"""What else may be at the kubelet's socket: nothing, or something else than a kubelet."""

import asyncio
import contextlib
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from pd_exporter.kubelet.failure import Reason
from pd_exporter.kubelet.podresources import MAX_BYTES, list_allocations
from tests.fakes.kubelet import (
    FakeKubelet,
    answer_of,
    socket_folder,
)
from tests.podresources import HELD, PODS, failure_at


@pytest.fixture
def file() -> Iterator[Path]:
    """A file that is no socket, in a folder of its own."""
    with socket_folder() as folder:
        path = folder / "kubelet.sock"
        path.touch()
        yield path


async def test_no_socket_is_told_with_what_to_mount(socket_path: Path, file: Path) -> None:
    for missing in (socket_path, socket_path / "kubelet.sock", file / "kubelet.sock"):
        failure = await failure_at(missing)

        assert failure.reason is Reason.SOCKET_MISSING
        assert "/var/lib/kubelet/pod-resources" in failure.problem.cure


async def test_a_folder_or_a_file_is_no_socket(file: Path) -> None:
    assert (await failure_at(file)).reason is Reason.NOT_A_SOCKET
    assert (await failure_at(file.parent)).reason is Reason.NOT_A_SOCKET


async def test_a_socket_that_a_killed_kubelet_left_is_dead(socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path))

    assert (await failure_at(socket_path)).reason is Reason.DISCONNECTED


async def test_a_path_too_long_for_a_socket_is_told(socket_path: Path) -> None:
    failure = await failure_at(socket_path.with_name("x" * 200))

    assert failure.reason is Reason.DISCONNECTED
    assert "too long" in failure.problem.message


@contextlib.contextmanager
def not_as_root() -> Iterator[None]:
    """Root may do everything; have the process be nobody for a while."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_permission_denied_says_which_user_is_needed(kubelet: FakeKubelet) -> None:
    kubelet.socket.parent.chmod(0o755)
    kubelet.socket.chmod(0)
    with not_as_root():
        failure = await failure_at(kubelet.socket)

    assert failure.reason is Reason.PERMISSION_DENIED
    assert "user 0" in failure.problem.cure


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(path: Path, talk: Talk) -> AsyncIterator[None]:
    """Have this said on each connection, then hang up; when left, all have ended."""
    talks = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            await talk(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_unix_server(serve, str(path)):
        try:
            yield
        finally:
            await asyncio.gather(*filter(None, talks))


def saying(path: Path, words: bytes) -> contextlib.AbstractAsyncContextManager[None]:
    """What says the same to everyone, whatever it hears, and hangs up."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(words)
        await writer.drain()

    return serving(path, talk)


@contextlib.contextmanager
def loop_complaints() -> Iterator[Sequence[dict[str, Any]]]:
    """What the event loop would log meanwhile."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: complaints.append(context))
    yield complaints
    loop.set_exception_handler(None)


async def test_what_hangs_up_at_once_is_no_kubelet(socket_path: Path) -> None:
    async def hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with serving(socket_path, hang_up):
        failure = await failure_at(socket_path)

    assert failure.reason is Reason.DISCONNECTED


@pytest.mark.parametrize(
    "said",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"\x00\x00\x00\xee" * 64],
    ids=["HTTP/1.1", "SSH", "unknown frames"],
)
async def test_what_speaks_no_http2_is_no_kubelet(socket_path: Path, said: bytes) -> None:
    with loop_complaints() as complaints:
        async with saying(socket_path, said):
            failure = await failure_at(socket_path)

    assert failure.reason is Reason.NOT_GRPC
    assert not complaints


async def test_frames_that_nobody_knows_end_the_connection_quietly(socket_path: Path) -> None:
    settings, unknown = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0]), bytes([0, 0, 0, 0xEE, 0, 0, 0, 0, 0])
    with loop_complaints() as complaints:
        async with saying(socket_path, settings + unknown):
            failure = await failure_at(socket_path)

    assert failure.reason is Reason.DISCONNECTED
    assert "Protocol error" in failure.problem.message
    assert not complaints


async def test_random_bytes_on_the_socket_do_no_harm(socket_path: Path) -> None:
    chance = random.Random(1)  # noqa: S311  the same garbage each time
    with loop_complaints() as complaints:
        for _ in range(100):
            start = chance.choice([b"", bytes(3), bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])])
            said = start + chance.randbytes(chance.randrange(200))
            async with saying(socket_path, said):
                failure = await failure_at(socket_path)
            assert failure.reason in {Reason.NOT_GRPC, Reason.DISCONNECTED}

    assert not complaints


def http2(
    path: Path,
    data: bytes,
    headers: Sequence[tuple[str, str]] = (
        (":status", "200"),
        ("content-type", "application/grpc"),
    ),
    trailers: Sequence[tuple[str, str]] | None = (("grpc-status", "0"),),
) -> contextlib.AbstractAsyncContextManager[None]:
    """An HTTP/2 server that answers a request with these bytes, gRPC or not.

    Without trailers (empty) the answer ends with its bytes; with None the connection does.
    """

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, validate_outbound_headers=False)
        )
        connection.initiate_connection()
        while heard := await reader.read(65536):
            for event in connection.receive_data(heard):
                if isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, headers)
                    connection.send_data(event.stream_id, data, end_stream=trailers == ())
                    if trailers:
                        connection.send_headers(event.stream_id, trailers, end_stream=True)
            writer.write(connection.data_to_send())
            if trailers is None and isinstance(event, h2.events.StreamEnded):
                return

    return serving(path, talk)


def framed(message: bytes, length: int | None = None, compressed: int = 0) -> bytes:
    size = len(message) if length is None else length
    return bytes([compressed]) + size.to_bytes(4, "big") + message


async def test_a_plain_http2_server_can_be_a_kubelet(socket_path: Path) -> None:
    async with http2(socket_path, framed(answer_of(PODS))):
        assert await list_allocations(socket_path) == HELD


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (framed(answer_of(PODS), compressed=1), Reason.INVALID_REPLY),
        (framed(answer_of(PODS), length=100_000), Reason.INVALID_REPLY),
        (framed(answer_of(PODS), length=MAX_BYTES), Reason.INVALID_REPLY),
        (framed(answer_of(PODS), length=MAX_BYTES + 1), Reason.TOO_LARGE),
        (framed(answer_of(PODS), length=2**32 - 1), Reason.TOO_LARGE),
        (b"\x00\x00", Reason.INVALID_REPLY),
        (b"", Reason.INVALID_REPLY),
    ],
    ids=["compressed", "cut off", "cut off far", "too long", "4 GiB", "no length", "no message"],
)
async def test_messages_framed_wrongly_are_refused(
    socket_path: Path, data: bytes, reason: Reason
) -> None:
    async with http2(socket_path, data):
        assert (await failure_at(socket_path)).reason is reason


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([(":status", "404"), ("content-type", "text/plain")], Reason.UNIMPLEMENTED),
        ([(":status", "200"), ("content-type", "text/html")], Reason.SERVER_ERROR),
        ([("content-type", "application/grpc")], Reason.INVALID_REPLY),
    ],
    ids=["not found", "a page", "no status"],
)
async def test_http2_without_grpc_is_refused(
    socket_path: Path, headers: list[tuple[str, str]], reason: Reason
) -> None:
    async with http2(socket_path, framed(answer_of(PODS)), headers):
        assert (await failure_at(socket_path)).reason is reason


@pytest.mark.parametrize(
    "trailers",
    [
        (),
        None,
        [("grpc-status", "none")],
        [("grpc-message", "no status")],
        [("grpc-status", "13")],
    ],
    ids=["no trailers", "hung up", "no number", "no status", "failed after all"],
)
async def test_an_answer_without_a_good_status_does_not_count(
    socket_path: Path, trailers: Sequence[tuple[str, str]] | None
) -> None:
    async with http2(socket_path, framed(answer_of(PODS)), trailers=trailers):
        failure = await failure_at(socket_path, seconds=0.5)

    assert failure.reason in {Reason.SERVER_ERROR, Reason.TIMEOUT, Reason.DISCONNECTED}

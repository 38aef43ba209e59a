"""One connection's requests: pipelined, bounded, and failing all at once when it is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from pd_exporter.config import NatsConfig
from pd_exporter.nats.failure import JetStreamFailure, Reason
from pd_exporter.nats.session import WINDOW, Session
from tests.servers import NatsServer, until


@pytest.fixture
async def session(server: NatsServer) -> AsyncIterator[Session]:
    session = await Session.open("main", NatsConfig(servers=(server.url,)), (server.url,))
    yield session
    await session.close()


async def subscribed(client: Client) -> None:
    """Return when the server knows the client's subscriptions."""
    await client.flush()  # nats-py sends its PING before the SUBs that it still holds back
    await client.flush()


@pytest.fixture
async def echo(client: Client) -> None:
    async def answer(message: Msg) -> None:
        await message.respond(message.data)

    async def swallow(_message: Msg) -> None:
        """Take the question and say nothing."""

    await client.subscribe("echo", cb=answer)
    await client.subscribe("silent", cb=swallow)
    await subscribed(client)


def soon(seconds: float = 10) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_every_question_gets_its_own_answer(session: Session, echo: None) -> None:
    questions = [str(number).encode() for number in range(1000)]

    answers = await asyncio.gather(*(session.request("echo", q, soon()) for q in questions))

    assert answers == questions


async def test_silent_questions_do_not_keep_others_from_being_asked(
    session: Session, echo: None
) -> None:
    deadline = soon(3)
    silent = [
        asyncio.create_task(session.request("silent", b"", deadline)) for _ in range(3 * WINDOW)
    ]

    assert await session.request("echo", b"heard", deadline) == b"heard"

    for failure in await asyncio.gather(*silent, return_exceptions=True):
        assert isinstance(failure, JetStreamFailure)
        assert failure.reason is Reason.TIMEOUT


async def test_a_lost_connection_ends_all_questions_at_once(
    session: Session, server: NatsServer, echo: None
) -> None:
    asked = [asyncio.create_task(session.request("silent", b"", soon(60))) for _ in range(5)]
    lost = asyncio.create_task(session.wait_lost())
    await session.request("echo", b"", soon())  # behind the others on the same connection
    await asyncio.to_thread(server.stop)

    failures = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
    await asyncio.wait_for(lost, 10)

    assert {getattr(failure, "reason", failure) for failure in failures} == {Reason.DISCONNECTED}
    with pytest.raises(JetStreamFailure) as later:
        await session.request("echo", b"", soon())
    assert later.value.reason is Reason.DISCONNECTED


async def test_replies_go_to_a_private_inbox(
    server: NatsServer, client: Client, session: Session
) -> None:
    inboxes = []

    async def answer(message: Msg) -> None:
        inboxes.append(message.reply)
        await message.respond(b"")

    await client.subscribe("who", cb=answer)
    await subscribed(client)

    await session.request("who", b"", soon())

    assert inboxes[0].startswith("_INBOX_pdexporter.")


async def test_a_closed_session_leaves_no_task(server: NatsServer, tmp_path: Path) -> None:
    before = asyncio.all_tasks()
    session = await Session.open("main", NatsConfig(servers=(server.url,)), (server.url,))
    await session.close()

    async def none_left() -> bool:
        return asyncio.all_tasks() == before

    await until(none_left, "the session's tasks to end")

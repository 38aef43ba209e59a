"""Every way in which a queue cannot be read is told apart, costs its values, and passes."""

import asyncio
import signal
from pathlib import Path

import pytest
import structlog
from nats.aio.client import Client

from pd_exporter.reading import Problem
from tests.dynamo import CONSUMER, STREAM, Service, make_queue
from tests.exporting import Exporter, exporter_of, queue_config
from tests.jwt import Operator
from tests.servers import NatsServer, free_port, nats_server, until

VALUES = ("pending_messages", "ack_pending_messages", "waiting_pulls", "redelivered_messages")


async def assert_unreadable(exporter: Exporter, reason: str, *words: str) -> Problem:
    """The queue is down for that reason, gives no values, and says what happened."""
    before = (await exporter.scrape()).errors()
    problem = await exporter.problem()
    page = await exporter.scrape()

    assert problem is not None
    assert problem.reason == reason
    for word in words:
        assert word in problem.message
    assert problem.cure
    assert page.errors().keys() == before.keys() == {reason}
    assert page.errors()[reason] == before[reason] + 2
    assert page.value("pd_queue_up") == 0
    assert page.value("pd_collector_success") == 1
    for name in VALUES:
        assert page.get(f"pd_queue_{name}") is None
    return problem


async def test_a_missing_stream(server: NatsServer, exporter: Exporter) -> None:
    await assert_unreadable(exporter, "stream_missing", STREAM)


async def test_a_missing_consumer(client: Client, exporter: Exporter) -> None:
    await make_queue(client)
    await client.jetstream().delete_consumer(STREAM, CONSUMER)
    await Service(client, ack_after_work=False).publish(50)

    await assert_unreadable(exporter, "consumer_missing", CONSUMER, STREAM)


async def test_jetstream_switched_off(nats_binary: str, tmp_path: Path) -> None:
    with nats_server(nats_binary, tmp_path / "nats", jetstream=False) as server:
        async with exporter_of(url=server.url) as exporter:
            await assert_unreadable(exporter, "jetstream_disabled", "JetStream is off")


async def test_an_account_without_jetstream(nats_binary: str, tmp_path: Path) -> None:
    accounts = """accounts {
        SERVICE { jetstream: enabled, users: [{user: service, password: right}] }
        BARE { users: [{user: bare, password: right}] }
    }"""
    with nats_server(nats_binary, tmp_path / "nats", accounts) as server:
        async with exporter_of(url=server.url, user="bare", password="right") as exporter:
            await assert_unreadable(exporter, "jetstream_disabled")


@pytest.mark.parametrize(
    ("settings", "right", "wrong"),
    [
        (
            "authorization { user: scraper, password: right }",
            {"user": "scraper", "password": "right"},
            {"user": "scraper", "password": "wr0ng-and-secret"},
        ),
        ("authorization { token: right }", {"token": "right"}, {"token": "wr0ng-and-secret"}),
    ],
    ids=["password", "token"],
)
async def test_a_wrong_login(
    nats_binary: str,
    tmp_path: Path,
    settings: str,
    right: dict[str, str],
    wrong: dict[str, str],
) -> None:
    with nats_server(nats_binary, tmp_path / "nats", settings) as server:
        client = await server.client(**right)
        await make_queue(client)
        await client.close()
        with structlog.testing.capture_logs() as logs:
            async with exporter_of(url=server.url, **wrong) as exporter:
                problem = await assert_unreadable(exporter, "unauthorized", server.url)
        async with exporter_of(url=server.url, **right) as exporter:
            assert (await exporter.scrape()).value("pd_queue_up") == 1

    assert "wr0ng-and-secret" not in f"{problem} {logs}"
    assert logs


async def test_credentials_files_right_wrong_renewed_and_gone(
    nats_binary: str, tmp_path: Path
) -> None:
    operator, stranger = Operator(), Operator()
    file = tmp_path / "user.creds"
    file.write_text(operator.credentials())
    with nats_server(nats_binary, tmp_path / "nats", operator.settings) as server:
        client = await server.client(user_credentials=str(file))
        await make_queue(client)
        await client.close()
        async with exporter_of(url=server.url, credentials=file) as exporter:
            await exporter.shows("pd_queue_up", 1)
            file.write_text(stranger.credentials())
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
            await exporter.shows("pd_queue_errors_total", 1, reason="unauthorized")
            file.unlink()

            async def gone() -> bool:
                problem = await exporter.problem()
                return problem is not None and "user.creds cannot be read" in problem.message

            await until(gone, "the missing file to be told")
            file.write_text(operator.credentials())
            await exporter.shows("pd_queue_up", 1)


PERMISSIONS = """authorization {{ users: [
    {{user: service, password: right}},
    {{user: scraper, password: right, permissions: {{
        publish: {publish}, subscribe: {subscribe}
    }}}}
] }}"""
ALL_QUESTIONS = f'["$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}", "$JS.API.STREAM.INFO.{STREAM}"]'


@pytest.mark.parametrize(
    ("publish", "subscribe", "word"),
    [
        (f'["$JS.API.STREAM.INFO.{STREAM}"]', '["_INBOX_pdexporter.>"]', "CONSUMER.INFO"),
        (ALL_QUESTIONS, '["_INBOX.>"]', "_INBOX_pdexporter"),
    ],
    ids=["publish", "subscribe"],
)
async def test_a_denied_subject_is_no_timeout(
    nats_binary: str, tmp_path: Path, publish: str, subscribe: str, word: str
) -> None:
    settings = PERMISSIONS.format(publish=publish, subscribe=subscribe)
    with nats_server(nats_binary, tmp_path / "nats", settings) as server:
        client = await server.client(user="service", password="right")
        await make_queue(client)
        await client.close()
        async with exporter_of(url=server.url, user="scraper", password="right") as exporter:
            await assert_unreadable(exporter, "permission_denied", word)


async def test_the_least_permissions_suffice(nats_binary: str, tmp_path: Path) -> None:
    settings = PERMISSIONS.format(publish=ALL_QUESTIONS, subscribe='["_INBOX_pdexporter.>"]')
    with nats_server(nats_binary, tmp_path / "nats", settings) as server:
        client = await server.client(user="service", password="right")
        await make_queue(client)
        await client.close()
        async with exporter_of(url=server.url, user="scraper", password="right") as exporter:
            page = await exporter.scrape()

    assert page.errors() == {}
    assert page.value("pd_queue_enqueued_messages_total") == 0


async def test_without_the_stream_the_consumer_is_still_read(
    nats_binary: str, tmp_path: Path
) -> None:
    publish = f'["$JS.API.CONSUMER.INFO.{STREAM}.{CONSUMER}"]'
    settings = PERMISSIONS.format(publish=publish, subscribe='["_INBOX_pdexporter.>"]')
    with nats_server(nats_binary, tmp_path / "nats", settings) as server:
        client = await server.client(user="service", password="right")
        await make_queue(client)
        await Service(client, ack_after_work=False).publish(3)
        await client.close()
        async with exporter_of(url=server.url, user="scraper", password="right") as exporter:
            page = await exporter.scrape()

    assert page.value("pd_queue_up") == 1
    assert page.value("pd_queue_pending_messages") == 3
    assert page.get("pd_queue_enqueued_messages_total") is None
    assert page.errors() == {"permission_denied": 1}


async def test_a_server_that_is_not_there() -> None:
    port = free_port()
    async with exporter_of(url=f"nats://127.0.0.1:{port}") as exporter:
        await assert_unreadable(exporter, "disconnected", str(port))


async def test_a_host_that_does_not_exist() -> None:
    async with exporter_of(url="nats://no-such-host.invalid:4222") as exporter:
        await assert_unreadable(exporter, "disconnected", "no-such-host.invalid")


async def test_something_that_is_not_nats() -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example.com ESMTP\r\n")
        writer.close()

    greeter = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = greeter.sockets[0].getsockname()[1]
    async with exporter_of(url=f"nats://127.0.0.1:{port}") as exporter:
        await assert_unreadable(exporter, "disconnected", str(port))
    greeter.close()


async def test_a_server_that_stops_answering_and_goes_on(
    server: NatsServer, client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    await exporter.shows("pd_queue_up", 1)
    server.pause()

    page = await exporter.scrape(budget=1)
    server.resume()

    assert page.errors() == {"timeout": 1}
    assert page.value("pd_queue_up") == 0
    assert page.get("pd_queue_pending_messages") is None
    assert page.value("pd_collector_success") == 1
    await exporter.shows("pd_queue_up", 1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_restarted_server_is_read_again_with_the_right_value(
    server: NatsServer, client: Client, exporter: Exporter, number: signal.Signals
) -> None:
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(4)
    await exporter.shows("pd_queue_pending_messages", 4)
    server.stop(number)
    await assert_unreadable(exporter, "disconnected")
    server.start()

    page = await exporter.shows("pd_queue_up", 1)

    assert page.value("pd_queue_pending_messages") == 4
    assert page.value("pd_queue_enqueued_messages_total") == 4


async def test_restarts_while_polled_never_show_a_false_number(
    server: NatsServer, client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(6)
    await exporter.shows("pd_queue_pending_messages", 6)
    seen: set[float | None] = set()
    polling = True

    async def poll() -> None:
        while polling:
            seen.add((await exporter.scrape()).get("pd_queue_pending_messages"))
            await asyncio.sleep(0.005)

    poller = asyncio.create_task(poll())
    for _ in range(3):
        await asyncio.to_thread(server.stop)
        await asyncio.to_thread(server.start)
        await exporter.shows("pd_queue_up", 1)
    polling = False
    await poller

    assert seen == {None, 6}


async def test_one_unreadable_queue_leaves_the_others(server: NatsServer, client: Client) -> None:
    await make_queue(client)
    broken = queue_config(stream="no_such_stream", group="other")

    async with exporter_of(queue_config(), broken, url=server.url) as exporter:
        page = await exporter.scrape()

    assert page.value("pd_queue_up", group="dynamo-pd") == 1
    assert page.value("pd_queue_up", group="other") == 0
    assert page.value("pd_queue_pending_messages") == 0
    assert page.errors(group="other") == {"stream_missing": 1}
    assert page.errors(group="dynamo-pd") == {}

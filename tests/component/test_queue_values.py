"""The queue collector's numbers against a known truth, on real servers."""

import asyncio
import statistics
import time
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.js.api import RetentionPolicy

from pd_exporter.collectors.queue import open_queues
from pd_exporter.config import Config
from tests.dynamo import CONSUMER, STREAM, Service, make_consumer, make_queue
from tests.exporting import Exporter, exporter_of, queue_config
from tests.servers import NatsServer, nats_server, until

LIMITS, WORK_QUEUE = RetentionPolicy.LIMITS, RetentionPolicy.WORK_QUEUE


async def test_an_idle_queue_is_all_zeros_and_says_nothing_of_a_head(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client)

    page = await exporter.scrape()

    assert page.value("pd_queue_up") == 1
    for name in ("pending", "ack_pending", "redelivered", "ack_floor"):
        suffix = "sequence" if name == "ack_floor" else "messages"
        assert page.value(f"pd_queue_{name}_{suffix}") == 0
    assert page.value("pd_queue_enqueued_messages_total") == 0
    assert page.value("pd_queue_delivered_messages_total") == 0
    assert page.get("pd_queue_head_timestamp_seconds") is None
    assert page.errors() == {}


async def test_idle_workers_are_parked_pulls(client: Client, exporter: Exporter) -> None:
    await make_queue(client)
    service = Service(client, ack_after_work=False)

    async with service.running(workers=3):

        async def three() -> bool:
            return (await exporter.scrape()).get("pd_queue_waiting_pulls") == 3

        await until(three, "three parked pulls")


@pytest.mark.parametrize("retention", [LIMITS, WORK_QUEUE])
@pytest.mark.parametrize("ack_after_work", [False, True])
async def test_values_are_the_truth_while_producers_and_workers_run(
    client: Client, exporter: Exporter, retention: RetentionPolicy, ack_after_work: bool
) -> None:
    await make_queue(client, retention=retention)
    service = Service(client, ack_after_work=ack_after_work)
    truth = service.truth
    seen_pending, seen_in_work = [], []

    async with service.running(producers=2, workers=3, interval=0.015, seconds=0.03):
        for _ in range(60):
            published, received, acked = truth.published, truth.received, truth.acked
            page = await exporter.scrape()
            # Whatever the server counted lies between what was surely done before the question
            # and what may have been begun before the answer. A delivery that a worker has not
            # seen yet is at most one for each of the three workers.
            enqueued = page.value("pd_queue_enqueued_messages_total")
            delivered = page.value("pd_queue_delivered_messages_total")
            pending = page.value("pd_queue_pending_messages")
            in_work = page.value("pd_queue_ack_pending_messages")
            assert published <= enqueued <= truth.publishing
            assert received <= delivered <= truth.received + 3
            # Each producer may have one acknowledged that the consumer does not count yet.
            assert published - 2 - truth.received - 3 <= pending <= truth.publishing - received
            assert received - truth.acking <= in_work <= truth.received + 3 - acked
            seen_pending.append(pending)
            seen_in_work.append(in_work)
            await asyncio.sleep(0.02)

    assert max(seen_pending) > 10, "the producers outran the workers: there was something to see"
    assert (statistics.mean(seen_in_work) > 1.5) is ack_after_work


async def test_still_values_are_exact(client: Client, exporter: Exporter) -> None:
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(9)
    pulls = await client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)
    first, second, third = await pulls.fetch(3)
    await first.ack_sync()
    await third.ack_sync()

    page = await exporter.shows("pd_queue_pending_messages", 6)

    assert page.value("pd_queue_ack_pending_messages") == 1
    assert page.value("pd_queue_delivered_messages_total") == 3
    assert page.value("pd_queue_enqueued_messages_total") == 9
    assert page.value("pd_queue_ack_floor_sequence") == 1
    assert page.value("pd_queue_redelivered_messages") == 0
    assert page.value("pd_queue_waiting_pulls") == 0
    assert page.value("pd_queue_info", ack="on_dequeue", retention="limits", filtered="false") == 1
    created = page.value("pd_queue_consumer_created_timestamp_seconds")
    assert created == pytest.approx(time.time(), abs=60)

    await second.nak()

    async def redelivered() -> bool:
        await pulls.fetch(7)
        return (await exporter.scrape()).value("pd_queue_redelivered_messages") == 1

    assert await until(redelivered, "a redelivery")


async def test_the_head_is_dated_as_its_producer_saw_it(client: Client, exporter: Exporter) -> None:
    await make_queue(client)
    service = Service(client, ack_after_work=False)
    await exporter.scrape()
    published: list[float] = []
    for _ in range(12):
        await service.publish()
        published.append(time.time())
        await asyncio.sleep(0.2)
    pulls = await client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)

    for delivered in range(12):
        page = await exporter.scrape()
        head = page.value("pd_queue_head_timestamp_seconds")
        # Interpolated between samples a second apart.
        assert head == pytest.approx(published[delivered], abs=1.0), delivered
        (message,) = await pulls.fetch(1)
        await message.ack_sync()

    assert (await exporter.scrape()).get("pd_queue_head_timestamp_seconds") is None


async def test_a_head_from_before_the_exporter_is_dated_only_where_it_is_known(
    client: Client, server: NatsServer
) -> None:
    await make_queue(client)
    service = Service(client, ack_after_work=False)
    began = time.time()
    await service.publish(1)
    await asyncio.sleep(3.2)  # the messages must really be that far apart
    await service.publish(2)
    pulls = await client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)

    async with exporter_of(url=server.url) as exporter:
        heads = []
        for _ in range(3):
            page = await exporter.scrape()
            heads.append(page.get("pd_queue_head_timestamp_seconds"))
            (message,) = await pulls.fetch(1)
            await message.ack_sync()

    assert heads[0] == pytest.approx(began, abs=0.5), "the stream's first message"
    assert heads[1] is None, "somewhere in 3 seconds, which is too vague"
    assert heads[2] == pytest.approx(began + 3.2, abs=0.8), "the stream's last message"


async def test_a_consumer_made_anew_shows_by_its_creation_time(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client)
    service = Service(client, ack_after_work=False)
    async with service.running(workers=1, seconds=0):
        await service.publish(5)

        async def drained() -> bool:
            return service.truth.acked == 5

        await until(drained, "five served")
    before = await exporter.scrape()
    await client.jetstream().delete_consumer(STREAM, CONSUMER)
    await make_consumer(client)

    # The server will deliver all that it still holds again: true, and sudden.
    after = await exporter.shows("pd_queue_pending_messages", 5)

    assert before.value("pd_queue_pending_messages") == 0
    created = "pd_queue_consumer_created_timestamp_seconds"
    assert after.value(created) > before.value(created)


async def test_a_stream_made_anew_starts_again(client: Client, exporter: Exporter) -> None:
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(5)
    await exporter.shows("pd_queue_pending_messages", 5)
    await client.jetstream().delete_stream(STREAM)
    gone = await exporter.scrape()
    await make_queue(client)
    await Service(client, ack_after_work=False).publish(2)

    anew = await exporter.shows("pd_queue_pending_messages", 2)

    assert gone.value("pd_queue_up") == 0
    assert gone.get("pd_queue_pending_messages") is None
    assert anew.value("pd_queue_enqueued_messages_total") == 2
    assert anew.value("pd_queue_head_timestamp_seconds") == pytest.approx(time.time(), abs=2)


async def test_a_filtered_consumer_has_no_enqueued_head_or_expired(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client, filter_subject=f"{STREAM}.queue")
    await Service(client, ack_after_work=False).publish(2)
    await client.jetstream().publish(f"{STREAM}.other", b"")

    page = await exporter.shows("pd_queue_pending_messages", 2)

    assert page.value("pd_queue_info", filtered="true") == 1
    assert page.get("pd_queue_enqueued_messages_total") is None
    assert page.get("pd_queue_expired_messages_total") is None
    assert page.get("pd_queue_head_timestamp_seconds") is None


async def test_configured_values_are_given_even_when_the_server_is_not_there(
    server: NatsServer,
) -> None:
    queue = queue_config(worker_concurrency=4, service_prior_seconds=0.5, cap_messages=3)
    server.stop()

    async with exporter_of(queue, url=server.url) as exporter:
        page = await exporter.scrape()

    assert page.value("pd_queue_worker_concurrency") == 4
    assert page.value("pd_queue_service_prior_seconds") == 0.5
    assert page.value("pd_queue_cap_messages") == 3
    assert page.value("pd_queue_up") == 0


async def test_one_exporter_reads_several_nats_systems(nats_binary: str, tmp_path: Path) -> None:
    with (
        nats_server(nats_binary, tmp_path / "a") as first,
        nats_server(nats_binary, tmp_path / "b") as second,
    ):
        for server, count in ((first, 2), (second, 3)):
            client = await server.client()
            await make_queue(client)
            await Service(client, ack_after_work=False).publish(count)
            await client.close()
        config = Config.model_validate(
            {
                "nats": {"a": {"servers": [first.url]}, "b": {"servers": [second.url]}},
                "queues": [
                    queue_config(nats="a", namespace="team-a"),
                    queue_config(nats="b", namespace="team-b"),
                ],
            }
        )
        async with open_queues(config) as collector:
            exporter = Exporter(collector)
            await exporter.shows("pd_queue_pending_messages", 2, namespace="team-a")
            await exporter.shows("pd_queue_pending_messages", 3, namespace="team-b")
            first.stop()

            page = await exporter.scrape()

    assert page.value("pd_queue_up", namespace="team-a") == 0
    assert page.value("pd_queue_pending_messages", namespace="team-b") == 3


async def test_a_thousand_queues_are_read_in_one_scrape(client: Client, server: NatsServer) -> None:
    names = [f"queue_{number}" for number in range(1000)]
    js = client.jetstream()
    for name in names:
        await make_queue(client, stream=name)
    for number in (0, 499, 999):
        await js.publish(f"queue_{number}.queue", b"")
    queues = [queue_config(stream=name) for name in names]

    async with exporter_of(*queues, url=server.url) as exporter:
        page = await exporter.shows("pd_queue_pending_messages", 1, stream="queue_999")

    up = [sample.value for sample in page.samples if sample.name == "pd_queue_up"]
    assert up == [1] * 1000
    pending = {
        sample.labels["stream"]
        for sample in page.samples
        if sample.name == "pd_queue_pending_messages" and sample.value
    }
    assert pending == {"queue_0", "queue_499", "queue_999"}

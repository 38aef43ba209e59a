"""Requests that expire unserved are counted; nothing else is."""

import asyncio

from nats.aio.client import Client

from tests.dynamo import CONSUMER, STREAM, Service, make_consumer, make_queue
from tests.exporting import Exporter
from tests.exposition import Page
from tests.servers import until

EXPIRED = "pd_queue_expired_messages_total"
MAX_AGE = 2


async def first_sample(exporter: Exporter) -> Page:
    """Counting starts with the first sample of the stream."""

    async def counting() -> Page | None:
        page = await exporter.scrape()
        return page if page.get(EXPIRED) is not None else None

    return await until(counting, "the expired counter")


async def test_messages_that_reach_max_age_without_workers_are_lost(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client, max_age=MAX_AGE)
    service = Service(client, ack_after_work=False)
    assert (await first_sample(exporter)).value(EXPIRED) == 0
    await service.publish(7)
    await exporter.shows("pd_queue_pending_messages", 7)

    await exporter.shows(EXPIRED, 7)

    assert (await exporter.scrape()).value("pd_queue_pending_messages") == 0
    async with service.running(workers=1, seconds=0):
        await service.publish(3)

        async def served() -> bool:
            return service.truth.acked == 3

        await until(served, "three served after the loss")
    assert (await exporter.scrape()).value(EXPIRED) == 7, "counted once, whoever tells it"


async def test_served_messages_that_reach_max_age_are_not_lost(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client, max_age=MAX_AGE)
    service = Service(client, ack_after_work=False)
    await first_sample(exporter)
    async with service.running(producers=1, workers=2, interval=0.1, seconds=0):

        async def expired() -> bool:
            state = (await client.jetstream().stream_info(STREAM)).state
            return state.first_seq > 10

        await until(expired, "ten served messages to expire")
        page = await exporter.scrape()

    assert page.value("pd_queue_delivered_messages_total") >= 10
    assert page.value(EXPIRED) == 0


async def test_a_purge_is_no_loss_and_ends_the_counting(client: Client, exporter: Exporter) -> None:
    await make_queue(client, max_age=600)
    service = Service(client, ack_after_work=False)
    await first_sample(exporter)
    await service.publish(5)
    await exporter.scrape()
    await client.jetstream().purge_stream(STREAM)

    async def given_up() -> bool:
        page = await exporter.scrape()
        assert page.get(EXPIRED) in {0, None}
        return page.get(EXPIRED) is None

    await until(given_up, "the counter to vanish")


async def test_redelivery_ends_the_counting_until_the_consumer_is_made_anew(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client, max_age=600)
    service = Service(client, ack_after_work=False)
    await first_sample(exporter)
    await service.publish(1)
    pulls = await client.jetstream().pull_subscribe_bind(CONSUMER, STREAM)
    (message,) = await pulls.fetch(1)
    await message.nak()
    (again,) = await pulls.fetch(1)
    await again.ack_sync()

    assert (await exporter.scrape()).get(EXPIRED) is None

    await client.jetstream().delete_consumer(STREAM, CONSUMER)
    await make_consumer(client)
    assert (await first_sample(exporter)).value(EXPIRED) == 0


async def test_a_consumer_made_after_messages_expired_has_lost_none(
    client: Client, exporter: Exporter
) -> None:
    await make_queue(client, max_age=MAX_AGE)
    await Service(client, ack_after_work=False).publish(4)
    await client.jetstream().delete_consumer(STREAM, CONSUMER)

    async def emptied() -> bool:
        return (await client.jetstream().stream_info(STREAM)).state.messages == 0

    await until(emptied, "expiry")
    await make_consumer(client)

    assert (await first_sample(exporter)).value(EXPIRED) == 0
    await asyncio.sleep(1.2)  # one more sample of the stream
    assert (await exporter.scrape()).value(EXPIRED) == 0

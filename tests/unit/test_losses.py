import pytest

from pd_exporter.nats.arrivals import ArrivalHistory
from pd_exporter.nats.losses import LossCounter
from pd_exporter.nats.replies import (
    ConsumerConfig,
    ConsumerInfo,
    SequencePair,
    StreamConfig,
    StreamInfo,
    StreamState,
)
from tests.times import T0, moment

MAX_AGE = 600.0


class Queue:
    """A stream into which a message comes each second from 0 on, and its consumer."""

    def __init__(self, *, max_age: float = MAX_AGE, config: ConsumerConfig | None = None) -> None:
        self.history = ArrivalHistory()
        self.losses = LossCounter()
        self.created = 0.0
        self._config = config or ConsumerConfig()
        self._max_age = max_age

    def at(
        self, now: float, first_seq: int, delivered: int, deliveries: int, redelivered: int = 0
    ) -> int | None:
        """Sample the stream, read the consumer a moment later, and give the count."""
        last_seq = int(now)
        stream = StreamInfo(
            created=moment(0),
            config=StreamConfig(name="s", retention="limits", max_age=self._max_age * 1e9),
            state=StreamState(
                first_seq=first_seq,
                first_ts=moment(first_seq),
                last_seq=last_seq,
                last_ts=moment(last_seq),
            ),
            ts=moment(now),
        )
        self.history.observe(stream, T0 + now)
        consumer = ConsumerInfo(
            stream_name="s",
            name="c",
            created=moment(self.created),
            config=self._config,
            delivered=SequencePair(consumer_seq=deliveries, stream_seq=delivered),
            ack_floor=SequencePair(consumer_seq=0, stream_seq=0),
            num_pending=0,
            num_ack_pending=0,
            num_redelivered=redelivered,
            num_waiting=0,
        )
        return self.losses.observe(consumer, stream, self.history, T0 + now)


def watched(queue: Queue, until: int) -> None:
    """Sample each second while nothing is delivered and nothing expires."""
    for now in range(1, until + 1):
        assert queue.at(now, first_seq=1, delivered=0, deliveries=0) == 0


def test_expiry_counts_before_the_consumer_notices_and_once() -> None:
    queue = Queue()
    watched(queue, 600)

    assert queue.at(611, first_seq=11, delivered=0, deliveries=0) == 10
    assert queue.at(612, first_seq=11, delivered=10, deliveries=0) == 10
    assert queue.at(613, first_seq=11, delivered=15, deliveries=5) == 10
    assert queue.at(630, first_seq=30, delivered=29, deliveries=5) == 24


def test_deliveries_are_no_losses() -> None:
    queue = Queue()
    for now in range(1, 1300):
        assert queue.at(now, max(1, now - 599), delivered=now - 1, deliveries=now - 1) == 0


def test_a_baseline_from_before_the_exporter_is_no_loss() -> None:
    queue = Queue()

    assert queue.at(5000, first_seq=4500, delivered=4600, deliveries=30) == 0
    assert queue.at(5001, first_seq=4501, delivered=4601, deliveries=31) == 0


def test_messages_that_went_before_their_time_were_purged() -> None:
    queue = Queue()
    watched(queue, 100)

    assert queue.at(101, first_seq=101, delivered=100, deliveries=0) is None
    assert queue.at(900, first_seq=301, delivered=300, deliveries=0) is None


def test_what_may_have_expired_or_been_purged_is_not_counted_but_what_follows_is() -> None:
    queue = Queue()
    # Sequences 1 to 900 came at some time between 1 s and 900 s: no telling for number 400.
    assert queue.at(900, first_seq=1, delivered=0, deliveries=0) == 0
    assert queue.at(1001, first_seq=401, delivered=0, deliveries=0) == 0
    for now in range(1002, 1501):
        queue.at(now, first_seq=401, delivered=0, deliveries=0)

    assert queue.at(1610, first_seq=1002, delivered=0, deliveries=0) == 601


@pytest.mark.parametrize("redelivered", [0, 1])
def test_redelivery_ends_the_counting_until_the_consumer_is_made_anew(redelivered: int) -> None:
    queue = Queue()
    watched(queue, 10)
    queue.at(11, first_seq=1, delivered=5, deliveries=5)

    assert queue.at(12, 1, delivered=5, deliveries=6, redelivered=redelivered) is None
    assert queue.at(13, 1, delivered=6, deliveries=7) is None

    queue.created = 14
    assert queue.at(14, 1, delivered=0, deliveries=0) == 0


def test_an_answer_that_was_overtaken_changes_nothing() -> None:
    queue = Queue()
    watched(queue, 10)
    assert queue.at(11, first_seq=1, delivered=5, deliveries=5) == 0
    assert queue.at(11, first_seq=1, delivered=3, deliveries=3) == 0
    assert queue.at(12, first_seq=1, delivered=6, deliveries=6) == 0


def test_the_count_goes_on_when_the_consumer_is_made_anew() -> None:
    queue = Queue()
    watched(queue, 600)
    assert queue.at(611, first_seq=11, delivered=0, deliveries=0) == 10
    queue.created = 612

    assert queue.at(612, first_seq=11, delivered=10, deliveries=0) == 10


@pytest.mark.parametrize(
    "queue",
    [
        Queue(max_age=0),
        Queue(config=ConsumerConfig(filter_subject="s.a")),
        Queue(config=ConsumerConfig(deliver_policy="last_per_subject")),
    ],
    ids=["no max_age", "filtered", "not in sequence"],
)
def test_where_skipping_means_something_else_nothing_is_counted(queue: Queue) -> None:
    assert queue.at(10, first_seq=1, delivered=0, deliveries=0) is None

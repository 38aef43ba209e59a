"""Requests that expired before any worker had them, counted as they are lost.

A consumer's position in the stream minus its deliveries is what it skipped. Skipped messages may
have expired (max_age), or been purged or deleted, or have been there before the consumer; and
redeliveries hide them. So only growth is counted, only of messages known to have reached max_age,
and a consumer that was seen to redeliver or to be purged is given up until it is created anew.
"""

from dataclasses import dataclass

from pd_exporter.nats.arrivals import ArrivalHistory
from pd_exporter.nats.replies import ConsumerInfo, StreamInfo

AGE_SLACK_SECONDS = 1.0
"""Uncertainty of a dated message: the sampling interval."""

_IN_SEQUENCE = {"all", "new", "by_start_sequence", "by_start_time"}


@dataclass(slots=True)
class _Position:
    created: float
    stream_seq: int
    deliveries: int


class LossCounter:
    """Counts one consumer's lost requests."""

    def __init__(self) -> None:
        self._total = 0
        self._at: _Position | None = None
        self._spoilt = False

    def observe(
        self,
        consumer: ConsumerInfo,
        stream: StreamInfo | None,
        history: ArrivalHistory,
        now: float,
    ) -> int | None:
        """Take in a reply, and give the messages lost since the first one.

        Args:
            consumer: The consumer as read in this scrape.
            stream: The stream as it was read before the consumer, so that nothing which was
                delivered in between looks skipped; None if it was not.
            history: When the stream's messages arrived.
            now: Unix time by the server's clock.

        Returns:
            The count, which never falls; None where it can't be told: no sample of the stream, no
            max_age, a filtered consumer, or one that redelivered or was purged.
        """
        if stream is None or not stream.config.max_age or consumer.filtered:
            return None
        if consumer.config.deliver_policy not in _IN_SEQUENCE:
            return None
        # Expiry shows in the stream at once, in the consumer only at its next delivery.
        here = _Position(
            consumer.created.timestamp(),
            max(consumer.delivered.stream_seq, stream.state.first_seq - 1),
            consumer.delivered.consumer_seq,
        )
        before = self._at
        if before is None or before.created != here.created:
            self._at = here
            self._spoilt = consumer.num_redelivered > 0
        elif here.stream_seq >= before.stream_seq and here.deliveries >= before.deliveries:
            # Otherwise it is an answer that was overtaken by a later one.
            self._at = here
            self._count(before, here, consumer, history, now - stream.config.max_age)
        return None if self._spoilt else self._total

    def _count(
        self,
        before: _Position,
        here: _Position,
        consumer: ConsumerInfo,
        history: ArrivalHistory,
        expired_before: float,
    ) -> None:
        deliveries = here.deliveries - before.deliveries
        skipped = here.stream_seq - before.stream_seq - deliveries
        if skipped < 0 or consumer.num_redelivered:
            self._spoilt = True
        if skipped <= 0 or self._spoilt:
            return
        newest = history.arrival(before.stream_seq + skipped)
        if newest is None:
            return
        if newest.latest <= expired_before + AGE_SLACK_SECONDS:
            self._total += skipped
        elif newest.earliest > expired_before + AGE_SLACK_SECONDS:
            self._spoilt = True

"""When the messages of a stream arrived, without reading a message.

The stream's last sequence and its time are sampled about once a second. Messages that came
between two samples came between their times: a message is dated to within the interval, and
exactly if it was the last one of a sample.
"""

import bisect
from collections import deque
from dataclasses import dataclass

from pd_exporter.nats.replies import StreamInfo, unix

MAX_SPANS = 1200
"""Intervals kept: 20 minutes of uninterrupted arrivals, twice Dynamo's max_age."""


@dataclass(frozen=True, slots=True)
class Dated:
    """When a message arrived, Unix seconds by the server's clock: bounds, and the best guess."""

    earliest: float
    latest: float
    estimate: float


@dataclass(frozen=True, slots=True)
class _Span:
    """Messages after `after` up to `last` arrived between `start` and `end`, `last` at `end`."""

    after: int
    last: int
    start: float
    end: float


class ArrivalHistory:
    """Arrival times of the messages that one consumer may still be asked about."""

    def __init__(self) -> None:
        self._spans: deque[_Span] = deque(maxlen=MAX_SPANS)
        self._last_seq = -1
        self._quiet_until = 0.0
        self.latest: StreamInfo | None = None

    def observe(self, info: StreamInfo, asked_at: float) -> None:
        """Take in a sample.

        Args:
            info: The stream as it was read.
            asked_at: Unix time before the question was sent; stands for the time of the answer
                where the server does not tell its own (before 2.10).
        """
        state = info.state
        moment = unix(info.ts) if info.ts else asked_at
        if self.latest is not None and self.latest.created != info.created:
            self._spans.clear()
            self._last_seq = -1
        if state.last_seq < self._last_seq:
            return  # an answer that was overtaken by a later one
        if self._last_seq < 0:
            self._begin(info)
        elif state.last_seq > self._last_seq:
            end = unix(state.last_ts)
            start = min(self._quiet_until, end)
            self._spans.append(_Span(self._last_seq, state.last_seq, start, end))
        self._last_seq = state.last_seq
        self._quiet_until = max(moment, unix(state.last_ts))
        self.latest = info

    def _begin(self, info: StreamInfo) -> None:
        """Of what was there before, only the first and the last message's times are known."""
        state = info.state
        if state.first_seq > state.last_seq:
            return
        first, last = unix(state.first_ts), unix(state.last_ts)
        self._spans.append(_Span(state.first_seq - 1, state.first_seq, first, first))
        if state.last_seq > state.first_seq:
            self._spans.append(_Span(state.first_seq, state.last_seq, first, last))

    def arrival(self, seq: int) -> Dated | None:
        """Date a message by its stream sequence; None if it came before anything known."""
        state = self.latest.state if self.latest else None
        if state is not None and seq == state.first_seq <= state.last_seq:
            exact = unix(state.first_ts)
            return Dated(exact, exact, exact)
        if self._last_seq >= 0 and seq > self._last_seq:
            # It came after the newest sample, moments ago.
            return Dated(self._quiet_until, self._quiet_until, self._quiet_until)
        index = bisect.bisect_left(self._spans, seq, key=lambda span: span.last)
        if index == len(self._spans) or seq <= self._spans[index].after:
            return None
        span = self._spans[index]
        if seq == span.last:
            return Dated(span.end, span.end, span.end)
        share = (seq - span.after) / (span.last - span.after)
        return Dated(span.start, span.end, span.start + share * (span.end - span.start))

    def forget_before(self, seq: int) -> None:
        """Drop what is known only of messages below a sequence."""
        while self._spans and self._spans[0].last < seq:
            self._spans.popleft()

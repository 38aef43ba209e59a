import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pd_exporter.nats.arrivals import MAX_SPANS, ArrivalHistory, Dated
from pd_exporter.nats.replies import StreamConfig, StreamInfo, StreamState
from tests.times import T0, moment


def sample(
    last_seq: int,
    last: float,
    at: float | None = None,
    *,
    first_seq: int = 1,
    first: float = 0,
    created: float = 0,
) -> StreamInfo:
    """A stream as read; times in seconds, and the server's clock only where `at` is given."""
    state = StreamState(
        first_seq=first_seq, first_ts=moment(first), last_seq=last_seq, last_ts=moment(last)
    )
    ts = None if at is None else moment(at)
    config = StreamConfig(name="s", retention="limits")
    return StreamInfo(created=moment(created), config=config, state=state, ts=ts)


def history(*samples: StreamInfo) -> ArrivalHistory:
    made = ArrivalHistory()
    for info in samples:
        made.observe(info, info.ts.timestamp() if info.ts else T0)
    return made


def dated(found: Dated | None) -> tuple[float, float, float]:
    assert found is not None
    return tuple(round(value - T0, 3) for value in (found.earliest, found.latest, found.estimate))  # type: ignore[return-value]


def test_a_sample_s_last_message_is_dated_exactly() -> None:
    seen = history(sample(5, 1.2, 2), sample(9, 2.8, 3))

    assert dated(seen.arrival(9)) == (2.8, 2.8, 2.8)
    assert dated(seen.arrival(5)) == (1.2, 1.2, 1.2)


def test_a_message_between_samples_is_dated_to_the_interval() -> None:
    seen = history(sample(5, 1.2, 2), sample(9, 2.8, 3))

    assert dated(seen.arrival(7)) == (2, 2.8, 2.4)


def test_nothing_came_while_the_last_sequence_stood_still() -> None:
    seen = history(sample(5, 1, 1), sample(5, 1, 60), sample(7, 60.5, 61))

    assert dated(seen.arrival(6)) == (60, 60.5, 60.25)


def test_before_the_first_sample_only_first_and_last_are_known() -> None:
    seen = history(sample(9, 100, 101, first_seq=4, first=40))

    assert dated(seen.arrival(4)) == (40, 40, 40)
    assert dated(seen.arrival(9)) == (100, 100, 100)
    assert dated(seen.arrival(6))[:2] == (40, 100)
    assert seen.arrival(3) is None


def test_a_message_newer_than_the_newest_sample_came_just_now() -> None:
    seen = history(sample(5, 1, 2))

    assert dated(seen.arrival(6)) == (2, 2, 2)


def test_without_a_sample_nothing_is_known() -> None:
    assert ArrivalHistory().arrival(1) is None


def test_the_first_message_that_the_stream_still_has_is_dated_exactly() -> None:
    seen = history(sample(9, 5, 6), sample(9, 5, 7, first_seq=4, first=3))

    assert dated(seen.arrival(4)) == (3, 3, 3)


def test_a_stream_made_anew_has_a_new_history() -> None:
    seen = history(sample(500, 5, 6), sample(2, 8, 9, first=7, created=7))

    assert dated(seen.arrival(1)) == (7, 7, 7)
    assert dated(seen.arrival(2)) == (8, 8, 8)


def test_an_answer_that_was_overtaken_changes_nothing() -> None:
    seen = history(sample(5, 1, 1), sample(9, 3, 3), sample(7, 2, 2), sample(10, 4, 4))

    assert dated(seen.arrival(7)) == (1, 3, 2)
    assert dated(seen.arrival(10)) == (4, 4, 4)


def test_what_is_forgotten_is_not_known() -> None:
    seen = history(sample(1, 1, 1), sample(5, 2, 2), sample(9, 3, 3))
    seen.forget_before(6)

    assert seen.arrival(5) is None
    assert dated(seen.arrival(7))[:2] == (2, 3)


def test_an_empty_stream_s_first_messages_are_dated() -> None:
    seen = history(sample(10, 1, 5, first_seq=11), sample(12, 6.5, 7, first_seq=11, first=6))

    assert dated(seen.arrival(12)) == (6.5, 6.5, 6.5)


def test_the_past_is_bounded() -> None:
    seen = history(*(sample(n, n, n) for n in range(1, MAX_SPANS + 100)))

    assert seen.arrival(50) is None
    assert dated(seen.arrival(MAX_SPANS)) == (MAX_SPANS,) * 3


@pytest.mark.parametrize("server_tells_its_time", [True, False])
@given(
    gaps=st.lists(st.floats(0.001, 3), min_size=1, max_size=60),
    interval=st.floats(0.5, 2),
)
def test_the_truth_is_always_within_the_bounds(
    server_tells_its_time: bool, gaps: list[float], interval: float
) -> None:
    """Messages at any times, sampled at a steady interval: never dated wrongly."""
    arrivals = [sum(gaps[: index + 1]) for index in range(len(gaps))]
    seen = ArrivalHistory()
    now = 0.0
    while now < arrivals[-1] + interval:
        count = bisect.bisect_right(arrivals, now)
        last = arrivals[count - 1] if count else -T0
        first = arrivals[0] if count else -T0
        info = sample(
            count,
            last,
            now if server_tells_its_time else None,
            first_seq=min(1, count),
            first=first,
        )
        seen.observe(info, T0 + now)
        now += interval
    for index, truth in enumerate(arrivals):
        earliest, latest, estimate = dated(seen.arrival(index + 1))
        assert earliest - 0.002 <= truth <= latest + 0.002
        assert earliest <= estimate <= latest
        assert latest - earliest <= interval + 0.002

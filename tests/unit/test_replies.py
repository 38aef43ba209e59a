import json
from typing import Any

import pytest

from pd_exporter.nats.failure import JetStreamFailure, Reason
from pd_exporter.nats.replies import consumer_info, stream_info, unix

CONSUMER: dict[str, Any] = {
    "type": "io.nats.jetstream.api.v1.consumer_info_response",
    "stream_name": "s",
    "name": "c",
    "created": "2026-11-23T10:43:48.1345508Z",
    "config": {"durable_name": "c", "deliver_policy": "all", "ack_policy": "explicit"},
    "delivered": {"consumer_seq": 3, "stream_seq": 4, "last_active": "2026-11-23T10:43:48Z"},
    "ack_floor": {"consumer_seq": 1, "stream_seq": 2},
    "num_ack_pending": 1,
    "num_redelivered": 0,
    "num_waiting": 2,
    "num_pending": 300,
    "ts": "2026-11-23T10:43:51.357263713Z",
}
STREAM: dict[str, Any] = {
    "type": "io.nats.jetstream.api.v1.stream_info_response",
    "created": "2026-11-23T10:00:00Z",
    "config": {"name": "s", "retention": "limits", "max_age": 600_000_000_000},
    "state": {
        "messages": 0,
        "first_seq": 11,
        "first_ts": "0001-01-01T00:00:00Z",
        "last_seq": 10,
        "last_ts": "2026-11-23T10:43:48.136959396Z",
    },
}
SECOND = 1_000_000_000


def cluster(*peers: dict[str, Any], leader: str = "n1") -> dict[str, Any]:
    return {"cluster": {"name": "x", "leader": leader, "replicas": list(peers)}}


def peer(active: float = 0.5, **more: Any) -> dict[str, Any]:
    return {"name": "n", "current": True, "active": int(active * SECOND), **more}


def body(reply: dict[str, Any]) -> bytes:
    return json.dumps(reply).encode()


def refusal(reply: bytes, *, clustered: bool = False) -> JetStreamFailure:
    with pytest.raises(JetStreamFailure) as caught:
        consumer_info(reply, "s", "c", clustered=clustered)
    return caught.value


def test_a_consumer_s_numbers() -> None:
    info = consumer_info(body(CONSUMER), "s", "c", clustered=False)

    assert (info.num_pending, info.num_ack_pending, info.num_waiting) == (300, 1, 2)
    assert (info.delivered.consumer_seq, info.delivered.stream_seq) == (3, 4)
    assert info.ack_floor.stream_seq == 2
    assert unix(info.created) == pytest.approx(1795430628.13455, abs=1e-4)
    assert info.ts is not None
    assert not info.filtered


@pytest.mark.parametrize("config", [{"filter_subject": "s.a"}, {"filter_subjects": ["s.a", "s.b"]}])
def test_a_filter_is_seen_in_both_forms(config: dict[str, Any]) -> None:
    assert consumer_info(body(CONSUMER | {"config": config}), "s", "c", clustered=False).filtered


def test_a_stream_s_state() -> None:
    info = stream_info(body(STREAM), "s", clustered=False)

    assert info.config.max_age == 600
    assert info.config.retention == "limits"
    assert info.ts is None
    assert unix(info.state.first_ts) == 0, "the server's zero time"


@pytest.mark.parametrize(
    ("code", "err_code", "reason"),
    [
        (404, 10059, Reason.STREAM_MISSING),
        (404, 10014, Reason.CONSUMER_MISSING),
        (503, 10039, Reason.JETSTREAM_DISABLED),
        (503, 10076, Reason.JETSTREAM_DISABLED),
        (503, 10008, Reason.NO_LEADER),
        (500, 10000, Reason.SERVER_ERROR),
    ],
)
def test_an_error_s_reason(code: int, err_code: int, reason: Reason) -> None:
    error = {"error": {"code": code, "err_code": err_code, "description": "so it is"}}

    failure = refusal(body(error))

    assert failure.reason is reason
    assert "so it is" in failure.message


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        body(CONSUMER | {"num_pending": -1}),
        body(CONSUMER | {"num_pending": "7"}),
        body(CONSUMER | {"num_pending": None}),
        body({name: value for name, value in CONSUMER.items() if name != "num_pending"}),
        body(CONSUMER | {"created": "yesterday"}),
        body(CONSUMER | {"name": "another"}),
        body(CONSUMER | {"stream_name": "another"}),
    ],
)
def test_what_is_not_understood_is_refused(reply: bytes) -> None:
    assert refusal(reply).reason is Reason.INVALID_REPLY


@pytest.mark.parametrize(
    "group",
    [
        cluster(),  # one replica: the leader is the majority
        cluster(peer(), peer()),
        cluster(peer(), peer(active=60)),
        cluster(peer(), peer(offline=True)),
        {"cluster": {"leader": "n1", "replicas": None}},
    ],
)
def test_a_leader_with_a_majority_is_believed(group: dict[str, Any]) -> None:
    assert consumer_info(body(CONSUMER | group), "s", "c", clustered=True).num_pending == 300


@pytest.mark.parametrize(
    "group",
    [
        {},
        {"cluster": {}},
        cluster(peer(), peer(), leader=""),
        cluster(peer(active=3.1), peer(active=5)),
        cluster(peer(offline=True), peer(offline=True)),
        cluster(peer(offline=True)),
        cluster(peer(), peer(active=9), peer(active=9)),
    ],
)
def test_a_member_without_leader_or_majority_is_not_believed(group: dict[str, Any]) -> None:
    assert refusal(body(CONSUMER | group), clustered=True).reason is Reason.NO_LEADER
    with pytest.raises(JetStreamFailure):
        stream_info(body(STREAM | group), "s", clustered=True)


def test_a_standalone_server_needs_no_leader() -> None:
    assert consumer_info(body(CONSUMER), "s", "c", clustered=False).num_pending == 300

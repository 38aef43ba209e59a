"""JetStream API replies: what is read of them, and which may be believed.

Shapes: ``io.nats.jetstream.api.v1.consumer_info_response`` and ``…stream_info_response``; servers
from 2.9 on. Fields that the exporter does not use are ignored.
"""

from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from pd_exporter.nats.failure import JetStreamFailure, Reason

PEER_SILENT_SECONDS = 3.0
"""A peer that was silent for longer does not count as online; live ones are heard every second."""

_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014
_JETSTREAM_NOT_ENABLED = {10039, 10076}  # for the account, on the server
_UNAVAILABLE = 503

Count = Annotated[int, Field(ge=0, strict=True)]
Nanoseconds = Annotated[float, BeforeValidator(lambda value: value / 1e9)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ApiError(_Part):
    """JetStream's own error: HTTP-like code, its error code, its words."""

    code: int
    err_code: int = 0
    description: str = ""


class SequencePair(_Part):
    """A position: counted by the consumer, and in the stream."""

    consumer_seq: Count
    stream_seq: Count


class Peer(_Part):
    """A follower as its leader sees it; `active` is how long ago it was heard, in seconds."""

    offline: bool = False
    active: Nanoseconds = 0.0


class ClusterInfo(_Part):
    """The Raft group of a stream or consumer as the answering server sees it."""

    leader: str = ""
    replicas: tuple[Peer, ...] | None = None


class ConsumerConfig(_Part):
    """The consumer's own configuration, as far as it decides what its numbers mean."""

    deliver_policy: str = "all"
    filter_subject: str = ""
    filter_subjects: tuple[str, ...] | None = None


class StreamConfig(_Part):
    """The stream's configuration; `max_age` in seconds, 0 for none."""

    name: str
    retention: str
    max_age: Nanoseconds = 0.0


class StreamState(_Part):
    """What the stream holds; an empty stream's first_seq is one above its last_seq."""

    first_seq: Count
    first_ts: AwareDatetime
    last_seq: Count
    last_ts: AwareDatetime


class _Info(_Part):
    created: AwareDatetime
    cluster: ClusterInfo | None = None
    ts: AwareDatetime | None = None  # server's clock at the answer; from 2.10 on


class ConsumerInfo(_Info):
    """A consumer's state at one moment."""

    stream_name: str
    name: str
    config: ConsumerConfig
    delivered: SequencePair
    ack_floor: SequencePair
    num_pending: Count
    num_ack_pending: Count
    num_redelivered: Count
    num_waiting: Count

    @property
    def filtered(self) -> bool:
        """Whether the consumer sees only some of the stream's subjects."""
        return bool(self.config.filter_subject or self.config.filter_subjects)


class StreamInfo(_Info):
    """A stream's state at one moment."""

    config: StreamConfig
    state: StreamState


class _Failed(_Part):
    error: ApiError


def consumer_info(reply: bytes, stream: str, consumer: str, *, clustered: bool) -> ConsumerInfo:
    """Accept a consumer info reply.

    Args:
        reply: The reply's body.
        stream: The stream that was asked for.
        consumer: The consumer that was asked for.
        clustered: Whether the answering server is part of a cluster, by its INFO; replies of
            standalone servers may name a leader too, those of cluster members may not.

    Raises:
        JetStreamFailure: The reply is an error, about something else, or not to be believed.
    """
    info = _parse(ConsumerInfo, reply, f"consumer {consumer} of stream {stream}")
    if (info.stream_name, info.name) != (stream, consumer):
        raise JetStreamFailure(
            Reason.INVALID_REPLY,
            f"Asked for consumer {consumer} of stream {stream},"
            f" the answer is about {info.name} of {info.stream_name}.",
        )
    if clustered:
        _check_leader(info.cluster, f"consumer {consumer} of stream {stream}")
    return info


def stream_info(reply: bytes, stream: str, *, clustered: bool) -> StreamInfo:
    """Accept a stream info reply; arguments and errors as of `consumer_info`."""
    info = _parse(StreamInfo, reply, f"stream {stream}")
    if info.config.name != stream:
        raise JetStreamFailure(
            Reason.INVALID_REPLY,
            f"Asked for stream {stream}, the answer is about {info.config.name}.",
        )
    if clustered:
        _check_leader(info.cluster, f"stream {stream}")
    return info


def unix(moment: datetime) -> float:
    """Unix time in seconds; 0 for the server's zero time, which stands for never."""
    return max(0.0, moment.astimezone(UTC).timestamp())


_InfoT = TypeVar("_InfoT", bound=_Info)


def _parse(model: type[_InfoT], reply: bytes, what: str) -> _InfoT:
    try:
        return model.model_validate_json(reply)
    except ValidationError as invalid:
        try:
            error = _Failed.model_validate_json(reply).error
        except ValidationError:
            problem = invalid.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"]))
            raise JetStreamFailure(
                Reason.INVALID_REPLY,
                f"The answer about {what} is not understood: {where}: {problem['msg']}.",
            ) from invalid
    raise _failure(error, what)


def _failure(error: ApiError, what: str) -> JetStreamFailure:
    words = f"{error.description} ({error.code}/{error.err_code})"
    if error.err_code == _STREAM_NOT_FOUND:
        return JetStreamFailure(Reason.STREAM_MISSING, f"There is no stream for {what}: {words}.")
    if error.err_code == _CONSUMER_NOT_FOUND:
        return JetStreamFailure(Reason.CONSUMER_MISSING, f"There is no {what}: {words}.")
    if error.err_code in _JETSTREAM_NOT_ENABLED:
        return JetStreamFailure(Reason.JETSTREAM_DISABLED, f"Asked for {what}: {words}.")
    if error.code == _UNAVAILABLE:
        return JetStreamFailure(Reason.NO_LEADER, f"Asked for {what}: {words}.")
    return JetStreamFailure(Reason.SERVER_ERROR, f"Asked for {what}: {words}.")


def _check_leader(cluster: ClusterInfo | None, what: str) -> None:
    """Refuse what a member says that has no leader, or is one without a majority.

    Such members answer with their own view, which may be a zero that nobody counted.
    """
    if cluster is None or not cluster.leader:
        raise JetStreamFailure(Reason.NO_LEADER, f"The {what} has no leader at the moment.")
    peers = cluster.replicas or ()
    online = 1 + sum(not peer.offline and peer.active < PEER_SILENT_SECONDS for peer in peers)
    if online * 2 <= 1 + len(peers):
        raise JetStreamFailure(
            Reason.NO_LEADER,
            f"The leader of {what} hears {online - 1} of its {len(peers)} peers: no majority.",
        )

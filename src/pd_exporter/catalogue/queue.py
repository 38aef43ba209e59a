"""Metrics of the queue collector."""

from pd_exporter.catalogue.identity import IDENTITY
from pd_exporter.samples import Desc, Kind

LABELS = (*IDENTITY, "stream", "consumer")


def _queue(name: str, text: str, *extra_labels: str, kind: Kind = Kind.GAUGE) -> Desc:
    return Desc(f"pd_queue_{name}", text, kind, (*LABELS, *extra_labels))


UP = _queue(
    "up",
    "Whether the consumer was read and accepted during this scrape;"
    " where 0, the values that it would give are absent.",
)
PENDING = _queue(
    "pending_messages",
    "Messages that the consumer has yet to deliver for the first time"
    " (JetStream consumer info, num_pending).",
)
ACK_PENDING = _queue(
    "ack_pending_messages",
    "Messages delivered and not yet acknowledged, those that wait for redelivery included"
    " (JetStream consumer info, num_ack_pending).",
)
REDELIVERED = _queue(
    "redelivered_messages",
    "Messages not yet acknowledged that were delivered more than once"
    " (JetStream consumer info, num_redelivered).",
)
WAITING_PULLS = _queue(
    "waiting_pulls",
    "Pull requests parked at the consumer, which are idle workers"
    " (JetStream consumer info, num_waiting).",
)
DELIVERED = _queue(
    "delivered_messages_total",
    "Deliveries since the consumer was created, redeliveries included"
    " (JetStream consumer info, delivered.consumer_seq).",
    kind=Kind.COUNTER,
)
ACK_FLOOR = _queue(
    "ack_floor_sequence",
    "Stream sequence up to which every message is acknowledged"
    " (JetStream consumer info, ack_floor.stream_seq).",
)
HEAD_TIMESTAMP = _queue(
    "head_timestamp_seconds",
    "When the oldest undelivered message arrived, as Unix time by the server's clock; absent when"
    " nothing is pending, when the arrival is not known to about a second, and for filtered"
    " consumers.",
)
CREATED_TIMESTAMP = _queue(
    "consumer_created_timestamp_seconds",
    "When the consumer was created, as Unix time; a change means that it was created anew"
    " (JetStream consumer info, created).",
)
ENQUEUED = _queue(
    "enqueued_messages_total",
    "Messages stored in the stream since it was created; absent for filtered consumers, of whose"
    " messages it would not be the count (JetStream stream info, state.last_seq).",
    kind=Kind.COUNTER,
)
EXPIRED = _queue(
    "expired_messages_total",
    "Messages that reached the stream's max_age before any delivery, which are lost requests,"
    " counted since the exporter first read the consumer; absent for filtered consumers, for"
    " streams without max_age, and for a consumer once it has redelivered or was purged.",
    kind=Kind.COUNTER,
)
ERRORS = _queue(
    "errors_total",
    "Readings of the queue that failed in whole or in part, by reason.",
    "reason",
    kind=Kind.COUNTER,
)
INFO = _queue(
    "info",
    "Facts about the queue: the name of its NATS connection, when its workers acknowledge"
    " (configured), the stream's retention, and whether the consumer filters subjects.",
    "nats",
    "ack",
    "retention",
    "filtered",
    kind=Kind.INFO,
)
WORKER_CONCURRENCY = _queue(
    "worker_concurrency",
    "Requests that one worker serves at a time, as configured.",
)
SERVICE_PRIOR = _queue(
    "service_prior_seconds",
    "Service time of one request to assume until one is measured, as configured.",
)
CAP = _queue(
    "cap_messages",
    "Pending messages at which producers stop enqueueing (Dynamo's max_prefill_queue_size under"
    " conditional disaggregation), as configured.",
)

ALL = (
    UP,
    PENDING,
    ACK_PENDING,
    WAITING_PULLS,
    HEAD_TIMESTAMP,
    REDELIVERED,
    ENQUEUED,
    DELIVERED,
    EXPIRED,
    ACK_FLOOR,
    CREATED_TIMESTAMP,
    INFO,
    WORKER_CONCURRENCY,
    SERVICE_PRIOR,
    CAP,
    ERRORS,
)
"""The queue collector's metrics."""

HEADLINES = {
    PENDING: "pending",
    ACK_PENDING: "ack pending",
    WAITING_PULLS: "idle workers",
    HEAD_TIMESTAMP: "oldest came",
}
"""What the landing page shows large, in short words."""

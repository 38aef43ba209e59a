"""Every metric that pd-exporter exposes, written once: name, help, kind, labels.

Documentation, collectors, tests and the landing page take them from here. A metric that PromQL
computes with is a value, never a label; times are Unix timestamps, units are base units.
"""

from pd_exporter.samples import Desc, Kind

IDENTITY = ("namespace", "group", "role")
QUEUE_LABELS = (*IDENTITY, "stream", "consumer")


def _queue(name: str, text: str, *extra_labels: str, kind: Kind = Kind.GAUGE) -> Desc:
    return Desc(f"pd_queue_{name}", text, kind, (*QUEUE_LABELS, *extra_labels))


QUEUE_UP = _queue(
    "up",
    "Whether the consumer was read and accepted during this scrape;"
    " where 0, the values that it would give are absent.",
)
QUEUE_PENDING = _queue(
    "pending_messages",
    "Messages that the consumer has yet to deliver for the first time"
    " (JetStream consumer info, num_pending).",
)
QUEUE_ACK_PENDING = _queue(
    "ack_pending_messages",
    "Messages delivered and not yet acknowledged, those that wait for redelivery included"
    " (JetStream consumer info, num_ack_pending).",
)
QUEUE_REDELIVERED = _queue(
    "redelivered_messages",
    "Messages not yet acknowledged that were delivered more than once"
    " (JetStream consumer info, num_redelivered).",
)
QUEUE_WAITING_PULLS = _queue(
    "waiting_pulls",
    "Pull requests parked at the consumer, which are idle workers"
    " (JetStream consumer info, num_waiting).",
)
QUEUE_DELIVERED = _queue(
    "delivered_messages_total",
    "Deliveries since the consumer was created, redeliveries included"
    " (JetStream consumer info, delivered.consumer_seq).",
    kind=Kind.COUNTER,
)
QUEUE_ACK_FLOOR = _queue(
    "ack_floor_sequence",
    "Stream sequence up to which every message is acknowledged"
    " (JetStream consumer info, ack_floor.stream_seq).",
)
QUEUE_HEAD_TIMESTAMP = _queue(
    "head_timestamp_seconds",
    "When the oldest undelivered message arrived, as Unix time by the server's clock; absent when"
    " nothing is pending, when the arrival is not known to about a second, and for filtered"
    " consumers.",
)
QUEUE_CREATED_TIMESTAMP = _queue(
    "consumer_created_timestamp_seconds",
    "When the consumer was created, as Unix time; a change means that it was created anew"
    " (JetStream consumer info, created).",
)
QUEUE_ENQUEUED = _queue(
    "enqueued_messages_total",
    "Messages stored in the stream since it was created; absent for filtered consumers, of whose"
    " messages it would not be the count (JetStream stream info, state.last_seq).",
    kind=Kind.COUNTER,
)
QUEUE_EXPIRED = _queue(
    "expired_messages_total",
    "Messages that reached the stream's max_age before any delivery, which are lost requests,"
    " counted since the exporter first read the consumer; absent for filtered consumers, for"
    " streams without max_age, and for a consumer once it has redelivered or was purged.",
    kind=Kind.COUNTER,
)
QUEUE_ERRORS = _queue(
    "errors_total",
    "Readings of the queue that failed in whole or in part, by reason.",
    "reason",
    kind=Kind.COUNTER,
)
QUEUE_INFO = _queue(
    "info",
    "Facts about the queue: the name of its NATS connection, when its workers acknowledge"
    " (configured), the stream's retention, and whether the consumer filters subjects.",
    "nats",
    "ack",
    "retention",
    "filtered",
    kind=Kind.INFO,
)
QUEUE_WORKER_CONCURRENCY = _queue(
    "worker_concurrency",
    "Requests that one worker serves at a time, as configured.",
)
QUEUE_SERVICE_PRIOR = _queue(
    "service_prior_seconds",
    "Service time of one request to assume until one is measured, as configured.",
)
QUEUE_CAP = _queue(
    "cap_messages",
    "Pending messages at which producers stop enqueueing (Dynamo's max_prefill_queue_size under"
    " conditional disaggregation), as configured.",
)

QUEUE = (
    QUEUE_UP,
    QUEUE_PENDING,
    QUEUE_ACK_PENDING,
    QUEUE_WAITING_PULLS,
    QUEUE_HEAD_TIMESTAMP,
    QUEUE_REDELIVERED,
    QUEUE_ENQUEUED,
    QUEUE_DELIVERED,
    QUEUE_EXPIRED,
    QUEUE_ACK_FLOOR,
    QUEUE_CREATED_TIMESTAMP,
    QUEUE_INFO,
    QUEUE_WORKER_CONCURRENCY,
    QUEUE_SERVICE_PRIOR,
    QUEUE_CAP,
    QUEUE_ERRORS,
)
"""The queue collector's metrics."""

COLLECTOR_SUCCESS = Desc(
    "pd_collector_success",
    "Whether the collector ended within this scrape's time and without an error of its own.",
    Kind.GAUGE,
    ("collector",),
)
COLLECTOR_DURATION = Desc(
    "pd_collector_duration_seconds",
    "How long the collector has taken in this scrape.",
    Kind.GAUGE,
    ("collector",),
)
BUILD_INFO = Desc(
    "pd_exporter_build_info",
    "The exporter's version and the Python that runs it.",
    Kind.INFO,
    ("version", "python"),
)

SELF = (COLLECTOR_SUCCESS, COLLECTOR_DURATION, BUILD_INFO)
"""What the exporter says of itself, beside prometheus_client's process_* metrics."""

SECTIONS = {"queue": QUEUE, "self": SELF}
"""Metrics by the collector that gives them, in the order of the documentation."""

HEADLINES = {
    QUEUE_PENDING: "pending",
    QUEUE_ACK_PENDING: "ack pending",
    QUEUE_WAITING_PULLS: "idle workers",
    QUEUE_HEAD_TIMESTAMP: "oldest came",
}
"""What the landing page shows large, in short words."""

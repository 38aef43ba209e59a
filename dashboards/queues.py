"""Every queue: what waits in it, what flows through it, and whether it can be read."""

from dashboards.board import Board, Panel
from dashboards.panels import graph, line
from dashboards.query import SERVICES, Query, changed, failures, highest, latest, read
from dashboards.states import states
from dashboards.tables import of_unit, table
from dashboards.variables import services
from pd_exporter.catalogue import queue
from pd_exporter.samples import Desc

_QUEUE = "{{group}} {{role}}: {{stream}}/{{consumer}}"


def board() -> Board:
    """The dashboard of queues."""
    return Board(
        uid="pd-queues",
        title="PD autoscaling: queues",
        description="Each JetStream consumer that is a role's queue, as its server tells it.",
        variables=services(),
        rows={"Backlog": _backlog(), "Flow": _flow(), "Reading": _reading()},
    )


def _of_queue(desc: Desc, legend: str = _QUEUE) -> Query:
    return Query(latest(desc, SERVICES), legend)


def _backlog() -> list[Panel]:
    head = read(queue.HEAD_TIMESTAMP, SERVICES)
    # At the scrape: the message may have been delivered since, and must not age on.
    age = highest(f"clamp_min(timestamp({head}) - {head}, 0)", queue.LABELS)
    return [
        graph(
            "Pending",
            "Messages not yet delivered, and the cap at which producers stop where one is"
            " configured; a rising line is a role with too few workers.",
            "short",
            [_of_queue(queue.PENDING), _of_queue(queue.CAP, f"cap of {_QUEUE}")],
            width=12,
        ).override_by_regexp("/^cap /", line("cap")),
        graph(
            "Age of the oldest message",
            "How long the first message in the queue has waited; no line is an empty queue, or an"
            " arrival that is not known.",
            "s",
            [Query(age, _QUEUE)],
            width=12,
        ),
        graph(
            "Waiting pulls",
            "Pull requests parked by idle workers; 0 with messages pending means that all workers"
            " are busy or gone.",
            "short",
            [_of_queue(queue.WAITING_PULLS)],
        ),
        graph(
            "Ack pending",
            "Messages delivered and not acknowledged: work in service where workers acknowledge"
            " after it, near 0 where they do so on dequeue (Dynamo).",
            "short",
            [_of_queue(queue.ACK_PENDING)],
        ),
        graph(
            "Redelivered",
            "Unacknowledged messages that were delivered more than once; above 0, workers die or"
            " take longer than the consumer's ack wait.",
            "short",
            [_of_queue(queue.REDELIVERED)],
        ),
    ]


def _flow() -> list[Panel]:
    return [
        graph(
            "Enqueued",
            "Messages that producers store per second; where it stops while the service is in use,"
            " producers cannot reach the stream or are at its cap.",
            "mps",
            [Query(changed("rate", queue.ENQUEUED, SERVICES), _QUEUE)],
            width=6,
        ),
        graph(
            "Delivered",
            "Deliveries to workers per second; below what is enqueued, the backlog grows.",
            "mps",
            [Query(changed("rate", queue.DELIVERED, SERVICES), _QUEUE)],
            width=6,
        ),
        graph(
            "Acknowledged up to",
            "Stream sequence up to which every message is acknowledged, per second; flat while"
            " deliveries go on, one message is stuck.",
            "mps",
            [Query(changed("deriv", queue.ACK_FLOOR, SERVICES), _QUEUE)],
            width=6,
        ),
        graph(
            "Expired (lost)",
            "Messages that reached the stream's max_age before any delivery; each one is a request"
            " that got no answer.",
            "short",
            [Query(changed("increase", queue.EXPIRED, SERVICES), _QUEUE)],
            width=6,
        ),
    ]


def _reading() -> list[Panel]:
    reasons = ("group", "role", "stream", "reason")
    errors = failures(queue.ERRORS, SERVICES, reasons)
    created = changed("changes", queue.CREATED_TIMESTAMP, SERVICES)
    facts = (*queue.LABELS, "nats", "ack", "retention", "filtered")
    return [
        states(
            "Queues read",
            "Whether a replica of the exporter reads the queue; where none does, the trigger gets"
            " no value and replicas stand still, until its fallback.",
            [_of_queue(queue.UP)],
            width=12,
        ),
        graph(
            "Errors",
            "Readings that failed, of all the exporter's replicas; the reason says what to repair.",
            "short",
            [Query(errors, "{{group}} {{role}}: {{stream}}, {{reason}}")],
            width=6,
        ),
        graph(
            "Consumers created anew",
            "Times that a consumer was made anew; its counts begin again at 0, and with some"
            " policies so does the delivery of the whole stream.",
            "short",
            [Query(created, _QUEUE)],
            width=6,
        ),
        table(
            "Queues",
            "What each queue is: when its workers acknowledge, what the stream keeps, and what is"
            " configured about its workers.",
            facts,
            [
                Query(latest(queue.INFO, SERVICES, facts), ""),
                Query(latest(queue.WORKER_CONCURRENCY, SERVICES), "concurrency"),
                Query(latest(queue.SERVICE_PRIOR, SERVICES), "service prior"),
                Query(latest(queue.CAP, SERVICES), "cap"),
            ],
            width=24,
            height=6,
            columns={"service prior": of_unit("s")},
        ),
    ]

"""A role's load as its JetStream queues tell it."""

from pd_exporter.catalogue import queue
from pd_exporter.policy import FAST_WINDOW_SECONDS, SLOW_WINDOW_SECONDS
from pd_exporter.rules.load import Load, Told
from pd_exporter.rules.rule import (
    QUEUE,
    ROLE,
    RecordingRule,
    highest,
    is_fresh,
    window,
)
from pd_exporter.rules.workers import SERVING

_READ = f"{queue.UP.name} == 1"
_UNKNOWN = f"{queue.UP.name} - Inf"  # any value of a replica that knows is higher
_UNKNOWN_OF_LEAST = f"{queue.UP.name} + Inf"


def _best(operator: str, value: str, *conditions: str, absent: str) -> str:
    """The best of the exporter's replicas for each queue; `absent` where none knows."""
    known = " and ".join([value, _READ, *conditions])
    return f"{operator} by ({QUEUE}) ({known} or {absent})"


def _of_queues(value: str, *conditions: str) -> str:
    """The role's sum over its queues, of the highest values of the exporter's replicas."""
    return f"sum by ({ROLE}) ({_best('max', value, *conditions, absent=_UNKNOWN)}) > -Inf"


def _gauge(name: str) -> str:
    return _of_queues(name, is_fresh(name))


def _rate(name: str, seconds: float) -> str:
    ranged = f"{name}[{window(seconds)}]"
    steady = f"rate({ranged}) unless resets({ranged}) > 0"
    return _of_queues(steady, is_fresh(name))


_UP = queue.UP.name
_PENDING, _ACK_PENDING = queue.PENDING.name, queue.ACK_PENDING.name
_HEAD, _PULLS = queue.HEAD_TIMESTAMP.name, queue.WAITING_PULLS.name

_EMPTY = f"max by ({QUEUE}) ({_PENDING} and {_READ} and {is_fresh(_PENDING)}) == 0"
_AGE = f"clamp_min(timestamp({_HEAD}) - {_HEAD}, 0)"
_OLDEST = f"max by ({QUEUE}) ({_AGE} and {_READ} and {is_fresh(_HEAD)})"
_WAIT = f"{_EMPTY} or {_OLDEST} or max by ({QUEUE}) ({_UNKNOWN_OF_LEAST})"

_CONCURRENCY = highest(ROLE, queue.WORKER_CONCURRENCY.name)
_IDLE = (
    f"(sum by ({ROLE}) ({_best('min', _PULLS, is_fresh(_PULLS), absent=_UNKNOWN_OF_LEAST)}) < Inf)"
)


def _acknowledging(ack: str) -> str:
    """The condition that all of the role's queues are so: of others, busy is another number."""
    some, others = (
        highest(ROLE, f'{queue.INFO.name}{{ack{operator}"{ack}"}}') for operator in ("=", "!=")
    )
    return f"on ({ROLE}) ({some} unless {others})"


_BUSY = (
    f"({_gauge(_ACK_PENDING)} and {_acknowledging('after_work')}) / {_CONCURRENCY}"
    f" or clamp_min({SERVING} - {_IDLE} / {_CONCURRENCY}, 0) and {_acknowledging('on_dequeue')}"
)

QUEUES_UP = RecordingRule(
    "role:pd_queue_up:min",
    f"min by ({ROLE}) (max by ({QUEUE}) ({_UP} and {is_fresh(_UP)} or {_UNKNOWN})) > -Inf",
    "Whether every queue of the role was read by at least one exporter replica: 1, or 0 where one"
    " was not. Absent when the samples of one of its queues have stopped: then the exporter is"
    " lost, not the queue.",
    "jetstream",
)

LOAD = Load(
    source="jetstream",
    before=(QUEUES_UP,),
    pending=Told(
        _gauge(_PENDING),
        "Requests that no worker has fetched yet: the backlog, where workers acknowledge on dequeue"
        " (Dynamo). Replicas are read at different moments; the higher of two counts errs towards"
        " capacity.",
    ),
    lag=Told(
        _of_queues(f"{_PENDING} + {_ACK_PENDING}", is_fresh(_PENDING), is_fresh(_ACK_PENDING)),
        "Messages pending or not yet acknowledged: lag as KEDA's nats-jetstream trigger defines it."
        " Added up within one replica: a message that is delivered between the scrapes of two of"
        " them is pending for one and unacknowledged for the other; two maxima, added up, would"
        " count it twice.",
    ),
    wait=Told(
        f"max by ({ROLE}) ({_WAIT}) < Inf",
        "Seconds that the oldest request not yet fetched had waited when it was read, over the"
        " role's queues. The age is taken at the scrape, timestamp(head) - head: the request may"
        " have been fetched since, and time() - head would let it age on. Not below 0, where the"
        " clocks of NATS and Prometheus disagree. Of two replicas the longer wait counts, as the"
        " higher count does for what is pending: the wait is 0 where that is 0, and never because"
        " just one replica saw the queue empty. No value where something is pending whose arrival"
        " no replica knows. The mark is +Inf here, to survive a maximum.",
    ),
    arrivals_fast=Told(
        _rate(queue.ENQUEUED.name, FAST_WINDOW_SECONDS),
        "Requests that arrive per second, over the last minute. Absent for a role with a filtered"
        " consumer, which has no count of arrivals. Replicas expose the same counter, that of NATS:"
        " one's rate is enough. rate falls short where the window is not full: after a missed"
        " scrape, and in the first minute of a new exporter pod. That errs downwards, where an"
        " autoscaler waits before it acts; see docs/design/0003. A window in which the counter fell"
        " has no rate: the stream was created anew, or a server came back without its last writes,"
        " where rate would count all messages since the stream's beginning as new.",
    ),
    arrivals_slow=Told(
        _rate(queue.ENQUEUED.name, SLOW_WINDOW_SECONDS),
        "Requests that arrive per second, over the last 5 minutes: steadier than the last minute's,"
        " and slower.",
    ),
    deliveries=Told(
        _rate(queue.DELIVERED.name, FAST_WINDOW_SECONDS),
        "Deliveries to workers per second, over the last minute; a redelivery counts again."
        " A filtered consumer has these too.",
    ),
    busy=Told(
        _BUSY,
        "Workers' worth of slots that hold a request. Where workers acknowledge after the work,"
        " what is unacknowledged; where they do so on dequeue, the slots of the workers that serve,"
        " less the pull requests that idle ones have parked. Of two replicas the fewer pull"
        " requests count, which errs towards capacity. Absent where it is not known which workers"
        " serve, and for a role with queues of both kinds.",
    ),
    concurrency=_CONCURRENCY,
    prior=highest(ROLE, queue.SERVICE_PRIOR.name),
)

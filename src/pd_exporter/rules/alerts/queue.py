"""Alerts on JetStream queues, and on how long requests wait."""

from pd_exporter.catalogue import queue, roles
from pd_exporter.nats.failure import Reason
from pd_exporter.policy import SLOW_WINDOW_SECONDS, WAIT_GOAL_SECONDS
from pd_exporter.rules.alerts.alert import OF_ROLE, AlertGroup, AlertRule, Severity
from pd_exporter.rules.load import DELIVERIES, PENDING
from pd_exporter.rules.rule import QUEUE, ROLE, highest, is_fresh, window

CAP_SHARE = 0.75
"""Share of the cap that a queue holds on average while it is capped.

Dynamo's default cap is 2 or 3, and each request that a worker takes leaves a gap for a moment.
"""

_OF_QUEUE = f"{OF_ROLE}, stream {{{{ $labels.stream }}}}, consumer {{{{ $labels.consumer }}}}"
_SLOW = window(SLOW_WINDOW_SECONDS)

_REASONS = f"{Reason.STREAM_MISSING}|{Reason.CONSUMER_MISSING}"
_UNREAD = f"{highest(QUEUE, queue.UP.name)} == 0"
_GROWS = f'increase({queue.ERRORS.name}{{reason=~"{_REASONS}"}}[2m])'
_MISSING = f"max by ({QUEUE}, reason) ({_GROWS}) > 0"

_CREATED = f"{queue.CREATED_TIMESTAMP.name}[15m]"
_EXPIRED = f"increase({queue.EXPIRED.name}[{_SLOW}])"

_WAIT = "role:pd_wait_seconds:max"
_ANY_WAIT = f"max by ({ROLE}) ({_WAIT})"
_GOAL = f"{highest(ROLE, roles.WAIT_GOAL.name)} or 0 * {_ANY_WAIT} + {WAIT_GOAL_SECONDS:g}"

_PENDING = queue.PENDING.name
_MEAN = f"max by ({QUEUE}) (avg_over_time({_PENDING}[{_SLOW}]) and {is_fresh(_PENDING)})"

GROUP = AlertGroup(
    "pd_queue_alerts",
    "Queues: whether they are read, whether they lose requests, and how long requests wait.",
    (
        AlertRule(
            "PdQueueUnreadable",
            f"{_UNREAD} unless on ({QUEUE}) {_MISSING}",
            Severity.CRITICAL,
            f"The queue of {_OF_QUEUE} cannot be read",
            "No exporter replica gets an answer from JetStream that can be believed, so the role"
            " has no lag, no wait and no required workers, and the HPA holds what it has. The"
            " exporter's landing page and pd_queue_errors_total say why.",
            "2m",
        ),
        AlertRule(
            "PdQueueConsumerMissing",
            f"{_MISSING} and on ({QUEUE}) {_UNREAD}",
            Severity.CRITICAL,
            f"There is no such queue ({{{{ $labels.reason }}}}): {_OF_QUEUE}",
            "JetStream answers that it has no such stream or consumer. Either no worker has made it"
            " yet, or the configured name or account is wrong. KEDA's own nats-jetstream trigger"
            " takes all messages of the stream's life for lag then, up to KEDA 2.19.",
            "5m",
        ),
        AlertRule(
            "PdQueueConsumerRecreated",
            f"max by ({QUEUE}) (max_over_time({_CREATED}))"
            f" - min by ({QUEUE}) (min_over_time({_CREATED})) > 1",
            Severity.WARNING,
            f"The consumer was made anew: {_OF_QUEUE}",
            "A new consumer delivers from the stream's beginning, so what was served already may be"
            " served again, and the backlog jumps. Rates of what was made anew have no value for 1"
            " to 5 minutes.",
        ),
        AlertRule(
            "PdRequestsExpired",
            f"max by ({QUEUE}) ({_EXPIRED}) > 0",
            Severity.CRITICAL,
            f'About {{{{ printf "%.0f" $value }}}} requests expired unserved: {_OF_QUEUE}',
            "Messages reached the stream's max_age before any worker took them. Their clients wait"
            " in vain, and the backlog falls as if they had been served.",
        ),
        AlertRule(
            "PdNothingTaken",
            f'{PENDING}{{role!="decode"}} > 0 and {DELIVERIES} == 0',
            Severity.CRITICAL,
            f'{{{{ printf "%.0f" $value }}}} requests wait and none is taken: {OF_ROLE}',
            "Requests have waited for 5 minutes in which no worker took or finished one: workers"
            " are gone, hang, or read another queue. More replicas will not help where those that"
            " there are do nothing.",
            "5m",
        ),
        AlertRule(
            "PdPrefillWaitAboveGoal",
            f'{_WAIT}{{role!="decode"}} > on ({ROLE}) group_left () ({_GOAL})',
            Severity.WARNING,
            f"Requests wait {{{{ $value | humanizeDuration }}}} for a worker of {OF_ROLE}",
            "The wait has been above the role's goal for 5 minutes, longer than it takes to scale"
            " out where a model starts fast. See whether replicas are added, come up, and serve.",
            "5m",
        ),
        AlertRule(
            "PdPrefillCapped",
            f"{_MEAN} >= {CAP_SHARE:g} * {highest(QUEUE, queue.CAP.name)}",
            Severity.WARNING,
            f"The queue stands at its cap: {_OF_QUEUE}",
            "Producers stop enqueueing at this length (conditional disaggregation) and decode"
            " workers prefill by themselves. Lag cannot grow with the load any more: a trigger"
            " whose threshold is near the cap never scales out, and decode slows down.",
            "2m",
        ),
    ),
)

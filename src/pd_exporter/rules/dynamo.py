"""Prefill's load as Dynamo's frontends and workers tell it, where there is no NATS queue."""

from pd_exporter.catalogue import roles
from pd_exporter.policy import COVERAGE, FAST_WINDOW_SECONDS, SLOW_WINDOW_SECONDS
from pd_exporter.rules import foreign
from pd_exporter.rules.instances import Reports, first_of, in_instances, rates
from pd_exporter.rules.load import DELIVERIES, PENDING, Load, Told
from pd_exporter.rules.rule import (
    GROUP,
    POD,
    ROLE,
    RecordingRule,
    earlier,
    highest,
    is_fresh,
    is_new,
    recorded,
    selected,
)
from pd_exporter.rules.workers import READY_SINCE, SERVING, SERVING_INSTANCES, of_roles

SOURCE = "dynamo"
_ROUTING = "role_instance:pd_frontend_routing_requests:sum"
_DISPATCHED = "role_instance:pd_frontend_dispatched_requests:sum"
_ARRIVALS = "role_instance:pd_frontend_arrivals:rate"
_TAKEN = "role_instance:pd_worker_deliveries:rate1m"
_IN_WORKERS = "role:pd_dispatched_requests:sum"
_MINUTE, _MINUTES = f"{_ARRIVALS}1m", f"{_ARRIVALS}5m"

_FRONTENDS = Reports("role:pd_frontend_coverage:ratio", SOURCE, READY_SINCE)
_WORKERS = Reports("role:pd_worker_coverage:ratio", SOURCE, SERVING_INSTANCES)

_STAGE = foreign.DYNAMO_STAGE.name
_SEEN = f"max by ({POD}) (present_over_time({_STAGE}[1d]))"
_IS_FRONTEND = f"on ({ROLE}) max by ({ROLE}) ({of_roles(_SEEN)})"
_UP = f"{foreign.UP.name} and {is_fresh(foreign.UP.name)}"
_OF_FRONTENDS = f"on (namespace, job) present_over_time({_STAGE}[1d])"
# A frontend has a series only from its first such request on; until then there were none.
_NOTHING_YET = f"0 * (min by ({POD}) ({_UP} and {_OF_FRONTENDS}) == 1)"


def _of_frontends(*by_pod: str) -> str:
    return f"{in_instances('sum', first_of(*by_pod, _NOTHING_YET))} and {_IS_FRONTEND}"


def _stage(stage: str) -> str:
    series = f'{_STAGE}{{stage="{stage}",phase="prefill"}}'
    return _of_frontends(highest(POD, series))


def _arrived(seconds: float) -> str:
    counters = (foreign.DYNAMO_STARTED.name, foreign.DYNAMO_ENDED.name)
    arrived = _of_frontends(*(rates(each, seconds) for each in counters))
    # A counter that was not read all that time has a rate that is too low, or none and counts as 0.
    covered = f"{earlier(_FRONTENDS.coverage, SOURCE, seconds)} >= {COVERAGE:g}"
    return f"{arrived} and on ({ROLE}) {covered}"


def _of_group(name: str) -> str:
    """The sum over all frontends of a group, as its prefill's; nothing where too few report."""
    coverage = selected(_FRONTENDS.coverage, SOURCE)
    enough = f"min by ({GROUP}) ({coverage} and {is_new(coverage)}) >= {COVERAGE:g}"
    every = f"sum by ({GROUP}) ({_FRONTENDS.total(name)}) and {enough}"
    return f'label_replace({every}, "role", "prefill", "", "")'


_CONCURRENCY = highest(ROLE, roles.WORKER_CONCURRENCY.name)
_INSIDE = recorded(_IN_WORKERS, SOURCE)
_OCCUPIED = f"{_INSIDE} / {_CONCURRENCY}"

LOAD = Load(
    source=SOURCE,
    before=(
        RecordingRule(
            _ROUTING,
            _stage("route"),
            "Requests for which a frontend has not chosen a prefill worker yet, those in the"
            " router's queue included. 0 for one that is up and had none so far.",
            SOURCE,
        ),
        RecordingRule(
            _DISPATCHED,
            _stage("dispatch"),
            "Requests that a frontend has sent to a prefill worker and that have no answer yet.",
            SOURCE,
        ),
        RecordingRule(
            _MINUTE,
            _arrived(FAST_WINDOW_SECONDS),
            "Requests that come to a frontend per second, over a minute; before May 2026 it counts"
            " them when they end. Each is taken to need a prefill.",
            SOURCE,
        ),
        RecordingRule(_MINUTES, _arrived(SLOW_WINDOW_SECONDS), "The same over 5 minutes.", SOURCE),
        RecordingRule(
            _TAKEN,
            in_instances(
                "sum",
                rates(
                    f'{foreign.DYNAMO_TAKEN.name}{{dynamo_endpoint="generate"}}',
                    FAST_WINDOW_SECONDS,
                ),
            ),
            "Requests that a worker takes per second, over a minute.",
            SOURCE,
        ),
        _FRONTENDS.covered(_DISPATCHED, "Frontends that tell their requests, for each Ready one."),
        _WORKERS.covered(_TAKEN, "Workers that tell their requests, for each that serves."),
        RecordingRule(
            _IN_WORKERS,
            _of_group(_DISPATCHED),
            "Requests that prefill workers have and have not answered, as their frontends tell it.",
            SOURCE,
        ),
    ),
    pending=Told(
        f"{_of_group(_ROUTING)} + clamp_min({_INSIDE} - {SERVING} * {_CONCURRENCY}, 0)",
        "Requests that no worker has begun: those without a worker, and those that workers have"
        " beyond what they serve at a time.",
    ),
    lag=Told(
        f"{_of_group(_ROUTING)} + {_INSIDE}",
        "Requests whose prefill has not ended.",
    ),
    deliveries=Told(
        _WORKERS.total(_TAKEN), "Requests that workers take per second, over a minute."
    ),
    wait=Told(
        f"{recorded(PENDING, SOURCE)} == 0"
        f" or {recorded(PENDING, SOURCE)} / ({recorded(DELIVERIES, SOURCE)} > 0)",
        "Seconds that a request waits, on average and by Little's law: those that wait divided by"
        " those taken per second. No value where some wait and none is taken.",
    ),
    arrivals_fast=Told(_of_group(_MINUTE), "Requests that arrive per second, over a minute."),
    arrivals_slow=Told(_of_group(_MINUTES), "Requests that arrive per second, over 5 minutes."),
    busy=Told(
        f"{_OCCUPIED} < {SERVING} or {SERVING} and {_OCCUPIED}",
        "Workers' worth of requests in service: what workers have, as far as they serve it.",
    ),
    concurrency=_CONCURRENCY,
    prior=highest(ROLE, roles.SERVICE_PRIOR.name),
)

"""A role's load as the engines themselves tell it: vLLM, SGLang, TensorRT-LLM."""

from pd_exporter.catalogue import roles
from pd_exporter.policy import FAST_WINDOW_SECONDS, SLOW_WINDOW_SECONDS
from pd_exporter.rules import foreign
from pd_exporter.rules.foreign import TOTAL
from pd_exporter.rules.instances import Reports, first_of, in_instances, in_pods, rates
from pd_exporter.rules.load import DELIVERIES, LAG, PENDING, Load, Told
from pd_exporter.rules.rule import ROLE, RecordingRule, earlier, highest, recorded
from pd_exporter.rules.workers import SERVING_INSTANCES

SOURCE = "engine"
WAITING = "role_instance:pd_waiting_requests:sum"
RUNNING = "role_instance:pd_running_requests:sum"
_FINISHED = "role_instance:pd_finished_requests:rate"

_REPORTS = Reports("role:pd_engine_coverage:ratio", SOURCE, SERVING_INSTANCES)


_BATCHES = (
    *foreign.VLLM_RUNNING.series(),
    *foreign.SGLANG_RUNNING.series(TOTAL),
    *foreign.TRTLLM_RUNNING.series(),
)
_OTHER_QUEUES = (*foreign.SGLANG_QUEUE.series(TOTAL), *foreign.TRTLLM_WAITING.series())
_QUEUES = (*foreign.VLLM_WAITING.series(), *_OTHER_QUEUES)
_COUNTERS = (
    *foreign.VLLM_FINISHED.series(),
    *foreign.SGLANG_FINISHED.series(),
    *foreign.TRTLLM_FINISHED.series(),
)


def _finished(seconds: float) -> str:
    # SGLang and TensorRT-LLM have a counter only from the first finished request on.
    nothing_yet = f"0 * {in_pods('sum', *_OTHER_QUEUES)}"
    by_pod = first_of(*(rates(each, seconds) for each in _COUNTERS), nothing_yet)
    return in_instances("sum", by_pod)


def _instances(minute: str, minutes: str) -> tuple[RecordingRule, ...]:
    return (
        RecordingRule(
            WAITING,
            in_instances("sum", in_pods("sum", *_QUEUES)),
            "Requests that wait for a place in a role instance's batch. SGLang's bootstrap queue is"
            " not among them: what waits there waits for the decode side.",
            SOURCE,
        ),
        RecordingRule(
            RUNNING,
            in_instances("sum", in_pods("sum", *_BATCHES)),
            "Requests in a role instance's batch.",
            SOURCE,
        ),
        RecordingRule(
            minute,
            _finished(FAST_WINDOW_SECONDS),
            "Requests that a role instance finishes per second, over a minute. On prefill instances"
            " that is when the prompt is computed (vLLM) or its KV cache was sent (SGLang).",
            SOURCE,
        ),
        RecordingRule(
            minutes,
            _finished(SLOW_WINDOW_SECONDS),
            "The same over 5 minutes.",
            SOURCE,
        ),
        _REPORTS.covered(
            WAITING, "Role instances whose engine tells its requests, for each that serves."
        ),
    )


def _arrivals(finished: str, seconds: float) -> str:
    """Requests finished per second, and those that have come to be in the engines meanwhile."""
    grown = f"({recorded(LAG, SOURCE)} - {earlier(LAG, SOURCE, seconds)}) / {seconds:g}"
    return f"clamp_min({_REPORTS.total(finished)} + {grown}, 0)"


_MINUTE, _MINUTES = f"{_FINISHED}1m", f"{_FINISHED}5m"
_WAIT = (
    f"{recorded(PENDING, SOURCE)} == 0"
    f" or {recorded(PENDING, SOURCE)} / ({recorded(DELIVERIES, SOURCE)} > 0)"
)

LOAD = Load(
    source=SOURCE,
    before=_instances(_MINUTE, _MINUTES),
    pending=Told(
        _REPORTS.total(WAITING),
        "Requests that wait in the engines. Of a role whose instances do not all report, the mean"
        " of those that do counts for all that serve; below 80 % of them there is no value.",
    ),
    lag=Told(
        f"{_REPORTS.total(WAITING)} + {_REPORTS.total(RUNNING)}",
        "Requests that wait in the engines or are in a batch.",
    ),
    deliveries=Told(
        _REPORTS.total(_MINUTE), "Requests that the engines finish per second, over a minute."
    ),
    wait=Told(
        _WAIT,
        "Seconds that a request waits, on average and by Little's law: those that wait divided by"
        " those finished per second. No value where some wait and none is finished.",
    ),
    arrivals_fast=Told(
        _arrivals(_MINUTE, FAST_WINDOW_SECONDS),
        "Requests that arrive per second, over the last minute. Engines count them when they end,"
        " so it is those that ended, and by how many more are in the engines than a minute ago.",
    ),
    arrivals_slow=Told(
        _arrivals(_MINUTES, SLOW_WINDOW_SECONDS),
        "Requests that arrive per second, over the last 5 minutes.",
    ),
    busy=Told(
        f"{_REPORTS.total(RUNNING)} / {highest(ROLE, roles.WORKER_CONCURRENCY.name)}",
        "Workers' worth of requests in the batches, by the configured concurrency. SGLang's prefill"
        " engines told 0 before July 2026: then the configured service time has to do.",
    ),
    concurrency=highest(ROLE, roles.WORKER_CONCURRENCY.name),
    prior=highest(ROLE, roles.SERVICE_PRIOR.name),
)

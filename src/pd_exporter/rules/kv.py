"""Decode's KV cache: how full it is, and how full it would be if it held all that asks for it."""

from pd_exporter.policy import COVERAGE
from pd_exporter.rules import foreign
from pd_exporter.rules.dynamo import SOURCE as DYNAMO
from pd_exporter.rules.engine import SOURCE
from pd_exporter.rules.foreign import TOTAL, Foreign
from pd_exporter.rules.instances import Reports, added, first_of, in_instances, in_pods
from pd_exporter.rules.rule import POD, ROLE, RecordingRule, highest, new, selected
from pd_exporter.rules.workers import SERVED_INSTANCES

UTILIZATION = "role_instance:pd_kv_cache_utilization:avg"
DEMAND = "role_instance:pd_kv_cache_demand:avg"
ROLE_DEMAND = "role:pd_kv_cache_demand:sum"
_HELD = "role_instance:pd_kv_cache_held_requests:sum"
_ASKING = "role_instance:pd_kv_cache_asking_requests:sum"
_ASLEEP = "role_instance:pd_engine_asleep:max"

_SERVED = f"count by ({ROLE}) ({SERVED_INSTANCES})"
_AWAKE = f"({SERVED_INSTANCES} unless {new(_ASLEEP)} == 1)"


def _sum(metric: Foreign, matchers: str = "") -> str:
    return in_pods("sum", *metric.series(matchers))


_HOLDING = added(
    first_of(
        _sum(foreign.VLLM_RUNNING),
        _sum(foreign.SGLANG_RUNNING, TOTAL),
        _sum(foreign.TRTLLM_RUNNING),
    ),
    _sum(foreign.VLLM_WAITING_BY_REASON, 'reason="deferred"'),
    _sum(foreign.SGLANG_TRANSFER, TOTAL),
    _sum(foreign.SGLANG_QUEUE, f'engine_type="decode",{TOTAL}'),
)
_WAITING = added(
    first_of(
        _sum(foreign.VLLM_WAITING_BY_REASON, 'reason="capacity"'),
        _sum(foreign.VLLM_WAITING),
        _sum(foreign.TRTLLM_WAITING),
    ),
    _sum(foreign.SGLANG_PREALLOC, TOTAL),
    _sum(foreign.SGLANG_QUEUE, f'engine_type!="decode",{TOTAL}'),
)


def _utilization(source: str, by_pod: str) -> RecordingRule:
    return RecordingRule(
        UTILIZATION,
        f"{in_instances('avg', by_pod)} <= 1",
        "Share of a role instance's KV cache that live requests hold, 0 to 1; the mean of its data"
        " parallel ranks. What a prefix cache keeps and may evict is free, in all engines. Absent"
        " while the engine sleeps.",
        source,
    )


_USED = in_pods(
    "avg",
    *foreign.VLLM_KV.series(),
    *foreign.VLLM_KV_OLD.series(),
    *foreign.SGLANG_KV.series(),
    *foreign.TRTLLM_KV.series(),
)
_AWAKE_PODS = first_of(
    *(highest(POD, each) for each in foreign.VLLM_SLEEP.series('sleep_state="awake"'))
)
_USED_AWAKE = f"({_USED} unless {_AWAKE_PODS} == 0)"
_INSTANCE_USED, _INSTANCE_HELD, _INSTANCE_ASKING = (
    new(selected(name, SOURCE)) for name in (UTILIZATION, _HELD, _ASKING)
)
_SHARE = f"({_INSTANCE_HELD} + {_INSTANCE_ASKING}) / ({_INSTANCE_HELD} > 0)"

_ENGINES = (
    RecordingRule(
        _ASLEEP,
        in_instances("max", f"({_AWAKE_PODS} == bool 0)"),
        "1 for a role instance whose engine sleeps: that its KV cache is given up is no idleness.",
    ),
    RecordingRule(
        _HELD,
        in_instances("sum", _HOLDING),
        "Requests that hold a part of a role instance's KV cache: those in the batch, and those"
        " whose cache is on its way from a prefill instance.",
        SOURCE,
    ),
    RecordingRule(
        _ASKING,
        in_instances("sum", _WAITING),
        "Requests that wait for a part of it. SGLang's decode engines have them in a queue of their"
        " own; vLLM tells them apart from those that wait for a transfer since March 2026.",
        SOURCE,
    ),
    _utilization(SOURCE, _USED_AWAKE),
    RecordingRule(
        DEMAND,
        f"{_INSTANCE_USED} * {_SHARE} or {_INSTANCE_USED}",
        "KV cache that a role instance's requests would hold if all that ask for it had it, as a"
        " share of what there is: above 1 where more is asked for than there is. Utilization alone"
        " where nothing holds any, or the engine does not tell its requests.",
        SOURCE,
    ),
)


def _roles(source: str, demanded: str, demand: str) -> tuple[RecordingRule, ...]:
    reports = Reports("role:pd_kv_cache_coverage:ratio", source, _AWAKE)
    return (
        reports.covered(
            UTILIZATION,
            "Role instances that tell their KV cache, for each that serves and does not sleep.",
        ),
        RecordingRule(
            "role:pd_kv_cache_utilization:avg",
            reports.overall("avg", UTILIZATION),
            f"Mean over the role's instances; no value where less than {COVERAGE:.0%} report.",
            source,
        ),
        RecordingRule(
            "role:pd_kv_cache_utilization:max",
            reports.overall("max", UTILIZATION),
            "The fullest of the role's instances.",
            source,
        ),
        RecordingRule(
            "role:pd_kv_cache_utilization:sum",
            reports.mean_times(UTILIZATION, _SERVED),
            "Sum over the role's instances, in instances' worth: the mean of those that report,"
            " times all that serve. Those that sleep count like the others: that they hold nothing"
            " is no reason to remove them.",
            source,
        ),
        RecordingRule(
            ROLE_DEMAND,
            reports.mean_times(demanded, _SERVED),
            demand,
            source,
        ),
    )


RULES = (
    *_ENGINES,
    *_roles(
        SOURCE,
        DEMAND,
        "The same of the demand: the recommended signal for Decode. Divided by the demand that one"
        " instance is to have it is the number of instances.",
    ),
    _utilization(DYNAMO, in_pods("avg", foreign.DYNAMO_KV.name)),
    *_roles(
        DYNAMO,
        UTILIZATION,
        "The same as utilization: Dynamo's own metrics do not tell what waits for decode.",
    ),
)

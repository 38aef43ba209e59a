"""Alerts on what scales a role: its adapter, the HPA and the ScaledObject on it, its policies."""

from pd_exporter.catalogue import roles
from pd_exporter.policy import KV_DEMAND_THRESHOLD
from pd_exporter.rules.alerts.alert import (
    DESIRED,
    MAX,
    OF_ROLE,
    AlertGroup,
    AlertRule,
    Severity,
)
from pd_exporter.rules.kv import ROLE_DEMAND
from pd_exporter.rules.rule import GROUP as BY_GROUP
from pd_exporter.rules.rule import ROLE, highest

RATIO_TOLERANCE = 0.5
"""Share by which the ratio of Ready instances may be off the configured one."""

RATIO = "group:pd_prefill_decode_ready:ratio"


def _is(name: str, value: int) -> str:
    return f"{highest(ROLE, name)} == {value}"


_MISSING = "0 - role:pd_headroom_workers:sum > 0"
_DEMANDED = f'{ROLE_DEMAND}{{role="decode"}} / {KV_DEMAND_THRESHOLD:g}'
_BEYOND = f"{_DEMANDED} - on ({ROLE}) group_left () {MAX} > 0"

_UNBOUND = _is(roles.ADAPTER_BOUND.name, 0)
_NO_SELECTOR = _is(roles.ADAPTER_SELECTOR_PRESENT.name, 0)

_TARGET = highest(BY_GROUP, roles.TARGET_RATIO.name)
_PREFILL, _DECODE = (
    highest(BY_GROUP, f'{roles.REPLICAS_READY.name}{{role="{role}"}}')
    for role in ("prefill", "decode")
)

GROUP = AlertGroup(
    "pd_scaling_alerts",
    "What scales a role, from the top: adapter, HPA, ScaledObject, the group's policies, and how"
    " far all this can go. What the cluster says is taken where an HPA or a ScaledObject is there.",
    (
        AlertRule(
            "PdAdapterNotBound",
            f"{_UNBOUND} and on ({ROLE}) {MAX}",
            Severity.CRITICAL,
            f"The scaling adapter of {OF_ROLE} is not bound",
            "What the HPA writes into the adapter reaches no role. RoleBasedGroup binds only the"
            " adapters that it makes itself, named group-role.",
            "5m",
        ),
        AlertRule(
            "PdAdapterSelectorEmpty",
            f"{_NO_SELECTOR} unless on ({ROLE}) {_UNBOUND} and on ({ROLE}) {MAX}",
            Severity.CRITICAL,
            f"The scaling adapter of {OF_ROLE} has no selector: the HPA does not scale it",
            "The HPA refuses a target whose scale has no selector, for external metrics too, and"
            " KEDA says nothing of it. The adapter takes its selector once, when it is bound, and"
            " keeps an empty one for good.",
            "5m",
        ),
        AlertRule(
            "PdHpaInactive",
            f"{_is(roles.HPA_ACTIVE.name, 0)} and on ({ROLE}) {DESIRED} > 0"
            f" unless on ({ROLE}) ({_NO_SELECTOR} or {_UNBOUND})",
            Severity.CRITICAL,
            f"The HPA of {OF_ROLE} computes no replicas",
            "Its condition ScalingActive is False, so the role neither grows nor shrinks. Mostly a"
            " trigger cannot be read, or gives no value.",
            "5m",
        ),
        AlertRule(
            "PdScaledObjectNotReady",
            _is(roles.SCALEDOBJECT_READY.name, 0),
            Severity.CRITICAL,
            f"KEDA does not accept the ScaledObject of {OF_ROLE}",
            "Its condition Ready is False: the target, a trigger or its authentication is wrong, or"
            " another ScaledObject or HPA has the same target.",
            "5m",
        ),
        AlertRule(
            "PdScaledObjectFallback",
            _is(roles.SCALEDOBJECT_FALLBACK.name, 1),
            Severity.CRITICAL,
            f"The ScaledObject of {OF_ROLE} has fallen back",
            "KEDA could not read a trigger too many times in a row, and replicas are those of the"
            " ScaledObject's fallback, whatever the load.",
            "1m",
        ),
        AlertRule(
            "PdAtMaxReplicas",
            f"({_MISSING} or {_BEYOND}) and on ({ROLE}) {DESIRED} >= {MAX}",
            Severity.WARNING,
            f'{OF_ROLE} is at maxReplicas and lacks {{{{ printf "%.1f" $value }}}} workers'
            " ({{ $labels.source }})",
            "The load asks for more than the HPA may give. Requests wait longer and longer until"
            " the load falls or maxReplicas is raised.",
            "10m",
        ),
        AlertRule(
            "PdRoleBlockedByPolicy",
            _is(roles.COORDINATION_BLOCKED.name, 1),
            Severity.WARNING,
            f"A CoordinatedPolicy keeps {OF_ROLE} from its desired replicas",
            "Pods of a role in step with it are not scheduled or not Ready, and until they are, all"
            " roles of the policy stay as they are, those that are to shrink included. Mostly no"
            " GPU is free.",
            "10m",
        ),
        AlertRule(
            "PdRatioFarOff",
            f"abs({RATIO} / {_TARGET} - 1) > {RATIO_TOLERANCE:g}"
            f" and on ({BY_GROUP}) abs({_PREFILL} - {_TARGET} * {_DECODE}) > 1",
            Severity.INFO,
            "Prefill to decode of {{ $labels.namespace }}/{{ $labels.group }} is off its target by"
            " {{ $value | humanizePercentage }}",
            "For 15 minutes the Ready instances of the two roles have been by more than half, and"
            " by more than one instance, off the configured ratio. One waits for the other.",
            "15m",
        ),
    ),
)

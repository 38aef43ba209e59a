"""Role instances that are Ready, and those of them that show that they serve."""

from pd_exporter.catalogue import roles
from pd_exporter.policy import EVIDENCE_SECONDS, SCRAPE_SECONDS
from pd_exporter.rules.foreign import SIGNS_OF_LIFE
from pd_exporter.rules.rule import (
    GROUP,
    INSTANCE,
    POD,
    ROLE,
    RecordingRule,
    RuleGroup,
    highest,
    is_fresh,
    new,
    selected,
    window,
)

SERVING_SINCE = "role_instance:pd_serving_since:max"
SERVED_SINCE = "role_instance:pd_served_since:max"
SERVING_WORKERS = "role:pd_serving_workers:sum"
_SEEN = "role_instance:pd_seen_timestamp:max"

READY_SINCE = highest(INSTANCE, roles.INSTANCE_READY_TIMESTAMP.name)
"""When each role instance that is Ready became so, as Unix time."""

SERVING = highest(ROLE, selected(SERVING_WORKERS, "pods"))
"""Role instances that serve, for other groups than the one that records them."""

SERVING_INSTANCES = f"({SERVING_SINCE} and {is_fresh(SERVING_SINCE)})"
"""Those role instances, likewise."""

SERVED_INSTANCES = f"({SERVED_SINCE} and {is_fresh(SERVED_SINCE)})"
"""Role instances that have served since they are Ready, whether they still show it or not."""

_READY = highest(ROLE, roles.REPLICAS_READY.name)
_STARTUP = highest(ROLE, roles.STARTUP.name)


def of_roles(by_pod: str) -> str:
    """Give a vector by namespace and pod the identity of its pods; what has none is left out.

    A pod that is made anew under its name can be told with two roles for some seconds: one of them
    counts, or the join would fail, and every role's rule with it.
    """
    pods = f"topk by ({POD}) (1, {highest(f'{INSTANCE}, pod', roles.POD_INFO.name)})"
    return f"{by_pod} * on ({POD}) group_left (group, role, role_instance) {pods}"


def _ready(role: str) -> str:
    return highest(GROUP, f'{roles.REPLICAS_READY.name}{{role="{role}"}}')


def _last_seen() -> str:
    ranged = f"[{window(EVIDENCE_SECONDS)}:{window(SCRAPE_SECONDS)}]"
    # A pod may have an earlier one's of its name too, and of another engine; the newer counts.
    by_pod = " or ".join(
        f"label_replace(max by ({POD}) (max_over_time(timestamp({each}){ranged})),"
        f' "sign", "{number}", "", "")'
        for number, each in enumerate(SIGNS_OF_LIFE)
    )
    return f"max by ({INSTANCE}) ({of_roles(f'({by_pod})')})"


_SERVED = f"max by ({INSTANCE}) (last_over_time({SERVED_SINCE}[{window(EVIDENCE_SECONDS)}]))"
"""What the rule itself recorded; through 10 minutes in which it could not."""

_TIMED = f"max by ({ROLE}) ({new(_SEEN)}) or {_STARTUP}"

RULES = RuleGroup(
    "pd_workers",
    "Role instances: replicas as the HPA counts them, a pod or all pods of a leader-worker group.",
    (
        RecordingRule(
            _SEEN,
            _last_seen(),
            "When an engine's own metrics last came from a role instance, as Unix time.",
        ),
        RecordingRule(
            SERVING_SINCE,
            f"{READY_SINCE} < {new(_SEEN)}"
            f" or {READY_SINCE} <= on ({ROLE}) group_left () (time() - {_STARTUP})",
            "Since when a role instance that serves is Ready, as Unix time. It serves where its"
            " engine's metrics came after it was Ready (what came before is an earlier pod's of the"
            " same name), or where the configured start-up time has passed. Ready alone proves"
            " nothing: pods without a readiness probe are from their first second, while the model"
            " still loads.",
        ),
        RecordingRule(
            SERVED_SINCE,
            f"max by ({INSTANCE}) ({new(SERVING_SINCE)}) or {READY_SINCE} == {_SERVED}",
            "The same of a role instance that has served since it is Ready, also where its engine's"
            " metrics have been lost for long: then it is missing from its role's numbers, and not"
            " idle.",
        ),
        RecordingRule(
            SERVING_WORKERS,
            f"count by ({ROLE}) ({new(SERVING_SINCE)})"
            f" or 0 * ({_READY} == 0 or {_READY} and ({_TIMED}))",
            "Role instances that serve. Absent where some are Ready and nothing can tell whether"
            " they serve: no engine's metrics in 10 minutes, and no start-up time configured.",
            "pods",
        ),
        RecordingRule(
            "group:pd_prefill_decode_ready:ratio",
            f"{_ready('prefill')} / ({_ready('decode')} > 0)",
            "Ready role instances of prefill for each one of decode.",
        ),
    ),
)

"""Alerts on decode's memory: a signal that does not follow the load, and one that is nearly full.

Engines that take their KV cache at the start stand near the same GPU memory at any load. Scaled by
it, a role grows by a replica per model start until maxReplicas, and never shrinks.
"""

from pd_exporter.policy import DECODE_MEMORY_THRESHOLD, KV_DEMAND_THRESHOLD
from pd_exporter.rules.alerts.alert import (
    DESIRED,
    MAX,
    MIN,
    OF_ROLE,
    READY,
    SCALED_OBJECT,
    AlertGroup,
    AlertRule,
    Severity,
)
from pd_exporter.rules.kv import ROLE_DEMAND
from pd_exporter.rules.memory import UTILIZATION
from pd_exporter.rules.rule import GROUP as BY_GROUP
from pd_exporter.rules.rule import ROLE

FLAT_WINDOW = "5m"
"""How long memory has to stay the same: less than an HPA takes from 1 to 6 at 2 min per replica."""

FLAT_CHANGE = 0.02
"""By how much it may vary; where memory follows the KV cache, `KV_CHANGE` moves it further."""

FLAT_FLOOR = 0.5
"""Utilization below which a flat one asks for no replicas and says little."""

KV_CHANGE = 0.1
"""Change of the KV cache that would show in the memory of an engine that allocates as it goes."""

ACTED_ON = DECODE_MEMORY_THRESHOLD * 1.1
"""Utilization from which on an HPA adds replicas: its target and its tolerance."""

EXCESS = 2
"""Times as many replicas as the KV cache asks for, from which on something else asked for them.

A role that is scaled by KV demand with another threshold than the shipped one stays below.
"""

ASKED_WINDOW = "15m"
"""How far back the KV cache may have asked for them: the scale-in window, and some slack."""

NEARLY_FULL = 0.98
"""GPU memory from which on little is left for activations, and an engine may die for want of it."""

_DECODE = '{role="decode"}'
_MEMORY = f"role:pd_gpu_memory_utilization:max{_DECODE}"
_KV = f"role:pd_kv_cache_utilization:max{_DECODE}"


def _spread(series: str) -> str:
    ranged = f"{series}[{FLAT_WINDOW}]"
    return f"max_over_time({ranged}) - min_over_time({ranged})"


_FLAT = (
    f"{_MEMORY} > {FLAT_FLOOR:g} and {_MEMORY} offset {FLAT_WINDOW}"
    f" and {_spread(_MEMORY)} < {FLAT_CHANGE:g}"
)
_HIGH = f"{_MEMORY} > {ACTED_ON:g}"

_DEMANDED = f"max_over_time({ROLE_DEMAND}{_DECODE}[{ASKED_WINDOW}]) / {KV_DEMAND_THRESHOLD:g}"
_ASKED = f"(max by ({ROLE}) (ceil({_DEMANDED})) > 0)"
_TOO_MANY = f"{DESIRED} >= {EXCESS} * {_ASKED} and {DESIRED} > {MIN}"
_BY_CACHE = f"{_TOO_MANY} and on ({ROLE}) ({_spread(_KV)} >= {KV_CHANGE:g} or {_HIGH})"

_LOADED = f"on ({BY_GROUP}) role:pd_arrivals:rate5m > 0"
_GROWS = f"on ({ROLE}) ({DESIRED} > {READY} or {DESIRED} >= {MAX})"
_BY_REQUESTS = f"{_HIGH} and {_LOADED} and {_GROWS} unless on ({ROLE}) present_over_time({_KV}[1h])"

GROUP = AlertGroup(
    "pd_decode_alerts",
    "Decode's GPU memory as a signal: where it does not follow the load, and where it runs out.",
    (
        AlertRule(
            "PdDecodeSignalFlat",
            f"{_FLAT} and on ({ROLE}) {SCALED_OBJECT}"
            f" and on ({ROLE}) ({_BY_CACHE} or {_BY_REQUESTS})",
            Severity.CRITICAL,
            f"GPU memory of {OF_ROLE} stays at {{{{ $value | humanizePercentage }}}}"
            " whatever the load, and replicas follow it",
            "The engine takes its memory at the start. Scaled by it, the role grows by a replica"
            " per model start up to maxReplicas, and never comes back, while the KV cache asks for"
            " at most half of them, or is not known. Scale it on KV demand.",
            "1m",
        ),
        AlertRule(
            "PdDecodeNearOutOfMemory",
            f"{UTILIZATION}{_DECODE} > {NEARLY_FULL:g}",
            Severity.WARNING,
            "GPU memory of {{ $labels.role_instance }} in {{ $labels.namespace }} is at"
            " {{ $value | humanizePercentage }}",
            "Activations, CUDA graphs and NCCL buffers need what is left. An allocation that fails"
            " ends the engine, and with it all requests that it decodes.",
            "2m",
        ),
    ),
)

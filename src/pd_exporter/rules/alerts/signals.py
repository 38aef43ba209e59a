"""Alerts on signals that are not there, or that stand on too little."""

from pd_exporter.catalogue import roles
from pd_exporter.policy import COVERAGE
from pd_exporter.rules.alerts.alert import (
    OF_ROLE,
    READY,
    SCALED_OBJECT,
    AlertGroup,
    AlertRule,
    Severity,
)
from pd_exporter.rules.jetstream import QUEUES_UP
from pd_exporter.rules.kv import ROLE_DEMAND
from pd_exporter.rules.load import LAG, REQUIRED
from pd_exporter.rules.memory import ROLE_UTILIZATION
from pd_exporter.rules.rule import ROLE, highest
from pd_exporter.rules.workers import SERVING_WORKERS

COVERAGES = {
    "GPU memory": "role:pd_gpu_memory_coverage:ratio",
    "KV cache": "role:pd_kv_cache_coverage:ratio",
    "engine requests": "role:pd_engine_coverage:ratio",
    "frontend requests": "role:pd_frontend_coverage:ratio",
    "worker requests": "role:pd_worker_coverage:ratio",
}
"""What instances report, by the recorded series of how many of them do."""

_PARTIAL = " or ".join(
    f'label_replace({series} < {COVERAGE:g}, "signal", "{signal}", "", "")'
    for signal, series in COVERAGES.items()
)


def _scaled(matching: str) -> str:
    return highest(ROLE, f"{roles.SCALEDOBJECT_READY.name}{{{matching}}}")


# A role with a name of its own counts as one of prefill if it ever had prefill's signals.
_OTHERS = _scaled('role!="decode"') + f" and on ({ROLE}) present_over_time({LAG}[1d])"
_BY_LOAD = _scaled('role="prefill"') + f" or {_OTHERS}"
_BY_MEMORY = _scaled('role="decode"')
_NONE = (
    f"(({_BY_LOAD}) unless on ({ROLE}) ({LAG} or {REQUIRED})"
    f" or {_BY_MEMORY} unless on ({ROLE}) ({ROLE_DEMAND} or {ROLE_UTILIZATION}))"
)

_READY_PD = f'{roles.REPLICAS_READY.name}{{role=~"prefill|decode"}}'

GROUP = AlertGroup(
    "pd_signal_alerts",
    "Signals that autoscalers read: whether they are there, and on how much they stand.",
    (
        AlertRule(
            "PdSignalAbsent",
            f"{_NONE} and on ({ROLE}) {READY} > 0"
            f" unless on ({ROLE}) {SERVING_WORKERS} == 0"
            f" unless on ({ROLE}) {QUEUES_UP.record} == 0",
            Severity.CRITICAL,
            f"Nothing tells the load of {OF_ROLE}, which a ScaledObject scales",
            "Of the signals that the role could be scaled by (lag or required workers; for decode"
            " KV demand or GPU memory) none has a value. KEDA gets an empty answer, the HPA holds"
            " what it has, and after a while the ScaledObject's fallback takes over.",
            "5m",
        ),
        AlertRule(
            "PdRoleCoveragePartial",
            _PARTIAL,
            Severity.WARNING,
            f"Only {{{{ $value | humanizePercentage }}}} of {OF_ROLE} tell their"
            " {{ $labels.signal }} ({{ $labels.source }})",
            f"Below {COVERAGE:.0%} the others cannot be taken as like those that report, and the"
            " role's signal from this source has no value.",
            "5m",
        ),
        AlertRule(
            "PdNothingServes",
            f"{highest(ROLE, _READY_PD)} > 0 and on ({ROLE}) {SCALED_OBJECT}"
            f" unless on ({ROLE}) {SERVING_WORKERS}",
            Severity.WARNING,
            f"Replicas of {OF_ROLE} are Ready, and nothing tells whether they serve",
            "No engine's metrics came in 10 minutes, and no start-up time is configured. So it is"
            " not known which replicas serve, the service time cannot be measured, and required"
            " workers rest on the configured one.",
            "15m",
        ),
    ),
)

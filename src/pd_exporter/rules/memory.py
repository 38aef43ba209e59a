"""Decode's GPU memory, as NVML tells it."""

from pd_exporter.catalogue import gpu, roles
from pd_exporter.policy import COVERAGE
from pd_exporter.rules.instances import Reports
from pd_exporter.rules.rule import INSTANCE, ROLE, RecordingRule, highest
from pd_exporter.rules.workers import READY_SINCE

SOURCE = "nvml"
UTILIZATION = "role_instance:pd_gpu_memory_utilization:ratio"
ROLE_UTILIZATION = "role:pd_gpu_memory_utilization:sum"

_SERIES = f"{INSTANCE}, pod, container, uuid"
_USED = highest(_SERIES, gpu.POD_MEMORY_USED.name + '{role!=""}')
_LIMIT = highest(_SERIES, gpu.POD_MEMORY_LIMIT.name + '{role!=""}')
_REPORTS = Reports("role:pd_gpu_memory_coverage:ratio", SOURCE, READY_SINCE)

_KNOWN = f"sum by ({INSTANCE}) ({_LIMIT} and {_USED}) > 0"

RULES = (
    RecordingRule(
        UTILIZATION,
        f"sum by ({INSTANCE}) ({_USED} and {_LIMIT}) / ({_KNOWN})",
        "GPU memory in use by a role instance for each byte that it may use, over all its GPUs; a"
        " GPU counts where both are known. Of a shared GPU without quota each pod may use all.",
        SOURCE,
    ),
    _REPORTS.covered(UTILIZATION, "Role instances whose memory is known, for each that is Ready."),
    RecordingRule(
        "role:pd_gpu_memory_utilization:avg",
        _REPORTS.overall("avg", UTILIZATION),
        f"Mean over the role's Ready instances; no value where less than {COVERAGE:.0%} report.",
        SOURCE,
    ),
    RecordingRule(
        "role:pd_gpu_memory_utilization:max",
        _REPORTS.overall("max", UTILIZATION),
        "The fullest of the role's Ready instances.",
        SOURCE,
    ),
    RecordingRule(
        ROLE_UTILIZATION,
        _REPORTS.mean_times(UTILIZATION, highest(ROLE, roles.REPLICAS_READY.name)),
        "Sum over the role's Ready instances, in instances' worth: the mean of those that report,"
        " times all that are Ready. Right for engines that allocate as they go; one that takes its"
        " memory at the start is near the same value at any load.",
        SOURCE,
    ),
)

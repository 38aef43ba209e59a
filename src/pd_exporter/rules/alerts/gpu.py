"""Alerts on GPUs, and on whose their memory is."""

from pd_exporter.catalogue import gpu
from pd_exporter.rules.alerts.alert import LOST_WINDOW, AlertGroup, AlertRule, Severity
from pd_exporter.rules.rule import highest

_UNREAD = f"{highest('node, uuid', gpu.UP.name)} == 0"
# MIG GPU instances have a parent; they come and go by configuration.
_WHOLE = highest("node, uuid", f'{gpu.INFO.name}{{parent_uuid=""}}')
_COUNT = f"count by (node) ({_WHOLE})"
_NOW = f"({_COUNT} or 0 * {highest('node', gpu.NVML_UP.name)})"
_FEWER = f"{_NOW} < max_over_time({_COUNT}[{LOST_WINDOW}:5m])"

_UNRESOLVED = f"{highest('node, reason', gpu.UNRESOLVED.name)} > 0"
_UNTOLD = highest(
    "namespace, group, role, pod, node", f'{gpu.POD_INFO.name}{{attribution="none",role!=""}}'
)

GROUP = AlertGroup(
    "pd_gpu_alerts",
    "GPUs of a node, and whose memory is on them.",
    (
        AlertRule(
            "PdGpuLost",
            f"{_UNREAD} or {_FEWER}",
            Severity.WARNING,
            "A GPU of node {{ $labels.node }} is lost or cannot be read"
            "{{ with $labels.uuid }}: {{ . }}{{ end }}",
            "NVML cannot read the GPU, or lists fewer GPUs than in the last 6 hours while the"
            " exporter runs. What runs there has failed or will, and its memory is missing from the"
            " role's signal.",
            "2m",
        ),
        AlertRule(
            "PdDeviceUnattributed",
            f"{_UNRESOLVED} or {_UNTOLD}",
            Severity.WARNING,
            "GPU memory on node {{ $labels.node }} is nobody's:"
            " {{ with $labels.pod }}pod {{ . }} shares a GPU{{ end }}"
            "{{ with $labels.reason }}device ids that name no known GPU ({{ . }}){{ end }}",
            "A pod holds a device that cannot be told, or shares one without its processes being"
            " seen. Its memory is missing from the role's signal, which has no value where too many"
            " are.",
            "10m",
        ),
    ),
)

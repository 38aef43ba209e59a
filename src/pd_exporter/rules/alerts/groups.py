"""All alerts, in groups."""

from pd_exporter.rules.alerts import decode, exporter, gpu, queue, scaling, signals

GROUPS = (
    queue.GROUP,
    signals.GROUP,
    scaling.GROUP,
    decode.GROUP,
    gpu.GROUP,
    exporter.GROUP,
)
"""As they are shipped."""

ALERTS = tuple(rule for group in GROUPS for rule in group.rules)
"""The alerts of all groups."""

"""Every metric that pd-exporter exposes, written once: name, help, kind, labels.

Documentation, collectors, tests and the landing page take them from here. A metric that PromQL
computes with is a value, never a label; times are Unix timestamps, units are base units.
"""

from pd_exporter.catalogue import gpu, own, queue, roles

SECTIONS = {"queue": queue.ALL, "gpu": gpu.ALL, "roles": roles.ALL, "self": own.ALL}
"""Metrics by the collector that gives them, in the order of the documentation."""

HEADLINES = queue.HEADLINES | roles.HEADLINES
"""What the landing page shows large, in short words."""

FILLS = gpu.FILLS
"""What the landing page shows as so much of another metric, with the same labels."""

"""The GPU collector: memory of every GPU of the node, and of the pods that hold them."""

from pd_exporter.collectors.gpu.collector import GpuCollector, Scope
from pd_exporter.collectors.gpu.node import open_node

__all__ = ["GpuCollector", "Scope", "open_node"]

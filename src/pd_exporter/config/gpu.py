"""Section `gpu`: the GPUs of the node that the exporter runs on."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field

from pd_exporter.config.section import FilePath, Label, Section


class ProcessAttribution(StrEnum):
    """Whether a GPU that several pods hold is divided among them by its processes."""

    AUTO = "auto"
    """Where the exporter is in the host's PID namespace."""
    ALWAYS = "always"
    """Also where it does not look like the host's, as on a node that is itself a container."""
    NEVER = "never"


class GpuConfig(Section):
    """The node's GPUs, and the pods on them."""

    node: Label = Field(description="Name of this node; use !env NODE_NAME (spec.nodeName).")
    all_pods: bool = Field(
        False, description="Give series of pods without a role too, with empty group and role."
    )
    process_attribution: ProcessAttribution = Field(
        ProcessAttribution.AUTO,
        description="Divide a GPU that several pods hold by its processes: auto does where the"
        " exporter is in the host's PID namespace (hostPID).",
    )
    kubelet_socket: FilePath = Field(
        Path("/var/lib/kubelet/pod-resources/kubelet.sock"),
        description="Socket of the kubelet's PodResources API; mount its directory.",
    )
    simulation: FilePath | None = Field(
        None,
        description="File that describes pods, and GPUs where NVML has none, for demonstrations:"
        " then neither the kubelet nor the Kubernetes API is asked.",
    )

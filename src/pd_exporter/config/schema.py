"""The whole configuration."""

from collections.abc import Mapping

from pydantic import Field

from pd_exporter.config.gpu import GpuConfig
from pd_exporter.config.kubernetes import KubernetesConfig
from pd_exporter.config.nats import NatsConfig
from pd_exporter.config.queue import QueueConfig
from pd_exporter.config.roles import RolesConfig
from pd_exporter.config.section import Label, Section

ROLE_ALIASES = {"decoder": "decode"}
"""Other names that roles of known manifests have: RoleBasedGroup's first Dynamo examples."""


class Config(Section):
    """The whole configuration; a collector runs when its section is there."""

    nats: Mapping[str, NatsConfig] = Field({}, description="NATS systems by name.")
    queues: tuple[QueueConfig, ...] = Field((), description="Queues to read.")
    gpu: GpuConfig | None = Field(None, description="Read the GPUs of this node.")
    roles: RolesConfig | None = Field(None, description="Watch pods, and what scales their roles.")
    kubernetes: KubernetesConfig = Field(
        KubernetesConfig(), description="The Kubernetes API, where not as in every pod."
    )
    role_aliases: Mapping[Label, Label] = Field(
        ROLE_ALIASES, description="Names of roles that are to be taken for other names."
    )

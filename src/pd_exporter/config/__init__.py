"""The configuration file: its schema, and loading it with every problem told at once."""

from pd_exporter.config.gpu import GpuConfig, ProcessAttribution
from pd_exporter.config.kubernetes import KubernetesConfig
from pd_exporter.config.load import load
from pd_exporter.config.nats import NatsConfig
from pd_exporter.config.problem import ConfigError, ConfigProblem
from pd_exporter.config.queue import Ack, QueueConfig
from pd_exporter.config.roles import EVERYWHERE, GroupRatio, RolesConfig, RoleSettings
from pd_exporter.config.schema import Config

__all__ = [
    "EVERYWHERE",
    "Ack",
    "Config",
    "ConfigError",
    "ConfigProblem",
    "GpuConfig",
    "GroupRatio",
    "KubernetesConfig",
    "NatsConfig",
    "ProcessAttribution",
    "QueueConfig",
    "RoleSettings",
    "RolesConfig",
    "load",
]

"""The ScaledObject that puts a setting into force, over the series of the shipped rules."""

from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import yaml

from pd_exporter.autoscaler.hpa import Behavior
from pd_exporter.autoscaler.keda import hpa_name
from pd_exporter.autoscaler.setting import Setting
from pd_exporter.autoscaler.triggers import Recorded, Required, Trigger

KNOBS = {
    "pollingInterval": "changes no decision while minReplicaCount is 1 or more: from 1 to max the"
    " HPA asks at every sync, each 15 s. It only decides how soon a fallback trips.",
    "cooldownPeriod": "is about scaling to zero alone; scale-in from above goes by behavior.",
    "activationThreshold": "decides between zero replicas and one, and nothing above.",
    "metricType Value": "multiplies by the pods that are Ready, which those that load are or are"
    " not: leave it at AverageValue, with a query that is a sum.",
}
"""What does not do what it seems to: each knob, and why."""


@dataclass(frozen=True, slots=True)
class Service:
    """Which service is scaled, and where its signals are.

    Attributes:
        namespace: Of the ScaledObject and its target.
        group: RoleBasedGroup.
        role: Its role.
        prometheus: URL of the Prometheus that KEDA asks.
        concurrency: Slots of a worker.

    Raises:
        ValueError: The name that KEDA would give the HPA is too long.
    """

    namespace: str
    group: str
    role: str
    prometheus: str
    concurrency: int

    def __post_init__(self) -> None:
        hpa_name(self.name)

    @property
    def name(self) -> str:
        """Of the ScaledObject, and of the role's adapter."""
        return f"{self.group}-{self.role}"

    @property
    def recorded(self) -> Recorded:
        """The role's recorded series."""
        selector = (
            f'namespace="{self.namespace}",group="{self.group}",role="{self.role}"'
            ',source="jetstream"'
        )
        return Recorded(selector, self.concurrency)


def scaled_object(setting: Setting, service: Service) -> str:
    """The manifest, as YAML with comments.

    Raises:
        ValueError: The setting has no trigger.
    """
    name = service.name
    if not setting.triggers:
        raise ValueError(f"{setting.name} has no trigger: set spec.replicas of the role instead")
    spec: dict[str, Any] = {
        "scaleTargetRef": {
            "apiVersion": "workloads.x-k8s.io/v1alpha2",
            "kind": "RoleBasedGroupScalingAdapter",
            "name": name,
        },
        "minReplicaCount": setting.min_replicas,
        "maxReplicaCount": setting.max_replicas,
    }
    if setting.fallback:
        spec["fallback"] = {
            "failureThreshold": setting.fallback.failure_threshold,
            "replicas": setting.fallback.replicas,
            "behavior": str(setting.fallback.behavior),
        }
    if setting.behavior:
        spec["advanced"] = {
            "horizontalPodAutoscalerConfig": {"behavior": _behavior(setting.behavior)}
        }
    spec["triggers"] = [_trigger(trigger, service) for trigger in setting.triggers]
    manifest = {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": service.namespace},
        "spec": spec,
    }
    text = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=1000)
    return _comments(setting) + text


def _trigger(trigger: Trigger, service: Service) -> dict[str, Any]:
    return {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {
            "serverAddress": service.prometheus,
            "query": trigger.query(service.recorded),
            "threshold": f"{trigger.metric.target_milli / 1000:g}",
            "ignoreNullValues": "false",
        },
    }


def _behavior(behavior: Behavior) -> dict[str, Any]:
    filled = behavior.defaulted()
    return {
        direction: {
            "stabilizationWindowSeconds": rules.stabilization_window_seconds,
            "selectPolicy": str(rules.select_policy),
            "policies": [
                {
                    "type": str(policy.type),
                    "value": policy.value,
                    "periodSeconds": policy.period_seconds,
                }
                for policy in rules.policies or ()
            ],
        }
        for direction, rules in (("scaleUp", filled.scale_up), ("scaleDown", filled.scale_down))
        if rules
    }


def _comments(setting: Setting) -> str:
    lines = [f"{setting.name}, for scrapes and rules at {setting.path.label} s."]
    lines += [
        "The query is the number of workers required. It holds the mean service time,"
        f" {trigger.service_seconds:.4g} s, in three places: measure it again where prompts change."
        for trigger in setting.triggers
        if isinstance(trigger, Required) and trigger.service_seconds is not None
    ]
    if setting.fallback:
        lines.append("currentReplicasIfHigher needs KEDA 2.17: leave fallback out before.")
    if not setting.behavior:
        lines.append("Without behavior the HPA at most doubles in a sync, and may always go to 4.")
    wrapped = (part for line in lines for part in wrap(line, 90))
    return "".join(f"# {part}\n" for part in wrapped)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)

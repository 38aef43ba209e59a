"""Whether what manifests name is there: of an object what it refers to, of a selector its pods."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.kinds import Object, scalable
from tests.manifests import named, of_kind
from tests.podpolicy import WORKLOADS, containers_of, pod_of

Objects = tuple[Object, ...]

_CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding", "Namespace", "RuntimeClass", "PriorityClass"}
_ENV_TAG = re.compile(r"!env\s+(\w+)")


@dataclass(frozen=True)
class Elsewhere:
    """What exists without these manifests: the documentation says who makes it.

    Attributes:
        secrets: Names of Secrets.
        monitors: PodMonitors that select pods of the service.
    """

    secrets: frozenset[str] = frozenset()
    monitors: frozenset[str] = field(default_factory=frozenset)


NOTHING = Elsewhere()


@dataclass(frozen=True)
class Pods:
    """Pods of a workload, as selectors see them."""

    namespace: str
    labels: Mapping[str, str]
    ports: frozenset[str]


def faults(objects: Objects, elsewhere: Elsewhere = NOTHING) -> Iterator[str]:
    """Yield what is named and not there."""
    pods = [_pods(told) for told in of_kind(objects, *WORKLOADS)]
    for told in objects:
        found = (*_namespace_faults(told), *_faults(told, objects, pods, elsewhere))
        yield from (f"{named(told)}: {each} is not there" for each in found)


def _faults(
    told: Object, objects: Objects, pods: list[Pods], elsewhere: Elsewhere
) -> Iterator[str]:
    if told["kind"] in WORKLOADS:
        return _workload_faults(told, objects, elsewhere)
    if told["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
        return _binding_faults(told, objects)
    if told["kind"] == "ScaledObject":
        return _scaling_faults(told, objects)
    if told["kind"] == "TriggerAuthentication":
        return _secret_faults(told, objects, elsewhere)
    if told["metadata"]["name"] in elsewhere.monitors and told["kind"] == "PodMonitor":
        return iter(())
    return _selector_faults(told, pods)


def _pods(told: Object) -> Pods:
    pod = pod_of(told)
    ports = {
        port.get("name", "") for each in pod["spec"]["containers"] for port in each.get("ports", ())
    }
    labels = pod.get("metadata", {}).get("labels", {})
    return Pods(told["metadata"].get("namespace", ""), labels, frozenset(ports - {""}))


def _has(objects: Objects, beside: Object, kind: str, name: str) -> bool:
    place = beside["metadata"].get("namespace")
    return any(
        each["metadata"]["name"] == name and each["metadata"].get("namespace") == place
        for each in of_kind(objects, kind)
    )


def _namespace_faults(told: Object) -> Iterator[str]:
    if "namespace" not in told["metadata"] and told["kind"] not in _CLUSTER_WIDE:
        yield "a namespace"


def _secret_faults(told: Object, objects: Objects, elsewhere: Elsewhere) -> Iterator[str]:
    for each in told["spec"].get("secretTargetRef", ()):
        name = each["name"]
        if name not in elsewhere.secrets and not _has(objects, told, "Secret", name):
            yield f"Secret {name}"


def _workload_faults(told: Object, objects: Objects, elsewhere: Elsewhere) -> Iterator[str]:
    pod = pod_of(told)
    spec = pod["spec"]
    selector = told["spec"].get("selector", {}).get("matchLabels", {})
    if not selector.items() <= pod.get("metadata", {}).get("labels", {}).items():
        yield f"a pod for the selector {selector}"
    account = spec.get("serviceAccountName", "default")
    if account != "default" and not _has(objects, told, "ServiceAccount", account):
        yield f"ServiceAccount {account}"
    for kind, name in _sources(spec):
        there = kind == "Secret" and name in elsewhere.secrets
        if not there and not _has(objects, told, kind, name):
            yield f"{kind} {name}"
    for container in containers_of(spec):
        yield from _container_faults(container, spec)
        yield from _variable_faults(container, spec, objects)


def _container_faults(container: Object, spec: Object) -> Iterator[str]:
    volumes = {volume["name"] for volume in spec.get("volumes", ())}
    mounts = {mount["name"] for mount in container.get("volumeMounts", ())}
    yield from (f"volume {name}" for name in sorted(mounts - volumes))
    ports = {port.get("name") for port in container.get("ports", ())}
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port", 0)
        if isinstance(port, str) and port not in ports:
            yield f"port {port}"


def _sources(spec: Object) -> Iterator[tuple[str, str]]:
    """Yield ConfigMaps and Secrets that a pod cannot start without."""
    for volume in spec.get("volumes", ()):
        for each in (volume, *volume.get("projected", {}).get("sources", ())):
            yield from _required(each, {"configMap": "name", "secret": "secretName"})
            yield from _required(each, {"secret": "name"})
    for container in containers_of(spec):
        for each in container.get("envFrom", ()):
            yield from _required(each, {"configMapRef": "name", "secretRef": "name"})
        for each in container.get("env", ()):
            told = each.get("valueFrom", {})
            yield from _required(told, {"configMapKeyRef": "name", "secretKeyRef": "name"})


def _required(told: Object, keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for key, name in keys.items():
        source = told.get(key, {})
        if name in source and not source.get("optional"):
            yield ("ConfigMap" if key.startswith("configMap") else "Secret"), source[name]


def _variable_faults(container: Object, spec: Object, objects: Objects) -> Iterator[str]:
    """Yield what a mounted configuration takes by `!env` and the container does not have."""
    config_maps = of_kind(objects, "ConfigMap")
    maps = {each["metadata"]["name"]: each.get("data", {}) for each in config_maps}
    given = {each["name"] for each in container.get("env", ())}
    for each in container.get("envFrom", ()):
        given |= maps.get(each.get("configMapRef", {}).get("name"), {}).keys()
    mounted = {mount["name"] for mount in container.get("volumeMounts", ())}
    for volume in spec.get("volumes", ()):
        name = volume.get("configMap", {}).get("name")
        if volume["name"] in mounted and name in maps:
            text = "\n".join(maps[name].values())
            yield from (f"variable {each}" for each in sorted(set(_ENV_TAG.findall(text)) - given))


def _binding_faults(told: Object, objects: Objects) -> Iterator[str]:
    role = told["roleRef"]
    beside = {"metadata": {}} if role["kind"] == "ClusterRole" else told
    if not _has(objects, beside, role["kind"], role["name"]):
        yield f"{role['kind']} {role['name']}"
    for subject in told["subjects"]:
        if not _has(objects, {"metadata": subject}, subject["kind"], subject["name"]):
            yield f"{subject['kind']} {subject.get('namespace')}/{subject['name']}"


def _scaling_faults(told: Object, objects: Objects) -> Iterator[str]:
    target = told["spec"]["scaleTargetRef"]
    if not scalable(target.get("apiVersion", ""), target.get("kind", "")):
        yield f"a scale subresource of {target.get('apiVersion')} {target.get('kind')}"
    for trigger in told["spec"]["triggers"]:
        ref = trigger.get("authenticationRef")
        kind = (ref or {}).get("kind", "TriggerAuthentication")
        beside = {"metadata": {}} if kind.startswith("Cluster") else told
        if ref and not _has(objects, beside, kind, ref["name"]):
            yield f"{kind} {ref['name']}"


def _selector_faults(told: Object, pods: list[Pods]) -> Iterator[str]:
    """Yield a Service, budget, policy or monitor that finds no pod, or no port in one of them."""
    spec = told.get("spec", {})
    ports: list[str | int] = []
    if told["kind"] == "Service":
        labels = spec.get("selector", {})
        ports = [port.get("targetPort", port["port"]) for port in spec["ports"]]
    elif told["kind"] == "PodDisruptionBudget":
        labels = spec["selector"]["matchLabels"]
    elif told["kind"] == "NetworkPolicy":
        labels = spec["podSelector"].get("matchLabels", {})
        ports = [port["port"] for rule in spec.get("ingress", ()) for port in rule.get("ports", ())]
    elif told["kind"] == "PodMonitor":
        labels = spec["selector"].get("matchLabels", {})
        ports = [endpoint["port"] for endpoint in spec["podMetricsEndpoints"]]
    else:
        return
    place = told["metadata"]["namespace"]
    found = [
        each for each in pods if each.namespace == place and labels.items() <= each.labels.items()
    ]
    if not found or not labels:
        yield f"a pod for the selector {labels}"
    for port in ports:
        if isinstance(port, str) and any(port not in each.ports for each in found):
            yield f"port {port}"

"""What a pod may be, and what RBAC may give: the promises of docs/kubernetes.md.

Who reviews the manifests of a cluster asks these things. What has to differ is in `Exceptions`, by
the object's kind and name, so that nothing else can. The level is `restricted` of Kubernetes's Pod
Security Standards, with a read-only root file system and resources besides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.kinds import Object

_POD_PATHS: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
WORKLOADS = tuple(_POD_PATHS)
# The level `restricted` knows these; a hostPath is an exception.
_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_READ = {"get", "list", "watch"}


@dataclass(frozen=True)
class Exceptions:
    """What objects, by kind and name, do beyond what all others may.

    Attributes:
        root: Those that run as root.
        host_pid: Those that see the node's processes.
        host_paths: Folders of the node that they read.
        all_namespaces: ClusterRoleBindings.
        writers: Roles, with the verbs and resources that they may change.
    """

    root: frozenset[str] = frozenset()
    host_pid: frozenset[str] = frozenset()
    host_paths: Mapping[str, frozenset[str]] = field(default_factory=dict)
    all_namespaces: frozenset[str] = frozenset()
    writers: Mapping[str, frozenset[tuple[str, str]]] = field(default_factory=dict)


NONE = Exceptions()


def pod_of(told: Object) -> Object:
    """Pod, with metadata and spec, that a workload makes."""
    for step in _POD_PATHS[told["kind"]]:
        told = told[step]
    return told


def containers_of(spec: Object) -> list[Object]:
    """Containers of a pod, those that run before it included."""
    return [*spec.get("initContainers", ()), *spec["containers"]]


def pod_faults(told: Object, allowed: Exceptions = NONE) -> Iterator[str]:
    """Yield what a workload's pods are that they may not be."""
    spec = pod_of(told)["spec"]
    key = f"{told['kind']}/{told['metadata']['name']}"
    for name in ("hostNetwork", "hostIPC", "hostPID"):
        if spec.get(name) and not (name == "hostPID" and key in allowed.host_pid):
            yield f"{name}: is the node's"
    if not isinstance(spec.get("automountServiceAccountToken"), bool):
        yield "automountServiceAccountToken: is not said"
    # Without a token no account gives anything.
    if (
        spec.get("automountServiceAccountToken") is not False
        and spec.get("serviceAccountName", "default") == "default"
    ):
        yield "serviceAccountName: is everybody's"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "securityContext.sysctls: are set"
    for volume in spec.get("volumes", ()):
        yield from _volume_faults(volume, spec, allowed.host_paths.get(key, frozenset()))
    for container in containers_of(spec):
        mine = _container_faults(container, spec, root=key in allowed.root)
        yield from (f"{container['name']}: {each}" for each in mine)


def _volume_faults(volume: Object, spec: Object, host_paths: frozenset[str]) -> Iterator[str]:
    name = volume["name"]
    if "hostPath" not in volume:
        for kind in sorted(volume.keys() - _VOLUMES - {"name"}):
            yield f"volumes.{name}: {kind} is not for a restricted pod"
        return
    if volume["hostPath"]["path"] not in host_paths:
        yield f"volumes.{name}: {volume['hostPath']['path']} is the node's"
    for container in containers_of(spec):
        for mount in container.get("volumeMounts", ()):
            if mount["name"] == name and not mount.get("readOnly"):
                yield f"volumes.{name}: {container['name']} may write there"


def _container_faults(container: Object, spec: Object, *, root: bool) -> Iterator[str]:
    context = container.get("securityContext", {})
    capabilities = context.get("capabilities", {})
    effective = spec.get("securityContext", {}) | context
    wanted = {
        "runAsNonRoot: is not true": root or effective.get("runAsNonRoot") is True,
        "runAsUser: is root": root or effective.get("runAsUser") != 0,
        "privileged: is true": not context.get("privileged"),
        "allowPrivilegeEscalation: is not false": context.get("allowPrivilegeEscalation") is False,
        "readOnlyRootFilesystem: is not true": context.get("readOnlyRootFilesystem") is True,
        "capabilities.drop: is not ALL": capabilities.get("drop") == ["ALL"],
        "capabilities.add: is not empty": not capabilities.get("add"),
        "seLinuxOptions: are set": "seLinuxOptions" not in effective,
        "appArmorProfile: is not RuntimeDefault": (
            effective.get("appArmorProfile", {}).get("type", "RuntimeDefault") == "RuntimeDefault"
        ),
        "procMount: is not Default": context.get("procMount", "Default") == "Default",
        "seccompProfile: is not RuntimeDefault": (
            effective.get("seccompProfile", {}).get("type") == "RuntimeDefault"
        ),
    }
    yield from (fault for fault, is_right in wanted.items() if not is_right)
    # A limit of CPU is not asked for: it delays a scrape on a node that has time to spare.
    resources = container.get("resources", {})
    for where, what in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if what not in resources.get(where, {}):
            yield f"resources.{where}.{what}: is not set"
    for port in container.get("ports", ()):
        if "hostPort" in port:
            yield f"ports: {port['hostPort']} is the node's"


def image_faults(told: Object) -> Iterator[str]:
    """Yield images that may be another one tomorrow."""
    for container in containers_of(pod_of(told)["spec"]):
        image = container["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in {"", "latest"}:
            yield f"{container['name']}: {image} names no version"


def rbac_faults(told: Object, allowed: Exceptions = NONE) -> Iterator[str]:
    """Yield what a role or a binding gives that it may not."""
    name = told["metadata"]["name"]
    if told["kind"] == "ClusterRoleBinding" and name not in allowed.all_namespaces:
        yield "gives its role in all namespaces"
    if "aggregationRule" in told:
        yield "takes in what other roles have"
    for rule in told.get("rules", ()):
        for part in ("apiGroups", "resources", "verbs", "nonResourceURLs", "resourceNames"):
            if any("*" in each for each in rule.get(part, ())):
                yield f"{part}: has a wildcard"
        for resource in rule.get("resources", ()):
            if resource.partition("/")[0] == "secrets":
                yield "resources: has secrets"
            granted = allowed.writers.get(name, frozenset())
            for verb in sorted(set(rule["verbs"]) - _READ - {"*"}):
                if (verb, resource) not in granted:
                    yield f"verbs: {verb} changes {resource}"

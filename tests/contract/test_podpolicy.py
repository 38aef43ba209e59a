"""The policy for pods, RBAC and references finds what is wrong: a bad object for each rule."""

from typing import Any

import pytest

from tests.kinds import Object
from tests.podpolicy import Exceptions, image_faults, pod_faults, rbac_faults
from tests.references import Elsewhere, faults
from tests.structural import changed

CONTAINER = {
    "name": "pd-exporter",
    "image": "registry.example.com:5000/pd-exporter:0.1.0",
    "envFrom": [{"configMapRef": {"name": "service"}}],
    "ports": [{"name": "metrics", "containerPort": 7339}],
    "readinessProbe": {"httpGet": {"path": "/-/ready", "port": "metrics"}},
    "resources": {"requests": {"cpu": "50m", "memory": "1Mi"}, "limits": {"memory": "1Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
    "volumeMounts": [{"name": "config", "mountPath": "/etc/pd-exporter", "readOnly": True}],
}
POD = {
    "serviceAccountName": "pd-exporter",
    "automountServiceAccountToken": True,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
    "volumes": [{"name": "config", "configMap": {"name": "config"}}],
}
LABELS = {"app": "pd-exporter"}


def made(version: str, kind: str, name: str = "pd-exporter", **content: Any) -> Object:
    metadata = {"name": name, "namespace": "pd-exporter"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


DEPLOYMENT = made(
    "apps/v1",
    "Deployment",
    spec={
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": POD},
    },
)
ROLE = made(
    "rbac.authorization.k8s.io/v1",
    "Role",
    rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}],
)
MONITOR = {"selector": {"matchLabels": LABELS}, "podMetricsEndpoints": [{"port": "metrics"}]}
WHOLE = (
    DEPLOYMENT,
    ROLE,
    made("v1", "ServiceAccount"),
    made("v1", "ConfigMap", "service", data={"NATS_URL": "nats://nats:4222"}),
    made("v1", "ConfigMap", "config", data={"pd-exporter.yaml": "servers: [!env NATS_URL]"}),
    made(
        "v1", "Service", spec={"selector": LABELS, "ports": [{"port": 1, "targetPort": "metrics"}]}
    ),
    made("policy/v1", "PodDisruptionBudget", spec={"selector": {"matchLabels": LABELS}}),
    made(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": LABELS},
            "ingress": [{"ports": [{"port": "metrics"}]}],
        },
    ),
    made("monitoring.coreos.com/v1", "PodMonitor", spec=MONITOR),
    made(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        roleRef={"kind": "Role", "name": "pd-exporter"},
        subjects=[{"kind": "ServiceAccount", "name": "pd-exporter", "namespace": "pd-exporter"}],
    ),
    made("keda.sh/v1alpha1", "TriggerAuthentication", "prometheus", spec={}),
    made(
        "keda.sh/v1alpha1",
        "ScaledObject",
        spec={
            "scaleTargetRef": {
                "apiVersion": "workloads.x-k8s.io/v1alpha2",
                "kind": "RoleBasedGroupScalingAdapter",
                "name": "dynamo-pd-prefill",
            },
            "triggers": [{"authenticationRef": {"name": "prometheus"}}],
        },
    ),
)


def test_a_good_deployment_passes() -> None:
    assert list(pod_faults(DEPLOYMENT)) == []
    assert list(image_faults(DEPLOYMENT)) == []
    assert list(rbac_faults(ROLE)) == []
    assert list(faults(WHOLE)) == []


HOST = {"name": "config", "hostPath": {"path": "/var/lib/kubelet/pod-resources"}}


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("hostPID", True, "hostPID: is the node's"),
        ("hostNetwork", True, "hostNetwork: is the node's"),
        ("hostIPC", True, "hostIPC: is the node's"),
        ("automountServiceAccountToken", None, "automountServiceAccountToken: is not said"),
        ("serviceAccountName", None, "serviceAccountName: is everybody's"),
        ("volumes/0", HOST, "/var/lib/kubelet/pod-resources is the node's"),
        ("volumes/0", {"name": "config", "nfs": {}}, "nfs is not for a restricted pod"),
        ("securityContext/sysctls", [{}], "sysctls: are set"),
        ("securityContext/runAsNonRoot", None, "runAsNonRoot: is not true"),
        ("securityContext/runAsUser", 0, "runAsUser: is root"),
        ("securityContext/seccompProfile/type", "Unconfined", "is not RuntimeDefault"),
        ("securityContext/seLinuxOptions", {"user": "a"}, "seLinuxOptions: are set"),
        ("securityContext/appArmorProfile", {"type": "Unconfined"}, "appArmorProfile: is not"),
        ("containers/0/securityContext", {}, "allowPrivilegeEscalation: is not false"),
        ("containers/0/securityContext/runAsNonRoot", False, "runAsNonRoot: is not true"),
        ("containers/0/securityContext/privileged", True, "privileged: is true"),
        ("containers/0/securityContext/procMount", "Unmasked", "procMount: is not Default"),
        ("containers/0/securityContext/readOnlyRootFilesystem", False, "is not true"),
        ("containers/0/securityContext/capabilities/drop", ["NET_RAW"], "drop: is not ALL"),
        ("containers/0/securityContext/capabilities/add", ["SYS_ADMIN"], "add: is not empty"),
        ("containers/0/resources/requests/cpu", None, "resources.requests.cpu: is not set"),
        ("containers/0/resources/limits", None, "resources.limits.memory: is not set"),
        ("containers/0/ports/0/hostPort", 7339, "7339 is the node's"),
        ("initContainers", [{"name": "first"}], "first: readOnlyRootFilesystem"),
    ],
)
def test_a_pod_that_may_do_more_is_found(path: str, value: Any, fault: str) -> None:
    told = changed(DEPLOYMENT, f"spec/template/spec/{path}", value)

    assert any(fault in each for each in pod_faults(told))


def test_an_exception_is_one_object_s_own() -> None:
    allowed = Exceptions(
        root=frozenset({"Deployment/pd-exporter"}),
        host_paths={"Deployment/pd-exporter": frozenset({HOST["hostPath"]["path"]})},  # type: ignore[index]
    )
    told = changed(DEPLOYMENT, "spec/template/spec/securityContext/runAsNonRoot", None)
    told = changed(told, "spec/template/spec/volumes/0", HOST)
    writes = changed(told, "spec/template/spec/containers/0/volumeMounts/0/readOnly", None)

    assert list(pod_faults(told, allowed)) == []
    assert list(pod_faults(writes, allowed)) == ["volumes.config: pd-exporter may write there"]
    assert len(list(pod_faults(changed(told, "metadata/name", "other"), allowed))) == 2


@pytest.mark.parametrize("image", ["pd-exporter", "registry:5000/a", "a:latest"])
def test_an_image_of_no_version_is_found(image: str) -> None:
    told = changed(DEPLOYMENT, "spec/template/spec/containers/0/image", image)

    assert list(image_faults(told)) == [f"pd-exporter: {image} names no version"]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("kind", "ClusterRoleBinding", "gives its role in all namespaces"),
        ("aggregationRule", {}, "takes in what other roles have"),
        ("rules/0/verbs", ["*"], "verbs: has a wildcard"),
        ("rules/0/resources", ["*/scale"], "resources: has a wildcard"),
        ("rules/0/apiGroups", ["*"], "apiGroups: has a wildcard"),
        ("rules/0/resources", ["secrets"], "resources: has secrets"),
        ("rules/0/verbs", ["list", "patch"], "verbs: patch changes pods"),
    ],
)
def test_a_role_that_gives_more_is_found(path: str, value: Any, fault: str) -> None:
    assert fault in list(rbac_faults(changed(ROLE, path, value)))


def test_who_may_write_is_named() -> None:
    told = changed(ROLE, "rules/0/verbs", ["delete", "patch"])
    allowed = Exceptions(writers={"pd-exporter": frozenset({("delete", "pods")})})

    assert list(rbac_faults(told, allowed)) == ["verbs: patch changes pods"]


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("0/metadata/namespace", None, "a namespace"),
        ("0/spec/selector/matchLabels", {"app": "b"}, "a pod for the selector {'app': 'b'}"),
        ("0/spec/template/spec/serviceAccountName", "b", "ServiceAccount b"),
        ("0/spec/template/spec/volumes/0/configMap/name", "b", "ConfigMap b"),
        (
            "0/spec/template/spec/volumes/0",
            {"name": "config", "secret": {"secretName": "b"}},
            "Secret b",
        ),
        ("0/spec/template/spec/volumes/0/name", "b", "volume config"),
        ("0/spec/template/spec/containers/0/envFrom/0/configMapRef/name", "b", "ConfigMap b"),
        ("0/spec/template/spec/containers/0/envFrom", None, "variable NATS_URL"),
        ("0/spec/template/spec/containers/0/ports", None, "port metrics"),
        ("3/data/NATS_URL", None, "variable NATS_URL"),
        ("5/spec/selector/app", "b", "a pod for the selector {'app': 'b'}"),
        ("5/spec/ports/0/targetPort", "http", "port http"),
        ("6/spec/selector/matchLabels/app", "b", "a pod for the selector {'app': 'b'}"),
        ("7/spec/ingress/0/ports/0/port", "http", "port http"),
        ("7/spec/podSelector", {}, "a pod for the selector {}"),
        ("8/spec/podMetricsEndpoints/0/port", "http", "port http"),
        ("8/metadata/namespace", "b", "a pod for the selector {'app': 'pd-exporter'}"),
        ("9/roleRef/name", "b", "Role b"),
        ("9/roleRef/kind", "ClusterRole", "ClusterRole pd-exporter"),
        ("9/subjects/0/namespace", "b", "ServiceAccount b/pd-exporter"),
        ("10/spec/secretTargetRef", [{"name": "b"}], "Secret b"),
        ("11/spec/scaleTargetRef/kind", "RoleBasedGroup", "a scale subresource of"),
        ("11/spec/triggers/0/authenticationRef/name", "b", "TriggerAuthentication b"),
    ],
)
def test_what_is_named_and_not_there_is_found(path: str, value: Any, fault: str) -> None:
    told = changed(list(WHOLE), path, value)

    assert any(fault in each for each in faults(tuple(told)))


def test_what_others_make_may_be_named() -> None:
    told = changed(list(WHOLE), "10/spec/secretTargetRef", [{"name": "b"}])

    assert list(faults(tuple(told), Elsewhere(secrets=frozenset({"b"})))) == []

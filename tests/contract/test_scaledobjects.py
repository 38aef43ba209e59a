"""What KEDA would not take of a ScaledObject is found: a bad one for each rule, and a good one."""

from typing import Any

import pytest

from tests import structural
from tests.kinds import KEDA_VERSIONS, KEDA_WITH_FALLBACK_BEHAVIOR, Object, problems
from tests.scaledobjects import authentication_faults, collisions, faults

RULES = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}
PROMETHEUS = {
    "type": "prometheus",
    "name": "lag",
    "metricType": "AverageValue",
    "metadata": {
        "serverAddress": "http://prometheus:9090",
        "query": "vector(1)",
        "threshold": "5",
        "ignoreNullValues": "false",
        "authModes": "basic",
    },
    "authenticationRef": {"name": "prometheus"},
}
NATS = {
    "type": "nats-jetstream",
    "metadata": {
        "account": "$G",
        "stream": "dynamo_prefill_queue",
        "consumer": "worker-group",
        "lagThreshold": "5",
        "natsServerMonitoringEndpoint": "nats:8222",
    },
}
GOOD = {
    "apiVersion": "keda.sh/v1alpha1",
    "kind": "ScaledObject",
    "metadata": {"name": "prefill", "namespace": "default"},
    "spec": {
        "scaleTargetRef": {
            "apiVersion": "workloads.x-k8s.io/v1alpha2",
            "kind": "RoleBasedGroupScalingAdapter",
            "name": "dynamo-pd-prefill",
        },
        "minReplicaCount": 1,
        "maxReplicaCount": 6,
        "fallback": {"failureThreshold": 8, "replicas": 2},
        "advanced": {
            "horizontalPodAutoscalerConfig": {"behavior": {"scaleUp": RULES, "scaleDown": RULES}}
        },
        "triggers": [PROMETHEUS, NATS],
    },
}
WITH_BEHAVIOR = {"failureThreshold": 8, "replicas": 2, "behavior": "currentReplicasIfHigher"}


def changed(path: str, value: Any = None) -> Object:
    """The good ScaledObject with another value at a path; None takes it away."""
    told: Object = structural.changed(GOOD, path, value)
    return told


@pytest.mark.parametrize("keda", KEDA_VERSIONS)
def test_a_good_scaledobject_passes(keda: str) -> None:
    assert problems(GOOD, keda) == []
    assert list(faults(GOOD, keda)) == []


@pytest.mark.parametrize("keda", KEDA_VERSIONS)
def test_an_old_keda_would_drop_the_behavior_of_a_fallback(keda: str) -> None:
    told = problems(changed("spec/fallback", WITH_BEHAVIOR), keda)

    dropped = ["ScaledObject.spec.fallback.behavior: there is no such field"]
    assert told == ([] if keda in KEDA_WITH_FALLBACK_BEHAVIOR else dropped)


BEHAVIOR = "spec/advanced/horizontalPodAutoscalerConfig/behavior"


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("spec/minReplicas", 1, "spec.minReplicas: there is no such field"),
        ("spec/triggers", None, "spec.triggers: is required"),
        ("spec/triggers", [], "has 0 items"),
        ("spec/maxReplicaCount", "6", "'6' is no integer"),
        ("spec/maxReplicaCount", True, "True is no integer"),
        ("spec/maxReplicaCount", 2**31, "does not fit in int32"),
        ("spec/pollingInterval", 0, "0 is out of bounds"),
        ("spec/minReplicaCount", 7, "must be less than or equal to maxReplicaCount"),
        ("spec/fallback/behavior", "hold", "'hold' is none of"),
        ("spec/triggers/0/metadata/threshold", 5, "5 is no string"),
        ("spec/scaleTargetRef/name", None, "scaleTargetRef.name: is required"),
        (f"{BEHAVIOR}/scaleUp/selectPolice", "Max", "there is no such field"),
        ("metadata/label", {}, "label"),
        ("apiVersion", "keda.sh/v1beta1", "has no version v1beta1"),
        ("kind", "ScaledObjects", "Couldn't find schema for kind ScaledObjects"),
    ],
)
def test_a_definition_is_held_to(path: str, value: Any, fault: str) -> None:
    assert any(fault in each for each in problems(changed(path, value)))


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("metadata/name", "p" * 55, "is longer than a label may be"),
        ("spec/minReplicaCount", 7, "minReplicaCount: 7 is more than maxReplicaCount, 6"),
        ("spec/maxReplicaCount", 0, "maxReplicaCount: is less than 1"),
        ("spec/idleReplicaCount", 1, "idleReplicaCount: is not less than"),
        ("spec/fallback/replicas", -1, "fallback: has a negative number"),
        ("spec/triggers", [{"type": "cpu"}], "no trigger is one that can fall back"),
        ("spec/triggers", [PROMETHEUS | {"metricType": "Value"}], "that can fall back"),
        ("spec/triggers", [PROMETHEUS, PROMETHEUS], "lag is there more than once"),
        ("spec/triggers", [], "triggers: there are none"),
        ("spec/triggers/0", {"type": "kafka"}, "kafka is not described here"),
        ("spec/triggers/0", {"type": "cpu", "useCachedMetrics": True}, "useCachedMetrics"),
        ("spec/triggers/0/metricType", "Utilization", "Utilization is not for prometheus"),
        ("spec/triggers/0/metadata/metricName", "lag", "has no such parameter"),
        ("spec/triggers/0/metadata/query", None, "query: is required"),
        ("spec/triggers/0/metadata/threshold", "0", "'0' is no number above 0"),
        ("spec/triggers/0/metadata/threshold", "five", "'five' is no number"),
        ("spec/triggers/0/metadata/threshold", "0.0004", "is no number above 0"),
        ("spec/triggers/0/metadata/ignoreNullValues", "no", "neither true nor false"),
        ("spec/triggers/0/metadata/authModes", "basic,bearer", "do not exist, or not together"),
        ("spec/triggers/0/metadata/authModes", "token", "do not exist, or not together"),
        ("spec/triggers/1/metadata/account", None, "metadata.account: is required"),
        ("spec/triggers/1/metadata/stream", None, "metadata.stream: is required"),
        ("spec/triggers/1/metadata/lagThreshold", "-5", "is no number above 0"),
        (f"{BEHAVIOR}/scaleUp", None, "behavior.scaleUp.policies: is left out"),
        (f"{BEHAVIOR}/scaleDown/selectPolicy", None, "scaleDown.selectPolicy: is left out"),
        (f"{BEHAVIOR}/scaleDown/selectPolicy", "max", "is none of Max, Min, Disabled"),
        (f"{BEHAVIOR}/scaleDown/stabilizationWindowSeconds", 3601, "is not 0 to 3600"),
        (f"{BEHAVIOR}/scaleDown/policies", [], "policies: there are none"),
        (f"{BEHAVIOR}/scaleDown/policies/0/periodSeconds", 1801, "is out of bounds"),
        (f"{BEHAVIOR}/scaleDown/policies/0/type", "Pod", "neither of Pods nor of Percent"),
    ],
)
def test_what_keda_and_the_api_server_refuse_is_found(path: str, value: Any, fault: str) -> None:
    assert any(fault in each for each in faults(changed(path, value)))


def test_a_parameter_that_an_old_keda_does_not_have_is_found() -> None:
    told = changed("spec/triggers/0/metadata/queryParameters", "a=b")

    assert list(faults(told, "2.10.1")) == [
        "triggers[0].metadata.queryParameters: KEDA 2.10.1 has no such parameter"
    ]
    assert list(faults(told)) == []


def test_two_scaledobjects_of_one_target_or_hpa_are_found() -> None:
    other = changed("metadata/name", "other")
    same_hpa = changed("spec/scaleTargetRef/name", "dynamo-pd-decode")

    assert "dynamo-pd-prefill: 2 ScaledObjects" in next(collisions([GOOD, other]))
    assert "keda-hpa-prefill: 2 ScaledObjects" in next(collisions([GOOD, same_hpa]))


def test_a_parameter_of_authentication_that_no_trigger_has_is_found() -> None:
    told = {"spec": {"secretTargetRef": [{"parameter": "user", "name": "a", "key": "b"}]}}

    assert list(authentication_faults(told)) == [
        "secretTargetRef: no trigger has the parameter user"
    ]

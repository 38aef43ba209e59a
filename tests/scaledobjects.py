"""Whether KEDA and the API server take a ScaledObject: what no schema says.

Sources, of KEDA 2.21.0: apis/keda/v1alpha1/scaledobject_webhook.go, scaledobject_types.go
CheckReplicaCountBoundsAreValid and CheckFallbackValid, scaletriggers_types.go ValidateTriggers.
Where no webhook runs, or it is an older one, KEDA takes such objects and then does not scale.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tests.kinds import NEWEST_KEDA, SCHEMAS, Object

_LABEL_VALUE = 63
_HPA_PREFIX = "keda-hpa-"
# The HPA controller reads these itself, so there is nothing that KEDA could fall back from.
_WITHOUT_FALLBACK = {"cpu", "memory"}
_WITHOUT_CACHE = {"cpu", "memory", "cron"}
_BEHAVIOR = {"stabilizationWindowSeconds", "selectPolicy", "policies"}
_LONGEST_WINDOW = 3600
_LONGEST_PERIOD = 1800
# KEDA hands a threshold to the HPA with three decimals.
_LEAST_THRESHOLD = 0.001
_THRESHOLDS = {"prometheus": "threshold", "nats-jetstream": "lagThreshold"}
_BOOLEANS = {"ignoreNullValues", "unsafeSsl", "useHttps"}
_AUTHENTICATIONS = {"apiKey", "basic", "tls", "bearer", "custom", "oauth"}
_EXCLUSIVE = {"bearer", "basic", "oauth"}


@dataclass(frozen=True)
class Trigger:
    """What a trigger's metadata may and has to hold, and what authentication may bring instead."""

    known: frozenset[str]
    required: frozenset[str]
    by_authentication: frozenset[str]


def hpa_name(told: Object) -> str:
    """Name of the HPA that KEDA makes of a ScaledObject."""
    advanced = told["spec"].get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
    return str(advanced.get("name") or _HPA_PREFIX + told["metadata"]["name"])


def faults(told: Object, keda: str = NEWEST_KEDA) -> Iterator[str]:
    """Yield why a version of KEDA, its webhook or the API server would not take a ScaledObject."""
    spec = told["spec"]
    if max(len(told["metadata"]["name"]), len(hpa_name(told))) > _LABEL_VALUE:
        yield f"metadata.name: {hpa_name(told)} is longer than a label may be, {_LABEL_VALUE}"
    yield from _replica_faults(spec)
    names = Counter(each["name"] for each in spec["triggers"] if each.get("name"))
    for name in (name for name, count in names.items() if count > 1):
        yield f"triggers: {name} is there more than once"
    if not spec["triggers"]:
        yield "triggers: there are none"
    averages = [each for each in spec["triggers"] if _can_fall_back(each)]
    if "fallback" in spec and not averages:
        yield "fallback: no trigger is one that can fall back, of metric type AverageValue"
    behavior = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {}).get("behavior")
    if behavior is not None:
        yield from _behavior_faults(behavior)
    for index, trigger in enumerate(spec["triggers"]):
        yield from (f"triggers[{index}].{each}" for each in _trigger_faults(trigger, keda))


def collisions(told: Iterable[Object]) -> Iterator[str]:
    """Yield what several ScaledObjects have of which there may be one: a target, an HPA's name."""
    seen: Counter[str] = Counter()
    for each in told:
        target = each["spec"]["scaleTargetRef"]
        place = each["metadata"]["namespace"]
        # The version does not matter: both name one object.
        group = target.get("apiVersion", "apps/v1").rpartition("/")[0]
        seen[f"target {place} {group} {target.get('kind', 'Deployment')} {target['name']}"] += 1
        seen[f"HPA {place} {hpa_name(each)}"] += 1
    yield from (f"{what}: {count} ScaledObjects" for what, count in seen.items() if count > 1)


def _replica_faults(spec: Object) -> Iterator[str]:
    least, most = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
    if least > most:
        yield f"minReplicaCount: {least} is more than maxReplicaCount, {most}"
    if most < 1:
        yield "maxReplicaCount: is less than 1"
    if "idleReplicaCount" in spec and spec["idleReplicaCount"] >= max(least, 1):
        yield "idleReplicaCount: is not less than minReplicaCount"
    fallback = spec.get("fallback", {})
    if min(fallback.get("failureThreshold", 0), fallback.get("replicas", 0)) < 0:
        yield "fallback: has a negative number"


def _can_fall_back(trigger: Object) -> bool:
    # Until 2.17 only with AverageValue; later with Value too, but only while pods are ready.
    average = trigger.get("metricType", "AverageValue") == "AverageValue"
    return trigger["type"] not in _WITHOUT_FALLBACK and average


def _behavior_faults(behavior: Object) -> Iterator[str]:
    """What is left out the API server fills in, and KEDA takes for a difference for ever."""
    for name in ("scaleUp", "scaleDown"):
        rules = behavior.get(name, {})
        for missing in sorted(_BEHAVIOR - rules.keys()):
            yield f"behavior.{name}.{missing}: is left out"
        if not 0 <= rules.get("stabilizationWindowSeconds", 0) <= _LONGEST_WINDOW:
            yield f"behavior.{name}.stabilizationWindowSeconds: is not 0 to {_LONGEST_WINDOW}"
        if rules.get("selectPolicy", "Max") not in {"Max", "Min", "Disabled"}:
            yield f"behavior.{name}.selectPolicy: is none of Max, Min, Disabled"
        if "policies" in rules and not rules["policies"]:
            yield f"behavior.{name}.policies: there are none"
        for policy in rules.get("policies", ()):
            period = policy["periodSeconds"]
            if policy["value"] < 1 or not 1 <= period <= _LONGEST_PERIOD:
                yield f"behavior.{name}.policies: {policy} is out of bounds"
            if policy["type"] not in {"Pods", "Percent"}:
                yield f"behavior.{name}.policies: {policy} is neither of Pods nor of Percent"


def _trigger_faults(trigger: Object, keda: str) -> Iterator[str]:
    kind = trigger["type"]
    metadata: dict[str, str] = trigger.get("metadata", {})
    if trigger.get("useCachedMetrics") and kind in _WITHOUT_CACHE:
        yield f"useCachedMetrics: is not for {kind}"
    if trigger.get("metricType", "AverageValue") not in {"AverageValue", "Value"}:
        yield f"metricType: {trigger['metricType']} is not for {kind}"
    if kind not in _triggers(keda):
        yield f"type: {kind} is not described here"
        return
    takes = _triggers(keda)[kind]
    for name in sorted(metadata.keys() - takes.known):
        yield f"metadata.{name}: KEDA {keda} has no such parameter"
    given = metadata.keys() | (takes.by_authentication if "authenticationRef" in trigger else set())
    for name in sorted(takes.required - given):
        yield f"metadata.{name}: is required"
    if kind == "nats-jetstream" and not {"account", "accountID"} & given:
        yield "metadata.account: is required"
    yield from (f"metadata.{each}" for each in _value_faults(kind, metadata))


def _value_faults(kind: str, metadata: dict[str, str]) -> Iterator[str]:
    for name in sorted(_BOOLEANS & metadata.keys()):
        if metadata[name] not in {"true", "false"}:
            yield f"{name}: {metadata[name]!r} is neither true nor false"
    threshold = metadata.get(_THRESHOLDS[kind])
    if threshold is not None and not _positive(threshold):
        yield f"{_THRESHOLDS[kind]}: {threshold!r} is no number above 0"
    modes = [mode.strip() for mode in metadata.get("authModes", "").split(",") if mode]
    if set(modes) - _AUTHENTICATIONS or len(_EXCLUSIVE.intersection(modes)) > 1:
        yield f"authModes: {modes} do not exist, or not together"


def _positive(text: str) -> bool:
    try:
        number = float(text)
    except ValueError:
        return False
    return _LEAST_THRESHOLD <= number < math.inf


def authentication_faults(told: Object) -> Iterator[str]:
    """Yield what a TriggerAuthentication gives that no trigger described here takes."""
    known = _authentication_parameters()
    for source in ("secretTargetRef", "configMapTargetRef", "env"):
        for each in told["spec"].get(source, ()):
            if each["parameter"] not in known:
                yield f"{source}: no trigger has the parameter {each['parameter']}"


@cache
def _authentication_parameters() -> frozenset[str]:
    # Older versions have less; all have what the shipped manifests use.
    return frozenset(
        each["name"]
        for parameters in _published(NEWEST_KEDA).values()
        for each in parameters
        if each.get("triggerAuthenticationVariableReadable")
    )


@cache
def _published(keda: str) -> dict[str, list[dict[str, Any]]]:
    file = SCHEMAS / f"keda-{keda}" / "triggers.json"
    told: dict[str, list[dict[str, Any]]] = (
        json.loads(file.read_text())["triggers"] if file.exists() else {}
    )
    return told


@cache
def _triggers(keda: str) -> dict[str, Trigger]:
    read = yaml.safe_load((SCHEMAS / "triggers.yaml").read_text()).get(keda, {})
    published = _published(keda)
    made = {}
    for kind in read.keys() | published.keys():
        known, required, elsewhere = set(), set(), set()
        for each in published.get(kind, ()):
            if each.get("metadataVariableReadable"):
                known.add(each["name"])
            if each.get("triggerAuthenticationVariableReadable"):
                elsewhere.add(each["name"])
            if not each.get("optional") and "default" not in each:
                required.add(each["name"])
        by_hand = read.get(kind, {"required": [], "metadata": []})
        required |= set(by_hand["required"])
        known |= set(by_hand["metadata"]) | required
        elsewhere |= set(by_hand.get("authentication", ()))
        made[kind] = Trigger(frozenset(known), frozenset(required), frozenset(elsewhere))
    return made

"""ScaledObjects as they are shipped, and their queries as KEDA sends and the HPA takes them.

Facts: KEDA v2.20.2, pkg/scalers/prometheus_scaler.go.
"""

import json
import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from pd_exporter.autoscaler.hpa import (
    Behavior,
    ExternalMetric,
    HorizontalPodAutoscaler,
    PolicyType,
    Scale,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
    Spec,
    TargetType,
)
from pd_exporter.autoscaler.keda import QueryError, parse_prometheus, quantity_milli
from tests.keda_queries_store import Store
from tests.kinds import Object
from tests.manifests import COMPONENTS, OVERLAYS, of_kind, render_whole, render_with, used_by

Identity = tuple[str, str]
"""Namespace and group of a service."""

_SERVICE = re.compile(r'namespace="([^"]*)",group="([^"]*)"')
_SYNC_SECONDS = 15


@dataclass(frozen=True)
class Asked:
    """A ScaledObject with one trigger.

    Attributes:
        place: The overlay or component that it is of.
        object: It.
        late: Whether it is for recorded series that come late.
    """

    place: str
    object: Object
    late: bool

    def __str__(self) -> str:
        return f"{self.place}-{self.object['metadata']['labels']['pd-exporter/role']}"

    @property
    def trigger(self) -> Object:
        (only,) = self.object["spec"]["triggers"]
        told: Object = only
        return told

    @property
    def query(self) -> str:
        return str(self.trigger["metadata"]["query"])

    @property
    def signal(self) -> str:
        """What it scales by, and by whom that is told where it is recorded."""
        signal: str = self.object["metadata"]["labels"]["pd-exporter/signal"]
        source = re.search(r'source="(\w+)"', self.query)
        return f"{signal} {source[1]}" if source else signal

    @property
    def service(self) -> Identity:
        """Namespace and group of the service that it is for."""
        found = _SERVICE.search(self.query)
        assert found, self.query
        return found[1], found[2]

    def request(self, seconds: int, of: Identity | None = None) -> str:
        """The target of KEDA's request, as it stands in the request line.

        Args:
            seconds: Since 1970, by KEDA's clock.
            of: Another service to ask of, as an overlay with other names in it would.
        """
        query = _SERVICE.sub('namespace="{}",group="{}"'.format(*of or self.service), self.query)
        # Go's url.QueryEscape leaves letters, digits and -_.~ as they are, and so does quote_plus.
        escaped = urllib.parse.quote_plus(query)
        time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        address = self.trigger["metadata"]["serverAddress"]
        url = urllib.parse.urlsplit(f"{address}/api/v1/query?query={escaped}&time={time}")
        return f"{url.path}?{url.query}"

    def ask(self, store: Store, seconds: int, of: Identity | None = None) -> tuple[int, bytes]:
        """What the server answers, which stands where serverAddress names it."""
        path = urllib.parse.urlsplit(self.trigger["metadata"]["serverAddress"]).path
        return store.get(self.request(seconds, of).removeprefix(path))

    def value(self, store: Store, seconds: int, of: Identity | None = None) -> float:
        """What KEDA takes of the answer.

        Raises:
            QueryError: KEDA reports an error.
        """
        return self.read(self.ask(store, seconds, of))

    def read(self, answer: tuple[int, bytes]) -> float:
        """The same of an answer."""
        ignore = self.trigger["metadata"].get("ignoreNullValues", "true") == "true"
        return parse_prometheus(*answer, ignore_null_values=ignore)

    def finds_nothing(self, store: Store, seconds: int, of: Identity | None = None) -> bool:
        """Whether the answer is empty, which is an error to KEDA; no answer else may be one."""
        if json.loads(self.ask(store, seconds, of)[1])["data"]["result"]:
            self.value(store, seconds, of)
            return False
        with pytest.raises(QueryError, match=r"result is empty.*target may be lost"):
            self.value(store, seconds, of)
        return True

    def climb(self, value: float, seconds: int) -> list[int]:
        """The counts to which the HPA changes 1 replica one after the other, on a lasting value."""
        hpa, replicas = HorizontalPodAutoscaler(self._hpa()), [1]
        for time in range(0, seconds, _SYNC_SECONDS):
            scale = Scale(replicas[-1], replicas[-1])
            decided = hpa.sync(time, scale, [quantity_milli(value)]).replicas
            if decided != replicas[-1]:
                replicas.append(decided)
        return replicas[1:]

    def _hpa(self) -> Spec:
        spec, trigger = self.object["spec"], self.trigger
        threshold = quantity_milli(float(trigger["metadata"]["threshold"]))
        advanced = spec.get("advanced", {}).get("horizontalPodAutoscalerConfig", {})
        told = advanced.get("behavior")
        return Spec(
            (ExternalMetric(threshold, TargetType(trigger["metricType"])),),
            spec["minReplicaCount"],
            spec["maxReplicaCount"],
            Behavior(_rules(told["scaleUp"]), _rules(told["scaleDown"])) if told else None,
        )


def shipped() -> Iterator[Asked]:
    """Those of overlays, with what is one line away, and of components that none of them has."""
    taken = set()
    for overlay in OVERLAYS:
        components = used_by(overlay)
        taken |= components
        late = any(each.name == "late-rules" for each in components)
        yield from (Asked(overlay.name, each, late) for each in _objects(render_whole(overlay)))
    for component in (each for each in COMPONENTS if each not in taken):
        late = component.name == "prefill-required-scraped"
        found = _objects(render_with(component))
        yield from (Asked(component.name, each, late) for each in found)


def _objects(rendered: tuple[Object, ...]) -> Iterator[Object]:
    return of_kind(rendered, "ScaledObject")


def _rules(told: dict[str, Any]) -> ScalingRules:
    return ScalingRules(
        told["stabilizationWindowSeconds"],
        SelectPolicy(told["selectPolicy"]),
        tuple(
            ScalingPolicy(PolicyType(each["type"]), each["value"], each["periodSeconds"])
            for each in told["policies"]
        ),
    )

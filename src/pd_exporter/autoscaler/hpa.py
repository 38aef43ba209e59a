"""What a HorizontalPodAutoscaler decides from external metrics, sync by sync, without a cluster.

The arithmetic is that of the kube-controller-manager, to the last rounding, for the metrics KEDA
serves: no CPU, no memory. The feature gate HPAConfigurableTolerance is on (as since 1.35) and
HPAScaleToZero off.

Facts: Kubernetes v1.36, pkg/controller/podautoscaler/{horizontal.go,replica_calculator.go}.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from pd_exporter.autoscaler.behavior import (
    Behavior,
    PolicyType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from pd_exporter.autoscaler.limits import BehaviorLimits, LegacyLimits, Reason
from pd_exporter.autoscaler.pace import SECOND

__all__ = [
    "Behavior",
    "Decision",
    "ExternalMetric",
    "HorizontalPodAutoscaler",
    "PolicyType",
    "Reason",
    "Scale",
    "ScalingPolicy",
    "ScalingRules",
    "SelectPolicy",
    "Spec",
    "TargetType",
    "Tolerances",
    "proposal",
]

MAX_REPLICAS = 2**31 - 1
"""The greatest count the HPA can express (int32)."""


class TargetType(StrEnum):
    """What a target is for, each replica or the whole; the values are those of the HPA's API."""

    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"


@dataclass(frozen=True, slots=True)
class ExternalMetric:
    """One external metric of an HPA, its target in thousandths.

    Raises:
        ValueError: The target is not positive, which the API server rejects too.
    """

    target_milli: int
    type: TargetType = TargetType.AVERAGE_VALUE

    def __post_init__(self) -> None:
        if self.target_milli <= 0:
            raise ValueError(
                f"The target is {self.target_milli} thousandths. Give a positive threshold."
            )


@dataclass(frozen=True, slots=True)
class Spec:
    """An HPA's spec, and the two flags of the kube-controller-manager that bear on it.

    Attributes:
        metrics: What is measured; the metric that asks for most replicas wins.
        min_replicas: Lower bound, 1 or more; KEDA gives 1 where a ScaledObject says 0.
        max_replicas: Upper bound.
        behavior: Limits of both directions; None has the controller go by its old limiter.
        tolerance: `--horizontal-pod-autoscaler-tolerance`, relative.
        downscale_stabilization_seconds: `--horizontal-pod-autoscaler-downscale-stabilization`.

    Raises:
        ValueError: What the API server rejects: no metric, bounds that are not 1 <= min <= max.
    """

    metrics: tuple[ExternalMetric, ...]
    min_replicas: int = 1
    max_replicas: int = 100
    behavior: Behavior | None = None
    tolerance: float = 0.1
    downscale_stabilization_seconds: float = 300.0

    def __post_init__(self) -> None:
        if not self.metrics:
            raise ValueError("The HPA has no metric. Give it at least one.")
        if not 1 <= self.min_replicas <= self.max_replicas:
            raise ValueError(
                f"The HPA's bounds are {self.min_replicas} and {self.max_replicas}. Give "
                "1 <= min <= max; scaling to zero is KEDA's part, not the HPA's."
            )


class Scale(NamedTuple):
    """The target's /scale subresource: spec.replicas (wanted), status.replicas (reported).

    `ready_pods` are the selector's pods that are Running and Ready, of which only Value metrics
    ask; None is a selector that finds no pod at all, an error, whereas 0 is a count.
    """

    spec: int
    status: int
    ready_pods: int | None = None


class Decision(NamedTuple):
    """What one sync decided.

    Attributes:
        replicas: The count the target is to have.
        reason: The last of what changed the proposal, or why there is none.
        proposal: What the metrics ask for, unstabilized and unlimited; None where they were not
            asked, or where an unknown one forbids to go by them.
        stabilized: The proposal after stabilization, before limits; None as above.
        unknown: How many metrics could not be had.
    """

    replicas: int
    reason: Reason
    proposal: int | None = None
    stabilized: int | None = None
    unknown: int = 0


class Tolerances(NamedTuple):
    """How far below and above its target a metric may lie before anything changes, relative."""

    down: float
    up: float

    def hold(self, ratio: float) -> bool:
        """Say whether nothing changes; both ends of the band belong to it."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


def proposal(
    metric: ExternalMetric, usage_milli: int, scale: Scale, tolerances: Tolerances
) -> int | None:
    """Give the replica count one metric asks for, without regard to any limit.

    Within tolerance AverageValue gives back the count the target *reports* (status.replicas), and
    Value the one that is *wanted* (spec.replicas).

    Args:
        metric: The metric's target.
        usage_milli: The sum of the metric's items, in thousandths; a negative one is taken for an
            overflow, that is for endless, by AverageValue.
        scale: The target's scale.
        tolerances: The band around the target.

    Returns:
        The count; None where Value needs pods and the selector finds none.

    Source: replica_calculator.go, GetExternalPerPodMetricReplicas, GetExternalMetricReplicas and
    getUsageRatioReplicaCount, v1.36.
    """
    average = metric.type is TargetType.AVERAGE_VALUE
    if average and usage_milli < 0:
        return MAX_REPLICAS
    held = scale.status if average else scale.spec
    ratio = usage_milli / metric.target_milli
    # Go's division by no replicas gives Inf or NaN, and neither is within any tolerance.
    if held and tolerances.hold(usage_milli / (metric.target_milli * held) if average else ratio):
        return held
    if not average and held:
        if scale.ready_pods is None:
            return None
        ratio *= scale.ready_pods
    return min(math.ceil(ratio), MAX_REPLICAS)


class HorizontalPodAutoscaler:
    """One HPA object with the controller's memory of it.

    A new object is a controller just started: the count the target has then is the first
    recommendation, so nothing scales down for a whole window.
    """

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._limits, self._tolerances = _limits(spec)
        self._now: int | None = None

    def sync(self, now: float, scale: Scale, values_milli: Sequence[int | None]) -> Decision:
        """Decide once, as the controller does every 15 seconds, and remember it as carried out.

        Args:
            now: Seconds by any clock that never goes back, taken to the nanosecond.
            scale: The target's scale, as read in this sync.
            values_milli: For each metric the sum of its items in thousandths; None where it
                could not be had: an error, or no item.

        Returns:
            The decision, whose `replicas` the target's spec.replicas is then set to.

        Raises:
            ValueError: The clock went back, or there are not as many values as metrics.

        Source: horizontal.go, reconcileAutoscaler, v1.36.
        """
        nanos = round(now * SECOND)
        if self._now is None:
            self._limits.recommend(nanos, scale.spec)
        elif nanos < self._now:
            raise ValueError(f"The clock went back to {now} s. Give one that never does.")
        self._now = nanos
        decision = self._decide(nanos, scale, values_milli)
        if decision.replicas != scale.spec:
            self._limits.rescaled(nanos, decision.replicas - scale.spec)
        return decision

    def _decide(self, now: int, scale: Scale, values_milli: Sequence[int | None]) -> Decision:
        spec, current = self._spec, scale.spec
        if len(values_milli) != len(spec.metrics):
            raise ValueError(
                f"{len(values_milli)} values for {len(spec.metrics)} metrics. Give one for each."
            )
        if current == 0:
            return Decision(0, Reason.SCALING_DISABLED)
        if current > spec.max_replicas:
            return Decision(spec.max_replicas, Reason.ABOVE_MAX)
        if current < spec.min_replicas:
            return Decision(spec.min_replicas, Reason.BELOW_MIN)
        # Counting from 0, as the controller does, a negative proposal (of a Value metric) is none,
        # and so is that of no known metric: fewer than the one replica there is at least.
        wanted, unknown = 0, 0
        for metric, usage in zip(spec.metrics, values_milli, strict=True):
            asked = None if usage is None else proposal(metric, usage, scale, self._tolerances)
            if asked is None:
                unknown += 1
            elif asked > wanted:
                wanted = asked
        if unknown and wanted < current:
            return Decision(current, Reason.NO_METRIC, unknown=unknown)
        replicas, reason, stabilized = self._limits.decide(now, current, wanted)
        return Decision(replicas, reason, wanted, stabilized, unknown)


def _limits(spec: Spec) -> tuple[LegacyLimits | BehaviorLimits, Tolerances]:
    bounds = spec.min_replicas, spec.max_replicas
    window, usual = spec.downscale_stabilization_seconds, spec.tolerance
    if spec.behavior is None:
        return LegacyLimits(*bounds, window), Tolerances(usual, usual)
    up, down = spec.behavior.in_force(window)
    return BehaviorLimits(*bounds, up, down), Tolerances(
        usual if down.tolerance is None else down.tolerance,
        usual if up.tolerance is None else up.tolerance,
    )

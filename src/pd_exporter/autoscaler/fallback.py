"""What KEDA answers when a trigger has failed for a while.

Facts: KEDA v2.20.2, pkg/fallback/fallback.go.
"""

from dataclasses import dataclass
from enum import StrEnum

from pd_exporter.autoscaler.hpa import ExternalMetric, TargetType


class FallbackBehavior(StrEnum):
    """Which replica count a fallback asks for; the values are those of the CRD."""

    STATIC = "static"
    CURRENT_REPLICAS = "currentReplicas"
    CURRENT_REPLICAS_IF_HIGHER = "currentReplicasIfHigher"
    CURRENT_REPLICAS_IF_LOWER = "currentReplicasIfLower"


@dataclass(frozen=True, slots=True)
class Fallback:
    """A ScaledObject's fallback: after more failures than the threshold, so many replicas.

    Raises:
        ValueError: What the CRD rejects: a negative threshold or count.
    """

    failure_threshold: int
    replicas: int
    behavior: FallbackBehavior = FallbackBehavior.STATIC

    def __post_init__(self) -> None:
        if self.failure_threshold < 0 or self.replicas < 0:
            raise ValueError(
                f"The fallback's failureThreshold is {self.failure_threshold} and its replicas "
                f"are {self.replicas}. Give 0 or more."
            )

    def wanted(self, current_replicas: int) -> int:
        """Give the replica count to ask for. Source: fallback.go, doFallback."""
        match self.behavior:
            case FallbackBehavior.CURRENT_REPLICAS:
                return current_replicas
            case FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER:
                return max(current_replicas, self.replicas)
            case FallbackBehavior.CURRENT_REPLICAS_IF_LOWER:
                return min(current_replicas, self.replicas)
            case _:
                return self.replicas


class TriggerHealth:
    """One metric's health record, which the polling loop and the HPA's pulls share.

    Both count: with a poll each 30 s and a sync each 15 s, a lost target has three failures in
    30 s.

    Attributes:
        failures: Consecutive failures; without a fallback none are counted.
        falling_back: Whether the last answer was the fallback's, which counts as active.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.falling_back = False

    def observe(
        self,
        value_milli: int | None,
        *,
        fallback: Fallback | None,
        target: ExternalMetric,
        current_replicas: int,
        ready_pods: int | None = None,
    ) -> int | None:
        """Take in what the scaler gave, from either loop, and give what KEDA passes on.

        Args:
            value_milli: The value in thousandths; None if the scaler failed.
            fallback: The ScaledObject's, if it has one.
            target: The trigger's target.
            current_replicas: The target's spec.replicas.
            ready_pods: Pods that are Running and Ready, of which only a Value target asks.

        Returns:
            Thousandths for the HPA; None where it gets an error: up to the threshold, without
            fallback, and for a Value target while no pod is ready.

        Source: fallback.go, GetMetricsWithFallback and doFallback, v2.20.2.
        """
        self.falling_back = False
        if value_milli is not None:
            if fallback is not None:
                self.failures = 0
            return value_milli
        if fallback is None:
            return None
        self.failures += 1
        if self.failures <= fallback.failure_threshold:
            return None
        replicas = float(fallback.wanted(current_replicas))
        if target.type is TargetType.VALUE:
            if not ready_pods:
                return None
            replicas /= ready_pods
        self.falling_back = True
        # In KEDA's order of floats: a thousandth may be lost, as there.
        return int(target.target_milli * 0.001 * 1000 * replicas)

"""From what an HPA's metrics propose to what it does: stabilization, limits, and their memory.

Facts: Kubernetes v1.36, pkg/controller/podautoscaler/horizontal.go.
"""

from enum import StrEnum
from typing import NamedTuple

from pd_exporter.autoscaler.behavior import ScalingRules
from pd_exporter.autoscaler.pace import SECOND, Peak, Rate, ScaleEvents


class Reason(StrEnum):
    """What decided; the values are the controller's words for it."""

    WITHIN_RANGE = "DesiredWithinRange"
    SCALING_DISABLED = "ScalingDisabled"
    ABOVE_MAX = "Current number of replicas above Spec.MaxReplicas"
    BELOW_MIN = "Current number of replicas below Spec.MinReplicas"
    NO_METRIC = "FailedGetExternalMetric"
    UP_STABILIZED = "ScaleUpStabilized"
    DOWN_STABILIZED = "ScaleDownStabilized"
    UP_LIMIT = "ScaleUpLimit"
    DOWN_LIMIT = "ScaleDownLimit"
    TOO_MANY = "TooManyReplicas"
    TOO_FEW = "TooFewReplicas"


class Limited(NamedTuple):
    """What is left of a proposal: the count to have, what decided it, and the stabilized one."""

    replicas: int
    reason: Reason
    stabilized: int


def legacy_limit(
    replicas: int, wanted: int, min_replicas: int, max_replicas: int
) -> tuple[int, Reason]:
    """Bring a count into the limits of an HPA without behavior, and say which one it met.

    Source: horizontal.go, convertDesiredReplicasWithRules: up to max(2 x current, 4) a sync.
    """
    up_limit = max(2 * replicas, 4)
    if wanted < min_replicas:
        return min_replicas, Reason.TOO_FEW
    if wanted > min(up_limit, max_replicas):
        if max_replicas > up_limit:
            return up_limit, Reason.UP_LIMIT
        return max_replicas, Reason.TOO_MANY
    return wanted, Reason.WITHIN_RANGE


class LegacyLimits:
    """Memory and limits of an HPA without behavior. Source: normalizeDesiredReplicas."""

    def __init__(self, min_replicas: int, max_replicas: int, window_seconds: float) -> None:
        self._bounds = min_replicas, max_replicas
        # Unlike with behavior, a recommendation exactly as old as the window still counts.
        self._high = Peak(round(window_seconds * SECOND) + 1)

    def recommend(self, now: int, replicas: int) -> None:
        """Remember what was proposed."""
        self._high.record(now, replicas)

    def rescaled(self, now: int, change: int) -> None:
        """Keep nothing: no limit asks for past changes."""

    def decide(self, now: int, current: int, proposed: int) -> Limited:
        """Bring a proposal into the limits, and remember it."""
        stabilized = self._high.highest(now, proposed)
        self.recommend(now, proposed)
        replicas, reason = legacy_limit(current, stabilized, *self._bounds)
        if reason is Reason.WITHIN_RANGE and stabilized != proposed:
            reason = Reason.DOWN_STABILIZED
        return Limited(replicas, reason, stabilized)


class BehaviorLimits:
    """Memory and limits of an HPA with behavior, whose rules are given as they are in force.

    Source: normalizeDesiredReplicasWithBehaviors.
    """

    def __init__(
        self, min_replicas: int, max_replicas: int, up: ScalingRules, down: ScalingRules
    ) -> None:
        self._min, self._max = min_replicas, max_replicas
        self._negated_low = Peak((up.stabilization_window_seconds or 0) * SECOND)
        self._high = Peak((down.stabilization_window_seconds or 0) * SECOND)
        self._added, self._removed = ScaleEvents(up), ScaleEvents(down)
        self._up = Rate(up, self._added, self._removed)
        self._down = Rate(down, self._added, self._removed)

    def recommend(self, now: int, replicas: int) -> None:
        """Remember what was proposed."""
        self._negated_low.record(now, -replicas)
        self._high.record(now, replicas)

    def rescaled(self, now: int, change: int) -> None:
        """Remember that replicas were added, or removed."""
        (self._added if change > 0 else self._removed).store(now, abs(change))

    def decide(self, now: int, current: int, proposed: int) -> Limited:
        """Bring a proposal into the limits, and remember it."""
        low = -self._negated_low.highest(now, -proposed)
        high = self._high.highest(now, proposed)
        self.recommend(now, proposed)
        stabilized = min(max(current, low), high)
        replicas, reason = self._limit(now, current, stabilized)
        if reason is Reason.WITHIN_RANGE and stabilized != proposed:
            reason = Reason.UP_STABILIZED if proposed >= current else Reason.DOWN_STABILIZED
        return Limited(replicas, reason, stabilized)

    def _limit(self, now: int, current: int, wanted: int) -> tuple[int, Reason]:
        """Source: horizontal.go, convertDesiredReplicasWithBehaviorRate."""
        if wanted > current:
            limit = max(self._up.highest(current, now), current)
            if wanted > min(limit, self._max):
                if self._max > limit:
                    return limit, Reason.UP_LIMIT
                return self._max, Reason.TOO_MANY
        elif wanted < current:
            limit = min(self._down.lowest(current, now), current)
            if wanted < max(limit, self._min):
                if self._min < limit:
                    return limit, Reason.DOWN_LIMIT
                return self._min, Reason.TOO_FEW
        return wanted, Reason.WITHIN_RANGE

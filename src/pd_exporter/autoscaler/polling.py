"""KEDA's polling loop: from zero replicas to some and back; from one on the HPA decides.

Facts: KEDA v2.20.2, pkg/scaling/executor/scale_scaledobjects.go.
"""

from dataclasses import dataclass
from typing import NamedTuple

from pd_exporter.autoscaler.fallback import Fallback


@dataclass(frozen=True, slots=True)
class Activation:
    """What of a ScaledObject the polling loop goes by; times in seconds, defaults as in the CRD.

    Attributes:
        min_replicas: minReplicaCount.
        idle_replicas: idleReplicaCount, below min_replicas; KEDA's documentation knows only 0.
        cooldown_seconds: cooldownPeriod, since a trigger was last active.
        initial_cooldown_seconds: initialCooldownPeriod, since creation while none ever was.
        fallback: Its fallback, if it has one.
        created: When it was created, by the clock of the polls.

    Raises:
        ValueError: What KEDA's webhook rejects: a negative count, or no fewer replicas when idle.
    """

    min_replicas: int = 0
    idle_replicas: int | None = None
    cooldown_seconds: float = 300.0
    initial_cooldown_seconds: float = 0.0
    fallback: Fallback | None = None
    created: float = 0.0

    def __post_init__(self) -> None:
        if self.min_replicas < 0:
            raise ValueError(f"minReplicaCount is {self.min_replicas}. Give 0 or more.")
        # The webhook compares with the HPA's minimum, which is never below 1.
        if self.idle_replicas is not None and not 0 <= self.idle_replicas < max(
            self.min_replicas, 1
        ):
            raise ValueError(
                f"idleReplicaCount is {self.idle_replicas}. Give 0 or more, below minReplicaCount."
            )


class Polled(NamedTuple):
    """What a poll leaves: the replicas wanted, and when a trigger was last active (None: never)."""

    replicas: int
    last_active: float | None


def polled_replicas(
    scaled: Activation,
    current: int,
    now: float,
    last_active: float | None,
    *,
    active: bool,
    error: bool = False,
) -> Polled:
    """Give what the polling loop sets the target to; from 1 on upwards the rest is the HPA's.

    Args:
        scaled: The ScaledObject.
        current: The target's spec.replicas.
        now: Seconds by the clock of `last_active` and of the creation.
        last_active: As the last poll left it.
        active: Whether any trigger is active or falls back.
        error: Whether any trigger failed and does not fall back.

    Source: scale_scaledobjects.go, RequestScale, scaleToZeroOrIdle and scaleFromZeroOrIdle,
    v2.20.2; paused and forced ScaledObjects are left out.
    """
    idle = scaled.idle_replicas
    if active:
        if current == 0 or (idle is not None and current < scaled.min_replicas):
            return Polled(max(scaled.min_replicas, 1), now)
        return Polled(current, last_active if error else now)
    if error and (scaled.fallback is None or scaled.fallback.replicas):
        return Polled(current, last_active)
    if (idle is not None and current > idle) or (current > 0 and scaled.min_replicas == 0):
        if last_active is None:
            cooled = scaled.created + scaled.initial_cooldown_seconds < now
        else:
            cooled = last_active + scaled.cooldown_seconds < now
        rest = scaled.min_replicas if idle is None else idle
        return Polled(rest if cooled else current, last_active)
    if idle is None and current < scaled.min_replicas:
        return Polled(scaled.min_replicas, last_active)
    return Polled(current, last_active)

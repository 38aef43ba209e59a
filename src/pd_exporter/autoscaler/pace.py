"""What of its past holds an HPA back: recommendations of a window, changes of a period.

Time is in whole nanoseconds, as the controller compares times, so that an event exactly as old as
a period is judged as the controller judges it. Its int32 overflows are not imitated.

Facts: Kubernetes v1.36, pkg/controller/podautoscaler/horizontal.go.
"""

import math
from collections import deque

from pd_exporter.autoscaler.behavior import PolicyType, ScalingPolicy, ScalingRules, SelectPolicy

SECOND = 1_000_000_000
"""Nanoseconds."""


class Peak:
    """The highest of the recommendations of a window that ends now.

    Only what can still become the highest is kept, so that a call costs the same however many
    recommendations the window spans. The lowest is the highest of the negated.
    """

    __slots__ = ("_kept", "_window")

    def __init__(self, window: int) -> None:
        """Remember for `window` nanoseconds; a recommendation exactly as old counts no more."""
        self._window = window
        self._kept: deque[tuple[int, int]] = deque()

    def record(self, now: int, value: int) -> None:
        """Take in a recommendation; `now` (nanoseconds) never falls."""
        kept = self._kept
        while kept and kept[-1][1] <= value:
            kept.pop()
        kept.append((now, value))

    def highest(self, now: int, value: int) -> int:
        """Give the highest of the window, or `value` if that is higher."""
        kept = self._kept
        cutoff = now - self._window
        while kept and kept[0][0] <= cutoff:
            kept.popleft()
        return kept[0][1] if kept and kept[0][1] > value else value


class ScaleEvents:
    """Changes of the replica count in one direction, by when they were made.

    A change is forgotten only as another of its direction is stored, one at a time, and once it
    is older than the longest period of its own direction's policies: a longer period of the other
    direction then misses it. Source: horizontal.go, storeScaleEvent.
    """

    __slots__ = ("_events", "_longest")

    def __init__(self, rules: ScalingRules) -> None:
        self._events: list[tuple[int, int]] = []
        self._longest = SECOND * max(policy.period_seconds for policy in rules.policies or ())

    def store(self, now: int, change: int) -> None:
        """Note that `change` replicas (positive) were added, or removed, now (nanoseconds)."""
        outdated = [
            index for index, event in enumerate(self._events) if event[0] < now - self._longest
        ]
        if outdated:
            self._events[outdated[-1]] = (now, change)
        else:
            self._events.append((now, change))

    def within(self, now: int, period_seconds: int) -> int:
        """Give the replicas changed less than a period ago (getReplicasChangePerPeriod)."""
        cutoff = now - period_seconds * SECOND
        return sum([change for at, change in self._events if at > cutoff])


class Rate:
    """How far the policies of one direction let an HPA go now, given what it did of late."""

    def __init__(self, rules: ScalingRules, added: ScaleEvents, removed: ScaleEvents) -> None:
        """Watch both directions' events: a period starts from what it undid, too."""
        self._select = rules.select_policy
        self._policies = rules.policies or ()
        self._added, self._removed = added, removed

    def highest(self, replicas: int, now: int) -> int:
        """Give the replica count up to which the policies allow scaling up.

        It lies below `replicas` when more was added of late than they permit. A percentage is
        rounded up. Source: horizontal.go, calculateScaleUpLimitWithScalingRules.
        """
        if self._select is SelectPolicy.DISABLED:
            return replicas
        limits = [
            start + policy.value
            if policy.type is PolicyType.PODS
            else math.ceil(start * (1 + policy.value / 100))
            for policy, start in self._starts(replicas, now)
        ]
        return min(limits) if self._select is SelectPolicy.MIN else max(limits)

    def lowest(self, replicas: int, now: int) -> int:
        """Give the replica count down to which the policies allow scaling down.

        It lies above `replicas` when more was removed of late than they permit. A percentage is
        cut off towards zero. Source: horizontal.go, calculateScaleDownLimitWithBehaviors.
        """
        if self._select is SelectPolicy.DISABLED:
            return replicas
        limits = [
            start - policy.value
            if policy.type is PolicyType.PODS
            else int(start * (1 - policy.value / 100))
            for policy, start in self._starts(replicas, now)
        ]
        return max(limits) if self._select is SelectPolicy.MIN else min(limits)

    def _starts(self, replicas: int, now: int) -> list[tuple[ScalingPolicy, int]]:
        """Give each policy with the replicas there were as its period began."""
        return [
            (
                policy,
                replicas
                - self._added.within(now, policy.period_seconds)
                + self._removed.within(now, policy.period_seconds),
            )
            for policy in self._policies
        ]

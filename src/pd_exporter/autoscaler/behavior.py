"""An HPA's `behavior`, with the API server's checks and defaults.

Facts: Kubernetes v1.36, pkg/apis/autoscaling/v2/defaults.go and
pkg/apis/autoscaling/validation/validation.go.
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum

_LONGEST_PERIOD_SECONDS = 1800
_LONGEST_WINDOW_SECONDS = 3600


class PolicyType(StrEnum):
    """What a policy counts; the values are those of the HPA's API."""

    PODS = "Pods"
    PERCENT = "Percent"


class SelectPolicy(StrEnum):
    """Which of several policies holds: that of the greatest change, of the least, or standstill."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


@dataclass(frozen=True, slots=True)
class ScalingPolicy:
    """One limit: at most `value` replicas, or percent of them, within `period_seconds`.

    Raises:
        ValueError: What the API server rejects: a value below 1, a period outside 1..1800 s.
    """

    type: PolicyType
    value: int
    period_seconds: int

    def __post_init__(self) -> None:
        if self.value < 1:
            raise ValueError(
                f"A policy's value is {self.value}. Give 1 or more, or stop the direction with "
                "selectPolicy Disabled."
            )
        if not 1 <= self.period_seconds <= _LONGEST_PERIOD_SECONDS:
            raise ValueError(
                f"A policy's periodSeconds is {self.period_seconds}. "
                f"Give 1 to {_LONGEST_PERIOD_SECONDS}."
            )


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """The limits of one direction; None is what was not given.

    Attributes:
        stabilization_window_seconds: How far back recommendations hold a change back.
        select_policy: Which policy holds.
        policies: The limits, each for itself.
        tolerance: Relative distance from the target within which nothing changes, for instance
            0.1; None leaves it to the controller's flag.

    Raises:
        ValueError: What the API server rejects: a window outside 0..3600 s, no policy in the
            list, a negative tolerance.
    """

    stabilization_window_seconds: int | None = None
    select_policy: SelectPolicy | None = None
    policies: tuple[ScalingPolicy, ...] | None = None
    tolerance: float | None = None

    def __post_init__(self) -> None:
        window = self.stabilization_window_seconds
        if window is not None and not 0 <= window <= _LONGEST_WINDOW_SECONDS:
            raise ValueError(
                f"stabilizationWindowSeconds is {window}. Give 0 to {_LONGEST_WINDOW_SECONDS}."
            )
        if self.policies is not None and not self.policies:
            raise ValueError("policies is empty. Name one, or leave the field out.")
        if self.tolerance is not None and not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance}. Give 0 or more.")

    def over(self, defaults: "ScalingRules") -> "ScalingRules":
        """Give the defaults with whatever is given here in their place (copyHPAScalingRules)."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(defaults, **{key: own for key, own in given.items() if own is not None})


DEFAULT_SCALE_UP = ScalingRules(
    0,
    SelectPolicy.MAX,
    (ScalingPolicy(PolicyType.PODS, 4, 15), ScalingPolicy(PolicyType.PERCENT, 100, 15)),
)
"""Source: defaults.go, defaultHPAScaleUpRules."""

DEFAULT_SCALE_DOWN = ScalingRules(
    None, SelectPolicy.MAX, (ScalingPolicy(PolicyType.PERCENT, 100, 15),)
)
"""Its window stays open: the controller's flag fills it. Source: defaultHPAScaleDownRules."""


@dataclass(frozen=True, slots=True)
class Behavior:
    """An HPA's `behavior`; a direction that was not given is None."""

    scale_up: ScalingRules | None = None
    scale_down: ScalingRules | None = None

    def defaulted(self) -> "Behavior":
        """Give what the API server stores: both directions, filled but for the down window.

        Source: defaults.go, SetDefaults_HorizontalPodAutoscalerBehavior.
        """
        up, down = self.scale_up or ScalingRules(), self.scale_down or ScalingRules()
        return Behavior(up.over(DEFAULT_SCALE_UP), down.over(DEFAULT_SCALE_DOWN))

    def in_force(self, downscale_stabilization_seconds: float) -> tuple[ScalingRules, ScalingRules]:
        """Give the rules up and down as the controller applies them, with no window open.

        Args:
            downscale_stabilization_seconds: The controller's flag; its fraction is cut off.

        Source: horizontal.go, maybeInitScaleDownStabilizationWindow.
        """
        open_window = ScalingRules(int(downscale_stabilization_seconds))
        filled = self.defaulted()
        return (
            filled.scale_up or DEFAULT_SCALE_UP,
            (filled.scale_down or DEFAULT_SCALE_DOWN).over(open_window),
        )

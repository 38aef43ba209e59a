"""What a user sets, and the settings that have a name."""

import re
from dataclasses import dataclass, replace

from pd_exporter.autoscaler.fallback import Fallback, FallbackBehavior
from pd_exporter.autoscaler.hpa import Behavior, ScalingRules
from pd_exporter.autoscaler.keda import quantity_milli
from pd_exporter.autoscaler.triggers import Lag, Required, Trigger
from pd_exporter.policy import (
    FALLBACK_FAILURE_THRESHOLD,
    KEDA_LAG_THRESHOLD,
    RULE_SECONDS,
    SCALE_DOWN_WINDOW_SECONDS,
    SCRAPE_SECONDS,
    TUTORIAL_LAG_THRESHOLD,
)


@dataclass(frozen=True, slots=True)
class SignalPath:
    """How the signal comes from the queue to the HPA; the HPA acts on what it gets at its sync.

    Attributes:
        scrape_seconds: Between two scrapes.
        rule_seconds: Between two evaluations of the rules.
        recorded: Whether the trigger reads a recorded series; else its query is the whole law.
        sync_seconds: Between two syncs of the HPA.
        missed_scrapes: The share of scrapes that fail, 0 to 1.

    Raises:
        ValueError: An interval is not positive, or the share out of range.
    """

    scrape_seconds: float = SCRAPE_SECONDS
    rule_seconds: float = RULE_SECONDS
    recorded: bool = True
    sync_seconds: float = 15.0
    missed_scrapes: float = 0.0

    def __post_init__(self) -> None:
        if min(self.scrape_seconds, self.rule_seconds, self.sync_seconds) <= 0:
            raise ValueError(f"scrape_seconds, rule_seconds, sync_seconds must be positive: {self}")
        if not 0 <= self.missed_scrapes <= 1:
            raise ValueError(f"missed_scrapes must be from 0 to 1: {self}")

    @property
    def label(self) -> str:
        """Scrape and rule interval, such as 15/15."""
        return f"{self.scrape_seconds:g}/{self.rule_seconds:g}"


@dataclass(frozen=True, slots=True)
class Setting:
    """A ScaledObject and the path of its signal.

    Attributes:
        name: For people; unlike for unlike settings.
        triggers: The HPA goes by the one that asks for most. Without any the size is fixed.
        behavior: Of the HPA; None is the controller's old limiter.
        min_replicas: minReplicaCount, 1 or more.
        max_replicas: maxReplicaCount.
        fixed_replicas: The size without triggers.
        fallback: Of the ScaledObject.
        path: Of the signal.
    """

    name: str
    triggers: tuple[Trigger, ...] = ()
    behavior: Behavior | None = None
    min_replicas: int = 1
    max_replicas: int = 32
    fixed_replicas: int | None = None
    fallback: Fallback | None = None
    path: SignalPath = SignalPath()


def scale_down_after(seconds: int) -> Behavior:
    """Kubernetes' own behavior with a scale-in stabilization window of so many seconds."""
    return Behavior(scale_down=ScalingRules(stabilization_window_seconds=seconds)).defaulted()


def static(replicas: int) -> Setting:
    """A fixed number of replicas."""
    return Setting(f"static:{replicas}", fixed_replicas=replicas, max_replicas=replicas)


def by_lag(threshold: float, max_replicas: int, path: SignalPath) -> Setting:
    """A threshold on the recorded lag, else as the tutorial: no behavior and no fallback."""
    return Setting(f"lag:{threshold:g}", (Lag(threshold),), max_replicas=max_replicas, path=path)


def by_required_workers(
    name: str, trigger: Required, window: int, max_replicas: int, path: SignalPath
) -> Setting:
    """The recommended ScaledObject; `window` is scale-in's stabilization, in seconds."""
    return Setting(
        name,
        (trigger,),
        scale_down_after(window),
        max_replicas=max_replicas,
        fallback=Fallback(
            FALLBACK_FAILURE_THRESHOLD, 1, FallbackBehavior.CURRENT_REPLICAS_IF_HIGHER
        ),
        path=path,
    )


def recommended(
    max_replicas: int, path: SignalPath, service_seconds: float | None = None
) -> Setting:
    """What is shipped, with a measured or a constant service time (`Required`)."""
    trigger = Required(service_seconds=service_seconds)
    return by_required_workers(
        "recommended", trigger, SCALE_DOWN_WINDOW_SECONDS, max_replicas, path
    )


_LAG_THRESHOLDS = {"tutorial": TUTORIAL_LAG_THRESHOLD, "keda-default": KEDA_LAG_THRESHOLD}


def named(
    text: str, max_replicas: int, path: SignalPath, service_seconds: float | None = None
) -> Setting:
    """The setting of a name as users write it.

    ``tutorial``, ``keda-default``, ``recommended``, ``lag:N`` and ``static:N``. The tutorial's is
    its threshold on the recorded lag, and not its trigger, which asks NATS itself.

    Raises:
        ValueError: There is none of that name.
    """
    kind, _, number = text.partition(":")
    if text == "recommended":
        return recommended(max_replicas, path, service_seconds)
    if text in _LAG_THRESHOLDS:
        return replace(by_lag(_LAG_THRESHOLDS[text], max_replicas, path), name=text)
    # A threshold is what is left of it in thousandths, as KEDA gives it to the HPA.
    if kind == "lag" and re.fullmatch(r"\d*\.?\d+", number) and quantity_milli(float(number)):
        return by_lag(float(number), max_replicas, path)
    if kind == "static" and re.fullmatch(r"[1-9]\d{0,2}|1000", number):
        return static(int(number))
    raise ValueError(
        f"no setting is called {text!r}; write {', '.join(_LAG_THRESHOLDS)}, recommended, lag:N or"
        " static:N, with 0.001 or more for lag's N and 1 to 1000 for static's"
    )

"""The shipped parameters, each once: rules, manifests, the simulator and docs take them from here.

How they were found is told in ``docs/design/0004-the-law-for-prefill.md``.
"""

from dataclasses import dataclass

SCRAPE_SECONDS = 15.0
"""Between two scrapes of the exporter."""

RULE_SECONDS = 15.0
"""Between two evaluations of the recording rules."""

FRESH_SECONDS = 45.0
"""Age from which a sample counts no more: three scrapes, so that one missed or late costs nothing.

The same bound keeps a trigger from a recorded series that has ended without a staleness marker.
"""

FAST_WINDOW_SECONDS = 60.0
"""Window of ``role:pd_arrivals:rate1m`` and of the deliveries that the service time rests on."""

SLOW_WINDOW_SECONDS = 300.0
"""Window of ``role:pd_arrivals:rate5m``."""

TUTORIAL_LAG_THRESHOLD = 5
"""Messages per replica: lagThreshold of the nats-jetstream trigger in Alibaba's tutorial."""

TUTORIAL_MAX_REPLICAS = 6
"""That ScaledObject's maxReplicaCount."""

KEDA_LAG_THRESHOLD = 10
"""Messages per replica: what KEDA takes where a nats-jetstream trigger names none."""

SCALE_DOWN_WINDOW_SECONDS = 600
"""Stabilization window of scale-in: the highest recommendation of the last 10 minutes holds."""

FALLBACK_FAILURE_THRESHOLD = 8
"""Failed reads of a trigger before KEDA falls back: both its loops count, about 3 in 30 s."""


@dataclass(frozen=True, slots=True)
class RequiredWorkers:
    """Parameters of the law of required workers (`pd_exporter.autoscaler.laws`).

    Attributes:
        headroom: Workers above the offered load, in units of its square root.
        drain_seconds: Time in which a backlog is to be worked off.
        confidence: Standard deviations of chance by which the last minute's arrival rate has to
            exceed that of the last 5 minutes before it counts instead.
        service_window_seconds: Window over which the mean service time is measured; the part of
            it that has not been seen yet counts with the configured prior.

    Raises:
        ValueError: A parameter is out of range.
    """

    headroom: float = 1.9
    drain_seconds: float = 120.0
    confidence: float = 3.0
    service_window_seconds: float = 3600.0

    def __post_init__(self) -> None:
        # Written so that NaN is refused too.
        if not (self.headroom >= 0 and self.confidence >= 0):
            raise ValueError(f"headroom and confidence must not be negative: {self}")
        if not (self.drain_seconds > 0 and self.service_window_seconds > 0):
            raise ValueError(f"drain_seconds and service_window_seconds must be positive: {self}")


REQUIRED_WORKERS = RequiredWorkers()
"""As shipped."""

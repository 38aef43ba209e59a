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

EVIDENCE_SECONDS = 600.0
"""How far back an engine's metrics show that a role instance serves that was Ready before them."""

COVERAGE = 0.8
"""Share of a role's instances that have to report for the others to be taken as like them."""

SERVICE_SAMPLES = 16
"""Samples of an hour with a busy worker from which on they tell the service time: 4 minutes.

Their number strays by its root: 16 is a service time that is right to a quarter. Fewer, and one
request that happened to be in work at a scrape would count for all of the interval. The number of
busy workers is no such bound: of a burst on 16 idle ones it is reached by the first sample, when
the last minute's deliveries tell a few seconds of work.
"""

SERVICE_MEMORY_SECONDS = 7 * 86400.0
"""How long a measured service time stands in once there is too little traffic to measure it."""

WAIT_GOAL_SECONDS = 10.0
"""How long a request may wait for a worker before an alert says so, where no goal is configured."""

DECODE_MEMORY_THRESHOLD = 0.8
"""GPU memory utilisation that one role instance of decode is to have."""

KV_DEMAND_THRESHOLD = 0.7
"""KV-cache demand that one role instance of decode is to have."""

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

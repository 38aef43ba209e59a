"""What shipped ScaledObjects' queries have to give of a service, by its figures."""

import math
from dataclasses import dataclass
from itertools import starmap

from pd_exporter.policy import (
    DECODE_MEMORY_THRESHOLD,
    KV_DEMAND_THRESHOLD,
    TUTORIAL_LAG_THRESHOLD,
)
from tests.keda_queries import Asked, shipped
from tests.keda_queries_service import INSTANCES, Fate, Service

ASKED = list(shipped())
OURS = list(starmap(Service, sorted({asked.service for asked in ASKED})))
"""Services that ScaledObjects are for; all have the same figures."""
FATED = [Service("default", fate.value, fate) for fate in Fate if fate is not Fate.NONE]
NEIGHBOURS = [
    Service(
        namespace,
        group,
        rate=1,
        queued=4,
        unacknowledged=1,
        routed=5,
        waiting=6,
        kv=0.05,
        dynamo_kv=0.06,
        memory=0.07,
    )
    for namespace, group in (("default", "neighbour"), ("elsewhere", "dynamo-pd"))
]
EVERY = [*OURS, *FATED, *NEIGHBOURS]
BY_INSTANCES = {Fate.INSTANCES, Fate.EXPORTER, Fate.STOPPED}
BY_QUEUES = {Fate.QUEUE, Fate.CONSUMER, Fate.EXPORTER, Fate.STOPPED}
ENDS = sorted(BY_INSTANCES | BY_QUEUES)


@dataclass(frozen=True)
class Expected:
    """What becomes of a signal.

    Attributes:
        threshold: That it is shipped with.
        replicas: Through which counts the HPA takes 1 replica of our services in 5 minutes.
        ending: Fates with which it ends.
    """

    threshold: float
    replicas: list[int]
    ending: set[Fate]


EXPECTED = {
    # 27 / 5: without behavior at most max(2 x 1, 4) at once.
    "lag": Expected(TUTORIAL_LAG_THRESHOLD, [4, 6], BY_QUEUES),
    # 5.42 and 5.44: with one, at most 4 more in 15 s; then 5 are within a tenth of it.
    "required-workers jetstream": Expected(1, [5], BY_QUEUES),
    "required-workers-scraped jetstream": Expected(1, [5], BY_QUEUES),
    "required-workers dynamo": Expected(1, [5], BY_INSTANCES),
    # 5.54
    "required-workers engine": Expected(1, [5, 6], BY_INSTANCES),
    # 2.25 / 0.7 and 2 / 0.7
    "kv-cache-demand engine": Expected(KV_DEMAND_THRESHOLD, [4], BY_INSTANCES),
    "kv-cache-demand dynamo": Expected(KV_DEMAND_THRESHOLD, [3], BY_INSTANCES),
    # 2.5 / 0.8: one after a minute, the next 3 minutes later; then 3 are within a tenth of 3.125.
    "gpu-memory nvml": Expected(DECODE_MEMORY_THRESHOLD, [2, 3], BY_INSTANCES),
}


def figure(signal: str, of: Service) -> float:
    """What a signal is of a service, by arithmetic on the service's figures alone."""
    offered = of.rate * of.seconds / of.slots

    def required(waiting: int) -> float:
        """Headroom 1.9 times the root, and the backlog worked off in 120 s."""
        return offered + 1.9 * math.sqrt(offered) + waiting * of.seconds / of.slots / 120

    return {
        "lag": of.queued + of.unacknowledged,
        "required-workers jetstream": required(of.queued),
        "required-workers-scraped jetstream": required(of.queued),
        "required-workers dynamo": required(of.routed),
        "required-workers engine": required(of.waiting),
        "kv-cache-demand engine": INSTANCES * of.kv * (1 + of.asking),
        "kv-cache-demand dynamo": INSTANCES * of.dynamo_kv,
        "gpu-memory nvml": INSTANCES * of.memory,
    }[signal]


def ours(asked: Asked) -> float:
    """What a ScaledObject's signal is of our services."""
    return figure(asked.signal, OURS[0])

"""Requests, and the service that they are put to."""

import math
from array import array
from dataclasses import dataclass
from random import Random

from pd_exporter.autoscaler.signals import Ack
from pd_exporter.autoscaler.traces import Trace


@dataclass(frozen=True, slots=True)
class Workload:
    """A load and what serves it.

    Attributes:
        arrivals: Seconds, never falling.
        service: Seconds that each request occupies a worker's slot.
        concurrency: Slots of a worker.
        startup_seconds: From a replica's creation until it serves.
        initial_replicas: Replicas that serve from the beginning.
        ack: When workers acknowledge.
        prior_seconds: The mean service time that is configured; None where none is.
        evidence: Whether a replica counts as serving only once it does. Without, each is taken
            for a worker from its first second, as one without a readiness probe would be.

    Raises:
        ValueError: Nothing could ever be served: no slot, or no replica to begin with.
    """

    arrivals: "array[float]"
    service: "array[float]"
    concurrency: int = 1
    startup_seconds: float = 120.0
    initial_replicas: int = 4
    ack: Ack = Ack.AFTER_WORK
    prior_seconds: float | None = None
    evidence: bool = True

    def __post_init__(self) -> None:
        if self.concurrency < 1 or self.initial_replicas < 1:
            raise ValueError(
                f"concurrency is {self.concurrency} and initial_replicas {self.initial_replicas}:"
                " give 1 or more of each; an HPA leaves a target of 0 replicas alone"
            )

    @property
    def duration(self) -> float:
        """Seconds until the last arrival."""
        return self.arrivals[-1]

    @property
    def mean_service_seconds(self) -> float:
        """Of all requests."""
        return sum(self.service) / len(self.service)

    @property
    def offered_workers(self) -> float:
        """Workers that would be busy on average if none ever waited (Little).

        0 where no time passes, which has no rate.
        """
        if not self.duration:
            return 0.0
        return sum(self.service) / self.duration / self.concurrency


def service_by_tokens(trace: Trace, tokens_per_second: float, overhead: float) -> "array[float]":
    """Service times from prompts: input tokens at a worker's speed, and an overhead in seconds.

    `tokens_per_second` (V_P) is that of one slot, measured through the whole serving path.

    Raises:
        ValueError: The trace has no input tokens.
    """
    if trace.input_tokens is None:
        raise ValueError(
            f"{trace.name} has no input tokens: give the service time itself, or a trace with a"
            " column input_tokens"
        )
    return array("d", (tokens / tokens_per_second + overhead for tokens in trace.input_tokens))


def service_by_distribution(
    requests: int, mean: float, variation: float, seed: int
) -> "array[float]":
    """Log-normal service times: `mean` seconds, and their standard deviation over it.

    A variation of 0 makes all equal.
    """
    if not variation:
        return array("d", [mean]) * requests
    random = Random(seed)  # noqa: S311 - to be reproduced, not to be secret
    variance = math.log1p(variation * variation)
    middle, deviation = math.log(mean) - variance / 2, math.sqrt(variance)
    return array("d", (random.lognormvariate(middle, deviation) for _ in range(requests)))

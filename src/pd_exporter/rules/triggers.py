"""Queries for KEDA's prometheus triggers: what a role can be scaled by."""

from dataclasses import dataclass

from pd_exporter.policy import (
    DECODE_MEMORY_THRESHOLD,
    FRESH_SECONDS,
    KV_DEMAND_THRESHOLD,
    TUTORIAL_LAG_THRESHOLD,
)
from pd_exporter.rules import dynamo, engine, jetstream, kv, memory
from pd_exporter.rules.load import LAG, REQUIRED


@dataclass(frozen=True, slots=True)
class Signal:
    """What a role can be scaled by.

    Attributes:
        series: Name of the recorded series.
        source: Its label.
        threshold: How much of it one role instance is to have.
        role: The role that it is meant for.
        meaning: When to take it, in a sentence.
        scraped_roles: The same of all roles by scraped series, for where recorded ones come late;
            empty where it cannot be had.
    """

    series: str
    source: str
    threshold: float
    role: str
    meaning: str
    scraped_roles: str = ""

    def recorded(self, seconds: float = FRESH_SECONDS, of: str = "") -> str:
        """The recorded series, where its sample is younger than `seconds`.

        Prometheus leaves no staleness markers when it stops, and reads what it recorded before as
        current for 5 minutes after it is back.

        Args:
            seconds: Age from which it counts no more.
            of: Matchers that choose one role, such as ``namespace="default",group="dynamo-pd"``.
        """
        matchers = ",".join(filter(None, (of, f'source="{self.source}"')))
        # The bound needs no matchers: `and` takes only elements with all of the same labels.
        return f"{self.series}{{{matchers}}} and time() - timestamp({self.series}) < {seconds:g}"

    def scraped(self, of: str = "") -> str:
        """The same by scraped series; empty where it cannot be had.

        Args:
            of: As for `recorded`.
        """
        if not self.scraped_roles:
            return ""
        queue = f"pd_queue_up{{{of}}}" if of else "pd_queue_up"
        # `and` binds closer than `or`, which may stand outermost in the left operand.
        return f"({self.scraped_roles}) and on (namespace, group, role) {queue}"


SIGNALS = (
    Signal(
        REQUIRED,
        jetstream.LOAD.source,
        1,
        "prefill",
        "Recommended where there is a JetStream queue.",
        jetstream.LOAD.scraped_required,
    ),
    Signal(
        REQUIRED, dynamo.LOAD.source, 1, "prefill", "Recommended for Dynamo without such a queue."
    ),
    Signal(
        REQUIRED,
        engine.LOAD.source,
        1,
        "prefill",
        "Recommended where only the engines tell what waits.",
    ),
    Signal(
        LAG,
        jetstream.LOAD.source,
        TUTORIAL_LAG_THRESHOLD,
        "prefill",
        "What KEDA's nats-jetstream trigger computes, number for number.",
        jetstream.LOAD.lag.expression,
    ),
    Signal(kv.ROLE_DEMAND, "engine", KV_DEMAND_THRESHOLD, "decode", "Recommended for Decode."),
    Signal(
        kv.ROLE_DEMAND,
        "dynamo",
        KV_DEMAND_THRESHOLD,
        "decode",
        "The same where only Dynamo's own metrics are scraped, which do not tell what waits.",
    ),
    Signal(
        memory.ROLE_UTILIZATION,
        memory.SOURCE,
        DECODE_MEMORY_THRESHOLD,
        "decode",
        "For engines that take GPU memory as they need it.",
    ),
)
"""As they are shipped."""

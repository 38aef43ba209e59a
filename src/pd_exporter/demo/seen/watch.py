"""The run as it is seen once a second, by itself, by the exporter and by Prometheus."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isclose

from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.demo.cluster.gpus import Gpus
from pd_exporter.demo.plan import DECODE_ROLE
from pd_exporter.demo.seen.readings import (
    KV_DEMAND,
    LAG,
    REQUIRED,
    SERVING,
    UTILIZATION,
    Exporter,
    Prometheus,
    memory_of,
)
from pd_exporter.demo.service.engines import GPU_TOTAL
from pd_exporter.demo.service.tally import Truth

_DECODE_MEMORY = memory_of(DECODE_ROLE)


@dataclass(frozen=True, slots=True)
class Moment:
    """All that was known at one time.

    Attributes:
        seconds: Since the run began.
        unix: The same as Unix time.
        truth: The workload's own counts.
        written: Memory of simulated GPUs by name, as the exporter could read it from then on.
        exported: The exporter's values by name.
        recorded: The recorded series and the memory of GPUs by name, as Prometheus answers; None
            without Prometheus.
    """

    seconds: float
    unix: float
    truth: Truth
    written: Mapping[str, float]
    exported: Mapping[str, float]
    recorded: Mapping[str, float] | None

    @property
    def exported_lag(self) -> float | None:
        """Messages pending or not acknowledged, by the exporter's page."""
        pending = self.exported.get(queue_metrics.PENDING.name)
        unacknowledged = self.exported.get(queue_metrics.ACK_PENDING.name)
        if pending is None or unacknowledged is None:
            return None
        return pending + unacknowledged

    @property
    def exported_wait(self) -> float | None:
        """Seconds that the oldest request has waited, by the exporter's page."""
        if self.exported.get(queue_metrics.PENDING.name) == 0:
            return 0.0
        head = self.exported.get(queue_metrics.HEAD_TIMESTAMP.name)
        return None if head is None else max(0.0, self.unix - head)

    @property
    def lag(self) -> float | None:
        """The recorded lag; without Prometheus the exporter's."""
        return self.exported_lag if self.recorded is None else self.recorded.get(LAG)

    @property
    def seen(self) -> Mapping[str, float]:
        """What Prometheus answers; without Prometheus what the exporter gives."""
        return self.exported if self.recorded is None else self.recorded


class Watch:
    """Looks at the run and remembers what it saw in `moments`."""

    def __init__(
        self,
        truth: Callable[[], Truth],
        gpus: Gpus | None,
        exporter: Exporter,
        prometheus: Prometheus | None,
    ) -> None:
        self._truth = truth
        self.gpus = gpus
        self.exporter = exporter
        self.prometheus = prometheus
        self._began = time.monotonic()
        self.moments: list[Moment] = []

    async def look(self) -> Moment:
        """Move the simulated GPUs to where they should be, and see what is the case now."""
        written = {}
        if self.gpus is not None:
            written = {memory_of(role): used for role, used in self.gpus.write().items()}
        exported, recorded = await asyncio.gather(self.exporter.now(), self._recorded())
        moment = Moment(
            seconds=time.monotonic() - self._began,
            unix=time.time(),
            truth=self._truth(),
            written=written,
            exported=exported,
            recorded=recorded,
        )
        self.moments.append(moment)
        return moment

    def begun(self) -> bool:
        """Whether everything that the burst moves has been seen before it."""
        seen = self.moments[-1].recorded
        if seen is None:
            return self.moments[-1].lag is not None
        wanted = {LAG, SERVING, REQUIRED, KV_DEMAND}
        if self.gpus is not None and self.gpus.simulated:
            wanted.add(UTILIZATION)
        return wanted <= seen.keys()

    def at_rest(self) -> bool:
        """Whether Decode is as at the begin of the run, and is also seen so."""
        last, idle = self.moments[-1], self.moments[0].written.get(_DECODE_MEMORY)
        recorded = last.recorded
        if recorded is not None and recorded.get(KV_DEMAND) != 0:
            return False
        if idle is None:  # GPUs are left out, or are not simulated
            return True
        if not last.written[_DECODE_MEMORY] == idle == last.seen.get(_DECODE_MEMORY):
            return False
        return recorded is None or isclose(recorded.get(UTILIZATION, inf), idle / GPU_TOTAL)

    async def _recorded(self) -> Mapping[str, float] | None:
        return None if self.prometheus is None else await self.prometheus.now()

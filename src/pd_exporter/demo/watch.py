"""The run as it is seen from outside, once a second: truth, exporter, recorded series."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pd_exporter import catalogue
from pd_exporter.demo.readings import LAG, Exporter, Prometheus
from pd_exporter.demo.workload import Truth


@dataclass(frozen=True, slots=True)
class Moment:
    """All that was known at one time.

    Attributes:
        seconds: Since the run began.
        unix: The same as Unix time.
        truth: The workload's own counts.
        exported: The exporter's values by metric name.
        recorded: The recorded series by name, as Prometheus answers; None without Prometheus.
    """

    seconds: float
    unix: float
    truth: Truth
    exported: Mapping[str, float]
    recorded: Mapping[str, float] | None

    @property
    def exported_lag(self) -> float | None:
        """Messages pending or not acknowledged, by the exporter's page."""
        pending = self.exported.get(catalogue.QUEUE_PENDING.name)
        unacknowledged = self.exported.get(catalogue.QUEUE_ACK_PENDING.name)
        if pending is None or unacknowledged is None:
            return None
        return pending + unacknowledged

    @property
    def exported_wait(self) -> float | None:
        """Seconds that the oldest request has waited, by the exporter's page."""
        if self.exported.get(catalogue.QUEUE_PENDING.name) == 0:
            return 0.0
        head = self.exported.get(catalogue.QUEUE_HEAD_TIMESTAMP.name)
        return None if head is None else max(0.0, self.unix - head)

    @property
    def lag(self) -> float | None:
        """The recorded lag; without Prometheus the exporter's."""
        return self.exported_lag if self.recorded is None else self.recorded.get(LAG)


class Watch:
    """Looks at the run and remembers what it saw in `moments`."""

    def __init__(
        self, truth: Callable[[], Truth], exporter: Exporter, prometheus: Prometheus | None
    ) -> None:
        self._truth = truth
        self.exporter = exporter
        self.prometheus = prometheus
        self._began = time.monotonic()
        self.moments: list[Moment] = []

    async def look(self) -> Moment:
        """See what is the case now."""
        exported, recorded = await asyncio.gather(self.exporter.now(), self._recorded())
        moment = Moment(
            seconds=time.monotonic() - self._began,
            unix=time.time(),
            truth=self._truth(),
            exported=exported,
            recorded=recorded,
        )
        self.moments.append(moment)
        return moment

    async def _recorded(self) -> Mapping[str, float] | None:
        return None if self.prometheus is None else await self.prometheus.now()

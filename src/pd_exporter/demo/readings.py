"""What the exporter's page and Prometheus answer about the demo's queue and its pods' GPUs."""

from collections.abc import Mapping, Sequence

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ValidationError

from pd_exporter.catalogue import gpu as gpu_metrics
from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.demo.plan import CONSUMER, GROUP, NAMESPACE, ROLE, STREAM
from pd_exporter.demo.processes import DemoError

LAG = "role:pd_lag_messages:sum"
PENDING = "role:pd_pending_requests:sum"
WAIT = "role:pd_wait_seconds:max"
ARRIVALS = "role:pd_arrivals:rate1m"
ARRIVALS_5M = "role:pd_arrivals:rate5m"
DELIVERIES = "role:pd_deliveries:rate1m"

RECORDED = (LAG, PENDING, WAIT, ARRIVALS, ARRIVALS_5M, DELIVERIES)
"""The shipped rules' series that the demo shows."""

_SELECTOR = (
    f'{{__name__=~"{"|".join(RECORDED)}",namespace="{NAMESPACE}",group="{GROUP}",role="{ROLE}",'
    'source="jetstream"}'
)
_MEMORY = (
    f'sum by (role) ({gpu_metrics.POD_MEMORY_USED.name}{{namespace="{NAMESPACE}",group="{GROUP}"}})'
)
_QUESTION = f"{_SELECTOR} or {_MEMORY}"
_QUEUE = dict(zip(queue_metrics.LABELS, (NAMESPACE, GROUP, ROLE, STREAM, CONSUMER), strict=True))
_TIMEOUT = aiohttp.ClientTimeout(total=5)
_TELLS_TIMEOUT = {"X-Prometheus-Scrape-Timeout-Seconds": f"{_TIMEOUT.total}"}


def memory_of(role: str) -> str:
    """Name the GPU memory of all pods of a role, in bytes, among the values by name."""
    return f'sum({gpu_metrics.POD_MEMORY_USED.name}{{role="{role}"}})'


class _Series(BaseModel):
    metric: dict[str, str]
    value: tuple[float, float] | None = None
    values: list[tuple[float, float]] = []


class _Result(BaseModel):
    result: list[_Series]


class _Answer(BaseModel):
    data: _Result


def _name(series: _Series) -> str:
    return series.metric.get("__name__") or memory_of(series.metric["role"])


class Exporter:
    """The exporter under `url`, which ends with a slash."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def now(self) -> Mapping[str, float]:
        """Read the queue's metrics by name, and the roles' memory; empty without a page."""
        try:
            async with self._http.get(
                f"{self.url}metrics", timeout=_TIMEOUT, headers=_TELLS_TIMEOUT
            ) as response:
                page = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return {}
        values: dict[str, float] = {}
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                if sample.labels == _QUEUE:
                    values[sample.name] = sample.value
                elif sample.name == gpu_metrics.POD_MEMORY_USED.name:
                    name = memory_of(sample.labels["role"])
                    values[name] = values.get(name, 0) + sample.value
        return values


class Prometheus:
    """The Prometheus server under `url`, which ends with a slash."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def now(self) -> Mapping[str, float]:
        """Ask for the recorded series by name, and for the roles' memory.

        What does not exist now is missing.
        """
        try:
            found = await self._ask("query", {"query": _QUESTION})
        except DemoError:
            return {}  # a gap in the view; the summary asks again and insists
        return {_name(series): series.value[1] for series in found if series.value}

    async def between(self, start: float, end: float) -> Mapping[str, Sequence[float]]:
        """Read the same back, one value a second, between two Unix times.

        Raises:
            DemoError: Prometheus does not answer.
        """
        first = end - int(end - start)  # whole steps before the end, or that would be left out
        question = {"query": _QUESTION, "start": f"{first}", "end": f"{end}", "step": "1s"}
        found = await self._ask("query_range", question)
        return {_name(series): [value for _, value in series.values] for series in found}

    async def _ask(self, what: str, question: Mapping[str, str]) -> list[_Series]:
        try:
            async with self._http.get(
                f"{self.url}api/v1/{what}", params=question, timeout=_TIMEOUT
            ) as response:
                body = await response.text()
            return _Answer.model_validate_json(body).data.result
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise DemoError(f"Prometheus does not answer: {error!r}") from error

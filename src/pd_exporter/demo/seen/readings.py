"""What the exporter's page and Prometheus answer about the demo's queue, roles and GPUs."""

from collections.abc import Iterator, Mapping, Sequence

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ValidationError

from pd_exporter.catalogue import gpu as gpu_metrics
from pd_exporter.catalogue import queue as queue_metrics
from pd_exporter.catalogue import roles as role_metrics
from pd_exporter.catalogue.identity import IDENTITY
from pd_exporter.demo.plan import CONSUMER, DECODE_ROLE, GROUP, NAMESPACE, ROLE, STREAM
from pd_exporter.demo.programs.processes import DemoError

LAG = "role:pd_lag_messages:sum"
WAIT = "role:pd_wait_seconds:max"
ARRIVALS = "role:pd_arrivals:rate1m"
DELIVERIES = "role:pd_deliveries:rate1m"

SERVICE = "role:pd_service_seconds:avg1h"
REQUIRED = "role:pd_required_workers:sum"
SERVING = "role:pd_serving_workers:sum"
UTILIZATION = "role:pd_gpu_memory_utilization:sum"
KV_DEMAND = "role:pd_kv_cache_demand:sum"

RECORDED: Mapping[str, Mapping[str, Sequence[str]]] = {
    ROLE: {
        "jetstream": (LAG, WAIT, ARRIVALS, DELIVERIES, SERVICE, REQUIRED),
        "pods": (SERVING,),
    },
    DECODE_ROLE: {"nvml": (UTILIZATION,), "engine": (KV_DEMAND,)},
}
"""The shipped rules' series that the demo shows, by role and source; none is in two of them."""

READY = role_metrics.REPLICAS_READY.name
"""Prefill replicas that are Ready, among the exporter's values."""


def _selectors() -> Iterator[str]:
    for role, by_source in RECORDED.items():
        for source, names in by_source.items():
            labels = f'namespace="{NAMESPACE}",group="{GROUP}",role="{role}",source="{source}"'
            yield f'{{__name__=~"{"|".join(names)}",{labels}}}'


_MEMORY = (
    f'sum by (role) ({gpu_metrics.POD_MEMORY_USED.name}{{namespace="{NAMESPACE}",group="{GROUP}"}})'
)
_QUESTION = " or ".join([*_selectors(), _MEMORY])
_ROLE = dict(zip(IDENTITY, (NAMESPACE, GROUP, ROLE), strict=True))
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
        """Read the queue's and Prefill's metrics by name, and memory; empty without a page."""
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
                if sample.labels in (_QUEUE, _ROLE):
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

    async def between(self, start: float, end: float) -> Mapping[str, Sequence[float | None]]:
        """Read the same back between two Unix times, one value a second, the last at the end.

        Raises:
            DemoError: Prometheus does not answer.
        """
        seconds = int(end - start)
        first = end - seconds  # whole steps before the end, or that would be left out
        question = {"query": _QUESTION, "start": f"{first}", "end": f"{end}", "step": "1s"}
        courses = {}
        for series in await self._ask("query_range", question):
            values = {round(at - first): value for at, value in series.values}
            courses[_name(series)] = [values.get(second) for second in range(seconds + 1)]
        return courses

    async def _ask(self, what: str, question: Mapping[str, str]) -> list[_Series]:
        try:
            async with self._http.get(
                f"{self.url}api/v1/{what}", params=question, timeout=_TIMEOUT
            ) as response:
                body = await response.text()
            return _Answer.model_validate_json(body).data.result
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise DemoError(f"Prometheus does not answer: {error!r}") from error

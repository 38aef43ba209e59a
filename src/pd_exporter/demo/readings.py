"""What the exporter's page and Prometheus answer about the demo's queue."""

from collections.abc import Mapping, Sequence

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, ValidationError

from pd_exporter import catalogue
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
_QUEUE = dict(zip(catalogue.QUEUE_LABELS, (NAMESPACE, GROUP, ROLE, STREAM, CONSUMER), strict=True))
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class _Series(BaseModel):
    metric: dict[str, str]
    value: tuple[float, float] | None = None
    values: list[tuple[float, float]] = []


class _Result(BaseModel):
    result: list[_Series]


class _Answer(BaseModel):
    data: _Result


class Exporter:
    """The exporter under `url`, which ends with a slash."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def now(self) -> Mapping[str, float]:
        """Read the queue's metrics by name; empty when the page could not be had."""
        try:
            async with self._http.get(f"{self.url}metrics", timeout=_TIMEOUT) as response:
                page = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return {}
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.labels == _QUEUE
        }


class Prometheus:
    """The Prometheus server under `url`, which ends with a slash."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http = http
        self.url = url

    async def now(self) -> Mapping[str, float]:
        """Ask for the recorded series by name; those that do not exist now are missing."""
        try:
            found = await self._ask("query", {"query": _SELECTOR})
        except DemoError:
            return {}  # a gap in the view; the summary asks again and insists
        return {series.metric["__name__"]: series.value[1] for series in found if series.value}

    async def between(self, start: float, end: float) -> Mapping[str, Sequence[float]]:
        """Read the recorded series back, one value a second, between two Unix times.

        Raises:
            DemoError: Prometheus does not answer.
        """
        question = {"query": _SELECTOR, "start": f"{start}", "end": f"{end}", "step": "1s"}
        found = await self._ask("query_range", question)
        return {
            series.metric["__name__"]: [value for _, value in series.values] for series in found
        }

    async def _ask(self, what: str, question: Mapping[str, str]) -> list[_Series]:
        try:
            async with self._http.get(
                f"{self.url}api/v1/{what}", params=question, timeout=_TIMEOUT
            ) as response:
                body = await response.text()
            return _Answer.model_validate_json(body).data.result
        except (aiohttp.ClientError, TimeoutError, ValidationError) as error:
            raise DemoError(f"Prometheus does not answer: {error!r}") from error

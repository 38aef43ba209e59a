"""The pods' own metrics, which tell at each scrape what the workload has at that moment.

Names and meanings are those of vLLM (vllm/v1/metrics/loggers.py) and of Dynamo's frontend
(lib/llm/src/http/service/metrics.rs and lib/runtime/src/metrics/frontend_perf.rs).
"""

from collections.abc import Iterable, Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from pd_exporter.demo.cluster.pods import GroupPod, RoleBasedGroup
from pd_exporter.demo.plan import FRONTEND_ROLE, MODEL, NAMESPACE, ROLE
from pd_exporter.demo.service.engines import kv_cache_utilization
from pd_exporter.demo.service.workload import Workload

TARGETS = "targets"
"""Where Prometheus finds the pods, of which it takes namespace and pod as PodMonitors do."""

_ENGINE = {"model_name": MODEL, "engine": "0"}
_REQUEST = {"model": MODEL, "endpoint": "chat_completions", "request_type": "stream"}
_REASONS = ("stop", "length", "abort")


class Endpoints:
    """Serves /metrics of all pods, except of those that load their model; `app` does it."""

    def __init__(self, group: RoleBasedGroup, workload: Workload) -> None:
        self._group = group
        self._workload = workload
        self.app = web.Application()
        self.app.router.add_get(f"/{TARGETS}", self._targets)
        self.app.router.add_get("/{pod}/metrics", self._metrics)

    async def _targets(self, request: web.Request) -> web.Response:
        """Answer Prometheus's http_sd_configs."""
        return web.json_response(
            [
                {
                    "targets": [request.host],
                    "labels": {
                        "__metrics_path__": f"/{pod.name}/metrics",
                        "namespace": NAMESPACE,
                        "pod": pod.name,
                    },
                }
                for pod in self._group.pods
            ]
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        found = [pod for pod in self._group.pods if pod.name == request.match_info["pod"]]
        if not found:
            raise web.HTTPNotFound
        if found[0].loading:
            raise web.HTTPServiceUnavailable
        registry = CollectorRegistry()
        registry.register(_Families(self._families(found[0])))
        # Not OpenMetrics, in which the library writes vllm_ for vllm: unless it is told not to.
        body = generate_latest(registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    def _families(self, pod: GroupPod) -> Iterator[Metric]:
        if pod.role == FRONTEND_ROLE:
            return _frontend(self._workload)
        if pod.role == ROLE:
            worker = self._workload.workers[pod.index]
            return _engine(worker.running, 0, worker.finished)  # what waits, waits in the queue
        engine = self._workload.decoding.engines[pod.index]
        return _engine(engine.running, engine.waiting, engine.finished)


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._all = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._all


def _engine(running: int, waiting: int, finished: int) -> Iterator[Metric]:
    """Give what vLLM tells of an engine."""
    gauges = {
        "vllm:num_requests_running": (running, "Requests in the engine's batch."),
        "vllm:num_requests_waiting": (waiting, "Requests that wait for room in the batch."),
        "vllm:kv_cache_usage_perc": (kv_cache_utilization(running), "Used KV cache, 0 to 1."),
    }
    for name, (value, text) in gauges.items():
        gauge = GaugeMetricFamily(name, text, labels=tuple(_ENGINE))
        gauge.add_metric(tuple(_ENGINE.values()), value)
        yield gauge
    success = CounterMetricFamily(
        "vllm:request_success", "Requests that ended.", labels=(*_ENGINE, "finished_reason")
    )
    for reason in _REASONS:
        success.add_metric((*_ENGINE.values(), reason), finished if reason == "length" else 0)
    yield success


def _frontend(workload: Workload) -> Iterator[Metric]:
    """Give what Dynamo's frontend tells of the requests that it was sent."""
    truth, decoding = workload.truth(), workload.decoding
    started = CounterMetricFamily(
        "dynamo_frontend_requests_started", "Requests that came.", labels=tuple(_REQUEST)
    )
    started.add_metric(tuple(_REQUEST.values()), truth.sent)
    yield started
    ended = CounterMetricFamily(
        "dynamo_frontend_requests",
        "Requests that ended.",
        labels=(*_REQUEST, "status", "error_type"),
    )
    ended.add_metric((*_REQUEST.values(), "success", ""), decoding.finished())
    yield ended
    stages = GaugeMetricFamily(
        "dynamo_frontend_stage_requests",
        "Requests that were sent to a worker whose first response is not back.",
        labels=("stage", "phase"),
    )
    stages.add_metric(("dispatch", "prefill"), truth.sent - truth.done)
    waiting = sum(engine.waiting for engine in decoding.engines)
    stages.add_metric(("dispatch", "decode"), waiting)
    yield stages
